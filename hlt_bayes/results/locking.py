"""One writer at a time to a place, whose work appears whole or not at all, and what a killed one left is cleared."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from hlt_bayes.core.errors import ResultFolderError

OLD = ".old"
"""Ending of what stood in a place, in the working folder of what replaces it."""


@contextlib.contextmanager
def sole_writer(place: Path | None) -> Iterator[None]:
    """Keep every other run from writing ``place`` until this ends; without a place do nothing.

    What a run that was killed left beside it is cleared away first, and what that was about to replace comes back.
    May be entered again by who holds it.

    Raises
    ------
    ResultFolderError
        Another run is writing there, or nothing can be written there.
    """
    if place is None:
        yield
        return
    refuse_unwritable(place)
    parent = place.absolute().parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    lock = FileLock(parent / f"{_hidden(place)}.lock", timeout=0, is_singleton=True)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise ResultFolderError(
            f"{place}: another run is writing there; wait until it has ended, or give another place (--out)"
        ) from error
    except OSError as error:
        raise ResultFolderError(f"{place}: cannot be written ({error})") from error
    try:
        if lock.lock_counter == 1:
            _clear(place)
        yield
    finally:
        if lock.lock_counter == 1:
            # Removed while it is held: who opens it now finds out that it is no longer there.
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink()
        lock.release()
        for folder in made:
            # One that another has filled meanwhile stays.
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def working_folder(place: Path) -> Iterator[Path]:
    """Give an empty folder beside ``place``, of a ``sole_writer``, to write in; it vanishes in the end."""
    work = Path(tempfile.mkdtemp(prefix=f"{_hidden(place)}-", dir=place.absolute().parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def written_whole(place: Path) -> Iterator[Path]:
    """Give a ``working_folder``; an error of the file system says that ``place`` is as it was.

    Raises
    ------
    ResultFolderError
        Something could not be written.
    """
    try:
        with working_folder(place) as work:
            yield work
    except OSError as error:
        raise ResultFolderError(f"{place}: cannot be written ({error}); what was there before is unchanged") from error


def put(new: Path, place: Path) -> None:
    """Give what was written in a ``working_folder`` its place; where that fails, what stood there comes back."""
    old = new.with_name(f"{place.name}{OLD}")
    if place.is_dir():
        # A folder cannot be replaced in one step.
        place.rename(old)
    try:
        new.replace(place)
    except BaseException:
        if old.exists():
            old.rename(place)
        raise


def refuse_unwritable(place: Path) -> None:
    """Refuse a file or folder where nothing can be written.

    Raises
    ------
    ResultFolderError
        As it says.
    """
    parent = next(folder for folder in place.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ResultFolderError(f"{place}: {parent} cannot be written to; give --out another folder")


def _hidden(place: Path) -> str:
    return f".{place.name}.hlt-bayes"


def _clear(place: Path) -> None:
    """Remove working folders of runs that were killed, and give back what they had put aside but not yet replaced."""
    parent = place.absolute().parent
    for left in sorted(parent.glob(f"{glob.escape(_hidden(place))}-*")):
        for old in left.glob(f"*{OLD}"):
            home = parent / old.name.removesuffix(OLD)
            if not os.path.lexists(home):
                old.rename(home)
        shutil.rmtree(left, ignore_errors=True)
