"""What a rounded, starred result says about the estimate and the standard error behind it.

A report prints an estimate with half a unit ``h`` of its last digit and whatever else it prints: stars, a p
value, a standard error, a confidence interval. Together they say of the unrounded estimate ``x`` and its
standard error ``s``:

- ``x`` lies between ``lower`` and ``upper``, the printed value minus and plus ``h``;
- stars and p values bound ``|x| / s`` (no star, only from above);
- printed standard errors and intervals bound ``s``, by their own rounding;
- ``log s`` has a normal prior around the SE that the design implies.

Two positions in (0, 1) name a point of that region, one inside the interval of ``x`` and one inside
the interval of ``log s`` that ``x`` and the bounds leave, so that a sampler meets no wall. The functions
take ``xp``, NumPy or PyTensor, and are the one definition for every engine and for the recovery of SEs.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import xarray as xr

Array = Any
"""An array of NumPy or a variable of PyTensor."""

Library = Any
"""``numpy`` or ``pytensor.tensor``."""

_QUANTILE = {p: NormalDist().inv_cdf(1 - p / 2) for p in (0.10, 0.05, 0.01)}

STAR_BOUNDS = {
    "": (0.0, _QUANTILE[0.10]),
    "*": (_QUANTILE[0.10], _QUANTILE[0.05]),
    "**": (_QUANTILE[0.05], _QUANTILE[0.01]),
    "***": (_QUANTILE[0.01], np.inf),
    "not used": (0.0, np.inf),
}
"""Bounds of |estimate| / SE for each mark of Table 2.1: 90, 95 and 99 %, two-sided normal."""

BOUNDS = ("lower", "upper", "z_lower", "z_upper", "se_lower", "se_upper", "log_se_mean", "log_se_sd")
"""Variables {cell} of ``reported_results`` that the likelihood takes."""

LEAST_PROBABILITY = 1e-300

TAIL_SDS = 10.0
"""Where nothing bounds ``log s``, its prior is cut this many SDs out: a mass below 1e-22."""


def bounds_of(cells: xr.Dataset) -> dict[str, np.ndarray]:
    """Take ``BOUNDS`` {cell} out of ``reported_results``; the functions below take them, or PyTensor's of the same."""
    return {name: cells[name].to_numpy() for name in BOUNDS}


def estimate_at(position: Array, bounds: Mapping[str, Array]) -> Array:
    """Unrounded estimate {cell} at ``position`` in (0, 1) of its interval."""
    return bounds["lower"] + (bounds["upper"] - bounds["lower"]) * position


def log_se_bounds(estimate: Array, bounds: Mapping[str, Array], xp: Library) -> tuple[Array, Array]:
    """Bounds of the log SE {cell} that an unrounded ``estimate``, its marks and what is printed of the SE leave."""
    mean, reach = bounds["log_se_mean"], TAIL_SDS * bounds["log_se_sd"]
    with np.errstate(divide="ignore"):
        log_z_lower, log_z_upper, log_se_lower, log_se_upper = (
            xp.log(bounds[name]) for name in ("z_lower", "z_upper", "se_lower", "se_upper")
        )
    # An estimate of exactly 0, which counts of events can give, has a size too.
    log_estimate = xp.log(xp.maximum(xp.abs(estimate), LEAST_PROBABILITY))
    least = xp.maximum(log_estimate - log_z_upper, log_se_lower)
    most = xp.minimum(log_estimate - log_z_lower, log_se_upper)
    lower = xp.maximum(least, xp.minimum(most, mean) - reach)
    upper = xp.minimum(most, xp.maximum(least, mean) + reach)
    return lower, upper


def se_at(position: Array, estimate: Array, bounds: Mapping[str, Array], xp: Library) -> tuple[Array, Array]:
    """SE {cell} at ``position`` in (0, 1) of the interval of its log, and its log prior density there.

    The density is that of the position: the normal density of the log SE times the width of the interval.
    """
    lower, upper = log_se_bounds(estimate, bounds, xp)
    log_se = lower + position * (upper - lower)
    log_prior = log_normal_density(log_se, bounds["log_se_mean"], bounds["log_se_sd"], xp)
    return xp.exp(log_se), log_prior + xp.log(upper - lower)


def log_normal_density(value: Array, mean: Array, sd: Array, xp: Library) -> Array:
    """Log density of a normal."""
    return -0.5 * ((value - mean) / sd) ** 2 - xp.log(sd) - 0.5 * np.log(2 * np.pi)
