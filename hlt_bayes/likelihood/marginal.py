"""Probability of a published result given an impact, integrated over the unrounded estimate and SE."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hlt_bayes.likelihood.likelihood import bounds_of, estimate_at, log_normal_density, se_at

ACROSS, ALONG = 24, 400
"""Numbers of midpoints: across the rounding interval, and along the interval of the log SE."""

KNOTS = 301
"""Number of impacts at which the log probability is computed; a cubic spline interpolates between them."""


def log_probability_of_published(impact: xr.DataArray, cells: xr.Dataset) -> xr.DataArray:
    """Log probability {..., cell} of each published result, given ``impact`` {..., outcome, group}.

    Parameters
    ----------
    impact
        Impacts on people whose outcome was measured, in the units of the outcomes.
    cells
        Dataset {cell} of ``reported_results``. For an estimate known exactly from counts of events, the log density.
    """
    found = []
    for name in cells["cell"].to_numpy():
        cell = cells.sel(cell=name)
        values = impact.sel(outcome=cell["outcome"].item(), group=cell["group"].item(), drop=True)
        found.append(xr.apply_ufunc(_interpolated, values, kwargs={"cell": cell}))
    labels = xr.DataArray(cells["cell"].to_numpy(), dims="cell", name="cell")
    kept = [dim for dim in impact.dims if dim not in ("outcome", "group")]
    log_probability: xr.DataArray = xr.concat(found, dim=labels).transpose(*kept, "cell")
    return log_probability


def _interpolated(impact: np.ndarray, cell: xr.Dataset) -> np.ndarray:
    from scipy.interpolate import CubicSpline

    low, high = float(impact.min()), float(impact.max())
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-12):
        return np.full(impact.shape, _log_probability(np.array([low]), cell)[0])
    knots = np.linspace(low, high, KNOTS)
    return np.asarray(CubicSpline(knots, _log_probability(knots, cell))(impact))


def _log_probability(impact: np.ndarray, cell: xr.Dataset) -> np.ndarray:
    from scipy.special import logsumexp

    estimate, se, log_prior = grid_of_print(cell, across=ACROSS, along=ALONG)
    log_density = log_prior + log_normal_density(estimate, impact[:, None, None], se, np)
    width = cell["upper"].item() - cell["lower"].item()
    mean = logsumexp(log_density, axis=(1, 2)) - np.log(ACROSS * ALONG)
    return np.asarray(mean + np.log(width if width > 0 else 1.0))


def grid_of_print(cell: xr.Dataset, *, across: int, along: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate, SE and log prior density {across, along} of one published result, at midpoints of both positions."""
    bounds = bounds_of(cell)
    positions = np.meshgrid(_midpoints(across), _midpoints(along), indexing="ij")
    estimate = estimate_at(positions[0], bounds)
    return estimate, *se_at(positions[1], estimate, bounds, np)


def _midpoints(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count
