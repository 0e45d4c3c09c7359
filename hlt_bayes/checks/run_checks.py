"""All checks of an analysis: convergence, predictive checks, sensitivity, drivers of the returns, and the audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import xarray as xr

from hlt_bayes.analysis import Analysis, Appraisal
from hlt_bayes.audit import audit_evidence
from hlt_bayes.checks import (
    compare_specs,
    impacts_by_spec,
    posterior_predictive,
    power_scaling,
    prior_predictive,
    returns_by_spec,
)
from hlt_bayes.core.progress import Progress, silent
from hlt_bayes.economics import (
    acceptability,
    acceptability_of_price,
    assumptions,
    quantity_label,
    tornado,
)
from hlt_bayes.economics.summaries import QALY_VALUES, THRESHOLDS, lead_perspective, qaly_benefit
from hlt_bayes.impacts.draws import admit
from hlt_bayes.inference.exact import is_exact
from hlt_bayes.specs import ImpactSpec, load_impact_spec, shipped_specs

GENERIC_SPECS = ("primary", "no-pooling", "complete-pooling")
"""Shipped specs that apply to any trials: they name no group, site or pooled row of the Health-led Trials."""

INDIVIDUAL_RECORDS = "the draws were fitted to individual records, not to published results"
NOT_VALUED = "there is no appraisal at component prices"
NO_PRIOR = "the draws have no parameters but the impacts, so their prior is unknown"


@dataclass(frozen=True)
class CheckTables:
    """Checks of an analysis: tables by name, and the reason why each missing table is missing.

    ``labels`` are the names of the quantities in the table ``tornado``, by key.
    """

    tables: Mapping[str, pd.DataFrame]
    why_not: Mapping[str, str]
    labels: Mapping[str, str]


def run_checks(analysis: Analysis, *, progress: Progress | None = None) -> CheckTables:
    """Run all checks that apply to an analysis.

    Returns
    -------
    CheckTables
        ``diagnostics``, ``audit``; ``prior_predictive``, ``posterior_predictive``, ``power_scaling``; ``specs`` and
        ``specs_returns`` (other specs fitted to the same evidence by the exact engine); ``tornado``, ``acceptability``,
        ``acceptability_qaly`` and ``assumptions`` of the appraisal at component prices.
    """
    tell = progress or silent
    tables = {"diagnostics": analysis.diagnostics.rename_axis("quantity").reset_index()}
    why_not: dict[str, str] = {}
    if analysis.individual_spec is None:
        tell("Checking predictions and priors", 0, 0)
        tables |= _checks_of_published(analysis, why_not)
        tables |= _other_specs(analysis, tell, why_not)
    else:
        inapplicable = ("prior_predictive", "posterior_predictive", "power_scaling", "specs", "specs_returns")
        why_not |= dict.fromkeys(inapplicable, INDIVIDUAL_RECORDS)
    labels: dict[str, str] = {}
    if analysis.appraisal is not None:
        tell("Computing drivers of the returns", 0, 0)
        tables |= _drivers(analysis, analysis.appraisal, why_not)
        labels = {key: quantity_label(key, analysis.appraisal.spec) for key in tables["tornado"]["quantity"].unique()}
    else:
        why_not |= dict.fromkeys(("tornado", "acceptability", "acceptability_qaly", "assumptions"), NOT_VALUED)
    if analysis.evidence.is_user_data:
        why_not["audit"] = "the audit applies only to the published evidence"
    else:
        tables["audit"] = audit_evidence(analysis.evidence)
    return CheckTables(tables=tables, why_not=why_not, labels=labels)


def _checks_of_published(analysis: Analysis, why_not: dict[str, str]) -> dict[str, pd.DataFrame]:
    spec, evidence, seed = analysis.impact_spec, analysis.evidence, analysis.seed
    tables = {
        "prior_predictive": prior_predictive(spec, evidence, seed=seed),
        "posterior_predictive": posterior_predictive(analysis.draws, evidence, spec, seed=seed),
    }
    if not _fitted_with(analysis.draws, spec):
        why_not["power_scaling"] = NO_PRIOR
    elif spec.structure == "joint" or spec.pooled_rows is not None:
        why_not["power_scaling"] = "the likelihood of this spec does not factorise over published results"
    else:
        valued = analysis.economic_spec is not None
        returns = analysis.draws["economics"].dataset["benefit_cost_ratio"] if valued else None
        tables["power_scaling"] = power_scaling(analysis.draws, evidence, spec, returns=returns)
    return tables


def _fitted_with(draws: xr.DataTree, spec: ImpactSpec) -> bool:
    return draws["posterior"]["impact"].attrs.get("spec_sha256") == spec.fingerprint


def _other_specs(analysis: Analysis, tell: Progress, why_not: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Compare the analysis, without refitting it, with other specs fitted to the same evidence."""
    names = GENERIC_SPECS if analysis.evidence.is_user_data else tuple(shipped_specs("impact"))
    others = [spec for spec in map(load_impact_spec, names) if spec != analysis.impact_spec]
    exact = [spec for spec in others if is_exact(spec) and set(spec.outcomes) == set(analysis.impact_spec.outcomes)]
    own = analysis.impact_spec.name
    drawn = {f"{own} (this one)" if own in [spec.name for spec in exact] else own: analysis.admitted}
    for done, spec in enumerate(exact):
        tell("Fitting other specs", done, len(exact))
        (tree,) = compare_specs([spec], analysis.evidence, seed=analysis.seed).values()
        drawn[spec.name] = admit(tree)
    tables = {"specs": impacts_by_spec(drawn, analysis.evidence, smallest=analysis.smallest or None)}
    if analysis.economic_spec is None:
        why_not["specs_returns"] = "there is no valuation"
    else:
        tables["specs_returns"] = returns_by_spec(drawn, analysis.economic_spec, analysis.evidence, seed=analysis.seed)
    return tables


def _drivers(analysis: Analysis, appraisal: Appraisal, why_not: dict[str, str]) -> dict[str, pd.DataFrame]:
    drawn = analysis.admitted, appraisal.spec, analysis.evidence
    tables = {
        "tornado": tornado(*drawn, seed=analysis.seed),
        "acceptability": acceptability(appraisal.economics, THRESHOLDS),
        "assumptions": assumptions(appraisal.economics, *drawn, perspective=lead_perspective(appraisal.spec)),
    }
    by_value = qaly_benefit(appraisal.spec)
    if by_value:
        tables["acceptability_qaly"] = acceptability_of_price(
            appraisal.economics, analysis.admitted, analysis.evidence, by_value, QALY_VALUES
        )
    else:
        why_not["acceptability_qaly"] = "no benefit is priced per QALY"
    return tables
