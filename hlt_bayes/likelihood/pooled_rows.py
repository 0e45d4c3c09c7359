"""Information about the SEs of two trial groups (parts) from published rows that pool them.

A pooled row is the estimate of a regression on both groups together. It is close to a weighted mean of the two
estimates, with an unreported weight that depends on the regression as well as the sample sizes. With weight ``w``
of the first part its estimate is ``w x_1 + (1 - w) x_2`` and its SE ``sqrt(w^2 s_1^2 + (1 - w)^2 s_2^2)``, each up
to a discrepancy stated in the spec; both must agree with the row's rounding and stars.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit

from hlt_bayes.core.vocabulary import POOLED_GROUPS
from hlt_bayes.evidence import Evidence
from hlt_bayes.likelihood.likelihood import STAR_BOUNDS, Array, Library
from hlt_bayes.specs import ImpactSpec, PooledRows

LOGISTIC_SCALE = np.sqrt(3.0) / np.pi
LEAST_Z, MOST_Z = 1e-6, 1e6


def pooled_rows(evidence: Evidence, spec: ImpactSpec, cells: xr.Dataset) -> xr.Dataset:
    """Collect the published pooled rows whose two parts are among ``cells`` of ``reported_results``.

    Returns
    -------
    Dataset {pooled_cell}
        ``lower`` and ``upper``, between which the unrounded estimate lies; ``z_lower`` and ``z_upper``;
        ``first`` and ``second``, the positions of the parts along ``cell``; ``outcome`` and ``group``.
    """
    position = {name: i for i, name in enumerate(cells["cell"].to_numpy())}
    printed = evidence.impacts
    printed = printed[printed["outcome"].isin(spec.outcomes) & printed["group"].isin(list(POOLED_GROUPS))]
    rows = []
    for _, row in printed.iterrows():
        parts = [position.get(f"{row['outcome']}, {part}") for part in POOLED_GROUPS[row["group"]]]
        if None not in parts:
            z_lower, z_upper = STAR_BOUNDS[row["stars"]]
            bounds = (row["estimate"] - row["half_unit"], row["estimate"] + row["half_unit"], z_lower, z_upper)
            rows.append((row["outcome"], row["group"], *bounds, *parts))
    rows.sort(key=lambda row: (spec.outcomes.index(row[0]), list(POOLED_GROUPS).index(row[1])))
    frame = pd.DataFrame(rows, columns=["outcome", "group", "lower", "upper", "z_lower", "z_upper", "first", "second"])
    names = ["lower", "upper", "z_lower", "z_upper", "first", "second"]
    return xr.Dataset(
        {name: ("pooled_cell", frame[name].to_numpy(int if name in ("first", "second") else float)) for name in names},
        coords={
            "pooled_cell": [f"{row[0]}, {row[1]}" for row in rows],
            "outcome": ("pooled_cell", frame["outcome"].to_numpy(dtype=object)),
            "group": ("pooled_cell", frame["group"].to_numpy(dtype=object)),
        },
    )


def row_arrays(rows: xr.Dataset) -> dict[str, np.ndarray]:
    """Return the arrays {pooled_cell} of ``pooled_rows``, for ``pooled_row_log_probability``."""
    return {str(name): array.to_numpy() for name, array in rows.data_vars.items()}


def pooled_row_log_probability(
    estimate: Array,
    se: Array,
    weight: Array,
    *,
    rows: Mapping[str, Array],
    spec: ImpactSpec,
    xp: Library,
) -> Array:
    """Log probability {..., pooled_cell} of the published pooled rows, given estimates and SEs {..., cell}.

    ``weight`` {..., pooled_cell} is that of the first part, ``rows`` the arrays {pooled_cell} of ``row_arrays``. The
    discrepancies have logistic distributions, whose tail probabilities are numerically accurate.
    """
    stated = spec.pooled_rows
    if stated is None:
        raise ValueError("the spec does not use pooled rows")
    lower, upper = rows["lower"], rows["upper"]
    mean, pooled_se = weighted_parts(estimate, se, weight, rows=rows, xp=xp)
    scale = LOGISTIC_SCALE * stated.estimate_discrepancy.value * pooled_se
    rounded = _log_between((upper - mean) / scale, (lower - mean) / scale, xp)

    size = xp.maximum(xp.abs(xp.minimum(xp.maximum(mean, lower), upper)), LEAST_Z * (upper - lower))
    log_z = xp.log(size) - xp.log(pooled_se)
    scale = LOGISTIC_SCALE * stated.se_discrepancy.value
    least, most = xp.log(xp.maximum(rows["z_lower"], LEAST_Z)), xp.log(xp.minimum(rows["z_upper"], MOST_Z))
    return rounded + _log_between((log_z - least) / scale, (log_z - most) / scale, xp)


def weighted_parts(
    estimate: Array, se: Array, weight: Array, *, rows: Mapping[str, Array], xp: Library
) -> tuple[Array, Array]:
    """Estimate and SE {..., pooled_cell} of the rows, before any discrepancy; see the top of this file."""
    first, second = rows["first"], rows["second"]
    mean = weight * estimate[..., first] + (1 - weight) * estimate[..., second]
    return mean, xp.sqrt((weight * se[..., first]) ** 2 + ((1 - weight) * se[..., second]) ** 2)


def draw_weights(stated: PooledRows, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw weights of the first parts from their prior."""
    return np.asarray(expit(rng.normal(stated.weight.mean, stated.weight.sd, size=shape)))


def _log_between(high: Array, low: Array, xp: Library) -> Array:
    """Log probability that a standard logistic variate lies between ``low`` and ``high``."""
    return -_softplus(-high, xp) - _softplus(-low, xp) - low + xp.log1p(-xp.exp(low - high))


def _softplus(value: Array, xp: Library) -> Array:
    return xp.maximum(value, 0.0) + xp.log1p(xp.exp(-xp.abs(value)))
