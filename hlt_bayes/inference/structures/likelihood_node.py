"""The likelihood of the published results, shared by all structures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hlt_bayes.likelihood import (
    bounds_of,
    estimate_at,
    labels,
    log_normal_density,
    pooled_row_log_probability,
    row_arrays,
    se_at,
)
from hlt_bayes.specs import ImpactSpec

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def printed_likelihood(
    impact: TensorVariable,
    cells: xr.Dataset,
    spec: ImpactSpec,
    *,
    errors: TensorVariable | None = None,
    rows: xr.Dataset | None = None,
) -> None:
    """Add to the model in context the likelihood of ``impact`` {outcome, group} given ``cells`` {cell}.

    ``cells`` are of ``reported_results``; ``estimate`` and ``se`` {cell} are latent. ``errors`` is the Cholesky factor
    {outcome, outcome} of the correlation of the sampling errors of one group's outcomes; without it they are
    independent. ``rows`` {pooled_cell} of ``pooled_rows`` inform both, each with an unknown ``weight`` {pooled_cell} of
    its first part.
    """
    import pymc as pm
    import pytensor.tensor as pt

    outcome, group = positions(cells)
    bounds = {name: pm.Data(name, values, dims="cell") for name, values in bounds_of(cells).items()}
    estimate_position = pm.Uniform("estimate_position", 0.0, 1.0, dims="cell")
    se_position = pm.Uniform("se_position", 0.0, 1.0, dims="cell")
    estimate = pm.Deterministic("estimate", estimate_at(estimate_position, bounds), dims="cell")
    se, log_se_prior = se_at(se_position, estimate, bounds, pt)
    se = pm.Deterministic("se", se, dims="cell")
    pm.Potential("se_prior", log_se_prior, dims="cell")
    expected = impact[outcome, group]
    if errors is None:
        pm.Potential("likelihood", log_normal_density(estimate, expected, se, pt), dims="cell")
    else:
        pm.Potential("likelihood", -pt.log(se), dims="cell")
        pm.Potential("joint_likelihood", _joint_log_density((estimate - expected) / se, errors, outcome, group))
    if rows is not None and spec.pooled_rows is not None:
        pm.modelcontext(None).add_coord("pooled_cell", rows["pooled_cell"].to_numpy())
        prior = spec.pooled_rows.weight
        logit = pm.Normal("weight_logit", prior.mean, prior.sd, dims="pooled_cell")
        weight = pm.Deterministic("weight", pm.math.sigmoid(logit), dims="pooled_cell")
        arrays = row_arrays(rows)
        for name in ("lower", "upper", "z_lower", "z_upper"):
            arrays[name] = pm.Data(f"row_{name}", arrays[name], dims="pooled_cell")
        printed = pooled_row_log_probability(estimate, se, weight, rows=arrays, spec=spec, xp=pt)
        pm.Potential("pooled_rows", printed, dims="pooled_cell")


def positions(cells: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Positions {cell} along the dims ``outcome`` and ``group`` of a model of these cells."""
    first, second = (
        np.array([labels(cells, dim).index(name) for name in cells[dim].to_numpy()]) for dim in ("outcome", "group")
    )
    return first, second


def _joint_log_density(
    standardised: TensorVariable, errors: TensorVariable, outcome: np.ndarray, group: np.ndarray
) -> TensorVariable:
    """Log density of standardised errors {cell}; groups with the same outcomes are computed together."""
    import pytensor.tensor as pt

    groups_with: dict[tuple[int, ...], list[int]] = {}
    for one in range(group.max() + 1):
        groups_with.setdefault(tuple(outcome[group == one]), []).append(one)
    log_densities = []
    for seen, groups in groups_with.items():
        factor = errors
        if len(seen) < outcome.max() + 1:
            factor = pt.linalg.cholesky((errors @ errors.T)[list(seen)][:, list(seen)])
        columns = pt.stack([standardised[np.flatnonzero(group == one)] for one in groups], axis=1)
        whitened = pt.linalg.solve_triangular(factor, columns, lower=True)
        log_determinant = pt.log(pt.diag(factor)).sum() + 0.5 * len(seen) * np.log(2 * np.pi)
        log_densities.append(-0.5 * pt.square(whitened).sum() - len(groups) * log_determinant)
    return pt.stack(log_densities).sum()
