"""Prior families that a spec may name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator
from scipy.special import logsumexp, ndtri

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.toml import Finite, Frozen, Positive
from hlt_bayes.specs.priors.reasoned import Sourced

DegreesOfFreedom = Annotated[float, Field(ge=1, le=1000)]
Array = Any
"""A number or a NumPy array."""


class Family(Sourced):
    """A prior family: its name in PyMC, and its density and quantiles in the unit of the parameter."""

    pymc_name: ClassVar[str]
    pymc_parameters: ClassVar[dict[str, str]]
    spread: ClassVar[str]
    """Name of the parameter that ``scaled`` multiplies."""

    def scaled(self, factor: float) -> Self:
        """Multiply the scale of the prior by ``factor``, keeping its location parameter if it has one."""
        old = getattr(self, self.spread)
        new = [one * factor for one in old] if isinstance(old, list) else old * factor
        return self.model_copy(update={self.spread: new})

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``."""
        raise NotImplementedError

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        raise NotImplementedError


class NormalPrior(Family):
    """Normal with ``mean`` and ``sd``, both in ``unit``."""

    family: Literal["normal"]
    mean: Finite
    sd: Positive
    pymc_name = "Normal"
    pymc_parameters: ClassVar[dict[str, str]] = {"mean": "mu", "sd": "sigma"}
    spread = "sd"

    def __str__(self) -> str:
        """Format the prior for display."""
        return f"Normal({self.mean:g}, {self.sd:g})"

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``."""
        return _log_normal((np.asarray(value) - self.mean) / self.sd) - np.log(self.sd)

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        return np.asarray(self.mean + self.sd * ndtri(probability))


class HalfNormalPrior(Family):
    """Normal with mean 0 and ``sd``, in ``unit``, truncated to values above 0."""

    family: Literal["half-normal"]
    sd: Positive
    pymc_name = "HalfNormal"
    pymc_parameters: ClassVar[dict[str, str]] = {"sd": "sigma"}
    spread = "sd"

    def __str__(self) -> str:
        """Format the prior for display."""
        return f"HalfNormal({self.sd:g})"

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``, which is above 0."""
        return _log_normal(np.asarray(value) / self.sd) - np.log(self.sd) + np.log(2.0)

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        return np.asarray(self.sd * ndtri(0.5 + np.asarray(probability) / 2))


class StudentTPrior(Family):
    """Student's t with ``degrees_of_freedom``, ``mean`` and ``scale``, the latter two in ``unit``."""

    family: Literal["student-t"]
    mean: Finite
    scale: Positive
    degrees_of_freedom: DegreesOfFreedom
    pymc_name = "StudentT"
    pymc_parameters: ClassVar[dict[str, str]] = {"mean": "mu", "scale": "sigma", "degrees_of_freedom": "nu"}
    spread = "scale"

    def __str__(self) -> str:
        """Format the prior for display."""
        return f"StudentT({self.degrees_of_freedom:g}, {self.mean:g}, {self.scale:g})"

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``."""
        from scipy.stats import t

        return np.asarray(t.logpdf(value, self.degrees_of_freedom, self.mean, self.scale))

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        from scipy.stats import t

        return np.asarray(t.ppf(probability, self.degrees_of_freedom, self.mean, self.scale))


class NormalMixturePrior(Family):
    """Mixture of normals with ``weights`` (normalised to 1), and ``means`` and ``sds`` in ``unit``."""

    family: Literal["normal-mixture"]
    weights: Annotated[list[Positive], Field(min_length=1)]
    means: list[Finite]
    sds: list[Positive]
    pymc_name = "NormalMixture"
    pymc_parameters: ClassVar[dict[str, str]] = {"shares": "w", "means": "mu", "sds": "sigma"}
    spread = "sds"

    @model_validator(mode="after")
    def _equal_lengths(self) -> Self:
        if not len(self.weights) == len(self.means) == len(self.sds):
            raise ValueError(
                f"{len(self.weights)} weights, {len(self.means)} means and {len(self.sds)} sds given; give the same "
                "number of each"
            )
        return self

    def __str__(self) -> str:
        """Format the prior for display."""
        parts = zip(self.shares, self.means, self.sds, strict=True)
        return " + ".join(f"{share:g} Normal({mean:g}, {sd:g})" for share, mean, sd in parts)

    def scaled(self, factor: float) -> Self:
        """Widen the mixture about its mean by ``factor``."""
        centre = sum(share * mean for share, mean in zip(self.shares, self.means, strict=True))
        means = [centre + factor * (mean - centre) for mean in self.means]
        return self.model_copy(update={"means": means, "sds": [sd * factor for sd in self.sds]})

    @property
    def shares(self) -> list[float]:
        """Weights normalised to 1."""
        return [weight / sum(self.weights) for weight in self.weights]

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``."""
        means, sds = np.array(self.means), np.array(self.sds)
        z = (np.asarray(value)[..., None] - means) / sds
        return np.asarray(logsumexp(_log_normal(z) - np.log(sds) + np.log(self.shares), axis=-1))

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        from scipy import stats

        parts = [stats.Normal(mu=mean, sigma=sd) for mean, sd in zip(self.means, self.sds, strict=True)]
        probability = np.asarray(probability)
        inside = stats.Mixture(parts, weights=self.shares).icdf(np.clip(probability, 1e-300, 1 - 1e-16))
        return np.asarray(np.where(probability <= 0, -np.inf, np.where(probability >= 1, np.inf, inside)))


