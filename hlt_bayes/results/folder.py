"""A result folder is written whole or not at all, and only ever replaces one of ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.results.locking import put, refuse_unwritable, sole_writer, written_whole
from hlt_bayes.results.manifest import MANIFEST, read_manifest

SPECS = "specs.json"
PAGE = "report.html"


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a folder that may not be written, before any work is done.

    Raises
    ------
    ResultFolderError
        ``target`` is something else than a result of ours, holds more than a result of ours, is one but
        ``overwrite`` is False, cannot be read, or lies where nothing can be written.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ResultFolderError(f"{target}: not a folder; give --out a folder that is ours, empty or not there yet")
    try:
        names = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    except OSError as error:
        # Another program may remove it at any moment.
        raise ResultFolderError(
            f"{target}: cannot be read ({error}); see that it is there, and give it again"
        ) from error
    if names:
        foreign = foreign_content(target, names)
        if foreign:
            raise ResultFolderError(
                f"{target}: holds what is not ours ({foreign}), so it is left alone; give --out another folder"
            )
        if not overwrite:
            raise ResultFolderError(
                f"{target}: holds a result already; replace it with --overwrite or give another --out"
            )
    refuse_unwritable(target)


def foreign_content(folder: Path, names: list[str]) -> str:
    """Name something in ``folder``, which holds ``names``, that its manifest does not list; empty where all is ours."""
    try:
        ours = {MANIFEST, *read_manifest(folder)["outputs"]}
    except ResultFolderError:
        return f"no {MANIFEST} of ours"
    return next((name for name in names if name not in ours or (folder / name).is_dir()), "")


@contextlib.contextmanager
def claimed(target: Path | None, *, overwrite: bool) -> Iterator[None]:
    """Be the ``sole_writer`` of a result folder that passes ``check_target``; without a folder do nothing."""
    with sole_writer(target):
        if target is not None:
            check_target(target, overwrite=overwrite)
        yield


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a new folder to fill; it becomes ``target`` by rename when all went well, else it vanishes."""
    with claimed(target, overwrite=overwrite), written_whole(target) as work:
        staging = work / target.name
        staging.mkdir()
        yield staging
        check_target(target, overwrite=overwrite)
        put(staging, target)
