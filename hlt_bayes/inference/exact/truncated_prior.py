"""Unrounded estimates and SEs drawn from what is printed of each cell, before any impact model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import ndtr, ndtri

from hlt_bayes.likelihood import bounds_of, estimate_at, log_se_bounds

STRIPS = 240
"""Strips of the rounding interval in which the density of the estimate is taken as even, and then put right."""

BINS = 12
"""Equal shares of each rounding interval, and of the prior of each SE, which a tilt may draw more or less often."""

EVEN = 0.1
"""Share of the draws that no tilt moves."""


class Prints(NamedTuple):
    """Draws given what is printed.

    ``estimate`` and ``se`` {draw, cell}, and the bin {draw, cell} that each lies in; ``log_weight`` {draw}, which
    makes the draws those of the prior cut to what is printed.
    """

    estimate: np.ndarray
    se: np.ndarray
    estimate_bin: np.ndarray
    se_bin: np.ndarray
    log_weight: np.ndarray


class Tilt(NamedTuple):
    """How often each bin {bin, cell} of the estimates and of the SEs is drawn, against what is printed alone."""

    estimate: np.ndarray
    se: np.ndarray


def draw_given_print(cells: xr.Dataset, *, draws: int, rng: np.random.Generator, tilt: Tilt | None = None) -> Prints:
    """Draw independent estimates and SEs from the prior of each cell cut to what is printed, or tilted from it."""
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
    """Say how often to draw each bin, from draws that were weighed."""
    weight = np.exp(log_weight - log_weight.max())

    def shares(bins: np.ndarray) -> np.ndarray:
        drawn = np.stack([np.bincount(one, minlength=BINS) for one in bins.T], axis=1)
        seen = np.stack([np.bincount(one, weights=weight, minlength=BINS) for one in bins.T], axis=1)
        often = seen / np.maximum(drawn, 1)
        return np.asarray((1 - EVEN) * often / often.sum(axis=0) + EVEN / BINS)

    return Tilt(shares(pilot.estimate_bin), shares(pilot.se_bin))


def _drawn(mass: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draw rows {draw, cell} of ``mass`` {row, cell} by its columns."""
    shares = np.cumsum(mass, axis=0) / mass.sum(axis=0)
    columns = [np.searchsorted(shares[:-1, cell], rng.random(draws)) for cell in range(mass.shape[1])]
    return np.stack(columns, axis=1)


def log_prior_mass(cells: xr.Dataset) -> float:
    """Log of the width of the rounding intervals times the prior mass that what is printed leaves to the SEs.

    It turns a density of estimates, averaged over ``draw_given_print``, into the probability of the print. Estimates
    that counts of events give exactly have no width: of them it is a density.
    """
    bounds = bounds_of(cells)
    width = bounds["upper"] - bounds["lower"]
    return float(np.log(_mass_of_strips(bounds).mean(axis=0) * np.where(width > 0, width, 1.0)).sum())


def _mass_of_strips(bounds: dict[str, np.ndarray]) -> np.ndarray:
    """Prior mass {strip, cell} that what is printed leaves to the SEs, at the middle of each strip."""
    low, high, _ = _ends(estimate_at((np.arange(STRIPS)[:, None] + 0.5) / STRIPS, bounds), bounds)
    return np.asarray(high - low)


def _ends(estimate: np.ndarray, bounds: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prior probabilities of an SE below each of its bounds, of its mirror image where the sign is -1."""
    low, high = ((bound - bounds["log_se_mean"]) / bounds["log_se_sd"] for bound in log_se_bounds(estimate, bounds, np))
    # In the upper tail two probabilities near 1 have no digits left for what lies between them.
    flip = low > 0
    return ndtr(np.where(flip, -high, low)), ndtr(np.where(flip, -low, high)), np.where(flip, -1.0, 1.0)