class HalfStudentTPrior(Family):
    """Student's t with ``degrees_of_freedom``, location 0 and ``scale``, truncated to values above 0."""

    family: Literal["half-student-t"]
    scale: Positive
    degrees_of_freedom: DegreesOfFreedom
    pymc_name = "HalfStudentT"
    pymc_parameters: ClassVar[dict[str, str]] = {"scale": "sigma", "degrees_of_freedom": "nu"}
    spread = "scale"

    def __str__(self) -> str:
        """Format the prior for display."""
        return f"HalfStudentT({self.degrees_of_freedom:g}, {self.scale:g})"

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``, which is above 0."""
        from scipy.stats import t

        return np.asarray(t.logpdf(value, self.degrees_of_freedom, 0.0, self.scale)) + np.log(2.0)

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        # The square of a half-t variable has an F distribution; stdtrit loses precision near one half.
        from scipy.special import fdtri

        return np.asarray(self.scale * np.sqrt(fdtri(1.0, self.degrees_of_freedom, probability)))


class ExponentialPrior(Family):
    """Exponential with ``mean``, in ``unit``."""

    family: Literal["exponential"]
    mean: Positive
    pymc_name = "Exponential"
    pymc_parameters: ClassVar[dict[str, str]] = {"mean": "scale"}
    spread = "mean"

    def __str__(self) -> str:
        """Format the prior for display."""
        return f"Exponential(mean {self.mean:g})"

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``, which is above 0."""
        return -np.asarray(value) / self.mean - np.log(self.mean)

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        with np.errstate(divide="ignore"):
            return np.asarray(-self.mean * np.log1p(-np.asarray(probability)))


class LogNormalPrior(Family):
    """Log-normal with ``median``, in ``unit``, and ``log_sd``, the SD of the log."""

    family: Literal["log-normal"]
    median: Positive
    log_sd: Annotated[float, Field(ge=1e-3, le=10)]
    pymc_name = "LogNormal"
    pymc_parameters: ClassVar[dict[str, str]] = {"log_median": "mu", "log_sd": "sigma"}
    spread = "median"

    def __str__(self) -> str:
        """Format the prior for display."""
        return f"LogNormal(median {self.median:g}, log SD {self.log_sd:g})"

    @property
    def log_median(self) -> float:
        """Mean of the log."""
        return float(np.log(self.median))

    def log_density(self, value: Array) -> Array:
        """Log density at ``value``, which is above 0."""
        log_value = np.log(value)
        return _log_normal((log_value - self.log_median) / self.log_sd) - np.log(self.log_sd) - log_value

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        return np.asarray(self.median * np.exp(self.log_sd * ndtri(probability)))


Prior = Annotated[NormalPrior | HalfNormalPrior | StudentTPrior | NormalMixturePrior, Field(discriminator="family")]
"""Prior families for a mean impact."""

ScalePrior = Annotated[
    HalfNormalPrior | HalfStudentTPrior | ExponentialPrior | LogNormalPrior, Field(discriminator="family")
]
"""Prior families for a standard deviation."""


def prior(table: Mapping[str, object]) -> Family:
    """Build a prior from a table as in a spec: ``{"family": "normal", "mean": 0.0, "sd": 1.0}``.

    ``unit``, ``why`` and ``source`` may be omitted.

    Raises
    ------
    SpecError
        The family, or one of its parameters, is not allowed.
    """
    stated = {"unit": "as the data", "why": "stated in a call", "source": "assumption", **table}
    try:
        return _Any.model_validate({"prior": stated}).prior
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(str(step) for step in found["loc"][2:])
        raise SpecError(f"prior {dict(table)!r}: {where + ': ' if where else ''}{found['msg']}") from error


class _Any(Frozen):
    prior: Annotated[
        NormalPrior
        | HalfNormalPrior
        | StudentTPrior
        | NormalMixturePrior
        | HalfStudentTPrior
        | ExponentialPrior
        | LogNormalPrior,
        Field(discriminator="family"),
    ]


def _log_normal(z: Array) -> Array:
    """Log density of a standard normal."""
    return np.asarray(-0.5 * np.square(z) - 0.5 * np.log(2 * np.pi))
