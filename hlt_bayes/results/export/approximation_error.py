"""Distance between draws and a distribution that approximates them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hlt_bayes.core.errors import ImpactError

Array = np.ndarray

GRID = 20_001
"""Grid points for comparing distribution functions, from ``BEYOND`` SDs below the draws to ``BEYOND`` SDs above."""
BEYOND = 4.0

CLOSE, FAIR = 0.02, 0.05
"""Largest Kolmogorov distances rated close and fair."""

MIN_EIGENVALUE = 1e-10
"""Eigenvalues of a correlation matrix below this count as zero; they arise if a model sets impacts equal."""


class Distance(NamedTuple):
    """Largest difference between two distribution functions, and the area between them in SDs of the draws."""

    kolmogorov: float
    wasserstein_sd: float


def distance(draws: Array, cumulative: Callable[[Array], Array]) -> Distance:
    """Kolmogorov and Wasserstein distances of draws from a distribution with the given ``cumulative`` function.

    The Wasserstein distance is the mean distance that probability must be moved to turn one into the other.
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
    """Compare one impact with the normal of the same mean and SD, whose skewness and excess kurtosis are 0."""
    from scipy.special import ndtr

    mean, sd = draws.mean(), draws.std(ddof=1)
    z = (draws - mean) / draws.std()
    return {
        **distance(draws, lambda at: ndtr((at - mean) / sd))._asdict(),
        "skewness": float(np.mean(z**3)),
        "excess_kurtosis": float(np.mean(z**4) - 3.0),
    }


def joint_closeness(draws: Array) -> dict[str, float]:
    """Compare draws {sample, impact} with the multivariate normal of the same means and covariance.

    Returns
    -------
    dict
        ``dimensions``, the rank of the correlation matrix; ``kolmogorov``, the distance of the squared Mahalanobis
        distances from their chi-square distribution under normality; ``mardia_kurtosis``, the mean of their squares,
        and ``mardia_kurtosis_if_normal``, its expectation (Mardia 1970).
    """
    from scipy.special import chdtr

    centred = draws - draws.mean(axis=0)
    z = centred / centred.std(axis=0, ddof=1)
    values, vectors = np.linalg.eigh(z.T @ z / (len(z) - 1))
    real = values > MIN_EIGENVALUE
    squared = (((z @ vectors[:, real]) ** 2) / values[real]).sum(axis=1)
    dimensions = int(real.sum())
    return {
        "dimensions": dimensions,
        "kolmogorov": distance(squared, lambda at: np.asarray(chdtr(dimensions, np.maximum(at, 0.0)))).kolmogorov,
        "mardia_kurtosis": float(np.mean(squared**2)),
        "mardia_kurtosis_if_normal": float(dimensions * (dimensions + 2)),
    }


def in_words(kolmogorov: float) -> str:
    """Describe a Kolmogorov distance as the largest error of a probability."""
    off = f"{100 * kolmogorov:.1f} percentage points"
    return f"{_rating(kolmogorov)}: the largest error of any tail probability is {off}"


def jointly_in_words(kolmogorov: float) -> str:
    """Describe the Kolmogorov distance of Mahalanobis distances as the largest error of a probability."""
    off = f"{100 * kolmogorov:.1f} percentage points"
    return f"{_rating(kolmogorov)}: the largest error of the probability within any ellipsoid about the means is {off}"


def _rating(kolmogorov: float) -> str:
    return "close" if kolmogorov <= CLOSE else "fair" if kolmogorov <= FAIR else "poor"


def refuse_constant(name: str, draws: Array) -> None:
    """Raise if all draws are equal, because no distribution with a positive SD fits them.

    Raises
    ------
    ImpactError
        All draws are equal.
    """
    if np.ptp(draws) == 0:
        raise ImpactError(f"impact, {name}: the same in every draw, so its SD is 0; it must vary between draws")
