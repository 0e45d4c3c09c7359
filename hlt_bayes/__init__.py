"""Bayesian re-analysis of the Health-led Employment Trials, from printed tables to return on investment.

Everything named here is imported when it is first used: importing the package loads no PyMC.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlt_bayes.analysis import analyse
    from hlt_bayes.auditing import audit
    from hlt_bayes.comparison import compare
    from hlt_bayes.convergence import check_convergence
    from hlt_bayes.counts import interval_can_be_symmetric, recover_counts, recovery_verdict
    from hlt_bayes.economics import appraise, return_summary
    from hlt_bayes.evidence import load_evidence, load_ips_counts, load_ips_trials
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
    from hlt_bayes.plots import plot_impacts, plot_returns
    from hlt_bayes.report import write_result
    from hlt_bayes.reported import recover_se, reported_results
    from hlt_bayes.specs import load_economic_spec, load_impact_spec
    from hlt_bayes.structures import build_model

_HOMES = {
    "analyse": "analysis",
    "appraise": "economics",
    "audit": "auditing",
    "briefing_ratio": "meta",
    "build_model": "structures",
    "check_convergence": "convergence",
    "compare": "comparison",
    "compare_methods": "meta",
    "compare_priors": "meta",
    "effect_sizes": "meta",
    "fit": "fitting",
    "fit_trials": "meta",
    "impact_draws": "impacts",
    "impact_summary": "impacts",
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
    "plot_funnel": "meta",
    "plot_impacts": "plots",
    "plot_returns": "plots",
    "plot_trials": "meta",
    "pooled_effects": "meta",
    "pooled_trials": "meta",
    "prior_data_conflict": "meta",
    "ratio_of_new_trial": "meta",
    "recover_counts": "counts",
    "recover_se": "reported",
    "recovery_verdict": "counts",
    "reported_results": "reported",
    "return_summary": "economics",
    "trials_model": "meta",
    "write_result": "report",
}

__all__ = [
    "analyse",
    "appraise",
    "audit",
    "briefing_ratio",
    "build_model",
    "check_convergence",
    "compare",
    "compare_methods",
    "compare_priors",
    "effect_sizes",
    "fit",
    "fit_trials",
    "impact_draws",
    "impact_summary",
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
    "plot_funnel",
    "plot_impacts",
    "plot_returns",
    "plot_trials",
    "pooled_effects",
    "pooled_trials",
    "prior_data_conflict",
    "ratio_of_new_trial",
    "recover_counts",
    "recover_se",
    "recovery_verdict",
    "reported_results",
    "return_summary",
    "trials_model",
    "write_result",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
