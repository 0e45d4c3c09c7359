"""Writes the draws of a fit as a file of their own, whole or not at all, and only ever over draws of ours."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from hlt_bayes.core.errors import ImpactError, ResultFolderError
from hlt_bayes.impacts.draws import impact_draws
from hlt_bayes.impacts.external_files import read_netcdf
from hlt_bayes.results.locking import put, refuse_unwritable, sole_writer, written_whole

ENDING = ".nc"


def check_draws_target(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that may not be written, before any work is done.

    Raises
    ------
    ResultFolderError
        The ending is not ``.nc``; the file is there and ``overwrite`` is False, or it holds no draws of ours; or
        nothing can be written there.
    """
    if path.suffix != ENDING:
        raise ResultFolderError(f"{path}: {path.suffix or 'no ending'!r} given; allowed ending: {ENDING} (netCDF)")
    if path.exists() or path.is_symlink():
        if not _is_ours(path):
            raise ResultFolderError(
                f"{path}: is there and holds no draws of ours, so it is left alone; give --out another name"
            )
        if not overwrite:
            raise ResultFolderError(f"{path}: is there already; replace it with --overwrite or give another --out")
    refuse_unwritable(path)


def write_draws_file(draws: xr.DataTree, path: Path, *, overwrite: bool = False) -> Path:
    """Write draws as netCDF; the file appears whole or not at all.

    ``hlt_bayes.impacts.external_files.read_result`` and ``from_posterior`` read it.

    Raises
    ------
    ResultFolderError
        As ``check_draws_target``, or the file cannot be written.
    """
    with sole_writer(path):
        check_draws_target(path, overwrite=overwrite)
        content = netcdf_bytes(draws)
        with written_whole(path) as work:
            draft = work / path.name
            draft.write_bytes(content)
            check_draws_target(path, overwrite=overwrite)
            put(draft, path)
    return path


def netcdf_bytes(draws: xr.DataTree) -> bytes:
    """Make a netCDF file in memory: HDF5 itself dies, and not by an exception, where a disk is full."""
    return bytes(draws.to_netcdf(engine="h5netcdf"))


def _is_ours(path: Path) -> bool:
    """Say whether a file holds impact draws that say which spec of ours made them."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        return "spec_sha256" in impact_draws(read_netcdf(path, "it is left alone")).attrs
    except ImpactError:
        return False
