"""The closed table of prior families that a spec may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from hlt_bayes.strict import Finite, Frozen, Positive, Words

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


class Reasoned(Frozen):
    """A stated choice: why it is what it is, and where it comes from.

    ``source`` is ``"assumption"`` where no document states it.
    """

    why: Words
    source: Words

    def __str__(self) -> str:
        """Say what is stated, without its unit, reason and source."""
        stated = self.model_dump(exclude={"unit", "why", "source"})
        said = {key: ", ".join(value) if isinstance(value, list) else value for key, value in stated.items()}
        return "; ".join(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in said.items()
        )


class Sourced(Reasoned):
    """A stated figure, with its unit."""

    unit: Words


class NormalPrior(Sourced):
    """Normal with ``mean`` and ``sd``, both in ``unit``."""

    family: Literal["normal"]
    mean: Finite
    sd: Positive
    pymc_name: ClassVar[str] = "Normal"
    pymc_parameters: ClassVar[dict[str, str]] = {"mean": "mu", "sd": "sigma"}

    def __str__(self) -> str:
        """Write the prior as it is read aloud."""
        return f"Normal({self.mean:g}, {self.sd:g})"


class HalfNormalPrior(Sourced):
    """Normal with mean 0 and ``sd``, in ``unit``, cut to values above 0."""

    family: Literal["half-normal"]
    sd: Positive
    pymc_name: ClassVar[str] = "HalfNormal"
    pymc_parameters: ClassVar[dict[str, str]] = {"sd": "sigma"}

    def __str__(self) -> str:
        """Write the prior as it is read aloud."""
        return f"HalfNormal({self.sd:g})"


Prior = Annotated[NormalPrior | HalfNormalPrior, Field(discriminator="family")]
ScalePrior = HalfNormalPrior
"""Families whose support is that of a standard deviation."""


def prior_variable(name: str, priors: Mapping[str, NormalPrior | HalfNormalPrior], *, dim: str) -> TensorVariable:
    """Add the random variable ``name`` {dim} to the model in context, one prior per coordinate of ``dim``."""
    import pymc as pm

    (family,) = {type(prior) for prior in priors.values()}
    parameters = {
        argument: np.array([getattr(prior, key) for prior in priors.values()])
        for key, argument in family.pymc_parameters.items()
    }
    return getattr(pm, family.pymc_name)(name, **parameters, dims=dim)
