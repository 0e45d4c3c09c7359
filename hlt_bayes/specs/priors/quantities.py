"""Distribution families for the quantities of an economic model."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from scipy.special import betaincinv

from hlt_bayes.core.toml import Finite, Words
from hlt_bayes.specs.priors.families import Array, LogNormalPrior
from hlt_bayes.specs.priors.reasoned import Sourced

Shape = Annotated[float, Field(ge=0.1, le=1000)]


class SettledBy(Sourced):
    """A figure that may name the unavailable document that would settle it (``settled_by``)."""

    settled_by: Words | None = None


class FixedQuantity(SettledBy):
    """A quantity taken as known: ``value``, in ``unit``."""

    family: Literal["fixed"]
    value: Finite

    def __str__(self) -> str:
        """Format the quantity for display."""
        return f"{self.value:,g}"

    @property
    def expectation(self) -> float:
        """Mean, in ``unit``."""
        return self.value

    @property
    def support(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return self.value, self.value

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        return np.full(np.shape(probability), self.value)

    def random(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Return the value repeated {sample}, as a read-only array."""
        del rng
        return np.broadcast_to(self.value, size)


class UniformQuantity(SettledBy):
    """Uniform between ``lower`` and ``upper``, in ``unit``."""

    family: Literal["uniform"]
    lower: Finite
    upper: Finite

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}; use 'fixed' for a single value")
        return self

    def __str__(self) -> str:
        """Format the quantity for display."""
        return f"Uniform({self.lower:,g}, {self.upper:,g})"

    @property
    def expectation(self) -> float:
        """Mean, in ``unit``."""
        return (self.lower + self.upper) / 2

    @property
    def support(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return self.lower, self.upper

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        return self.lower + (self.upper - self.lower) * np.asarray(probability)

    def random(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Draw independently {sample}."""
        return rng.uniform(self.lower, self.upper, size)


class BetaQuantity(SettledBy):
    """Beta-distributed share with parameters ``alpha`` and ``beta``."""

    family: Literal["beta"]
    alpha: Shape
    beta: Shape

    def __str__(self) -> str:
        """Format the quantity for display."""
        return f"Beta({self.alpha:g}, {self.beta:g})"

    @property
    def expectation(self) -> float:
        """Mean."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def support(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return 0.0, 1.0

    def quantile(self, probability: Array) -> Array:
        """Quantile at ``probability``."""
        return np.asarray(betaincinv(self.alpha, self.beta, probability))

    def random(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Draw independently {sample}."""
        return rng.beta(self.alpha, self.beta, size)


class LogNormalQuantity(LogNormalPrior, SettledBy):
    """Log-normal with ``median``, in ``unit``, and ``log_sd``, the SD of the log."""

    @property
    def expectation(self) -> float:
        """Mean, in ``unit``."""
        return float(self.median * np.exp(0.5 * self.log_sd**2))

    @property
    def support(self) -> tuple[float, float]:
        """Lower and upper bound."""
        return 0.0, float("inf")

    def random(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Draw independently {sample}."""
        drawn = rng.standard_normal(size)
        # In place: a new array at each step would take longer than the arithmetic.
        np.exp(np.multiply(drawn, self.log_sd, out=drawn), out=drawn)
        return np.multiply(drawn, self.median, out=drawn)


Amount = Annotated[FixedQuantity | UniformQuantity | LogNormalQuantity, Field(discriminator="family")]
"""A non-negative quantity."""

Portion = Annotated[FixedQuantity | UniformQuantity | BetaQuantity, Field(discriminator="family")]
"""A share between 0 and 1."""

Quantity = FixedQuantity | UniformQuantity | BetaQuantity | LogNormalQuantity
