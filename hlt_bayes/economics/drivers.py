"""Drivers of the return: one-way sensitivity (tornado) and the share of variance each quantity explains."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.vocabulary import OUTCOMES, POOLED_GROUPS
from hlt_bayes.economics.appraisal import appraise, job_of, mean_ratio
from hlt_bayes.economics.conditional_mean import share_explained
from hlt_bayes.economics.costs import Volume
from hlt_bayes.economics.parameters import parameters_of
from hlt_bayes.economics.price_year import Money
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import INTERVALS, Source, admit, impact_draws, with_pooled_groups
from hlt_bayes.specs import EconomicSpec, FixedPrice, stated_figures
from hlt_bayes.specs.priors import ASSUMPTION, FixedQuantity, Quantity, Reasoned

IMPACT = "impact."
"""Prefix of the key of the impact on an outcome."""


def known_quantities(
    economics: xr.Dataset, source: Source, spec: EconomicSpec, evidence: Evidence
) -> dict[str, xr.DataArray]:
    """Return draws {chain, draw} or {chain, draw, group} of every input to the returns, by key.

    ``impact.<outcome>`` of the valued outcomes {chain, draw, group}, including pooled rows; then the spec's quantities.
    """
    impact = with_pooled_groups(impact_draws(source).sel(group=list(evidence.groups)), evidence.treated)
    outcomes = dict.fromkeys(benefit.outcome for benefit in spec.counted.values())
    found = {f"{IMPACT}{name}": impact.sel(outcome=name, drop=True) for name in outcomes}
    return {**found, **{key: economics[key] for key in parameters_of(spec, evidence)}}


def variance_shares(economics: xr.Dataset, source: Source, spec: EconomicSpec, evidence: Evidence) -> pd.DataFrame:
    """Compute the share of the variance of the return explained by each quantity alone.

    First-order shares: the variance of the mean return given the quantity, over the variance of the return. The
    remainder to 1 is due to interactions.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``quantity`` (a key), ``share``; 0 for fixed quantities.
    """
    rows = []
    ratio = economics["benefit_cost_ratio"]
    for key, draws in known_quantities(economics, source, spec, evidence).items():
        if "group" in draws.dims:
            shares = xr.concat(
                [
                    share_explained(ratio.sel(group=[name]), [draws.sel(group=name)])
                    for name in ratio["group"].to_numpy()
                ],
                dim="group",
            )
        else:
            shares = share_explained(ratio, [draws])
        table = shares.transpose("perspective", "group").to_series().rename("share").reset_index()
        table.insert(2, "quantity", key)
        rows.append(table)
    return pd.concat(rows, ignore_index=True)


def tornado(
    source: Source,
    spec: EconomicSpec,
    evidence: Evidence,
    *,
    seed: int,
    volume: Volume = "actual",
) -> pd.DataFrame:
    """Compute the mean return with each quantity in turn at the ends of its 89 % interval, all others as drawn.

    Fixed prices are moved to the extremes of their variants, if the spec states any.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``quantity``; ``low_value`` and ``high_value`` in the quantity's unit (for an
        impact, of that group); ``low`` and ``high``, the mean gross benefit per £1 at those values; ``base``, as drawn.
        Missing for impacts in pooled rows, which combine two groups.
    """
    admitted = admit(source)
    economics = appraise(admitted, spec, evidence, seed=seed, volume=volume)
    quantities = parameters_of(spec, evidence)
    job = job_of(admitted.impact, spec, evidence, seed=seed, volume=volume, parameters=economics[list(quantities)])
    drawn = dict(job.given or {})
    base = economics["benefit_cost_ratio"].mean(("chain", "draw"))
    pooled = with_pooled_groups(admitted.impact, evidence.treated)
    tables = []

    def add(key: str, values: list[xr.DataArray], returns: list[xr.DataArray]) -> None:
        columns = {"low_value": values[0], "high_value": values[1], "low": returns[0], "high": returns[1], "base": base}
        table = xr.Dataset({name: one.broadcast_like(base) for name, one in columns.items()})
        tables.append(table.to_dataframe(dim_order=["perspective", "group"]).reset_index().assign(quantity=key))

    for outcome in dict.fromkeys(benefit.outcome for benefit in spec.counted.values()):
        at = pooled.sel(outcome=outcome, drop=True)
        ends = [at.quantile(probability, ("chain", "draw"), keep_attrs=False) for probability in INTERVALS[89]]
        moved = []
        for end in ends:
            values = job.impact.copy()
            values[:, job.outcomes.index(outcome)] = end.sel(group=list(evidence.groups)).to_numpy()
            moved.append(job._replace(impact=values))
        of_groups = ~xr.DataArray(base["group"].isin(list(POOLED_GROUPS)))
        ends = [end.drop_vars("quantile").where(of_groups) for end in ends]
        add(f"{IMPACT}{outcome}", ends, [mean_ratio(one).where(of_groups) for one in moved])
    for key, quantity in quantities.items():
        learnt = key in job.learnt
        limits = [float(end) for end in np.quantile(drawn[key], INTERVALS[89])] if learnt else _ends(quantity, spec)
        if limits:
            moved = [job._replace(given={**drawn, key: np.full_like(drawn[key], limit)}) for limit in limits]
            add(key, [xr.DataArray(limit) for limit in limits], [mean_ratio(one) for one in moved])
    table = pd.concat(tables, ignore_index=True)
    return table[["perspective", "group", "quantity", "low_value", "high_value", "low", "high", "base"]]


def _ends(quantity: Quantity, spec: EconomicSpec) -> list[float]:
    """Return the ends of a quantity's 89 % interval or, for a fixed price, the extremes of it and its variants."""
    if not isinstance(quantity, FixedQuantity):
        return [float(value) for value in quantity.quantile(INTERVALS[89])]
    if not isinstance(quantity, FixedPrice) or not quantity.variants or spec.prices is None:
        return []
    index = spec.prices.deflator.index
    values = [Money(one.value, one.price_year).at(quantity.price_year, index).amount for one in quantity.variants]
    return [min(*values, quantity.value), max(*values, quantity.value)]


