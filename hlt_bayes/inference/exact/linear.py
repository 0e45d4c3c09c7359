"""Normal impacts given the between-group SD: their coefficients integrated out, or drawn.

For groups ``g``: ``x_g ~ Normal(theta_g, s_g)``, ``theta_g ~ Normal(sum_j X_jg b_j, tau)``, ``b_j ~ Normal(m_j,
v_j)``. So ``x ~ Normal(X b, D)`` with ``D = s^2 + tau^2``; the precision of ``b`` given ``x`` is
``A = 1 / v + X' D^-1 X``. Here ``v`` and ``D`` are variances, the others SDs.
All arrays may have leading dims, of draws and of grids, that broadcast; the sums over coefficients are written out, so
that few coefficients cost a few passes over the draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

Array = np.ndarray


class CoefficientPosterior(NamedTuple):
    """Distribution of the coefficients {...} given the data: ``A = L L'``, mean ``m + L'^-1 u``.

    ``log_density`` {...} is that of the data with the coefficients integrated out. If ``positive``, the last
    coefficient is truncated to values above 0.
    """

    log_density: Array
    factor: list[list[Array]]
    solved: list[Array]
    means: Sequence[Array]
    positive: bool

    def mean_and_sd_of_last(self) -> tuple[Array, Array]:
        """Mean and SD {...} of the last coefficient, before truncation."""
        scale = 1 / self.factor[-1][-1]
        return self.means[-1] + self.solved[-1] * scale, scale


def integrate(
    x: Array,
    variance: Array,
    columns: Sequence[Array],
    means: Sequence[Array],
    variances: Sequence[Array],
    *,
    positive: bool = False,
) -> CoefficientPosterior:
    """Integrate the coefficients out of normal data.

    Parameters
    ----------
    x, variance
        Data and their variance ``D`` {..., group}.
    columns
        ``X_j`` {..., group} of each coefficient.
    means, variances
        Prior mean and variance {...} of each coefficient.
    positive
        Whether the last coefficient has a half-normal prior: mean 0 before truncation to values above 0.
    """
    residual = x - sum((column * _over_groups(mean) for column, mean in zip(columns, means, strict=True)), start=0.0)
    precision = 1 / variance
    weighted = residual * precision
    log_density = -0.5 * ((weighted * residual).sum(-1) + np.log(2 * np.pi * variance).sum(-1))
    factor: list[list[Array]] = []
    solved: list[Array] = []
    for i, column in enumerate(columns):
        by_precision = column * precision
        row: list[Array] = []
        for j in range(i):
            entry = (by_precision * columns[j]).sum(-1) - sum((row[k] * factor[j][k] for k in range(j)), start=0.0)
            row.append(entry / factor[j][j])
        square = 1 / variances[i] + (by_precision * column).sum(-1) - sum((one * one for one in row), start=0.0)
        row.append(np.sqrt(square))
        known = (column * weighted).sum(-1) - sum((row[k] * solved[k] for k in range(i)), start=0.0)
        solved.append(known / row[i])
        factor.append(row)
        log_density = log_density + 0.5 * solved[i] ** 2 - np.log(row[i] * np.sqrt(variances[i]))
    found = CoefficientPosterior(log_density, factor, solved, means, positive)
    if not positive:
        return found
    mean, sd = found.mean_and_sd_of_last()
    return found._replace(log_density=log_density + log_ndtr(mean / sd) + np.log(2.0))


def moments_of(found: CoefficientPosterior, direction: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Posterior mean and variance {...} of the linear combination of the coefficients with weights ``direction`` {...}.

    Also its covariance with the last coefficient, divided by the SD of the latter. If the last coefficient is
    truncated, all three are before truncation.
    """
    mean, variance, whitened = np.zeros(()), np.zeros(()), list[Array]()
    for i, step in enumerate(direction):
        known = sum((found.factor[i][k] * whitened[k] for k in range(i)), start=np.zeros(()))
        whitened.append((step - known) / found.factor[i][i])
        mean = mean + step * found.means[i] + whitened[i] * found.solved[i]
        variance = variance + whitened[i] ** 2
    return mean, variance, whitened[-1]


def draw_coefficients(found: CoefficientPosterior, rng: np.random.Generator) -> list[Array]:
    """Draw the coefficients {...} given the data, from the last to the first."""
    shape = np.shape(found.log_density)
    drawn: list[Array] = []
    for i in reversed(range(len(found.solved))):
        if found.positive and i == len(found.solved) - 1:
            mean, sd = found.mean_and_sd_of_last()
            above = ndtr(mean / sd)
            # From the upper tail, where probabilities near 1 lose precision.
            drawn.append(np.maximum(mean - sd * ndtri(above * (1 - rng.random(shape))), 0.0) - found.means[-1])
            continue
        later = sum(
            (found.factor[i + 1 + k][i] * drawn[len(drawn) - 1 - k] for k in range(len(drawn))),
            start=np.zeros(shape),
        )
        drawn.append((found.solved[i] + rng.standard_normal(shape) - later) / found.factor[i][i])
    return [mean + one for mean, one in zip(found.means, reversed(drawn), strict=True)]


def impact_given(
    x: Array, se: Array, tau: Array, columns: Sequence[Array], coefficients: Sequence[Array]
) -> tuple[Array, Array]:
    """Mean and SD {draw, group} of the impacts given data {draw, group}, ``tau`` and the coefficients {draw}."""
    expected = sum(
        (column * one[:, None] for column, one in zip(columns, coefficients, strict=True)), start=np.zeros(())
    )
    spread = tau[:, None] ** 2
    towards_data = spread / (spread + se**2)
    return towards_data * x + (1 - towards_data) * expected, np.sqrt(towards_data) * se


def _over_groups(values: Array) -> Array:
    return np.asarray(values)[..., None]
