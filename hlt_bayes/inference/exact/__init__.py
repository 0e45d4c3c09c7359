"""Independent draws and exact summaries, without MCMC, for models that are normal given tau."""

from hlt_bayes.inference.exact.basis import check_exact_engine, is_exact
from hlt_bayes.inference.exact.engine import effective_sample_size, exact_posterior, exact_prior, resampled
from hlt_bayes.inference.exact.meta_analysis import exact_draws_of_rows, exact_posterior_of_rows

__all__ = [
    "check_exact_engine",
    "effective_sample_size",
    "exact_draws_of_rows",
    "exact_posterior",
    "exact_posterior_of_rows",
    "exact_prior",
    "is_exact",
    "resampled",
]