def assumptions(
    economics: xr.Dataset,
    source: Source,
    spec: EconomicSpec,
    evidence: Evidence,
    *,
    perspective: str = "economic",
) -> pd.DataFrame:
    """List the assumptions of a spec, ranked by the share of the variance of the return that each explains.

    Returns
    -------
    DataFrame
        A row for each figure or choice whose source is ``"assumption"``: its ``key``, ``stated`` value, ``unit``,
        ``why``, ``settled_by`` (the document that would settle it, or empty); ``share`` of the variance of the return,
        the maximum over trial groups, and the ``group`` that has it. Fixed figures come last, with a missing share.
    """
    if perspective not in spec.perspectives:
        raise SpecError(f"perspective {unknown_name(perspective, spec.perspectives)}")
    shares = variance_shares(economics, source, spec, evidence)
    of_groups = shares[(shares["perspective"] == perspective) & shares["group"].isin(evidence.groups)]
    greatest = of_groups.loc[of_groups.groupby("quantity")["share"].idxmax()].set_index("quantity")
    quantities = parameters_of(spec, evidence)
    rows = []
    for key, figure in _assumed(spec):
        varies = key in quantities and not isinstance(quantities[key], FixedQuantity)
        rows.append(
            {
                "key": key,
                "stated": str(figure),
                "unit": getattr(figure, "unit", ""),
                "share": greatest["share"][key] if varies else np.nan,
                "group": greatest["group"][key] if varies else "",
                "settled_by": getattr(figure, "settled_by", None) or "",
                "why": figure.why,
            }
        )
    table = pd.DataFrame(rows)
    return table.sort_values("share", ascending=False, na_position="last", kind="stable").reset_index(drop=True)


def _assumed(spec: EconomicSpec) -> Iterator[tuple[str, Reasoned]]:
    for key, figure in stated_figures(spec):
        if figure.source == ASSUMPTION:
            yield key, figure


def quantity_label(key: str, spec: EconomicSpec) -> str:
    """Return the display name of a quantity."""
    if key.startswith(IMPACT):
        return f"{OUTCOMES[key.removeprefix(IMPACT)].label} impact"
    place, name, *last = key.split(".")
    if place == "benefits":
        shares = {"additional": "share additional", "undisplaced": "share not displaced"}
        return f"{spec.benefits[name].label}: {shares.get(last[0], last[0])}"
    if place == "conversions":
        return spec.conversions[name].unit.partition(" per ")[0]
    if place == "persistence":
        return f"{name.capitalize()}: {last[0].replace('_', ' ')}"
    return {
        "nonresponse.share": "Share gained by non-respondents",
        "costs.uncertainty": "Cost per head",
        "costs.fixed_share": "Fixed share of the cost",
    }[key]
