"""Impacts pooled across trial groups, each outcome apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hlt_bayes.priors import prior_variable
from hlt_bayes.reported import estimate_at, log_normal_density, pooled_row_log_probability, se_at
from hlt_bayes.specs import ImpactSpec

if TYPE_CHECKING:
    import pymc as pm


def pooled(cells: xr.Dataset, spec: ImpactSpec, *, rows: xr.Dataset | None = None) -> pm.Model:
    """Build the model; see ``models/README.md`` for its mathematics.

    ``impact`` {outcome, group} = ``mu`` {outcome} + ``tau`` {outcome} * ``z`` {outcome, group} is seen
    through ``cells`` {cell} of ``reported_results``: ``estimate`` and ``se`` {cell} are latent. Where ``rows``
    {pooled_cell} of ``pooled_rows`` is given they bear on both, each with an unknown ``weight`` {pooled_cell} of
    its first part.
    """
    import pymc as pm
    import pytensor.tensor as pt

    outcomes, groups = (list(dict.fromkeys(cells[name].to_numpy())) for name in ("outcome", "group"))
    coords = {"outcome": outcomes, "group": groups, "cell": cells["cell"].to_numpy()}
    outcome_of_cell = np.array([outcomes.index(name) for name in cells["outcome"].to_numpy()])
    group_of_cell = np.array([groups.index(name) for name in cells["group"].to_numpy()])
    with pm.Model(coords=coords) as model:
        mu = prior_variable("mu", {name: spec.priors.mu[name] for name in outcomes}, dim="outcome")
        tau = prior_variable("tau", {name: spec.priors.tau[name] for name in outcomes}, dim="outcome")
        z = pm.Normal("z", 0.0, 1.0, dims=("outcome", "group"))
        impact = pm.Deterministic("impact", mu[:, None] + tau[:, None] * z, dims=("outcome", "group"))

        estimate_position = pm.Uniform("estimate_position", 0.0, 1.0, dims="cell")
        se_position = pm.Uniform("se_position", 0.0, 1.0, dims="cell")
        estimate = pm.Deterministic("estimate", estimate_at(estimate_position, cells), dims="cell")
        se, log_se_prior = se_at(se_position, estimate, cells, pt)
        se = pm.Deterministic("se", se, dims="cell")
        pm.Potential("se_prior", log_se_prior, dims="cell")
        expected = impact[outcome_of_cell, group_of_cell]
        pm.Potential("likelihood", log_normal_density(estimate, expected, se, pt), dims="cell")
        if rows is not None and spec.pooled_rows is not None:
            model.add_coord("pooled_cell", rows["pooled_cell"].to_numpy())
            prior = spec.pooled_rows.weight
            logit = pm.Normal("weight_logit", prior.mean, prior.sd, dims="pooled_cell")
            weight = pm.Deterministic("weight", pm.math.sigmoid(logit), dims="pooled_cell")
            printed = pooled_row_log_probability(estimate, se, weight, rows=rows, spec=spec, xp=pt)
            pm.Potential("pooled_rows", printed, dims="pooled_cell")
    return model
