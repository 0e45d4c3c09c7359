"""Impact draws: the labelled array that every model passes to economics and reports.

``impact`` {chain, draw, outcome, group} is treatment minus control per person randomised; positive is
better, zero is no effect; units as in ``hlt_bayes.core.vocabulary.OUTCOMES`` (a proportion, £, SD, SD).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError, unknown_name
from hlt_bayes.core.text import label_findings
from hlt_bayes.core.vocabulary import OUTCOMES, POOLED_GROUPS, REPORTED_GROUPS, RESERVED

DIMS = ("chain", "draw", "outcome", "group")
LARGEST = 1e9
"""Largest accepted absolute impact, in any unit; anything beyond suggests wrong units or divergent draws."""

INTERVALS = {89: (0.055, 0.945), 95: (0.025, 0.975)}
"""Equal-tailed intervals of all tables: per cent, and lower and upper probability."""


@dataclass(frozen=True, eq=False)
class CheckedDraws:
    """Impact draws validated by ``admit``, so that later functions need not check them again.

    ``impact`` {chain, draw, outcome, group} and, if the model predicts a new trial group, ``impact_new`` {chain, draw,
    outcome}.
    """

    impact: xr.DataArray
    impact_new: xr.DataArray | None = None


Source = xr.DataTree | xr.DataArray | CheckedDraws
"""Accepted forms of impact draws: a DataTree with ``posterior["impact"]``, that array, or validated draws."""


def admit(source: Source) -> CheckedDraws:
    """Validate impact draws, from this package or from elsewhere, unless already validated.

    Raises
    ------
    ImpactError
        The array is missing, or its dims, labels, units or values are not as described in this module.
    """
    if isinstance(source, CheckedDraws):
        return source
    if isinstance(source, xr.DataArray):
        return CheckedDraws(_checked(source))
    if "posterior" not in source.children or "impact" not in source["posterior"].data_vars:
        raise ImpactError("the DataTree has no posterior['impact']; store the impacts in group 'posterior' as 'impact'")
    posterior = source["posterior"].dataset
    impact = _checked(posterior["impact"])
    return CheckedDraws(impact, _checked_new(posterior["impact_new"], impact) if "impact_new" in posterior else None)


def impact_draws(source: Source) -> xr.DataArray:
    """Return validated impact draws {chain, draw, outcome, group}, from this package or from elsewhere.

    Parameters
    ----------
    source
        A DataTree with ``posterior["impact"]``, or that array itself.

    Raises
    ------
    ImpactError
        As for ``admit``.
    """
    return admit(source).impact


def _checked(source: xr.DataArray) -> xr.DataArray:
    if set(source.dims) != set(DIMS):
        raise ImpactError(f"impact has dims {source.dims}; it must have {DIMS}")
    impact = source.transpose(*DIMS).reset_coords(drop=True)
    if not impact.size:
        raise ImpactError(f"impact has no draws: its sizes are {dict(impact.sizes)}")
    for dim in ("outcome", "group"):
        if dim not in impact.coords:
            raise ImpactError(f"impact has no labels along {dim!r}; name them in a coordinate")
        for name in impact[dim].to_numpy():
            if not isinstance(name, str):
                raise ImpactError(f"impact has the label {name!r} along {dim!r}; a label must be text: rename it")
            for finding in label_findings(str(name)):
                raise ImpactError(f"impact, label along {dim!r}: {finding}")
            if name in RESERVED:
                raise ImpactError(f"impact, label along {dim!r}: {name!r} is reserved for pooled results; rename it")
        if not impact.indexes[dim].is_unique:
            raise ImpactError(
                f"impact has duplicate labels along {dim!r}: {', '.join(impact[dim].to_numpy())}; each must be unique"
            )
    for name in impact["outcome"].to_numpy():
        if name not in OUTCOMES:
            raise ImpactError(f"impact, outcome {unknown_name(name, OUTCOMES)}")
    if impact.dtype.kind != "f" or not np.isfinite(impact.to_numpy()).all():
        raise ImpactError("impact has values that are not finite numbers; find the cause or remove those draws")
    if abs(impact).max() > LARGEST:
        raise ImpactError(
            f"impact reaches {abs(impact).max():.3g}; at most {LARGEST:.0e} in absolute value is allowed: check the "
            "units, and whether the sampler diverged"
        )
    _check_units(impact)
    return impact


def _checked_new(new: xr.DataArray, impact: xr.DataArray) -> xr.DataArray:
    if set(new.dims) != {"chain", "draw", "outcome"}:
        raise ImpactError(f"impact_new has dims {new.dims}; it must have chain, draw and outcome")
    if not np.isfinite(new.to_numpy()).all():
        raise ImpactError("impact_new has values that are not finite numbers; remove those draws")
    new = new.transpose("chain", "draw", "outcome").reset_coords(drop=True)
    return new.sel(outcome=impact["outcome"].to_numpy())


def _check_units(impact: xr.DataArray) -> None:
    try:
        units = json.loads(impact.attrs.get("unit", "{}"))
    except (TypeError, ValueError, RecursionError):
        units = None
    if not isinstance(units, dict):
        stated = str(impact.attrs["unit"])[:200]
        example = json.dumps({name: outcome.unit for name, outcome in OUTCOMES.items()}, ensure_ascii=False)
        raise ImpactError(f"impact.attrs['unit'] is {stated!r}; it must be JSON such as {example}")
    for name, unit in units.items():
        if name in OUTCOMES and unit != OUTCOMES[name].unit:
            raise ImpactError(f"impact, outcome {name!r} is in {unit!r}; it must be in {OUTCOMES[name].unit!r}")
    if "employment" in impact["outcome"] and abs(impact.sel(outcome="employment")).max() > 1:
        raise ImpactError("impact, outcome 'employment' exceeds 1: it must be a proportion (3 ppt is 0.03)")


def with_pooled_groups(per_group: xr.DataArray, weights: pd.Series) -> xr.DataArray:
    """Add the pooled rows All SCR and All OOW, weighted means of their groups, to an array with dim ``group``.

    Parameters
    ----------
    per_group
        Any array with the trial groups along ``group``; a pooled row is omitted if any of its groups or their weights
        is missing.
    weights
        Weight per trial group; throughout this package the recruits randomised to treatment.
    """
    along = per_group.get_axis_num("group")
    values = np.moveaxis(per_group.to_numpy().astype(float), along, -1)
    groups = [str(name) for name in per_group["group"].to_numpy()]
    rows = {name: values[..., place] for place, name in enumerate(groups)}
    for name, weight in pooled_weights(groups, weights).items():
        part = values[..., [groups.index(group) for group in weight.index]]
        seen = ~np.isnan(part)
        total = np.einsum("...g,g->...", np.where(seen, part, 0.0), weight.to_numpy())
        with np.errstate(invalid="ignore"):  # missing where all groups are
            rows[name] = total / np.einsum("...g,g->...", seen.astype(float), weight.to_numpy())
    order = _as_reported(rows)
    coords = {name: coord for name, coord in per_group.coords.items() if "group" not in coord.dims}
    return xr.DataArray(
        np.moveaxis(np.stack([rows[name] for name in order], axis=-1), -1, along),
        coords={**coords, "group": order},
        dims=per_group.dims,
        name=per_group.name,
        attrs=per_group.attrs,
    )


def pooled_weights(groups: Iterable[str], weights: pd.Series) -> dict[str, pd.Series]:
    """Return the group weights of each pooled row that has all its groups and weights."""
    return {
        row: weights[list(parts)].astype(float)
        for row, parts in POOLED_GROUPS.items()
        if set(parts) <= set(groups) and weights.reindex(list(parts)).notna().all()
    }


def _as_reported(names: Collection[str]) -> list[str]:
    """Sort rows into the order of the published reports, others last."""
    return [name for name in REPORTED_GROUPS if name in names] + [name for name in names if name not in REPORTED_GROUPS]


def pooling_matrix(groups: Sequence[str], weights: pd.Series) -> xr.DataArray:
    """Weights {row, group} that map trial groups to the rows of ``with_pooled_groups``, for large arrays."""
    rows = {name: pd.Series({name: 1.0}) for name in groups}
    rows |= {name: weight / weight.sum() for name, weight in pooled_weights(groups, weights).items()}
    order = _as_reported(rows)
    matrix = np.array([rows[name].reindex(list(groups)).fillna(0.0).to_numpy(float) for name in order])
    return xr.DataArray(matrix, dims=("row", "group"), coords={"row": order, "group": list(groups)})


def summary(draws: xr.DataArray, *, above: float) -> pd.DataFrame:
    """Summarise draws {chain, draw, ...}: a row for each combination of the other dims, in their order.

    Returns
    -------
    DataFrame
        The labels as columns, then ``mean``, ``sd``, ``lower_89``, ``upper_89``, ``lower_95``,
        ``upper_95`` (equal-tailed) in the unit of the draws, and ``prob_above``, the share of draws
        above ``above``.

    Raises
    ------
    ImpactError
        There are fewer than two draws.
    """
    labels = [str(dim) for dim in draws.dims if dim not in ("chain", "draw")]
    values = draws.stack(row=labels, sample=("chain", "draw")).transpose("row", "sample")
    array = values.to_numpy()
    if array.shape[1] < 2:
        raise ImpactError(f"{array.shape[1]} draw given; a mean with its SD and intervals needs 2 or more: draw more")
    table = values["row"].to_index().to_frame(index=False)
    table["mean"] = array.mean(axis=1)
    table["sd"] = array.std(axis=1, ddof=1)
    for percent, probabilities in INTERVALS.items():
        table[f"lower_{percent}"], table[f"upper_{percent}"] = np.quantile(array, probabilities, axis=1)
    table["prob_above"] = (array > above).mean(axis=1)
    return table


def impact_summary(impact: xr.DataArray) -> pd.DataFrame:
    """Summarise impacts, or changes in impact, {chain, draw, outcome, ...}; ``prob_positive`` is P(impact > 0).

    As ``summary``, with the ``unit`` of each outcome after the labels.
    """
    table = summary(impact, above=0.0).rename(columns={"prob_above": "prob_positive"})
    table.insert(impact.ndim - 2, "unit", [OUTCOMES[outcome].unit for outcome in table["outcome"]])
    return table
