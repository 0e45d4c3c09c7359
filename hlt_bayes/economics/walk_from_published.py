"""Bridge from the published return to the re-analysed return, one choice at a time."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import xarray as xr
from scipy.special import ndtri
from scipy.stats import rankdata

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.vocabulary import SURVEY_OUTCOMES
from hlt_bayes.economics.appraisal import appraise
from hlt_bayes.economics.costs import cost_per_head
from hlt_bayes.economics.published import _mean_prices, printed_impacts
from hlt_bayes.economics.summaries import effect_draws
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import Source, admit, summary, with_pooled_groups
from hlt_bayes.specs import EconomicSpec, ImpactSpec

STEPS = {
    "published": "as published",
    "unfiltered": "without the significance filter",
    "uncertain": "with the impact's standard error",
    "pooled": "with the impacts of this re-analysis",
    "nonresponse": "with survey non-respondents included",
    "components": "the same outcome at component prices",
    "all benefits": "with all benefits at component prices",
}
"""Steps of the bridge, in order, with labels."""


def walk(
    source: Source,
    evidence: Evidence,
    published: EconomicSpec,
    components: EconomicSpec,
    impact_spec: ImpactSpec,
    *,
    seed: int,
) -> pd.DataFrame:
    """Compute the bridge from the published return to the Bayesian one, step by step, on common draws.

    Draws are paired between steps: each impact of ``uncertain`` has the rank of the pooled impact in the same draw, and
    prices, shares and all other quantities use the same draws throughout.

    Parameters
    ----------
    source
        Impact draws in any form accepted by ``hlt_bayes.impact_draws``.
    evidence
        The published evidence.
    published, components
        A spec with prices implied by the published returns, and one at component prices with a share gained by survey
        non-respondents.
    impact_spec
        The impact spec under whose priors the standard errors are recovered.
    seed
        As in ``appraise``.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``step`` (of ``STEPS``), ``label``; ``mean`` of the gross benefit per £1; ``sd``,
        intervals and ``prob_above_one``, missing for steps that are point estimates.

    Raises
    ------
    SpecError
        A price of ``published`` is not implied, or ``components`` has no ``nonresponse``.
    """
    if components.nonresponse is None:
        raise SpecError(
            f"economic spec {components.name!r}: key 'nonresponse.share' is missing; the bridge from the published "
            "return needs it"
        )
    drawn = admit(source)
    impact = drawn.impact
    prices, printed = _mean_prices(published, evidence), printed_impacts(evidence, impact_spec)
    ours, theirs = (appraise(drawn, spec, evidence, seed=seed) for spec in (published, components))
    benefits = effect_draws(theirs, drawn, evidence) * theirs["price"]
    cost = cost_per_head(evidence, published)
    groups = list(evidence.groups)
    tables = []
    for perspective, one in published.perspectives.items():
        if perspective not in components.perspectives:
            continue
        (name,) = one.benefits
        outcome = published.benefits[name].outcome
        cells = printed.loc[[(outcome, str(row)) for row in cost["group"].to_numpy()]]
        estimate, se = (xr.DataArray(cells[key].to_numpy(), coords=cost.coords) for key in ("estimate", "se"))
        price = ours["price"].sel(benefit=name, drop=True)
        pooled = with_pooled_groups(impact.sel(outcome=outcome, group=groups, drop=True), evidence.treated)
        of_all = pooled
        if outcome in SURVEY_OUTCOMES:
            covered = impact.sel(outcome=outcome, group=groups, drop=True) * theirs["coverage"].sel(group=groups)
            of_all = with_pooled_groups(covered, evidence.treated)
        same = [
            other
            for other in components.perspectives[perspective].benefits
            if components.benefits[other].outcome == outcome
        ]
        steps = {
            "published": ours["published"].sel(perspective=perspective, drop=True),
            "unfiltered": estimate * prices[name] / cost,
            "uncertain": (estimate + se * _normal_of_rank(pooled)) * price / cost,
            "pooled": pooled * price / cost,
            **({"nonresponse": of_all * price / cost} if outcome in SURVEY_OUTCOMES else {}),
            "components": benefits.sel(benefit=same).sum("benefit") / theirs["cost_per_head"],
            "all benefits": theirs["benefit_cost_ratio"].sel(perspective=perspective, drop=True),
        }
        tables.append(_steps(steps).assign(perspective=perspective))
    if not tables:
        return pd.DataFrame()
    table = pd.concat(tables, ignore_index=True)
    return table[["perspective", *[column for column in table.columns if column != "perspective"]]]


def _normal_of_rank(draws: xr.DataArray) -> xr.DataArray:
    """Return the standard normal quantile of each draw's rank {chain, draw, ...} among all draws."""
    stacked = draws.stack(sample=("chain", "draw"))
    ranks = xr.apply_ufunc(
        rankdata, stacked, input_core_dims=[["sample"]], output_core_dims=[["sample"]], kwargs={"axis": -1}
    )
    normal: xr.DataArray = xr.apply_ufunc(ndtri, (ranks - 0.5) / stacked.sizes["sample"])
    return normal.unstack("sample").transpose(*draws.dims)


def _steps(steps: Mapping[str, xr.DataArray]) -> pd.DataFrame:
    """Summarise each step {group} or {chain, draw, group}; a point estimate has only a mean."""
    tables = []
    for step, values in steps.items():
        if "draw" in values.dims:
            table = summary(values.transpose("chain", "draw", "group"), above=1.0)
        else:
            table = values.to_series().rename("mean").reset_index()
        table.insert(1, "step", step)
        table.insert(2, "label", STEPS[step])
        tables.append(table.rename(columns={"prob_above": "prob_above_one"}))
    return pd.concat(tables, ignore_index=True)
