"""Conversion of external posteriors to the names and units of this package."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError, unknown_name
from hlt_bayes.core.text import composed
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.impacts.draws import impact_draws
from hlt_bayes.impacts.external_files import read_csv_draws, read_netcdf

PosteriorSource = xr.DataTree | xr.Dataset | xr.DataArray | pd.DataFrame | str | Path | Sequence[str | Path]

UNITS = {
    name: {outcome.unit: 1.0, outcome.printed_unit: 1 / outcome.display_scale} for name, outcome in OUTCOMES.items()
}
"""Accepted units of each outcome, with the factor that converts each to the unit of this package."""


def from_posterior(
    source: PosteriorSource,
    *,
    units: Mapping[str, str],
    variable: str = "impact",
    outcomes: Mapping[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
    dims: Mapping[str, str] | None = None,
    columns: Mapping[str, tuple[str, str]] | None = None,
) -> xr.DataTree:
    """Convert external impact draws to the array that economics and reports use.

    Parameters
    ----------
    source
        A DataTree (its group ``posterior``), Dataset or DataArray; the path of a netCDF file of one; or draws in
        columns: a DataFrame, the path of its CSV file, or the paths of CmdStan CSV files, one per chain. In a single
        table, columns ``.chain`` and ``.draw`` (or ``.iteration``), as in R's posterior, identify the chains.
    units
        Unit of the source, by outcome of this package: ``"proportion"`` or ``"ppt"``, ``"GBP"``, ``"SD"``.
    variable, dims
        Name of the array in the source, and the source's names of the dims ``chain``, ``draw``, ``outcome``, ``group``
        where they differ.
    outcomes, groups
        The source's name of each outcome and group of this package; by default the names are the same.
    columns
        For draws in columns: the outcome and group of this package that each column contains.

    Returns
    -------
    DataTree
        ``posterior["impact"]`` {chain, draw, outcome, group}, for ``hlt_bayes.appraise`` and ``hlt_bayes.analyse``.
        Everything not named is dropped.

    Raises
    ------
    ImpactError
        A variable, dim, column, outcome or group is missing; a unit is not one of its outcome's; draws are not finite,
        or chains have unequal lengths.

    Notes
    -----
    netCDF-4 and netCDF-3 are read in a process of its own, with limits on time and memory: only the variable and its
    labels are looked at, links to other files are refused. A dim whose labels are pairs of chain and draw is split.
    """
    if columns is not None:
        impact = _from_columns(_table(source, columns), columns)
    else:
        impact = _rename_dims(_unstacked(_array(source, variable)), dims or {})
        for dim, names in (("outcome", outcomes), ("group", groups)):
            impact = _select_labels(impact, dim, names)
    for dim in ("outcome", "group"):
        if dim in impact.coords:
            if impact[dim].dims != (dim,):
                raise ImpactError(f"the coordinate {dim!r} labels {impact[dim].dims}, not the dim {dim!r}; rename it")
            labels = [_label(name) for name in impact[dim].to_numpy()]
            kind = str if all(isinstance(label, str) for label in labels) else object
            impact = impact.assign_coords({dim: np.array(labels, dtype=kind)})
    factors = []
    for name in map(str, impact["outcome"].to_numpy()):
        if name not in OUTCOMES:
            raise ImpactError(f"outcome {unknown_name(name, OUTCOMES)}; map it to one of them in outcomes")
        if name not in units:
            raise ImpactError(f"units: none given for outcome {name!r}; allowed: {' or '.join(map(repr, UNITS[name]))}")
        if units[name] not in UNITS[name]:
            raise ImpactError(f"units, {name!r}: {unknown_name(units[name], UNITS[name])}")
        factors.append(UNITS[name][units[name]])
    _refuse_other_units(impact, units)
    if impact.dtype.kind not in "fiuO":
        raise ImpactError(f"the array holds values that are not numbers (type {impact.dtype}); convert it to numbers")
    try:
        impact = impact.astype(float).drop_attrs()
    except (TypeError, ValueError) as error:
        raise ImpactError(f"the array holds values that are not numbers ({error})") from error
    scaled = impact * xr.DataArray(factors, coords={"outcome": impact["outcome"].to_numpy()})
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact_draws(scaled)})})


def _refuse_other_units(impact: xr.DataArray, units: Mapping[str, str]) -> None:
    """Raise if the units given contradict those that the array states in its attributes."""
    try:
        stated = json.loads(impact.attrs.get("unit", ""))
    except (TypeError, ValueError, RecursionError):
        return
    for name in map(str, impact["outcome"].to_numpy()):
        says = str(stated.get(name)) if isinstance(stated, dict) else ""
        if says in UNITS[name] and UNITS[name][says] != UNITS[name][units[name]]:
            raise ImpactError(
                f"units, {name!r}: {units[name]!r} given, but the array's attribute 'unit' says {says!r}; correct one"
            )


def _array(source: PosteriorSource, variable: str) -> xr.DataArray:
    if isinstance(source, str | Path):
        source = read_netcdf(source, "for a CSV file, give columns", groups=["posterior"], variable=variable)
    if isinstance(source, xr.DataTree):
        if "posterior" not in source.children and not source.data_vars:
            raise ImpactError(
                f"the DataTree has no group 'posterior'; its groups: {', '.join(source.children) or 'none'}"
            )
        source = source["posterior"].dataset if "posterior" in source.children else source.dataset
    if isinstance(source, xr.Dataset):
        if variable not in source:
            raise ImpactError(f"variable {unknown_name(variable, [str(name) for name in source.data_vars])}")
        source = source[variable]
    if not isinstance(source, xr.DataArray):
        raise ImpactError(
            f"a {type(source).__name__} given: for a table of draws, give the outcome and group per column in columns"
        )
    return source


def _label(name: object) -> object:
    """Label as text: R writes labels as bytes, padded to equal length."""
    if isinstance(name, bytes):
        name = name.rstrip(b"\0 ").decode("utf-8", "replace")
    return composed(name) if isinstance(name, str) else name


def _unstacked(array: xr.DataArray) -> xr.DataArray:
    """Split a dim whose labels are pairs, such as of chain and draw."""
    for dim in array.dims:
        index = array.indexes.get(dim)
        if not isinstance(index, pd.MultiIndex):
            continue
        names = " and ".join(map(str, index.names))
        if not index.is_unique:
            raise ImpactError(f"dim {str(dim)!r} has the same labels twice; each {names} must occur once")
        if len(index) != np.prod(index.levshape):
            raise ImpactError(f"dim {str(dim)!r} lacks some combinations of {names}: all chains must have equal length")
        array = array.unstack([dim])
    return array


def _rename_dims(array: xr.DataArray, dims: Mapping[str, str]) -> xr.DataArray:
    """Rename the dims to those of this package; coordinates that label no dim are dropped."""
    for ours, theirs in dims.items():
        if theirs not in array.dims:
            raise ImpactError(f"dims, {ours!r}: {unknown_name(theirs, [str(dim) for dim in array.dims])}")
    for ours, theirs in dims.items():
        if ours != theirs and ours in array.dims and ours not in dims.values():
            raise ImpactError(f"dims, {ours!r}: the array already has another dim of that name; rename it first")
    for ours, theirs in dims.items():
        labels = array.coords.get(ours)
        if ours == theirs or labels is None or labels.dims != (theirs,):
            continue
        if theirs in array.indexes:
            raise ImpactError(
                f"dims, {ours!r}: {theirs!r} has labels of its own and a coordinate {ours!r}; drop one with drop_vars"
            )
        array = array.swap_dims({theirs: ours})
    array = array.drop_vars([name for name in array.coords if name not in array.dims])
    renamed = array.rename({theirs: ours for ours, theirs in dims.items() if theirs in array.dims and theirs != ours})
    missing = {"chain", "draw", "outcome", "group"} - set(renamed.dims)
    if missing:
        raise ImpactError(
            f"the array has dims {', '.join(map(str, array.dims))} and lacks {', '.join(sorted(missing))}: map other "
            "names in dims, or add a missing dim with expand_dims"
        )
    return renamed


def _select_labels(array: xr.DataArray, dim: str, names: Mapping[str, str] | None) -> xr.DataArray:
    """Select and rename the labels of a dim."""
    if names is None:
        return array
    found = [str(name) for name in array[dim].to_numpy()]
    for ours, theirs in names.items():
        if theirs not in found:
            raise ImpactError(f"{dim}s, {ours!r}: {dim} {unknown_name(theirs, found)}")
    chosen = array.isel({dim: [found.index(theirs) for theirs in names.values()]})
    return chosen.assign_coords({dim: list(names)})


def _table(source: PosteriorSource, columns: Collection[str]) -> pd.DataFrame:
    """Read draws in columns, with their ``.chain``."""
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, xr.DataTree | xr.Dataset | xr.DataArray):
        raise ImpactError(
            "columns apply only to a table of draws, but the source is an array: use outcomes, groups and dims instead"
        )
    paths = [source] if isinstance(source, str | Path) else list(source)
    if not paths:
        raise ImpactError("source: no CSV file given; give one per chain, or one with a column .chain")
    return read_csv_draws(paths, columns)


def _from_columns(table: pd.DataFrame, columns: Mapping[str, tuple[str, str]]) -> xr.DataArray:
    if not columns:
        raise ImpactError("columns: none given; give the outcome and group of each column")
    for name in columns:
        if name not in table:
            raise ImpactError(f"columns: {unknown_name(name, table.columns)}")
        if list(table.columns).count(name) > 1:
            raise ImpactError(f"columns: {name!r} occurs more than once in the table; give each column a unique name")
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise ImpactError(
                f"columns: {name!r} holds values that are not numbers; use a point as the decimal separator"
            )
    if not len(table):
        raise ImpactError("the table has no rows; give one row per draw")
    for number in (".iteration", ".draw"):
        if number in table:
            table = table.sort_values(number, kind="stable")
            break
    if ".chain" in table and table[".chain"].isna().any():
        raise ImpactError(
            f"{table['.chain'].isna().sum()} rows have no .chain; give every row a chain, or remove the column"
        )
    cells = list(columns.values())
    outcomes, groups = (list(dict.fromkeys(cell[position] for cell in cells)) for position in (0, 1))
    for outcome in outcomes:
        for group in groups:
            count = cells.count((outcome, group))
            if count != 1:
                raise ImpactError(
                    f"columns: {count} given for {outcome} of {group}; each outcome of each group needs exactly one"
                )
    chains = [table]
    if ".chain" in table:
        chains = [part for _, part in table.groupby(".chain", sort=True)]
    if len({len(part) for part in chains}) > 1:
        raise ImpactError(
            f"chains of unequal length: {', '.join(str(len(part)) for part in chains)} draws; all must be equal"
        )
    values = np.empty((len(chains), len(chains[0]), len(outcomes), len(groups)))
    for name, (outcome, group) in columns.items():
        values[:, :, outcomes.index(outcome), groups.index(group)] = [part[name].to_numpy(float) for part in chains]
    coords = {"chain": range(len(chains)), "draw": range(len(chains[0])), "outcome": outcomes, "group": groups}
    return xr.DataArray(values, dims=("chain", "draw", "outcome", "group"), coords=coords)
