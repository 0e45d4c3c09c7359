"""Priors as random variables of a PyMC model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.specs.priors import Family, NormalMixturePrior

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def prior_variable(name: str, priors: Mapping[str, Family], *, dim: str) -> TensorVariable:
    """Add the random variable ``name`` {dim} to the model in context, one prior per coordinate of ``dim``.

    If the priors belong to several families, each coordinate is a separate variable, and ``name`` stacks them.
    """
    import pymc as pm

    families = {type(prior) for prior in priors.values()}
    sizes = {len(prior.weights) for prior in priors.values() if isinstance(prior, NormalMixturePrior)}
    if len(families) > 1 or len(sizes) > 1:
        each = [_variable(f"{name}_{key}", [prior]) for key, prior in priors.items()]
        return pm.Deterministic(name, pm.math.stack(each), dims=dim)
    return _variable(name, list(priors.values()), dims=dim)


def _variable(name: str, priors: Sequence[Family], *, dims: str | None = None) -> TensorVariable:
    import pymc as pm

    parameters = {
        argument: np.array([getattr(prior, key) for prior in priors])
        for key, argument in priors[0].pymc_parameters.items()
    }
    if dims is None:
        parameters = {argument: values[0] for argument, values in parameters.items()}
    return getattr(pm, priors[0].pymc_name)(name, **parameters, dims=dims)
