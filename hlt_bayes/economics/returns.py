"""From impact draws to returns, draw for draw: draw i of a return comes from draw i of the impacts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.economics.prices import implied_price_interval, price_draws
from hlt_bayes.errors import ImpactError, SpecError
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts import impact_draws, summary, with_pooled_groups
from hlt_bayes.seeds import stream_seed
from hlt_bayes.specs import EconomicSpec

RETURN_COLUMNS = (
    "perspective",
    "group",
    "outcome",
    "price_lower_gbp",
    "price_upper_gbp",
    "price_unit",
    "cost_per_head_gbp",
    "published",
    "unfiltered",
    "mean",
    "sd",
    "lower_89",
    "upper_89",
    "lower_95",
    "upper_95",
    "prob_above_one",
)
"""Columns of ``return_summary``."""

GBP_PER_HEAD = {"unit": "GBP per person randomised to treatment", "price_year": "not stated in the report"}


def cost_per_head(evidence: Evidence) -> xr.DataArray:
    """Cost {group} in £ per person randomised to treatment; pooled rows are weighted by recruits to treatment."""
    printed = evidence.costs.set_index("group")["cost_per_head_gbp"]
    groups = list(evidence.groups)
    per_group = xr.DataArray(printed[groups].to_numpy(float), coords={"group": groups}, attrs=GBP_PER_HEAD)
    return with_pooled_groups(per_group, evidence.treated)


def benefit_per_head(impact: xr.DataArray, price: xr.DataArray) -> xr.DataArray:
    """Benefit {chain, draw, group} in £: impact {chain, draw, group} times price {chain, draw}, £ per unit."""
    with xr.set_options(arithmetic_join="exact"):
        return impact * price


def benefit_cost_ratio(benefit: xr.DataArray, cost: xr.DataArray) -> xr.DataArray:
    """Gross benefit per £1: benefit {..., group} over cost {group}, both in £ per head; above 1 pays back."""
    with xr.set_options(arithmetic_join="exact"):
        return benefit / cost


def price_intervals(outcomes: Sequence[str], spec: EconomicSpec, evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Give the interval of each perspective's price, £ per unit of impact, or refuse the spec for ``outcomes``.

    Nothing is drawn, so it tells before a fit whether its impacts can be valued.

    Raises
    ------
    SpecError
        The spec values an outcome that is not among them, or its prices cannot be.
    """
    if evidence.costs.empty:
        raise SpecError(
            f"economic spec {spec.name!r}: {evidence.path} prints no costs, so nothing can be valued; leave it out"
        )
    intervals = {}
    for name, valued in spec.perspectives.items():
        if valued.outcome not in outcomes:
            raise SpecError(
                f"economic spec {spec.name!r}, key 'perspectives.{name}.outcome': {valued.outcome!r} is valued, but "
                f"the impacts are of {', '.join(outcomes)}"
            )
        intervals[str(name)] = implied_price_interval(evidence, name, valued)
    return intervals


