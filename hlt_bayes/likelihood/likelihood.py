"""What a published result implies about its unrounded estimate and standard error.

A report gives an estimate, with half a unit ``h`` of its last digit, and perhaps stars, a p value, a standard
error or a confidence interval. For the unrounded estimate ``x`` and its standard error ``s``:

- ``x`` lies between ``lower`` and ``upper``, the published value minus and plus ``h``;
- stars and p values bound ``|x| / s`` (no star: only from above);
- published standard errors and intervals bound ``s``, within their rounding;
- ``log s`` has a normal prior around the design-based SE.

Two positions in (0, 1) parameterise this region, so that a sampler meets no hard boundary: one within the
interval of ``x``, one within the interval of ``log s`` given ``x`` and the bounds. The functions take ``xp``,
NumPy or PyTensor, and are shared by every engine and by the recovery of SEs.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import xarray as xr

Array = Any
"""A NumPy array or a PyTensor variable."""

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
"""Variables {cell} of ``reported_results`` that the likelihood uses."""

LEAST_ESTIMATE = 1e-300

TAIL_SDS = 10.0
"""SDs at which the prior of ``log s`` is truncated where nothing else bounds it: a mass below 1e-22."""


def bounds_of(cells: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the ``BOUNDS`` {cell} of ``reported_results`` as NumPy arrays, for the functions below."""
    return {name: cells[name].to_numpy() for name in BOUNDS}


def estimate_at(position: Array, bounds: Mapping[str, Array]) -> Array:
    """Unrounded estimate {cell} at ``position`` in (0, 1) of its interval."""
    return bounds["lower"] + (bounds["upper"] - bounds["lower"]) * position


def log_se_bounds(estimate: Array, bounds: Mapping[str, Array], xp: Library) -> tuple[Array, Array]:
    """Bounds of the log SE {cell} given an unrounded ``estimate`` and its published stars, p value, SE and interval."""
    mean, reach = bounds["log_se_mean"], TAIL_SDS * bounds["log_se_sd"]
    with np.errstate(divide="ignore"):
        log_z_lower, log_z_upper, log_se_lower, log_se_upper = (
            xp.log(bounds[name]) for name in ("z_lower", "z_upper", "se_lower", "se_upper")
        )
    # Counts of events can give an estimate of exactly 0, whose log is not finite.
    log_estimate = xp.log(xp.maximum(xp.abs(estimate), LEAST_ESTIMATE))
    least = xp.maximum(log_estimate - log_z_upper, log_se_lower)
    most = xp.minimum(log_estimate - log_z_lower, log_se_upper)
    lower = xp.maximum(least, xp.minimum(most, mean) - reach)
    upper = xp.minimum(most, xp.maximum(least, mean) + reach)
    return lower, upper


def se_at(position: Array, estimate: Array, bounds: Mapping[str, Array], xp: Library) -> tuple[Array, Array]:
    """SE {cell} at ``position`` in (0, 1) of the interval of its log, and its log prior density there.

    The density is with respect to the position: the normal density of the log SE times the width of the interval.
    """
    lower, upper = log_se_bounds(estimate, bounds, xp)
    log_se = lower + position * (upper - lower)
    log_prior = log_normal_density(log_se, bounds["log_se_mean"], bounds["log_se_sd"], xp)
    return xp.exp(log_se), log_prior + xp.log(upper - lower)


def log_normal_density(value: Array, mean: Array, sd: Array, xp: Library) -> Array:
    """Log density of a normal distribution."""
    return -0.5 * ((value - mean) / sd) ** 2 - xp.log(sd) - 0.5 * np.log(2 * np.pi)
