"""Arrays of people in a PyMC model: always as data, never as constants.

A constant becomes part of the compiled code, and that is kept on disk from one run to the next: what it held of people
would stay there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def known(name: str, values: np.ndarray | float) -> TensorVariable:
    """Let the model in context know numbers; by a name that it knows, what it knows already."""
    return _data(name, np.asarray(values, dtype=float))


def known_positions(name: str, values: np.ndarray) -> TensorVariable:
    """Let the model in context know whole numbers, to index with; as ``known``."""
    return _data(f"{name}_position", np.asarray(values, dtype=np.int64))


def _data(name: str, values: np.ndarray) -> TensorVariable:
    import pymc as pm

    model = pm.modelcontext(None)
    return model[name] if name in model else pm.Data(name, values)
