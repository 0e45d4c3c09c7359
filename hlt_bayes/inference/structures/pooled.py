"""Partial, no or complete pooling of impacts across trial groups, separately by outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import xarray as xr

from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.likelihood import labels
from hlt_bayes.specs import ImpactSpec, OutcomeName
from hlt_bayes.specs.priors import Family

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable

    ImpactVariables = tuple[TensorVariable, TensorVariable | None]


def pooled(cells: xr.Dataset, spec: ImpactSpec) -> ImpactVariables:
    """``mu`` {outcome} + ``tau`` {outcome} * ``z`` {outcome, group}: partial pooling, non-centred."""
    import pymc as pm

    mu, tau = centre_and_spread(cells, spec)
    z = pm.Normal("z", 0.0, 1.0, dims=("outcome", "group"))
    z_new = pm.Normal("z_new", 0.0, 1.0, dims="outcome")
    return mu[:, None] + tau[:, None] * z, mu + tau * z_new


def no_pooling(cells: xr.Dataset, spec: ImpactSpec) -> ImpactVariables:
    """Independent groups: ``impact_{group}`` {outcome} with the prior of ``mu``; no new group is predicted."""
    import pymc as pm

    priors = of_outcomes(cells, spec.priors.mu)
    each = [prior_variable(f"impact_{group}", priors, dim="outcome") for group in labels(cells, "group")]
    return pm.math.stack(each, axis=1), None


def complete_pooling(cells: xr.Dataset, spec: ImpactSpec) -> ImpactVariables:
    """One impact, ``mu`` {outcome}, for all groups and for a new one."""
    import pytensor.tensor as pt

    mu = prior_variable("mu", of_outcomes(cells, spec.priors.mu), dim="outcome")
    return pt.repeat(mu[:, None], len(labels(cells, "group")), axis=1), mu


def centre_and_spread(cells: xr.Dataset, spec: ImpactSpec) -> tuple[TensorVariable, TensorVariable]:
    """``mu`` and ``tau`` {outcome} with the priors of the spec."""
    mu = prior_variable("mu", of_outcomes(cells, spec.priors.mu), dim="outcome")
    return mu, prior_variable("tau", of_outcomes(cells, spec.priors.tau), dim="outcome")


def of_outcomes(cells: xr.Dataset, table: Mapping[OutcomeName, Family] | None) -> dict[str, Family]:
    """Select from a table of priors, in order, those of the reported outcomes."""
    if table is None:
        raise ValueError("the spec lacks a table of priors that its structure needs")
    return {name: table[name] for name in labels(cells, "outcome")}
