"""From impact draws, ours or a stranger's, to everything that is reported of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.comparison import compare
from hlt_bayes.convergence import check_convergence
from hlt_bayes.economics import RETURN_COLUMNS, appraise, return_summary
from hlt_bayes.estimands import estimand_draws, estimand_summary
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts import impact_draws, impact_summary, with_pooled_groups
from hlt_bayes.moderation import Moderation
from hlt_bayes.reported import reported_results
from hlt_bayes.specs import EconomicSpec, ImpactSpec


@dataclass(frozen=True)
class Analysis:
    """A record of one analysis: the draws, what they were made from, and the tables.

    Without an economic spec nothing is valued: ``returns`` has no rows, ``draws`` no group ``economics``. ``impacts``
    holds what was measured; ``draws`` predicts the impact of each group on each outcome of the file.
    """

    draws: xr.DataTree
    evidence: Evidence
    impact_spec: ImpactSpec
    economic_spec: EconomicSpec | None
    seed: int
    impacts: pd.DataFrame
    estimands: pd.DataFrame
    returns: pd.DataFrame
    comparison: pd.DataFrame
    diagnostics: pd.DataFrame
    moderation: Moderation | None


def analyse(
    tree: xr.DataTree,
    evidence: Evidence,
    impact_spec: ImpactSpec,
    economic_spec: EconomicSpec | None,
    *,
    seed: int,
    smallest: Mapping[str, float] | None = None,
    moderation: Moderation | None = None,
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
        The smallest effect of interest by outcome, as in ``hlt_bayes.estimands.estimand_summary``.
    moderation
        What a fit with moderators says, to stand beside it.

    Returns
    -------
    Analysis
        ``draws`` is ``tree`` with the group ``economics`` of ``hlt_bayes.economics.appraise``, if valued.

    Raises
    ------
    ImpactError
        The draws are not what ``hlt_bayes.impacts.impact_draws`` describes.
    ConvergenceError
        Impacts of pooled rows or returns fail the gate.
    """
    impact = with_pooled_groups(impact_draws(tree), evidence.treated)
    asked = estimand_draws(tree, evidence.treated)
    # Differences between groups that a model holds equal are 0 in every draw: nothing there can converge.
    varying = (asked["kind"] != "difference") | (asked != 0).any(("chain", "draw", "outcome"))
    reported = {"impact": asked.isel(estimand=np.flatnonzero(varying)).drop_vars("kind")}
    draws, returns = tree.copy(), pd.DataFrame(columns=list(RETURN_COLUMNS))
    if economic_spec is not None:
        economics = appraise(tree, economic_spec, evidence, seed=seed)
        reported["benefit_cost_ratio"] = economics["benefit_cost_ratio"]
        draws["economics"] = xr.DataTree(economics)
        returns = return_summary(economics)
    diagnostics = pd.concat([check_convergence(array.to_dataset(name=name)) for name, array in reported.items()])
    return Analysis(
        draws=draws,
        evidence=evidence,
        impact_spec=impact_spec,
        economic_spec=economic_spec,
        seed=seed,
        impacts=_measured(impact_summary(impact), evidence),
        estimands=_measured(estimand_summary(tree, evidence.treated, smallest=smallest), evidence),
        returns=returns,
        comparison=compare(tree, evidence, reported_results(evidence, impact_spec)),
        diagnostics=diagnostics,
        moderation=moderation,
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
