"""Writes files so that all of them appear, or none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.results.export.draws import Files
from hlt_bayes.results.locking import put, refuse_unwritable, sole_writer, working_folder
from hlt_bayes.results.manifest import MANIFEST

STORE = (".zgroup", "zarr.json")
"""What lies in a folder that is a Zarr store."""


def check_targets(out: Path, names: Mapping[str, object], *, overwrite: bool) -> None:
    """Refuse files that may not be written, before any work is done.

    Raises
    ------
    ResultFolderError
        ``out`` is no folder, or a result folder; a file is there already but ``overwrite`` is False, or something else
        stands in its place; or nothing can be written there.
    """
    if out.exists() and not out.is_dir():
        raise ResultFolderError(f"{out}: not a folder; give a folder that is there or can be made")
    if (out / MANIFEST).exists():
        raise ResultFolderError(
            f"{out}: a result folder, which holds only what its analysis wrote; give another folder"
        )
    for name in names:
        target = out / name
        if not os.path.lexists(target):
            continue
        kind, ours = "file", target.is_file()
        if name.endswith(".zarr"):
            kind, ours = "Zarr store", target.is_dir() and any((target / one).exists() for one in STORE)
        if target.is_symlink() or not ours:
            raise ResultFolderError(f"{target}: not a {kind}, so it is left alone; move it away or give another folder")
        if not overwrite:
            raise ResultFolderError(
                f"{target}: there already; replace it with overwrite (--overwrite), or give another"
            )
    refuse_unwritable(out / "any")


def write_all(files: Files, out: Path, *, overwrite: bool) -> list[Path]:
    """Write files under other names in ``out``, and give them their names when all are written.

    Raises
    ------
    ResultFolderError
        As ``check_targets``, or a file cannot be written.
    """
    check_targets(out, files, overwrite=overwrite)
    with sole_writer(out / "export"):
        try:
            with working_folder(out / "export") as work:
                for name, write in files.items():
                    write(work / name)
                check_targets(out, files, overwrite=overwrite)
                for name in files:
                    put(work / name, out / name)
        except OSError as error:
            raise ResultFolderError(f"{out}: cannot be written ({error})") from error
    return [out / name for name in files]
