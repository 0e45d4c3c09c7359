"""Draw unrounded estimates and SEs from their prior truncated to the published results, before any impact model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from hlt_bayes.likelihood import bounds_of, estimate_at, log_se_bounds

STRIPS = 240
"""Strips of the rounding interval within which estimates are proposed uniformly; the weights correct for it."""

BINS = 12
"""Equal bins of each rounding interval, and of the prior of each SE, whose probabilities a tilt may change."""

UNTILTED_SHARE = 0.1
"""Weight of equal bin probabilities in a tilt."""


class Prints(NamedTuple):
    """Draws of estimates and SEs given the published results.

    ``estimate`` and ``se`` {draw, cell}, and the bin {draw, cell} of each; ``log_weight`` {draw}, which corrects the
    draws to the prior truncated to the published results.
    """

    estimate: np.ndarray
    se: np.ndarray
    estimate_bin: np.ndarray
    se_bin: np.ndarray
    log_weight: np.ndarray


class Tilt(NamedTuple):
    """Relative probability of each bin {bin, cell} of the estimates and of the SEs in the proposal."""

    estimate: np.ndarray
    se: np.ndarray


def draw_given_print(cells: xr.Dataset, *, draws: int, rng: np.random.Generator, tilt: Tilt | None = None) -> Prints:
    """Draw independent estimates and SEs from each cell's prior truncated to its published result, or tilted."""
    bounds = bounds_of(cells)
    mass = _mass_of_strips(bounds)
    flat = np.full((BINS, mass.shape[1]), 1 / BINS)
    tilt = tilt or Tilt(flat, flat)
    proposed = mass * np.repeat(tilt.estimate, STRIPS // BINS, axis=0)
    strip, se_bin = _drawn(proposed, draws, rng), _drawn(tilt.se, draws, rng)
    estimate = estimate_at((strip + rng.random(strip.shape)) / STRIPS, bounds)
    low, high, sign = _ends(estimate, bounds)
    drawn_as_often = np.take_along_axis(proposed / proposed.sum(axis=0) * mass.sum(axis=0), strip, axis=0)
    drawn_as_often *= np.take_along_axis(tilt.se * BINS, se_bin, axis=0)
    log_weight = np.log((high - low) / drawn_as_often).sum(axis=1)
    z = sign * ndtri(low + (high - low) * (se_bin + rng.random(strip.shape)) / BINS)
    se = np.exp(bounds["log_se_mean"] + bounds["log_se_sd"] * z)
    return Prints(estimate, se, strip * BINS // STRIPS, se_bin, log_weight)


def learnt_tilt(pilot: Prints, log_weight: np.ndarray) -> Tilt:
    """Return the tilt that weighted pilot draws suggest."""
    weight = np.exp(log_weight - log_weight.max())

    def shares(bins: np.ndarray) -> np.ndarray:
        drawn = np.stack([np.bincount(one, minlength=BINS) for one in bins.T], axis=1)
        seen = np.stack([np.bincount(one, weights=weight, minlength=BINS) for one in bins.T], axis=1)
        often = seen / np.maximum(drawn, 1)
        return np.asarray((1 - UNTILTED_SHARE) * often / often.sum(axis=0) + UNTILTED_SHARE / BINS)

    return Tilt(shares(pilot.estimate_bin), shares(pilot.se_bin))


def _drawn(mass: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw row indices {draw, cell} in proportion to each column of ``mass`` {row, cell}."""
    shares = np.cumsum(mass, axis=0) / mass.sum(axis=0)
    columns = [np.searchsorted(shares[:-1, cell], rng.random(draws)) for cell in range(mass.shape[1])]
    return np.stack(columns, axis=1)


def log_prior_mass(cells: xr.Dataset) -> float:
    """Log of the width of the rounding intervals times the prior mass of SEs compatible with the published results.

    It turns a density of estimates, averaged over ``draw_given_print``, into the probability of the published results.
    Estimates known exactly from counts of events have no width: for them it stays a density.
    """
    bounds = bounds_of(cells)
    width = bounds["upper"] - bounds["lower"]
    return float(np.log(_mass_of_strips(bounds).mean(axis=0) * np.where(width > 0, width, 1.0)).sum())


def _mass_of_strips(bounds: dict[str, np.ndarray]) -> np.ndarray:
    """Prior mass {strip, cell} of SEs compatible with the published results, at the middle of each strip."""
    low, high, _ = _ends(estimate_at((np.arange(STRIPS)[:, None] + 0.5) / STRIPS, bounds), bounds)
    return np.asarray(high - low)


def _ends(estimate: np.ndarray, bounds: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prior probabilities of an SE below each of its bounds, and a sign; where it is -1, those of its mirror image."""
    low, high = ((bound - bounds["log_se_mean"]) / bounds["log_se_sd"] for bound in log_se_bounds(estimate, bounds, np))
    # In the upper tail, the difference of two probabilities near 1 loses precision.
    flip = low > 0
    return ndtr(np.where(flip, -high, low)), ndtr(np.where(flip, -low, high)), np.where(flip, -1.0, 1.0)
