"""Correlation matrices from partial correlations: Lewandowski, Kurowicka and Joe (2009), section 2.

PyMC's own ``LKJCorr`` gives the same distribution from a larger graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def lkj_factor(name: str, labels: list[str], *, eta: float) -> TensorVariable:
    """Cholesky factor of a correlation matrix with an LKJ prior, in the model in context.

    ``name`` {``name``_pair} has one number in (0, 1) for each pair of ``labels``: (1 + r) / 2, where r is their partial
    correlation given the labels before both.
    """
    import pymc as pm
    import pytensor.tensor as pt

    size = len(labels)
    pairs = [(row, column) for column in range(size) for row in range(column + 1, size)]
    pm.modelcontext(None).add_coord(f"{name}_pair", [f"{labels[row]}, {labels[column]}" for row, column in pairs])
    shape = np.array([eta + (size - 2 - column) / 2 for _, column in pairs])
    partial = 2 * pm.Beta(name, shape, shape, dims=f"{name}_pair") - 1
    position = {pair: partial[i] for i, pair in enumerate(pairs)}
    rows = []
    for row in range(size):
        left, entries = pt.constant(1.0), []
        for column in range(row):
            entries.append(position[row, column] * left)
            left = left * pt.sqrt(1 - position[row, column] ** 2)
        rows.append(pt.stack([*entries, left, *[pt.constant(0.0)] * (size - row - 1)]))
    return pt.stack(rows)
