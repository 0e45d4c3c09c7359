"""Individual-level arrays in a PyMC model: always as data, never as constants.

A constant becomes part of the compiled code, which is cached on disk between runs and would retain individual data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def model_data(name: str, values: np.ndarray | float) -> TensorVariable:
    """Register numbers as data of the model in context; a name in use returns its existing data."""
    return _data(name, np.asarray(values, dtype=float))


def model_index(name: str, values: np.ndarray) -> TensorVariable:
    """Register integer positions for indexing, as ``model_data`` registers numbers."""
    return _data(f"{name}_position", np.asarray(values, dtype=np.int64))


def _data(name: str, values: np.ndarray) -> TensorVariable:
    import pymc as pm

    model = pm.modelcontext(None)
    return model[name] if name in model else pm.Data(name, values)
