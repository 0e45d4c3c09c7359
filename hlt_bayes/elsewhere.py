"""Posteriors made elsewhere, in the names and units of this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.errors import ImpactError, unknown_name
from hlt_bayes.impacts import impact_draws
from hlt_bayes.vocabulary import OUTCOMES

Source = xr.DataTree | xr.Dataset | xr.DataArray | pd.DataFrame | str | Path | Sequence[str | Path]

UNITS = {
    name: {outcome.unit: 1.0, outcome.printed_unit: 1 / outcome.display_scale} for name, outcome in OUTCOMES.items()
}
"""Units that an outcome may come in, and what brings each to the outcome's own."""


def from_posterior(
    source: Source,
    *,
    units: Mapping[str, str],
    variable: str = "impact",
    outcomes: Mapping[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
    dims: Mapping[str, str] | None = None,
    columns: Mapping[str, tuple[str, str]] | None = None,
) -> xr.DataTree:
    """Take impact draws made elsewhere into the array that economics and reports take.

    Parameters
    ----------
    source
        A DataTree (its group ``posterior``), Dataset or DataArray; the path of a netCDF file of one; or draws in
        columns: a DataFrame, the path of its CSV file, or the paths of CmdStan's CSV files, one a chain. Columns
        ``.chain`` and ``.draw`` (or ``.iteration``), as R's posterior writes them, tell the chains of one table apart.
    units
        By outcome of ours: the unit it comes in, ``"proportion"`` or ``"ppt"``, ``"GBP"``, ``"SD"``.
    variable, dims
        Name of the array in the source, and of its dims for ``chain``, ``draw``, ``outcome``, ``group`` where they
        differ.
    outcomes, groups
        By outcome and group of ours, what the source calls it; without them the source has our names.
    columns
        For draws in columns: the outcome and group of ours that each column holds.

    Returns
    -------
    DataTree
        ``posterior["impact"]`` {chain, draw, outcome, group}, as ``hlt_bayes.appraise`` and ``hlt_bayes.analyse`` take
        it. Only what is named is taken.

    Raises
    ------
    ImpactError
        A variable, dim, column, outcome or group that is not there; a unit that is none of its outcome's; draws that
        are not finite, or chains of unequal length.
    """
    if columns is not None:
        impact = _of_columns(_table(source), columns)
    else:
        impact = _named(_array(source, variable), dims or {})
        for dim, names in (("outcome", outcomes), ("group", groups)):
            impact = _renamed(impact, dim, names)
    for name in impact["outcome"].to_numpy():
        if name not in units:
            raise ImpactError(
                f"units: none for outcome {name!r}; it may be {' or '.join(map(repr, UNITS.get(name, {})))}"
            )
    factors = []
    for name in impact["outcome"].to_numpy():
        if name not in OUTCOMES:
            raise ImpactError(f"outcome {unknown_name(name, OUTCOMES)}; say in outcomes which of ours it is")
        if units[name] not in UNITS[name]:
            raise ImpactError(f"units, {name!r}: {unknown_name(units[name], UNITS[name])}")
        factors.append(UNITS[name][units[name]])
    scaled = impact.astype(float) * xr.DataArray(factors, coords={"outcome": impact["outcome"].to_numpy()})
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": scaled.reset_coords(drop=True)})})
    impact_draws(tree)
    return tree


def _array(source: Source, variable: str) -> xr.DataArray:
    if isinstance(source, str | Path):
        try:
            source = xr.load_datatree(source, engine="h5netcdf")
        except (OSError, ValueError) as error:
            raise ImpactError(f"{source}: cannot be read as netCDF ({error}); for a CSV file say columns") from error
    if isinstance(source, xr.DataTree):
        source = source["posterior"].dataset if "posterior" in source.children else source.dataset
    if isinstance(source, xr.Dataset):
        if variable not in source:
            raise ImpactError(f"variable {unknown_name(variable, [str(name) for name in source.data_vars])}")
        source = source[variable]
    if not isinstance(source, xr.DataArray):
        raise ImpactError(
            f"a {type(source).__name__} given: for draws in columns say which column holds what, in columns"
        )
    return source


def _named(array: xr.DataArray, dims: Mapping[str, str]) -> xr.DataArray:
    """Give the dims our names."""
    for ours, theirs in dims.items():
        if theirs not in array.dims:
            raise ImpactError(f"dims, {ours!r}: {unknown_name(theirs, [str(dim) for dim in array.dims])}")
    renamed = array.rename({theirs: ours for ours, theirs in dims.items() if theirs != ours})
    missing = {"chain", "draw", "outcome", "group"} - set(renamed.dims)
    if missing:
        raise ImpactError(
            f"the array has dims {', '.join(map(str, array.dims))}; none is {', '.join(sorted(missing))}: say in dims "
            "which, or add it with expand_dims"
        )
    return renamed


def _renamed(array: xr.DataArray, dim: str, names: Mapping[str, str] | None) -> xr.DataArray:
    """Choose and rename the labels of a dim."""
    if names is None:
        return array
    found = [str(name) for name in array[dim].to_numpy()]
    for ours, theirs in names.items():
        if theirs not in found:
            raise ImpactError(f"{dim}s, {ours!r}: {dim} {unknown_name(theirs, found)}")
    chosen = array.isel({dim: [found.index(theirs) for theirs in names.values()]})
    return chosen.assign_coords({dim: list(names)})


def _table(source: Source) -> pd.DataFrame:
    """Read draws in columns, with ``.chain``."""
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, xr.DataTree | xr.Dataset | xr.DataArray):
        raise ImpactError("columns are of a table of draws; the source is an array: say outcomes, groups and dims")
    paths = [source] if isinstance(source, str | Path) else list(source)
    tables = []
    for number, path in enumerate(paths):
        try:
            table = pd.read_csv(path, comment="#")
        except (OSError, ValueError) as error:
            raise ImpactError(f"{path}: cannot be read as CSV ({error})") from error
        tables.append(table if ".chain" in table or len(paths) == 1 else table.assign(**{".chain": number}))
    return pd.concat(tables, ignore_index=True)


def _of_columns(table: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> xr.DataArray:
    for name in columns:
        if name not in table:
            raise ImpactError(f"columns: {unknown_name(name, table.columns)}")
    cells = list(columns.values())
    outcomes, groups = (list(dict.fromkeys(cell[position] for cell in cells)) for position in (0, 1))
    for outcome in outcomes:
        for group in groups:
            count = cells.count((outcome, group))
            if count != 1:
                raise ImpactError(f"columns: {count} for {outcome} of {group}; each outcome of each group needs one")
    chains = [table]
    if ".chain" in table:
        chains = [part for _, part in table.groupby(".chain", sort=True)]
    if len({len(part) for part in chains}) > 1:
        raise ImpactError(f"chains of unequal length: {', '.join(str(len(part)) for part in chains)} draws")
    values = np.empty((len(chains), len(chains[0]), len(outcomes), len(groups)))
    for name, (outcome, group) in columns.items():
        values[:, :, outcomes.index(outcome), groups.index(group)] = [part[name].to_numpy(float) for part in chains]
    coords = {"chain": range(len(chains)), "draw": range(len(chains[0])), "outcome": outcomes, "group": groups}
    return xr.DataArray(values, dims=("chain", "draw", "outcome", "group"), coords=coords)
