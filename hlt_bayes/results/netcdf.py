"""Writes the draws of a fit to a netCDF file, atomically; overwrites only draws written by this package."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from hlt_bayes.core.errors import ImpactError, ResultFolderError
from hlt_bayes.impacts.draws import impact_draws
from hlt_bayes.impacts.external_files import read_netcdf
from hlt_bayes.results.locking import put, refuse_unwritable, sole_writer, written_whole

SUFFIX = ".nc"


def check_draws_target(path: Path, *, overwrite: bool) -> None:
    """Raise, before any work is done, if the draws may not be written to ``path``.

    Raises
    ------
    ResultFolderError
        The suffix is not ``.nc``; the file exists and ``overwrite`` is False, or was not written by this package; or
        it cannot be written.
    """
    if path.suffix != SUFFIX:
        raise ResultFolderError(f"{path}: suffix {path.suffix!r} given; allowed suffix: {SUFFIX} (netCDF)")
    if path.exists() or path.is_symlink():
        if not _has_package_draws(path):
            raise ResultFolderError(
                f"{path}: exists but contains no hlt-bayes draws, and was left unchanged; give another name (--out)"
            )
        if not overwrite:
            raise ResultFolderError(f"{path}: already exists; replace it (--overwrite) or give another name (--out)")
    refuse_unwritable(path)


def write_draws_file(draws: xr.DataTree, path: Path, *, overwrite: bool = False) -> Path:
    """Write draws as netCDF, atomically.

    Read it with ``hlt_bayes.impacts.external_files.read_result`` or ``from_posterior``.

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
    """Return the bytes of a netCDF file, made in memory because HDF5 crashes without an exception on a full disk."""
    return bytes(draws.to_netcdf(engine="h5netcdf"))


def _has_package_draws(path: Path) -> bool:
    """Return True if a file contains impact draws labelled with the spec behind them."""
    if path.is_symlink() or not path.is_file():
        return False
    try:
        return "spec_sha256" in impact_draws(read_netcdf(path, "it was left unchanged")).attrs
    except ImpactError:
        return False
