"""Joint model of the outcomes: correlated impacts, and correlated errors of estimates on the same people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xarray as xr

from hlt_bayes.inference.structures.correlation import lkj_factor
from hlt_bayes.inference.structures.pooled import centre_and_spread
from hlt_bayes.likelihood import labels
from hlt_bayes.specs import ImpactSpec, Joint

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable

    from hlt_bayes.inference.structures.pooled import ImpactVariables


def joint(cells: xr.Dataset, spec: ImpactSpec) -> ImpactVariables:
    """``mu`` + ``tau`` * (Cholesky factor of ``impact_correlation`` {outcome, other_outcome}) ``z``."""
    import pymc as pm

    stated = _stated(spec)
    outcomes = labels(cells, "outcome")
    pm.modelcontext(None).add_coord("other_outcome", outcomes)
    mu, tau = centre_and_spread(cells, spec)
    factor = lkj_factor("impact_partial", outcomes, eta=stated.impacts.eta)
    pm.Deterministic("impact_correlation", factor @ factor.T, dims=("outcome", "other_outcome"))
    z = pm.Normal("z", 0.0, 1.0, dims=("outcome", "group"))
    z_new = pm.Normal("z_new", 0.0, 1.0, dims="outcome")
    return mu[:, None] + tau[:, None] * (factor @ z), mu + tau * (factor @ z_new)


def errors_factor(cells: xr.Dataset, spec: ImpactSpec) -> TensorVariable:
    """Cholesky factor of ``error_correlation`` {outcome, other_outcome} = (1 - w) expected + w unknown.

    A weighted mean of correlation matrices is a correlation matrix; the unknown one is uniform (LKJ with eta 1).
    """
    import pymc as pm
    import pytensor.tensor as pt

    stated = _stated(spec)
    outcomes = labels(cells, "outcome")
    unknown = lkj_factor("error_partial", outcomes, eta=1.0)
    weight = stated.errors_unknown.value
    expected = stated.expected_errors(outcomes)
    correlation = pm.Deterministic(
        "error_correlation",
        (1 - weight) * expected + weight * (unknown @ unknown.T),
        dims=("outcome", "other_outcome"),
    )
    return pt.linalg.cholesky(correlation)


def _stated(spec: ImpactSpec) -> Joint:
    if spec.joint is None:
        raise ValueError("the spec lacks the table 'joint'")
    return spec.joint
