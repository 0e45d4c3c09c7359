"""Independent draws, and exact numbers, of the models that are normal given tau: no MCMC."""

from hlt_bayes.exact.engine import exact_posterior

__all__ = ["exact_posterior"]
