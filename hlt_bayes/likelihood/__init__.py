"""Likelihood of rounded results with significance stars, and recovery of their standard errors."""

from hlt_bayes.likelihood.likelihood import (
    STAR_BOUNDS,
    Array,
    bounds_of,
    estimate_at,
    log_normal_density,
    log_se_bounds,
    se_at,
)
from hlt_bayes.likelihood.marginal import log_probability_of_published
from hlt_bayes.likelihood.pooled_rows import (
    LEAST_Z,
    LOGISTIC_SCALE,
    MOST_Z,
    draw_weights,
    pooled_row_log_probability,
    pooled_rows,
    row_arrays,
    weighted_parts,
)
from hlt_bayes.likelihood.prepare import labels, reported_results
from hlt_bayes.likelihood.recovery import recover_se, recovered_se, recovered_with_pooled_rows

__all__ = [
    "LEAST_Z",
    "LOGISTIC_SCALE",
    "MOST_Z",
    "STAR_BOUNDS",
    "Array",
    "bounds_of",
    "draw_weights",
    "estimate_at",
    "labels",
    "log_normal_density",
    "log_probability_of_published",
    "log_se_bounds",
    "pooled_row_log_probability",
    "pooled_rows",
    "recover_se",
    "recovered_se",
    "recovered_with_pooled_rows",
    "reported_results",
    "row_arrays",
    "se_at",
    "weighted_parts",
]
