"""Simulated trials with known impacts, published as in the reports: rounded, with stars, without SEs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from hlt_bayes.evidence import MARKS
from hlt_bayes.likelihood import LEAST_Z, LOGISTIC_SCALE, MOST_Z, STAR_BOUNDS, weighted_parts
from hlt_bayes.specs import ImpactSpec

Array = np.ndarray

BOUNDS_OF_MARKS = np.array([STAR_BOUNDS[mark] for mark in MARKS])
"""Bounds of |estimate| / SE for zero to three stars."""


def simulated_results(
    impact: xr.DataArray,
    cells: xr.Dataset,
    rng: np.random.Generator,
    *,
    error_correlation: xr.DataArray | None = None,
    se: xr.DataArray | None = None,
) -> xr.Dataset:
    """Draw estimates and SEs of each cell, given impacts, and their published form.

    Parameters
    ----------
    impact
        {..., outcome, group}: on people whose outcome was measured.
    cells
        Dataset {cell} of ``reported_results``: rounding, and the prior of the SEs.
    rng
        Source of randomness.
    error_correlation
        {..., outcome, other_outcome} of the sampling errors of one group; without it they are independent.
    se
        {..., cell}; drawn from their prior if not given.

    Returns
    -------
    Dataset {..., cell}
        ``estimate`` and ``se`` before rounding; ``lower``, ``upper``, ``z_lower``, ``z_upper`` as in
        ``reported_results``; ``mark``, the number of stars.
    """
    dims = [dim for dim in impact.dims if dim not in ("outcome", "group")]
    labels = {"outcome": cells["outcome"], "group": cells["group"]}
    expected = impact.sel(labels).transpose(*dims, "cell").to_numpy()
    noise = rng.standard_normal(expected.shape)
    if error_correlation is not None:
        noise = _correlated(noise, cells, error_correlation)
    if se is None:
        log_se = cells["log_se_mean"].to_numpy() + cells["log_se_sd"].to_numpy() * rng.standard_normal(expected.shape)
        ses = np.exp(log_se)
    else:
        ses = se.transpose(*dims, "cell").to_numpy()
    estimate = expected + ses * noise
    unit = 2 * cells["half_unit"].to_numpy()
    # Counts of events give an estimate without rounding.
    printed = np.where(unit > 0, np.round(estimate / np.where(unit > 0, unit, 1.0)) * unit, estimate)
    mark = marks_of(np.abs(estimate) / ses)
    bounds = BOUNDS_OF_MARKS[mark]
    values = {
        "estimate": estimate,
        "se": ses,
        "lower": printed - unit / 2,
        "upper": printed + unit / 2,
        "z_lower": bounds[..., 0],
        "z_upper": bounds[..., 1],
        "mark": mark,
    }
    return xr.Dataset({name: ((*dims, "cell"), one) for name, one in values.items()}, coords={"cell": cells["cell"]})


def marks_of(z: Array) -> Array:
    """Return the number of stars for |estimate| / SE."""
    return np.searchsorted(BOUNDS_OF_MARKS[1:, 0], z, side="right")


def _correlated(noise: Array, cells: xr.Dataset, correlation: xr.DataArray) -> Array:
    """Correlate noise {..., cell} within each group."""
    dims = [dim for dim in correlation.dims if dim not in ("outcome", "other_outcome")]
    matrix = correlation.transpose(*dims, "outcome", "other_outcome").to_numpy()
    outcomes = [str(name) for name in correlation["outcome"].to_numpy()]
    result = np.empty_like(noise)
    groups = cells["group"].to_numpy()
    for group in dict.fromkeys(groups):
        of_group = np.flatnonzero(groups == group)
        seen = [outcomes.index(name) for name in cells["outcome"].to_numpy()[of_group]]
        factor = np.linalg.cholesky(matrix[..., seen, :][..., seen])
        result[..., of_group] = np.einsum("...ij,...j->...i", factor, noise[..., of_group])
    return result


def simulated_rows(
    results: xr.Dataset, weight: Array, rows: Mapping[str, Array], spec: ImpactSpec, rng: np.random.Generator
) -> dict[str, Array]:
    """Simulate published pooled rows {draw, pooled_cell} of ``results`` {draw, cell}.

    ``weight`` {draw, pooled_cell} is that of the first part. The discrepancies are those of
    ``hlt_bayes.likelihood.pooled_row_log_probability``.
    """
    if spec.pooled_rows is None:
        raise ValueError(f"spec {spec.name!r} does not use pooled rows")
    estimate, se = results["estimate"].to_numpy(), results["se"].to_numpy()
    mean, pooled_se = weighted_parts(estimate, se, weight, rows=rows, xp=np)
    scale = LOGISTIC_SCALE * spec.pooled_rows.estimate_discrepancy.value * pooled_se
    unit = rows["upper"] - rows["lower"]
    printed = np.round((mean + scale * rng.logistic(size=mean.shape)) / unit) * unit
    lower, upper = printed - unit / 2, printed + unit / 2
    size = np.maximum(np.abs(np.clip(mean, lower, upper)), LEAST_Z * unit)
    spread = LOGISTIC_SCALE * spec.pooled_rows.se_discrepancy.value
    log_z = np.log(size / pooled_se) + spread * rng.logistic(size=mean.shape)
    mark = marks_of(np.exp(np.clip(log_z, np.log(LEAST_Z), np.log(MOST_Z))))
    bounds = BOUNDS_OF_MARKS[mark]
    return {"row_lower": lower, "row_upper": upper, "row_z_lower": bounds[..., 0], "row_z_upper": bounds[..., 1]}
