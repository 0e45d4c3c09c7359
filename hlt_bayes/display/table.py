"""The table type shared by terminal, page and JSON."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Table:
    """A table of formatted cells, with row headings in the first column and ``notes`` below.

    ``frame`` holds the underlying values for machine use: unrounded, in the units of this package.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    frame: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False, repr=False)


def frame_csv(frame: pd.DataFrame) -> str:
    """Format a frame as CSV, without its index."""
    return frame.to_csv(index=False)
