"""Estimands of the impacts: groups, pooled rows, the average, a new group, differences, and sign probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError, unknown_name
from hlt_bayes.core.vocabulary import POOLED_GROUPS
from hlt_bayes.impacts.draws import Source, admit, impact_summary, with_pooled_groups

AVERAGE = "average"
NEW_GROUP = "new group"


def estimand_draws(source: Source, weights: pd.Series) -> xr.DataArray:
    """Compute draws of every estimand {chain, draw, outcome, estimand} from the impact draws.

    Parameters
    ----------
    source
        Any form accepted by ``hlt_bayes.impact_draws``. ``posterior["impact_new"]`` {chain, draw, outcome}, if
        present, is the impact in a new trial group.
    weights
        Weight per trial group for pooled rows and the average; throughout this package the recruits randomised to
        treatment. If a group has no weight, its pooled rows are omitted and the average weights all groups equally.

    Returns
    -------
    DataArray
        With coordinate ``kind``: ``group``, ``pooled``, ``average``, ``new``, ``difference``. A difference ``"A - B"``
        is the impact in A minus that in B. Units are those of the outcomes; positive is better.
    """
    drawn = admit(source)
    impact = drawn.impact
    groups = [str(name) for name in impact["group"].to_numpy()]
    for name in (AVERAGE, NEW_GROUP, *POOLED_GROUPS):
        if name in groups:
            raise ImpactError(f"impact has a group {name!r}, a name reserved for an estimand; give trial groups only")
    rows = with_pooled_groups(impact, weights)
    parts = {str(name): rows.sel(group=name, drop=True) for name in rows["group"].to_numpy()}
    kinds = {name: "pooled" if name in POOLED_GROUPS else "group" for name in parts}
    known = weights.reindex(groups)
    weight = known if known.notna().all() else pd.Series(1.0, index=groups)
    weighing = xr.DataArray(weight.to_numpy(float), coords={"group": groups})
    parts[AVERAGE], kinds[AVERAGE] = impact.weighted(weighing).mean("group"), "average"
    if drawn.impact_new is not None:
        parts[NEW_GROUP], kinds[NEW_GROUP] = drawn.impact_new, "new"
    for first, second in combinations(groups, 2):
        name = f"{first} - {second}"
        parts[name] = impact.sel(group=first, drop=True) - impact.sel(group=second, drop=True)
        kinds[name] = "difference"
    names = list(parts)
    with xr.set_options(arithmetic_join="exact"):
        draws = xr.concat(
            list(parts.values()), dim=pd.Index(names, name="estimand"), coords="minimal", compat="override"
        )
    draws = draws.assign_coords(kind=("estimand", [kinds[name] for name in names]))
    return draws.transpose("chain", "draw", "outcome", "estimand").assign_attrs(impact.attrs)


def estimand_summary(
    source: Source, weights: pd.Series, *, smallest: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Summarise every estimand of ``estimand_draws``.

    Parameters
    ----------
    source, weights
        As for ``estimand_draws``.
    smallest
        The smallest effect of interest, by outcome, in the outcome's unit (employment as a proportion).

    Returns
    -------
    DataFrame
        ``outcome``, ``estimand``, ``kind``, ``unit``; mean, SD and intervals as in ``hlt_bayes.impacts.draws.summary``;
        ``prob_positive``; ``prob_above_smallest``, missing where no smallest effect is given; ``prob_wrong_sign``, the
        probability that the estimand does not have the sign of its posterior mean.

    Raises
    ------
    ImpactError
        The impact draws are invalid, or ``smallest`` names an unknown outcome or is not a finite number.
    """
    return summary_of_estimands(estimand_draws(source, weights), smallest=smallest)


def summary_of_estimands(draws: xr.DataArray, *, smallest: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Summarise draws of ``estimand_draws``, as ``estimand_summary`` does."""
    outcomes = [str(name) for name in draws["outcome"].to_numpy()]
    for name, value in (smallest or {}).items():
        if name not in outcomes:
            raise ImpactError(f"smallest effect of interest: outcome {unknown_name(name, outcomes)}")
        if not np.isfinite(value):
            raise ImpactError(f"smallest effect of interest of {name}: {value!r} given; must be a finite number")
    kinds = dict(zip(draws["estimand"].to_numpy(), draws["kind"].to_numpy(), strict=True))
    table = impact_summary(draws.drop_vars("kind"))
    table.insert(2, "kind", table["estimand"].map(kinds))
    limits = xr.DataArray([(smallest or {}).get(name, np.nan) for name in outcomes], coords={"outcome": outcomes})
    above = (draws > limits).mean(("chain", "draw")).where(np.isfinite(limits))
    wrong = (np.sign(draws) != np.sign(draws.mean(("chain", "draw")))).mean(("chain", "draw"))
    for name, values in (("prob_above_smallest", above), ("prob_wrong_sign", wrong)):
        table[name] = [values.sel(outcome=row.outcome, estimand=row.estimand).item() for row in table.itertuples()]
    return table
