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
    from hlt_bayes.counts import interval_can_be_symmetric, recover_counts, recovery_verdict
    from hlt_bayes.economics import appraise, return_summary
    from hlt_bayes.evidence import load_evidence, load_ips_trials
    from hlt_bayes.fitting import check_convergence, fit
    from hlt_bayes.impacts import impact_draws, impact_summary
    from hlt_bayes.plots import plot_impacts, plot_returns
    from hlt_bayes.report import write_result
    from hlt_bayes.reported import recover_se, reported_results
    from hlt_bayes.specs import load_economic_spec, load_impact_spec
    from hlt_bayes.structures import build_model

_HOMES = {
    "analyse": "analysis",
    "appraise": "economics",
    "audit": "auditing",
    "build_model": "structures",
    "check_convergence": "fitting",
    "compare": "comparison",
    "fit": "fitting",
    "impact_draws": "impacts",
    "impact_summary": "impacts",
    "interval_can_be_symmetric": "counts",
    "load_economic_spec": "specs",
    "load_evidence": "evidence",
    "load_ips_trials": "evidence",
    "load_impact_spec": "specs",
    "plot_impacts": "plots",
    "plot_returns": "plots",
    "recover_counts": "counts",
    "recover_se": "reported",
    "recovery_verdict": "counts",
    "reported_results": "reported",
    "return_summary": "economics",
    "write_result": "report",
}

__all__ = [
    "analyse",
    "appraise",
    "audit",
    "build_model",
    "check_convergence",
    "compare",
    "fit",
    "impact_draws",
    "impact_summary",
    "interval_can_be_symmetric",
    "load_economic_spec",
    "load_evidence",
    "load_impact_spec",
    "load_ips_trials",
    "plot_impacts",
    "plot_returns",
    "recover_counts",
    "recover_se",
    "recovery_verdict",
    "reported_results",
    "return_summary",
    "write_result",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
