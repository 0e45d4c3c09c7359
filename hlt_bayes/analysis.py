"""From impact draws, from this package or from elsewhere, to all reported results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from itertools import permutations
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.economics import (
    PRICE_COLUMNS,
    RETURN_COLUMNS,
    Volume,
    appraise,
    benefit_summary,
    cost_effectiveness,
    price_table,
    return_summary,
    walk,
    years_presupposed,
)
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.comparison import compare
from hlt_bayes.impacts.draws import CheckedDraws, Source, admit, impact_summary, with_pooled_groups
from hlt_bayes.impacts.estimands import estimand_draws, summary_of_estimands
from hlt_bayes.impacts.moderation import Moderation
from hlt_bayes.inference.diagnostics import check_convergence
from hlt_bayes.likelihood import reported_results
from hlt_bayes.specs import EconomicSpec, ImpactSpec, IndividualSpec

Whose = Literal["respondents", "like them", "assumed"]
"""Population to which impacts on survey outcomes apply: respondents; everyone randomised, if non-respondents gain as
similar respondents do; or everyone randomised, by an explicit assumption."""


@dataclass(frozen=True)
class Appraisal:
    """An appraisal at component prices: its draws and tables.

    ``walk`` and ``years`` compare it with the published evaluation; they have no rows if that gives no returns.
    """

    spec: EconomicSpec
    economics: xr.Dataset
    returns: pd.DataFrame
    benefits: pd.DataFrame
    prices: pd.DataFrame
    cost_effectiveness: pd.DataFrame
    walk: pd.DataFrame
    years: pd.DataFrame


@dataclass(frozen=True)
class Analysis:
    """An analysis: its draws, the evidence and specs they come from, and its tables.

    ``admitted`` are the validated impact draws of ``draws``. Without an economic spec there is no valuation:
    ``returns`` and ``prices`` have no rows and ``draws`` has no ``economics``. ``appraisal`` is the one at component
    prices, if requested. ``impacts`` has only measured outcomes, whereas ``draws`` predicts the impact on
    every outcome in every group. For a fit of individual records, ``individual_spec`` is its spec, and ``impact_spec``
    only determines how published SEs are recovered. ``smallest`` are the smallest effects of interest, by outcome.
    """

    draws: xr.DataTree
    evidence: Evidence
    impact_spec: ImpactSpec
    economic_spec: EconomicSpec | None
    seed: int
    impacts: pd.DataFrame
    estimands: pd.DataFrame
    returns: pd.DataFrame
    prices: pd.DataFrame
    appraisal: Appraisal | None
    comparison: pd.DataFrame
    diagnostics: pd.DataFrame
    moderation: Moderation | None
    individual_spec: IndividualSpec | None = None
    smallest: Mapping[str, float] = field(default_factory=dict)
    admitted: CheckedDraws = field(init=False, repr=False)
    checked: InitVar[CheckedDraws | None] = None

    def __post_init__(self, checked: CheckedDraws | None) -> None:
        """Keep the draws validated by ``analyse``, or validate those of a copy with other ``draws``."""
        object.__setattr__(self, "admitted", checked or admit(self.draws))

    @property
    def whose(self) -> Whose:
        """Population to which impacts on survey outcomes apply."""
        if (self.individual_spec or self.impact_spec).nonresponse is not None:
            return "assumed"
        return "respondents" if self.individual_spec is None else "like them"


def analyse(
    tree: xr.DataTree,
    evidence: Evidence,
    impact_spec: ImpactSpec,
    economic_spec: EconomicSpec | None,
    *,
    seed: int,
    smallest: Mapping[str, float] | None = None,
    moderation: Moderation | None = None,
    components: EconomicSpec | None = None,
    individual_spec: IndividualSpec | None = None,
) -> Analysis:
    """Value, summarise and compare impact draws, and check convergence of all reported quantities.

    Parameters
    ----------
    tree
        A DataTree with ``posterior["impact"]`` {chain, draw, outcome, group}; otherwise only ``impact_new`` is used.
    evidence, impact_spec, economic_spec
        The published evidence; the spec by which its SEs are recovered; prices, or ``None`` for no valuation.
    seed
        Random seed of all draws made here.
    smallest
        The smallest effect of interest by outcome, as in ``hlt_bayes.estimand_summary``.
    moderation
        Summary of a fit with moderators, to report alongside.
    components
        An economic spec at component prices, to report alongside ``economic_spec``, which then has implied prices.
    individual_spec
        The spec of ``tree``, if that is a fit of individual records.

    Returns
    -------
    Analysis
        ``draws`` is ``tree`` with the groups ``economics`` and ``appraisal`` from ``hlt_bayes.appraise``, if valued.

    Raises
    ------
    ImpactError
        The impact draws are invalid; see ``hlt_bayes.impact_draws``.
    ConvergenceError
        An estimand or return fails the convergence check.
    """
    admitted = admit(tree)
    impact = with_pooled_groups(admitted.impact, evidence.treated)
    asked = estimand_draws(admitted, evidence.treated)
    # Differences between groups that a model constrains to be equal are 0 in every draw: R-hat is undefined.
    varying = (asked["kind"] != "difference") | (asked != 0).any(("chain", "draw", "outcome"))
    reported = {"impact": asked.isel(estimand=np.flatnonzero(varying)).drop_vars("kind")}
    draws, appraisal = tree.copy(), None
    returns, prices = pd.DataFrame(columns=list(RETURN_COLUMNS)), pd.DataFrame(columns=list(PRICE_COLUMNS))
    if economic_spec is not None:
        economics = appraise(admitted, economic_spec, evidence, seed=seed)
        reported["benefit_cost_ratio"] = economics["benefit_cost_ratio"]
        draws["economics"] = xr.DataTree(economics)
        returns, prices = return_summary(economics), price_table(economic_spec, evidence)
    if components is not None:
        appraisal = component_appraisal(admitted, evidence, impact_spec, components, published=economic_spec, seed=seed)
        reported["ratio by components"] = appraisal.economics["benefit_cost_ratio"]
        draws["appraisal"] = xr.DataTree(appraisal.economics)
    diagnostics = pd.concat([check_convergence(array.to_dataset(name=name)) for name, array in reported.items()])
    return Analysis(
        draws=draws,
        evidence=evidence,
        impact_spec=impact_spec,
        economic_spec=economic_spec,
        seed=seed,
        impacts=_measured(impact_summary(impact), evidence),
        estimands=_measured(summary_of_estimands(asked, smallest=smallest), evidence),
        returns=returns,
        prices=prices,
        appraisal=appraisal,
        comparison=compare(admitted, evidence, reported_results(evidence, impact_spec)),
        diagnostics=diagnostics,
        moderation=moderation,
        individual_spec=individual_spec,
        smallest=dict(smallest or {}),
        checked=admitted,
    )


def component_appraisal(
    tree: Source,
    evidence: Evidence,
    impact_spec: ImpactSpec,
    spec: EconomicSpec,
    *,
    published: EconomicSpec | None,
    seed: int,
    volume: Volume = "actual",
) -> Appraisal:
    """Appraise impact draws at component prices, and compare with the published evaluation.

    Parameters
    ----------
    tree, evidence, impact_spec, spec
        Impact draws; the published evidence; the spec by which SEs are recovered; and the economic spec.
    published
        A spec with prices implied by the published returns; no comparison without it, or if ``spec`` has no
        ``nonresponse``.
    seed, volume
        As in ``hlt_bayes.appraise``; there is no comparison at any volume but the actual.

    Raises
    ------
    ImpactError, SpecError, EvidenceError
        As for ``hlt_bayes.appraise``.
    """
    drawn = admit(tree)
    economics = appraise(drawn, spec, evidence, seed=seed, volume=volume)
    printed = not evidence.returns.empty and volume == "actual"
    beside = published is not None and spec.nonresponse is not None and printed
    return Appraisal(
        spec=spec,
        economics=economics,
        returns=return_summary(economics),
        benefits=benefit_summary(economics, drawn, spec, evidence),
        prices=price_table(spec, evidence),
        cost_effectiveness=cost_effectiveness(economics, drawn, spec, evidence),
        walk=walk(drawn, evidence, published, spec, impact_spec, seed=seed) if beside and published else pd.DataFrame(),
        years=years_presupposed(drawn, evidence, spec, seed=seed)
        if beside and "health" in spec.counted
        else pd.DataFrame(),
    )


def _measured(table: pd.DataFrame, evidence: Evidence) -> pd.DataFrame:
    """Drop unmeasured cells: for a user's own trials, outcomes that the file does not give for a group."""
    if not evidence.is_user_data:
        return table
    stated = evidence.impacts[["outcome", "group"]]
    known = set(stated.itertuples(index=False, name=None))
    for outcome, part in stated.groupby("outcome"):
        known |= {(outcome, f"{first} - {second}") for first, second in permutations(part["group"], 2)}
    column = "group" if "group" in table else "estimand"
    of_groups = table["kind"].isin(["group", "difference"]) if "kind" in table else pd.Series(True, index=table.index)
    measured = np.array([pair in known for pair in zip(table["outcome"], table[column], strict=True)])
    return table[~of_groups | measured].reset_index(drop=True)
