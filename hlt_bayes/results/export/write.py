"""Writes export files atomically."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.results.export.draws import Files
from hlt_bayes.results.locking import put, refuse_unwritable, sole_writer, working_folder
from hlt_bayes.results.manifest import MANIFEST

STORE = (".zgroup", "zarr.json")
"""Files that mark a folder as a Zarr store."""


def check_targets(out: Path, names: Mapping[str, object], *, overwrite: bool) -> None:
    """Raise, before any work is done, if the files may not be written.

    Raises
    ------
    ResultFolderError
        ``out`` is not a folder, or is a result folder; a file exists and ``overwrite`` is False; its name is taken by
        something else; or ``out`` is not writable.
    """
    if out.exists() and not out.is_dir():
        raise ResultFolderError(f"{out}: not a folder; give a new or existing folder")
    if (out / MANIFEST).exists():
        raise ResultFolderError(f"{out}: is a result folder, to which exports cannot be added; give another folder")
    for name in names:
        target = out / name
        if not os.path.lexists(target):
            continue
        kind, replaceable = "file", target.is_file()
        if name.endswith(".zarr"):
            kind, replaceable = "Zarr store", target.is_dir() and any((target / one).exists() for one in STORE)
        if target.is_symlink() or not replaceable:
            raise ResultFolderError(f"{target}: not a {kind}, and was left unchanged; move it or give another folder")
        if not overwrite:
            raise ResultFolderError(f"{target}: already exists; replace it (--overwrite) or give another folder")
    refuse_unwritable(out / next(iter(names), "export"))


def write_all(files: Files, out: Path, *, overwrite: bool) -> list[Path]:
    """Write all files to a temporary folder in ``out``, then move them into place.

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
