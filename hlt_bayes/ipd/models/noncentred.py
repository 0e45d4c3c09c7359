"""Partially non-centred parameterisation of normal parameters, for NUTS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.transforms import Transform

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


class Conditional(Transform):  # type: ignore[misc]
    """Standardise a parameter by its posterior under a normal likelihood, given the prior's mean and SD.

    With ``estimate`` and ``se`` of the likelihood the sampled value is nearly standard normal whatever the prior SD:
    between the centred and the non-centred form, as the data require. The density is exact.
    """

    name = "conditional"

    def __init__(self, estimate: np.ndarray, se: np.ndarray) -> None:
        self.estimate, self.precision = np.asarray(estimate), np.asarray(se) ** -2.0

    def _moments(self, inputs: tuple[Any, ...]) -> tuple[TensorVariable, TensorVariable]:
        mean, sd = inputs[-2:]
        precision = sd**-2.0 + self.precision
        return (mean * sd**-2.0 + self.estimate * self.precision) / precision, precision**-0.5

    def forward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:  # noqa: ANN401 - PyMC's own signature
        """Standardise the parameter."""
        mean, sd = self._moments(inputs)
        return (value - mean) / sd

    def backward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:  # noqa: ANN401
        """Undo ``forward``."""
        mean, sd = self._moments(inputs)
        return mean + sd * value

    def log_jac_det(self, value: TensorVariable, *inputs: Any) -> TensorVariable:  # noqa: ANN401
        """Log Jacobian: the log of the SD, by element."""
        _, sd = self._moments(inputs)
        return pt.log(sd) + pt.zeros_like(value)
