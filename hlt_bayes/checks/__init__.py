"""Model checks: predictive checks, held-out scores and sensitivity analyses."""

from hlt_bayes.checks.predictive import held_out_rows, posterior_predictive, prior_predictive
from hlt_bayes.checks.scores import (
    WHY_NO_LOO,
    compare_specs,
    held_out_scores,
    impacts_by_spec,
    returns_by_spec,
)
from hlt_bayes.checks.sensitivity import power_scaling, prior_grid, range_over_grid

__all__ = [
    "WHY_NO_LOO",
    "compare_specs",
    "held_out_rows",
    "held_out_scores",
    "impacts_by_spec",
    "posterior_predictive",
    "power_scaling",
    "prior_grid",
    "prior_predictive",
    "range_over_grid",
    "returns_by_spec",
]
