"""Random number streams for synthetic records, and columns in the dtypes of the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import GROUPS
from hlt_bayes.ipd.data.schema import COLUMNS, DTYPES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.integer]
Flags = npt.NDArray[np.bool_]
Values = Floats | pd.api.extensions.ExtensionArray
"""A column of a frame."""


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random number generator of one purpose."""
    return np.random.default_rng(stream_seed(seed, f"twin {purpose}"))


def figures(tables: Mapping[Any, Any], name: str = "value") -> Floats:
    """Return one value of a spec's tables by trial group."""
    return np.array([getattr(tables[group], name) for group in GROUPS], dtype=float)


def column_of(name: str, values: npt.NDArray[Any], missing: Flags | None = None) -> Values:
    """Convert values to the dtype of the column ``name``; categories are given as positions of their codes."""
    column = COLUMNS[name]
    absent = np.zeros(len(values), bool) if missing is None else missing
    if column.kind == "category":
        codes = np.where(absent, -1, values).astype(np.int8)
        return pd.Categorical.from_codes(codes, categories=pd.Index(column.codes))
    if column.kind == "flag":
        return pd.arrays.BooleanArray(values.astype(bool), absent.copy())
    if column.kind == "count":
        return pd.arrays.IntegerArray(np.where(absent, 0, values).astype(np.int32), absent.copy())
    if column.kind == "number":
        return np.where(absent, np.nan, values)
    dtype: Any = DTYPES[column.kind]
    held: Values = pd.array(values, dtype=dtype)
    return held


def standardised(values: Floats) -> Floats:
    """Standardise to mean 0 and SD 1."""
    spread = values.std()
    return (values - values.mean()) / (spread if spread > 0 else 1.0)


def group_means(values: Floats, places: Integers, count: int) -> Floats:
    """Mean by place; 0 where there are no people."""
    people = np.bincount(places, minlength=count)
    return np.bincount(places, weights=values, minlength=count) / np.maximum(people, 1)
