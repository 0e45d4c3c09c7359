"""From impact draws, ours or a stranger's, to everything that is reported of them."""

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
"""Whom impacts on survey outcomes speak for: those who answered; all, the others gaining as those like them; or all, by
assumption."""


@dataclass(frozen=True)
class Appraisal:
    """A record of one appraisal by component prices: its draws and tables.

    ``walk`` and ``years`` set it beside the published evaluation, where that printed returns; else they have no rows.
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
    """A record of one analysis: the draws, what they were made from, and the tables.

    ``admitted`` are the impact draws of ``draws`` as they were let in, for all that is asked of them later. Without an
    economic spec nothing is valued: ``returns`` and ``prices`` have no rows, ``draws`` no ``economics``.
    ``appraisal`` is that by component prices, beside it, where one was asked for. ``impacts`` holds what was measured;
    ``draws`` predicts the impact of each group on each outcome of the file. Where the draws are of individual records
    ``individual_spec`` is what they were made by, and ``impact_spec`` only says how printed SEs are recovered.
    ``smallest`` are the smallest effects of interest that were asked for, by outcome.
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
    let_in: InitVar[CheckedDraws | None] = None

    def __post_init__(self, let_in: CheckedDraws | None) -> None:
        """Keep the draws that ``analyse`` let in, or check those of a copy with other ``draws``."""
        object.__setattr__(self, "admitted", let_in or admit(self.draws))

    @property
    def whose(self) -> Whose:
        """Whom impacts on survey outcomes speak for."""
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
    """Value, summarise and compare impact draws, and check that what is reported of them converged.

    Parameters
    ----------
    tree
        A DataTree with ``posterior["impact"]`` {chain, draw, outcome, group}; of the rest only ``impact_new`` is used.
    evidence, impact_spec, economic_spec
        What is printed; what is assumed of its standard errors; prices, or ``None`` where nothing is to be valued.
    seed
        Of everything drawn here.
    smallest
        The smallest effect of interest by outcome, as in ``hlt_bayes.estimand_summary``.
    moderation
        What a fit with moderators says, to stand beside it.
    components
        An economic spec of component prices, to stand beside ``economic_spec``, which then is one of implied prices.
    individual_spec
        Where ``tree`` is a fit of individual records, its spec.

    Returns
    -------
    Analysis
        ``draws`` is ``tree`` with the group ``economics`` of ``hlt_bayes.appraise``, if valued.

    Raises
    ------
    ImpactError
        The draws are not what ``hlt_bayes.impact_draws`` describes.
    ConvergenceError
        Impacts of pooled rows or returns fail the gate.
    """
    admitted = admit(tree)
    impact = with_pooled_groups(admitted.impact, evidence.treated)
    asked = estimand_draws(admitted, evidence.treated)
    # Differences between groups that a model holds equal are 0 in every draw: nothing there can converge.
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
        let_in=admitted,
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
    """Appraise impact draws by component prices, and set that beside the published evaluation.

    Parameters
    ----------
    tree, evidence, impact_spec, spec
        Impact draws; what is printed; whose priors standard errors are recovered under; and the economic spec.
    published
        A spec whose prices the printed returns imply; without it, or where ``spec`` is one too, nothing is set beside.
    seed, volume
        As in ``hlt_bayes.appraise``; at another volume than the published one nothing is set beside.

    Raises
    ------
    ImpactError, SpecError, EvidenceError
        As ``hlt_bayes.appraise``.
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
    """Leave out what nobody measured: of somebody's own groups, outcomes that the file does not state of them."""
    if not evidence.of_own_trials:
        return table
    stated = evidence.impacts[["outcome", "group"]]
    known = set(stated.itertuples(index=False, name=None))
    for outcome, part in stated.groupby("outcome"):
        known |= {(outcome, f"{first} - {second}") for first, second in permutations(part["group"], 2)}
    column = "group" if "group" in table else "estimand"
    of_groups = table["kind"].isin(["group", "difference"]) if "kind" in table else pd.Series(True, index=table.index)
    measured = np.array([pair in known for pair in zip(table["outcome"], table[column], strict=True)])
    return table[~of_groups | measured].reset_index(drop=True)
