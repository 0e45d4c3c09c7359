"""Result folders are written atomically and replace only earlier results written by this package."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.results.locking import put, refuse_unwritable, sole_writer, written_whole
from hlt_bayes.results.manifest import MANIFEST, read_manifest


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise, before any work is done, if a result folder may not be written.

    Raises
    ------
    ResultFolderError
        ``target`` is not a folder, contains anything other than a result of this package, contains such a result
        and ``overwrite`` is False, or cannot be read or written.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ResultFolderError(f"{target}: not a folder; give a new or empty folder, or a result folder (--out)")
    try:
        names = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    except OSError as error:
        # Another program may remove it at any moment.
        raise ResultFolderError(f"{target}: cannot be read ({error}); check that it exists and try again") from error
    if names:
        foreign = foreign_content(target, names)
        if foreign:
            raise ResultFolderError(
                f"{target}: contains files that are not part of an hlt-bayes result ({foreign}) and was left as it is; "
                "give another folder (--out)"
            )
        if not overwrite:
            raise ResultFolderError(
                f"{target}: already contains a result; replace it (--overwrite) or give another folder (--out)"
            )
    refuse_unwritable(target)


def foreign_content(folder: Path, names: list[str]) -> str:
    """Return one of the ``names`` in ``folder`` that its manifest does not list; empty if there is none."""
    try:
        listed = {MANIFEST, *read_manifest(folder).outputs}
    except ResultFolderError:
        return f"no valid {MANIFEST}"
    return next((name for name in names if name not in listed or not _is_file(folder / name)), "")


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@contextlib.contextmanager
def claimed(target: Path | None, *, overwrite: bool) -> Iterator[None]:
    """Lock a result folder that passes ``check_target``; do nothing if ``target`` is None."""
    with sole_writer(target):
        if target is not None:
            check_target(target, overwrite=overwrite)
        yield


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a new folder to fill, which replaces ``target`` on success and is deleted on error."""
    with claimed(target, overwrite=overwrite), written_whole(target) as work:
        staging = work / target.name
        staging.mkdir()
        yield staging
        check_target(target, overwrite=overwrite)
        put(staging, target)
