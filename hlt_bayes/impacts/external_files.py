"""Reading of draws from netCDF and CSV files, from this package or from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError
from hlt_bayes.impacts.draws import impact_draws
from hlt_bayes.specs import ImpactSpec

UNREADABLE = (OSError, ValueError, LookupError, RuntimeError, TypeError, AttributeError, ArithmeticError, MemoryError)
"""Errors that h5py and its readers may raise on a damaged file."""


def read_result(path: Path, spec: ImpactSpec) -> xr.DataTree:
    """Read the draws of a result of this package, ``posterior.nc``.

    Raises
    ------
    ImpactError
        The file cannot be read, contains no impacts, or its draws come from another spec.
    """
    tree = read_netcdf(path, "give the posterior.nc of a result")
    impact = impact_draws(tree)
    if impact.attrs.get("spec_sha256", "") != spec.fingerprint:
        made_by = f"impact spec {impact.attrs['spec']!r}" if "spec" in impact.attrs else "an unknown spec"
        raise ImpactError(
            f"{path}: its draws were made by {made_by}, not by the current {spec.name!r}; give the spec that made "
            "them, or convert external draws with hlt_bayes.from_posterior"
        )
    return tree


def read_netcdf(path: str | Path, otherwise: str) -> xr.DataTree:
    """Read a netCDF file as plain numbers, never decoding times.

    Raises
    ------
    ImpactError
        The file cannot be read; the message ends with ``otherwise``, what to do instead.
    """
    import h5py

    try:
        # h5netcdf, if it fails to open a file, prints a second error when garbage-collected; h5py tries first.
        with h5py.File(path, "r") as file:
            file.attrs.get("_nc3_strict")
        return xr.load_datatree(path, engine="h5netcdf", decode_times=False)
    except UNREADABLE as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ImpactError(f"{path}: cannot be read as netCDF ({why}); {otherwise}") from error


def read_csv_draws(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read draws in columns from CSV files of CmdStan or R: one per chain, or one with a column ``.chain``.

    Raises
    ------
    ImpactError
        A file cannot be read, or contains warm-up draws.
    """
    tables = []
    for number, path in enumerate(paths):
        try:
            table = pd.read_csv(path, comment="#")
            said = Path(path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise ImpactError(f"{path}: cannot be read as CSV ({error})") from error
        if re.search(r"^#.*save_warmup = (1|true)", said, flags=re.MULTILINE):
            raise ImpactError(f"{path}: contains warm-up draws; run CmdStan without save_warmup")
        if len(paths) > 1:
            own = table[".chain"] if ".chain" in table else pd.Series(1, index=table.index)
            table[".chain"] = own.map(lambda chain, file=number: f"{file:06d} {chain}", na_action="ignore")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
