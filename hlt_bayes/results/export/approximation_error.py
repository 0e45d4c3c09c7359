"""How far draws lie from a distribution that is to stand for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hlt_bayes.core.errors import ImpactError

Array = np.ndarray

GRID = 20_001
"""Points at which two distribution functions are compared, from ``BEYOND`` SDs below the draws to as many above."""
BEYOND = 4.0

CLOSE, FAIR = 0.02, 0.05
"""Kolmogorov distances up to which a distribution is called close to the draws, and fair."""

LEAST_EIGENVALUE = 1e-10
"""Eigenvalues of a correlation matrix below this are zero: impacts that a model holds equal."""


class Distance(NamedTuple):
    """Largest difference of the two distribution functions, and the area between them in SDs of the draws."""

    kolmogorov: float
    wasserstein_sd: float


def distance(draws: Array, cumulative: Callable[[Array], Array]) -> Distance:
    """Measure how far draws lie from a distribution, given by its ``cumulative`` distribution function.

    The Wasserstein distance is the mean distance by which probability must be moved to turn one into the other.
    """
    ordered = np.sort(draws)
    size, sd = len(ordered), ordered.std(ddof=1)
    at_draws = cumulative(ordered)
    steps = np.arange(size + 1) / size
    kolmogorov = max(np.max(steps[1:] - at_draws), np.max(at_draws - steps[:-1]))
    grid = np.linspace(ordered[0] - BEYOND * sd, ordered[-1] + BEYOND * sd, GRID)
    apart = np.abs(np.searchsorted(ordered, grid, side="right") / size - cumulative(grid))
    return Distance(float(kolmogorov), float(np.trapezoid(apart, grid) / sd))


def normal_closeness(draws: Array) -> dict[str, float]:
    """Measure one impact against the normal of its own mean and SD; skewness and excess kurtosis of that are 0."""
    from scipy.special import ndtr

    mean, sd = draws.mean(), draws.std(ddof=1)
    z = (draws - mean) / draws.std()
    return {
        **distance(draws, lambda at: ndtr((at - mean) / sd))._asdict(),
        "skewness": float(np.mean(z**3)),
        "excess_kurtosis": float(np.mean(z**4) - 3.0),
    }


def joint_closeness(draws: Array) -> dict[str, float]:
    """Measure draws {sample, impact} against the multivariate normal of their own means and covariance.

    Returns
    -------
    dict
        ``dimensions``: independent directions in which they vary; ``kolmogorov`` distance of the squared Mahalanobis
        distances from their chi-square distribution under normality; ``mardia_kurtosis``, their mean square, and
        ``mardia_kurtosis_if_normal`` (Mardia 1970).
    """
    from scipy.special import chdtr

    centred = draws - draws.mean(axis=0)
    z = centred / centred.std(axis=0, ddof=1)
    values, vectors = np.linalg.eigh(z.T @ z / (len(z) - 1))
    real = values > LEAST_EIGENVALUE
    squared = (((z @ vectors[:, real]) ** 2) / values[real]).sum(axis=1)
    dimensions = int(real.sum())
    return {
        "dimensions": dimensions,
        "kolmogorov": distance(squared, lambda at: np.asarray(chdtr(dimensions, np.maximum(at, 0.0)))).kolmogorov,
        "mardia_kurtosis": float(np.mean(squared**2)),
        "mardia_kurtosis_if_normal": float(dimensions * (dimensions + 2)),
    }


def in_words(kolmogorov: float) -> str:
    """Say what a Kolmogorov distance means for probabilities."""
    off = f"{100 * kolmogorov:.1f} percentage points"
    return f"{_word(kolmogorov)}: no probability of lying above or below a value is off by more than {off}"


def jointly_in_words(kolmogorov: float) -> str:
    """Say what the Kolmogorov distance of Mahalanobis distances means for probabilities."""
    off = f"{100 * kolmogorov:.1f} percentage points"
    return f"{_word(kolmogorov)}: no probability of lying within an ellipsoid about the means is off by more than {off}"


def _word(kolmogorov: float) -> str:
    return "close" if kolmogorov <= CLOSE else "fair" if kolmogorov <= FAIR else "poor"


def refuse_constant(name: str, draws: Array) -> None:
    """Refuse draws that are all the same, which no distribution with an SD describes.

    Raises
    ------
    ImpactError
        They are.
    """
    if np.ptp(draws) == 0:
        raise ImpactError(f"impact, {name}: the same in every draw, so it has no SD; draws that vary are allowed")
