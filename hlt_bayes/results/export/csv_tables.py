"""CSV files with metadata in comments, read identically by pandas, R and spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""First characters that a spreadsheet interprets as the start of a formula (formula injection)."""


def comments(metadata: Mapping[str, str], notes: Iterable[str] = ()) -> str:
    """Return ``# key: value`` lines, and a ``# note:`` line for each note."""
    lines = [*metadata.items(), *(("note", note) for note in notes)]
    return "".join(f"# {key}: {' '.join(value.split())}\n" for key, value in lines)


def write_csv(table: pd.DataFrame, path: Path, metadata: Mapping[str, str], notes: Iterable[str] = ()) -> None:
    """Write a table below its comments: text quoted, numbers at full precision, missing values as NA."""
    safe = table.rename(columns=safe_text)
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = safe[name].map(safe_text)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(comments(metadata, notes))
        text = safe.to_csv(index=False, na_rep="NA", quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        # NA is not quoted: some readers treat a column with a quoted NA as text.
        file.write(text.replace('"NA"', "NA"))


def safe_text(value: object) -> object:
    """Prefix an apostrophe to text that a spreadsheet would interpret as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value
