"""Partially non-centred parameterisation: NUTS moves what is left of a normal parameter given prior and data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.transforms import Transform

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


class Conditional(Transform):  # type: ignore[misc]
    """Standardise a parameter by its posterior given the prior's mean and SD, were its likelihood normal.

    With ``estimate`` and ``se`` of the likelihood the value walked is nearly standard normal whatever the prior's SD:
    neither the centred nor the non-centred form, but the one between them that the data ask for. The density is exact.
    """

    name = "conditional"

    def __init__(self, estimate: np.ndarray, se: np.ndarray) -> None:
        self.estimate, self.precision = np.asarray(estimate), np.asarray(se) ** -2.0

    def _moments(self, inputs: tuple[Any, ...]) -> tuple[TensorVariable, TensorVariable]:
        mean, sd = inputs[-2:]
        precision = sd**-2.0 + self.precision
        return (mean * sd**-2.0 + self.estimate * self.precision) / precision, precision**-0.5

    def forward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:  # noqa: ANN401 - PyMC's own signature
        """Standardise."""
        mean, sd = self._moments(inputs)
        return (value - mean) / sd

    def backward(self, value: TensorVariable, *inputs: Any) -> TensorVariable:  # noqa: ANN401
        """Undo ``forward``."""
        mean, sd = self._moments(inputs)
        return mean + sd * value

    def log_jac_det(self, value: TensorVariable, *inputs: Any) -> TensorVariable:  # noqa: ANN401
        """Log of the SD, by element."""
        _, sd = self._moments(inputs)
        return pt.log(sd) + pt.zeros_like(value)
