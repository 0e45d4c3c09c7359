"""A table as a reader sees it: one form for terminal, page and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table of formatted cells: the first column heads its rows, ``notes`` stand below it.

    ``frame`` holds the values that it shows as they are, for machines: not rounded, in the units of this package.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    frame: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)


def frame_csv(frame: pd.DataFrame) -> str:
    """Write a frame with all its columns."""
    return frame.to_csv(index=False)
