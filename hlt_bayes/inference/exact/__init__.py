"""Independent draws and exact summaries, without MCMC, for models that are normal given tau."""

from hlt_bayes.inference.exact.basis import is_exact, refuse_what_is_not_exact
from hlt_bayes.inference.exact.engine import exact_posterior, exact_prior, resampled, worth_of
from hlt_bayes.inference.exact.meta_analysis import exact_draws_of_rows, exact_posterior_of_rows

__all__ = [
    "exact_draws_of_rows",
    "exact_posterior",
    "exact_posterior_of_rows",
    "exact_prior",
    "is_exact",
    "refuse_what_is_not_exact",
    "resampled",
    "worth_of",
]