def appraise(source: xr.DataTree | xr.DataArray, spec: EconomicSpec, evidence: Evidence, *, seed: int) -> xr.Dataset:
    """Value every draw of impact, with no significance filter.

    Parameters
    ----------
    source
        Impact draws, as ``hlt_bayes.impacts.impact_draws`` takes them: a fit of ours, or any other.
    spec, evidence
        Prices, and the costs and recruits printed.
    seed
        Of the draws of the prices.

    Returns
    -------
    Dataset
        ``benefit_cost_ratio`` (gross, £ per £1) and ``benefit_per_head`` (£) {chain, draw, perspective,
        group}; ``price`` {chain, draw, perspective} (£ per unit of the perspective's ``outcome``), drawn
        between its ``price_bounds`` {perspective, bound}; ``cost_per_head`` {group} (£); ``published``
        {perspective, group}, the printed return; and ``unfiltered`` {perspective, group}, what the printed
        impact returns at the mean price if nothing is set to zero. Groups include the pooled rows.

    Raises
    ------
    ImpactError
        The trial groups of the impacts are not those of the evidence.
    SpecError
        The spec values an outcome that is not there, or its prices cannot be.
    """
    impact = impact_draws(source)
    intervals = price_intervals([str(name) for name in impact["outcome"].to_numpy()], spec, evidence)
    found = [str(name) for name in impact["group"].to_numpy()]
    if set(found) != set(evidence.groups):
        raise ImpactError(f"impact has the groups {', '.join(found)}; it must have {', '.join(evidence.groups)}")
    impact = with_pooled_groups(impact.sel(group=list(evidence.groups)), evidence.treated)
    cost = cost_per_head(evidence)
    published = evidence.returns.pivot(index="perspective", columns="group", values="benefit_cost_ratio")
    printed_impact = evidence.impacts.pivot(index="outcome", columns="group", values="estimate")

    groups = list(impact["group"].to_numpy())
    parts = []
    for name, valued in spec.perspectives.items():
        interval = intervals[name]
        price = price_draws(interval, impact, seed=stream_seed(seed, f"price {name}"))
        benefit = benefit_per_head(impact.sel(outcome=valued.outcome, drop=True), price)
        at_print = xr.DataArray(printed_impact.loc[valued.outcome, groups].to_numpy(float), coords={"group": groups})
        parts.append(
            xr.Dataset(
                {
                    "benefit_cost_ratio": benefit_cost_ratio(benefit, cost),
                    "benefit_per_head": benefit,
                    "price": price,
                    "price_bounds": ("bound", np.array(interval)),
                    "published": ("group", published.loc[name, groups].to_numpy(float)),
                    "unfiltered": benefit_cost_ratio(at_print * np.mean(interval), cost),
                }
            )
        )
    names = list(spec.perspectives)
    result = xr.concat(parts, dim="perspective").assign_coords(
        perspective=names,
        bound=["lower", "upper"],
        outcome=("perspective", [spec.perspectives[name].outcome for name in names]),
        price_unit=("perspective", [spec.perspectives[name].price.unit for name in names]),
    )
    for variable in ("benefit_cost_ratio", "benefit_per_head"):
        result[variable] = result[variable].transpose("chain", "draw", "perspective", "group")
    result["price"] = result["price"].transpose("chain", "draw", "perspective")
    result["cost_per_head"] = cost
    per_pound = {"unit": "GBP of benefit per GBP of cost", "sign": "gross of cost; above 1 pays back"}
    for variable in ("benefit_cost_ratio", "published", "unfiltered"):
        result[variable].attrs = dict(per_pound)
    result["benefit_per_head"].attrs = dict(GBP_PER_HEAD)
    result["price"].attrs = {
        "unit": "; ".join(f"{name}: {valued.price.unit}" for name, valued in spec.perspectives.items())
    }
    result.attrs = {"spec": spec.name, "spec_sha256": spec.fingerprint, "seed": str(seed)}
    return result


def return_summary(economics: xr.Dataset) -> pd.DataFrame:
    """Summarise returns by perspective and group, beside what was published.

    Returns
    -------
    DataFrame
        ``outcome``, which is valued, between ``price_lower_gbp`` and ``price_upper_gbp`` in ``price_unit``;
        ``cost_per_head_gbp``; ``published`` (missing where not calculated) and ``unfiltered``; ``mean``,
        ``sd``, intervals of the gross benefit per £1; ``prob_above_one``, P(£1 returns more than £1).
    """
    table = summary(economics["benefit_cost_ratio"], above=1.0).rename(columns={"prob_above": "prob_above_one"})
    keys = zip(table["perspective"], table["group"], strict=True)
    rows = [economics.sel(perspective=name, group=group) for name, group in keys]
    beside = {
        "outcome": [row["outcome"].item() for row in rows],
        "price_lower_gbp": [row["price_bounds"].sel(bound="lower").item() for row in rows],
        "price_upper_gbp": [row["price_bounds"].sel(bound="upper").item() for row in rows],
        "price_unit": [row["price_unit"].item() for row in rows],
        "cost_per_head_gbp": [row["cost_per_head"].item() for row in rows],
        "published": [row["published"].item() for row in rows],
        "unfiltered": [row["unfiltered"].item() for row in rows],
    }
    for position, (name, values) in enumerate(beside.items()):
        table.insert(2 + position, name, values)
    return table[list(RETURN_COLUMNS)]
