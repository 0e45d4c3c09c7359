"""CSV files that say in comments what they hold, and are read alike by pandas, R and a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters of a text that a spreadsheet would take for a formula."""


def comments(said: Mapping[str, str], notes: Iterable[str] = ()) -> str:
    """Write ``# key: value`` lines, and a ``# note:`` line for each note."""
    lines = [*said.items(), *(("note", note) for note in notes)]
    return "".join(f"# {key}: {' '.join(value.split())}\n" for key, value in lines)


def write_csv(table: pd.DataFrame, path: Path, said: Mapping[str, str], notes: Iterable[str] = ()) -> None:
    """Write a table under its comments; texts in quotes, numbers with all their digits, what is missing as NA."""
    safe = table.rename(columns=safe_text)
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = safe[name].map(safe_text)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(comments(said, notes))
        text = safe.to_csv(index=False, na_rep="NA", quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        # What is missing stands without quotes: some readers take a column with a quoted NA for text.
        file.write(text.replace('"NA"', "NA"))


def safe_text(value: object) -> object:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
