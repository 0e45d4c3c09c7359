"""Normal mixture approximations of draws, and prior effective sample size."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from hlt_bayes.core.errors import ConvergenceError, SpecError

Array = np.ndarray

MAX_COMPONENTS = 4
MAX_DRAWS = 20_000
"""Largest number of draws, evenly spaced, to which a mixture is fitted."""
STARTS = 2
MAX_ITERATIONS = 1_000
TOLERANCE = 1e-4
"""Gain in mean log likelihood below which the fit stops."""

EDGES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)
"""Boundaries of the quadrature intervals, in SDs from the mean of each component."""
NODES = 24
"""Quadrature nodes per interval."""


@dataclass(frozen=True)
class Mixture:
    """A mixture of normals, heaviest component first."""

    weights: Array
    means: Array
    sds: Array

    @property
    def mean(self) -> float:
        """Mean of the mixture."""
        return float(self.weights @ self.means)

    @property
    def sd(self) -> float:
        """SD of the mixture."""
        return float(np.sqrt(self.weights @ (self.sds**2 + (self.means - self.mean) ** 2)))

    def cumulative(self, at: Array) -> Array:
        """Distribution function."""
        from scipy.special import ndtr

        total = np.zeros_like(at, dtype=float)
        for weight, mean, sd in zip(self.weights, self.means, self.sds, strict=True):
            total += weight * ndtr((at - mean) / sd)
        return total

    def log_densities(self, at: Array) -> Array:
        """Log of weight times density, by component and point."""
        z = (at - self.means[:, None]) / self.sds[:, None]
        return np.asarray(-0.5 * z**2 - np.log(self.sds * np.sqrt(2 * np.pi) / self.weights)[:, None])


def fit_mixture(draws: Array, *, seed: int) -> Mixture:
    """Fit mixtures of one to four normals by maximum likelihood, stopping when the BIC no longer falls.

    Raises
    ------
    SpecError
        scikit-learn is not installed.
    ConvergenceError
        No mixture could be fitted.
    """
    mixture_class, not_converged = _scikit_learn()
    mean, sd = draws.mean(), draws.std(ddof=1)
    step = -(-len(draws) // MAX_DRAWS)
    standard = ((draws[::step] - mean) / sd)[:, None]
    best, lowest = None, np.inf
    for components in range(1, MAX_COMPONENTS + 1):
        model = mixture_class(
            components,
            n_init=STARTS,
            max_iter=MAX_ITERATIONS,
            tol=TOLERANCE,
            init_params="k-means++",
            random_state=seed % 2**32,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", not_converged)
            model.fit(standard)
        bic = model.bic(standard)
        if not model.converged_ or bic >= lowest:
            break
        best, lowest = model, bic
    if best is None:
        raise ConvergenceError("no normal mixture could be fitted to the draws; export the draws instead")
    order = np.argsort(-best.weights_, kind="stable")
    return Mixture(
        weights=best.weights_[order] / best.weights_.sum(),
        means=mean + sd * best.means_[order, 0],
        sds=sd * np.sqrt(best.covariances_[order, 0, 0]),
    )


def require_scikit_learn() -> None:
    """Raise if scikit-learn is not installed.

    Raises
    ------
    SpecError
        scikit-learn is not installed.
    """
    _scikit_learn()


def local_information(mixture: Mixture) -> float:
    """Prior information about the mean impact: the prior mean of minus the curvature of the log prior density.

    Multiplied by the variance of an estimate from one unit, it gives the expected local-information-ratio effective
    sample size (Neuenschwander, Weber, Schmidli and O'Hagan 2020, Biometrics 76, 578-587). Computed by Gauss-Legendre
    quadrature; for a single normal it is 1 / variance.
    """
    from scipy.special import logsumexp

    edges = mixture.means[:, None] + mixture.sds[:, None] * np.array([*(-edge for edge in EDGES), 0.0, *EDGES])
    cuts = np.unique(edges)
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    half = np.diff(cuts) / 2
    at = (cuts[:-1] + half)[:, None] + half[:, None] * nodes
    at, width = at.ravel(), (half[:, None] * weights).ravel()
    parts = mixture.log_densities(at)
    log_density = logsumexp(parts, axis=0)
    shares = np.exp(parts - log_density)
    variances = (mixture.sds**2)[:, None]
    scores = (mixture.means[:, None] - at) / variances
    slope = (shares * scores).sum(axis=0)
    curvature = (shares * (scores**2 - 1 / variances)).sum(axis=0) - slope**2
    return float(width @ (np.exp(log_density) * -curvature))


def _scikit_learn() -> tuple[Any, type[Warning]]:
    """Import scikit-learn's mixture class and its convergence warning."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture
    except ModuleNotFoundError as error:
        raise SpecError(
            "format 'mixture' needs scikit-learn, which is not installed: pip install 'hlt-bayes[export]'"
        ) from error
    return GaussianMixture, ConvergenceWarning
