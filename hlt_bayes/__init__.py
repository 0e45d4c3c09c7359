"""Bayesian re-analysis of the Health-led Employment Trials, from printed tables to return on investment.

Everything named here is imported when it is first used: importing the package loads no PyMC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlt_bayes.analysis import analyse
    from hlt_bayes.auditing import audit
    from hlt_bayes.calibration import calibrate
    from hlt_bayes.checks import (
        compare_specs,
        held_out_rows,
        held_out_scores,
        impacts_by_spec,
        posterior_predictive,
        power_scaling,
        prior_grid,
        prior_predictive,
        returns_by_spec,
    )
    from hlt_bayes.comparison import compare
    from hlt_bayes.convergence import check_convergence
    from hlt_bayes.counts import interval_can_be_symmetric, recover_counts, recovery_verdict
    from hlt_bayes.economics import appraise, return_summary
    from hlt_bayes.elsewhere import from_posterior
    from hlt_bayes.estimands import estimand_draws, estimand_summary
    from hlt_bayes.evidence import load_evidence, load_ips_counts, load_ips_trials
    from hlt_bayes.exact import exact_draws_of_rows, exact_posterior_of_rows
    from hlt_bayes.fitting import fit
    from hlt_bayes.impacts import impact_draws, impact_summary
    from hlt_bayes.meta import (
        briefing_ratio,
        compare_methods,
        compare_priors,
        effect_sizes,
        fit_trials,
        included,
        ips_prior,
        leave_one_out,
        load_meta_spec,
        plot_funnel,
        plot_trials,
        pooled_effects,
        pooled_trials,
        prior_data_conflict,
        ratio_of_new_trial,
        trials_model,
    )
    from hlt_bayes.moderation import (
        contraction,
        counterfactual,
        counterfactuals,
        effective_contrasts,
        moderation_summary,
        slope_correlation,
        with_one_moderator,
    )
    from hlt_bayes.plots import plot_impacts, plot_prior_grid, plot_returns, plot_specs
    from hlt_bayes.priors import prior
    from hlt_bayes.report import write_result
    from hlt_bayes.reported import recover_se, reported_results
    from hlt_bayes.specs import load_economic_spec, load_impact_spec
    from hlt_bayes.structures import build_model
    from hlt_bayes.tasks import run_tasks

_HOMES = {
    "analyse": "analysis",
    "appraise": "economics",
    "audit": "auditing",
    "briefing_ratio": "meta",
    "build_model": "structures",
    "calibrate": "calibration",
    "check_convergence": "convergence",
    "compare": "comparison",
    "compare_methods": "meta",
    "compare_priors": "meta",
    "compare_specs": "checks",
    "contraction": "moderation",
    "counterfactual": "moderation",
    "counterfactuals": "moderation",
    "effect_sizes": "meta",
    "effective_contrasts": "moderation",
    "estimand_draws": "estimands",
    "estimand_summary": "estimands",
    "exact_draws_of_rows": "exact",
    "exact_posterior_of_rows": "exact",
    "fit": "fitting",
    "fit_trials": "meta",
    "from_posterior": "elsewhere",
    "held_out_rows": "checks",
    "held_out_scores": "checks",
    "impact_draws": "impacts",
    "impact_summary": "impacts",
    "impacts_by_spec": "checks",
    "included": "meta",
    "interval_can_be_symmetric": "counts",
    "ips_prior": "meta",
    "leave_one_out": "meta",
    "load_economic_spec": "specs",
    "load_evidence": "evidence",
    "load_impact_spec": "specs",
    "load_ips_counts": "evidence",
    "load_ips_trials": "evidence",
    "load_meta_spec": "meta",
    "moderation_summary": "moderation",
    "plot_funnel": "meta",
    "plot_impacts": "plots",
    "plot_prior_grid": "plots",
    "plot_returns": "plots",
    "plot_specs": "plots",
    "plot_trials": "meta",
    "pooled_effects": "meta",
    "pooled_trials": "meta",
    "posterior_predictive": "checks",
    "power_scaling": "checks",
    "prior": "priors",
    "prior_data_conflict": "meta",
    "prior_grid": "checks",
    "prior_predictive": "checks",
    "ratio_of_new_trial": "meta",
    "recover_counts": "counts",
    "recover_se": "reported",
    "recovery_verdict": "counts",
    "reported_results": "reported",
    "return_summary": "economics",
    "returns_by_spec": "checks",
    "run_tasks": "tasks",
    "slope_correlation": "moderation",
    "trials_model": "meta",
    "with_one_moderator": "moderation",
    "write_result": "report",
}

__all__ = [
    "analyse",
    "appraise",
    "audit",
    "briefing_ratio",
    "build_model",
    "calibrate",
    "check_convergence",
    "compare",
    "compare_methods",
    "compare_priors",
    "compare_specs",
    "contraction",
    "counterfactual",
    "counterfactuals",
    "effect_sizes",
    "effective_contrasts",
    "estimand_draws",
    "estimand_summary",
    "exact_draws_of_rows",
    "exact_posterior_of_rows",
    "fit",
    "fit_trials",
    "from_posterior",
    "held_out_rows",
    "held_out_scores",
    "impact_draws",
    "impact_summary",
    "impacts_by_spec",
    "included",
    "interval_can_be_symmetric",
    "ips_prior",
    "leave_one_out",
    "load_economic_spec",
    "load_evidence",
    "load_impact_spec",
    "load_ips_counts",
    "load_ips_trials",
    "load_meta_spec",
    "moderation_summary",
    "plot_funnel",
    "plot_impacts",
    "plot_prior_grid",
    "plot_returns",
    "plot_specs",
    "plot_trials",
    "pooled_effects",
    "pooled_trials",
    "posterior_predictive",
    "power_scaling",
    "prior",
    "prior_data_conflict",
    "prior_grid",
    "prior_predictive",
    "ratio_of_new_trial",
    "recover_counts",
    "recover_se",
    "recovery_verdict",
    "reported_results",
    "return_summary",
    "returns_by_spec",
    "run_tasks",
    "slope_correlation",
    "trials_model",
    "with_one_moderator",
    "write_result",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
