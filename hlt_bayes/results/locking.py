"""Locks on output paths, atomic replacement, and recovery after a killed run."""

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
"""Suffix of the previous version, set aside in the working folder until it has been replaced."""


@contextlib.contextmanager
def sole_writer(place: Path | None) -> Iterator[None]:
    """Lock ``place`` against writing by other runs; do nothing if it is None.

    Working folders left by a killed run are removed first, and anything that run had set aside is restored. The lock
    is re-entrant.

    Raises
    ------
    ResultFolderError
        Another run is writing to ``place``, or it cannot be written.
    """
    if place is None:
        yield
        return
    refuse_unwritable(place)
    place = place.absolute()
    parent = place.parent
    made = [folder for folder in (parent, *parent.parents) if not folder.exists()]
    lock = FileLock(parent / f"{_hidden(place)}.lock", timeout=0, is_singleton=True)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=parent):
            pass  # the lock cannot tell a folder that takes no files from one that is locked
        lock.acquire()
    except Timeout as error:
        raise ResultFolderError(
            f"{place}: another run is writing to it; wait for that run to finish, or give another path (--out)"
        ) from error
    except OSError as error:
        raise ResultFolderError(f"{place}: cannot be written ({error.strerror})") from error
    try:
        if lock.lock_counter == 1:
            _clear(place)
        yield
    finally:
        if lock.lock_counter == 1:
            # Removed while held, so that a run that has just opened it notices that it is gone.
            with contextlib.suppress(OSError):
                Path(lock.lock_file).unlink()
        lock.release()
        for folder in made:
            # A folder that another process has filled meanwhile is not removed.
            with contextlib.suppress(OSError):
                folder.rmdir()


@contextlib.contextmanager
def working_folder(place: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``place``, which the caller must have locked (``sole_writer``)."""
    work = Path(tempfile.mkdtemp(prefix=f"{_hidden(place)}-", dir=place.absolute().parent))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def written_whole(place: Path) -> Iterator[Path]:
    """Yield a ``working_folder``; on a file-system error, report that ``place`` is unchanged.

    Raises
    ------
    ResultFolderError
        A file could not be written.
    """
    try:
        with working_folder(place) as work:
            yield work
    except OSError as error:
        raise ResultFolderError(f"{place}: cannot be written ({error}); what was there before is unchanged") from error


def put(new: Path, place: Path) -> None:
    """Move ``new`` from a ``working_folder`` to ``place``; if that fails, restore the previous version."""
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
    """Raise if a file or folder cannot be created at ``place``.

    Raises
    ------
    ResultFolderError
        ``place`` has no name of its own, or its nearest existing parent is not a writable folder.
    """
    if place.name in ("", ".."):
        raise ResultFolderError(f"{place}: is not the name of a new file or folder; give one, such as results/mine")
    parent = next(folder for folder in place.absolute().parents if folder.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise ResultFolderError(f"{place}: {parent} cannot be written to; give another folder (--out)")


def _hidden(place: Path) -> str:
    return f".{place.name}.hlt-bayes"


def _clear(place: Path) -> None:
    """Remove working folders of killed runs, and restore ``place`` where it was set aside but not yet replaced.

    Links are left alone: what they point to is not ours.
    """
    for left in sorted(place.absolute().parent.glob(f"{glob.escape(_hidden(place))}-*")):
        if left.is_symlink() or not left.is_dir():
            continue
        old = left / f"{place.name}{OLD}"
        if old.is_dir() and not old.is_symlink() and not os.path.lexists(place):
            old.rename(place)
        shutil.rmtree(left, ignore_errors=True)
