"""The schema as a table."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.ipd.data.schema import COLUMNS, FIRST_DAY, LAST_DAY, Column


def schema_table() -> pd.DataFrame:
    """List the columns that records may have.

    Returns
    -------
    pandas.DataFrame
        One row per column: name, label, kind, unit, allowed, people (those who may have a value), required,
        source.
    """
    return pd.DataFrame(
        [
            {
                "name": name,
                "label": column.label,
                "kind": column.kind,
                "unit": column.unit,
                "allowed": _allowed(column),
                "people": column.people,
                "required": column.required,
                "source": column.source,
            }
            for name, column in COLUMNS.items()
        ]
    )


def _allowed(column: Column) -> str:
    if column.kind == "category":
        return "; ".join(column.codes)
    if column.kind == "flag":
        return "true; false"
    if column.kind == "date":
        return f"{FIRST_DAY} to {LAST_DAY}"
    if column.kind == "identifier":
        return "text"
    if column.upper < float("inf"):
        return f"{column.lower:,.10g} to {column.upper:,.10g}"
    return f"{column.lower:,.10g} or more" if column.lower > float("-inf") else "any number"
