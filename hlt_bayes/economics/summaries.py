"""Tables of an appraisal: returns, benefits by component, prices, acceptability, and cost-effectiveness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.vocabulary import POOLED_GROUPS, SURVEY_OUTCOMES
from hlt_bayes.economics.costs import price_year
from hlt_bayes.economics.parameters import parameters_of
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import INTERVALS, Source, admit, impact_draws, summary, with_pooled_groups
from hlt_bayes.specs import QALY, EconomicSpec, ImpliedPrice, PerspectiveName

RETURN_COLUMNS = (
    "perspective",
    "group",
    "cost_per_head_gbp",
    "benefit_per_head_gbp",
    "net_present_value_gbp",
    "net_present_value_lower_89",
    "net_present_value_upper_89",
    "published",
    "unfiltered",
    "ratio_of_means",
    "mean",
    "sd",
    "lower_89",
    "upper_89",
    "lower_95",
    "upper_95",
    "prob_above_one",
    "loss_if_funded_gbp",
    "loss_if_not_gbp",
)
"""Columns of ``return_summary``."""

PRICE_COLUMNS = (
    "perspective",
    "benefit",
    "label",
    "outcome",
    "lower_gbp",
    "upper_gbp",
    "unit",
    "price_year",
    "implied",
)
"""Columns of ``price_table``."""

SUSTAINED_JOB = "sustained job"
"""Name of the employment effect: an additional person in work for 13 or more weeks of the 12 months."""


def return_summary(economics: xr.Dataset) -> pd.DataFrame:
    """Summarise an appraisal by perspective and group, alongside the published returns.

    Parameters
    ----------
    economics
        Dataset from ``appraise``.

    Returns
    -------
    DataFrame
        Means of ``cost_per_head_gbp``, ``benefit_per_head_gbp`` and ``net_present_value_gbp`` (with an 89 % interval),
        £ of the price year per person randomised to treatment; ``published`` (missing where not calculated) and
        ``unfiltered``; ``ratio_of_means``, mean benefit over mean cost; of the benefit-cost ratio, gross benefit per
        £1: ``mean``, ``sd``, intervals, and ``prob_above_one``, P(£1 returns more than £1). Expected opportunity loss,
        £ per person: ``loss_if_funded_gbp``, from funding when benefit falls short of cost, and ``loss_if_not_gbp``,
        from not funding when benefit exceeds cost.
    """
    table = summary(economics["benefit_cost_ratio"], above=1.0).rename(columns={"prob_above": "prob_above_one"})
    net, over = economics["net_present_value"], ("chain", "draw")
    means = economics[["benefit_per_head", "cost_per_head"]].mean(over)
    low, high = (net.quantile(probability, over) for probability in INTERVALS[89])
    columns = {
        "cost_per_head_gbp": means["cost_per_head"].broadcast_like(means["benefit_per_head"]),
        "benefit_per_head_gbp": means["benefit_per_head"],
        "net_present_value_gbp": means["benefit_per_head"] - means["cost_per_head"],
        "net_present_value_lower_89": low,
        "net_present_value_upper_89": high,
        "published": economics["published"],
        "unfiltered": economics["unfiltered"],
        "ratio_of_means": means["benefit_per_head"] / means["cost_per_head"],
        "loss_if_funded_gbp": (-net).clip(min=0).mean(over),
        "loss_if_not_gbp": net.clip(min=0).mean(over),
    }
    for name, values in columns.items():
        table[name] = values.transpose("perspective", "group").to_numpy().ravel()
    return table[list(RETURN_COLUMNS)]


def price_table(spec: EconomicSpec, evidence: Evidence) -> pd.DataFrame:
    """List the prices of a spec: a row per perspective and benefit counted.

    Returns
    -------
    DataFrame
        ``perspective``, ``benefit``, ``label``, ``outcome``; ``lower_gbp`` and ``upper_gbp``, the full range of an
        implied price or the 89 % interval of a stated one, in ``unit`` at ``price_year`` prices; ``implied``.
    """
    quantities = parameters_of(spec, evidence)
    rows = []
    for perspective, one in spec.perspectives.items():
        for name in one.benefits:
            benefit, price = spec.benefits[name], spec.benefits[name].price
            implied = isinstance(price, ImpliedPrice)
            lower, upper = quantities[f"benefits.{name}.price"].quantile((0.0, 1.0) if implied else INTERVALS[89])
            rows.append(
                {
                    "perspective": perspective,
                    "benefit": name,
                    "label": benefit.label,
                    "outcome": benefit.outcome,
                    "lower_gbp": float(lower),
                    "upper_gbp": float(upper),
                    "unit": benefit.price.unit,
                    "price_year": price_year(spec) if isinstance(price, ImpliedPrice) else price.price_year,
                    "implied": implied,
                }
            )
    return pd.DataFrame(rows, columns=list(PRICE_COLUMNS))


def effect_draws(economics: xr.Dataset, source: Source, evidence: Evidence) -> xr.DataArray:
    """Return discounted units {chain, draw, benefit, group} gained per person randomised: QALYs, years of work etc.

    Parameters
    ----------
    economics
        Dataset from ``appraise``.
    source, evidence
        The impacts and evidence that it was computed from.
    """
    impact = impact_draws(source)
    groups = [str(name) for name in economics["group"].to_numpy() if name not in POOLED_GROUPS]
    parts = []
    with xr.set_options(arithmetic_join="exact"):
        for name in economics["benefit"].to_numpy():
            at = economics.sel(benefit=name, drop=True)
            outcome = economics["outcome"].sel(benefit=name).item()
            gained = impact.sel(outcome=outcome, group=groups, drop=True) * at["units"]
            if outcome in SURVEY_OUTCOMES:
                gained = gained * at["coverage"].sel(group=groups)
            parts.append(with_pooled_groups(gained, evidence.treated))
        names = economics.indexes["benefit"]
        return xr.concat(parts, dim=names, coords="minimal").transpose("chain", "draw", "benefit", "group")


def benefit_summary(economics: xr.Dataset, source: Source, spec: EconomicSpec, evidence: Evidence) -> pd.DataFrame:
    """Summarise the benefit per head by component.

    Returns
    -------
    DataFrame
        ``perspective``, ``benefit``, ``label``, ``group``; ``mean``, ``sd`` and intervals in £ of the price year per
        person randomised to treatment; ``prob_positive``. Component means add up to the perspective's mean benefit.
    """
    gained = effect_draws(economics, source, evidence) * economics["price"]
    tables = []
    for perspective, one in spec.perspectives.items():
        table = summary(gained.sel(benefit=one.benefits), above=0.0).rename(columns={"prob_above": "prob_positive"})
        table.insert(0, "perspective", perspective)
        table.insert(2, "label", [spec.benefits[name].label for name in table["benefit"]])
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def acceptability(economics: xr.Dataset, thresholds: Sequence[float]) -> pd.DataFrame:
    """Return the probability that £1 returns more than each threshold.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``threshold`` (£ of benefit per £1 of cost), ``probability``.
    """
    at = xr.DataArray(list(thresholds), dims="threshold", coords={"threshold": list(thresholds)})
    probability = xr.concat(
        [(economics["benefit_cost_ratio"] > value).mean(("chain", "draw")) for value in at.to_numpy()], dim=at
    )
    return _long(probability, "perspective", "group", "threshold")


def acceptability_of_price(
    economics: xr.Dataset,
    source: Source,
    evidence: Evidence,
    benefit: str,
    prices: Sequence[float],
) -> pd.DataFrame:
    """Return the probability that benefits exceed costs, by the price of one benefit (acceptability curve).

    Parameters
    ----------
    economics, source, evidence
        As in ``effect_draws``.
    benefit
        The benefit whose price varies, such as ``"health"`` for the value of a QALY.
    prices
        £ per unit, in the spec's price year.

    Returns
    -------
    DataFrame
        ``perspective`` (those that count the benefit), ``group``, ``price``, ``probability``.

    Raises
    ------
    SpecError
        The benefit is unknown.
    """
    if benefit not in economics["benefit"]:
        raise SpecError(f"benefit {unknown_name(benefit, economics['benefit'].to_numpy())}")
    units = effect_draws(economics, source, evidence).sel(benefit=benefit, drop=True)
    counting = economics["counted"].sel(benefit=benefit)
    rest = economics["net_present_value"].isel(perspective=np.flatnonzero(counting)) - units * economics["price"].sel(
        benefit=benefit, drop=True
    )
    at = xr.DataArray(list(prices), dims="price", coords={"price": list(prices)})
    found = xr.concat([(rest + units * value > 0).mean(("chain", "draw")) for value in at.to_numpy()], dim=at)
    return _long(found, "perspective", "group", "price")


def _long(probability: xr.DataArray, *dims: str) -> pd.DataFrame:
    table: pd.DataFrame = probability.transpose(*dims).to_series().rename("probability").reset_index()
    return table


def effects_per_head(
    economics: xr.Dataset, source: Source, spec: EconomicSpec, evidence: Evidence
) -> dict[str, xr.DataArray]:
    """Return draws of effects {chain, draw, group} per person randomised to treatment, by unit of effect.

    ``"sustained job"``: the employment impact, people in work for 13 or more weeks. For each stated benefit of health
    or wellbeing, the unit that is priced, such as ``"QALY"``: discounted, over the duration of the benefit.
    """
    drawn = admit(source)
    found = {}
    if "employment" in drawn.impact["outcome"]:
        found[SUSTAINED_JOB] = with_pooled_groups(drawn.impact.sel(outcome="employment", drop=True), evidence.treated)
    units = effect_draws(economics, drawn, evidence)
    for name, benefit in spec.counted.items():
        if benefit.outcome in SURVEY_OUTCOMES and not isinstance(benefit.price, ImpliedPrice):
            found[benefit.price.unit.removeprefix("GBP per ")] = units.sel(benefit=name, drop=True)
    return found


def cost_effectiveness(economics: xr.Dataset, source: Source, spec: EconomicSpec, evidence: Evidence) -> pd.DataFrame:
    """Compute the cost per unit of effect, where it is defined.

    Returns
    -------
    DataFrame
        ``effect`` of ``effects_per_head``, ``group``; means of ``cost_per_head_gbp`` and ``effect_per_head``;
        ``prob_effect_positive``; ``cost_per_unit_gbp``, mean cost over mean effect, missing unless the effect is
        above 0 in all draws, and ``why_undefined``, the reason: with effects near 0 the ratio has no mean, and the sign
        of a negative ratio is ambiguous.
    """
    rows = []
    for effect, draws in effects_per_head(economics, source, spec, evidence).items():
        for group in economics["group"].to_numpy():
            values, cost = draws.sel(group=group), economics["cost_per_head"].sel(group=group).mean().item()
            positive = (values > 0).mean().item()
            defined = positive == 1.0
            rows.append(
                {
                    "effect": effect,
                    "group": group,
                    "cost_per_head_gbp": cost,
                    "effect_per_head": values.mean().item(),
                    "prob_effect_positive": positive,
                    "cost_per_unit_gbp": cost / values.mean().item() if defined else np.nan,
                    "why_undefined": ""
                    if defined
                    else f"the effect is above 0 in {positive:.1%} of the draws, not in all",
                }
            )
    return pd.DataFrame(rows)


THRESHOLDS = tuple(step / 20 for step in range(101))
"""Thresholds of acceptability, £ of benefit per £1."""

QALY_VALUES = tuple(range(0, 120_001, 2_500))
"""Values of a QALY for acceptability curves, £."""


def qaly_benefit(spec: EconomicSpec) -> str:
    """Return the name of the benefit priced per QALY; empty if none is."""
    return next((name for name, one in spec.counted.items() if one.price.unit == QALY), "")


def lead_perspective(spec: EconomicSpec) -> PerspectiveName:
    """Return the perspective shown first: the economic (societal) one, if the spec has it."""
    names = list(spec.perspectives)
    return "economic" if "economic" in names else names[-1]
