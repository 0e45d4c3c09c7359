"""What figures share: published in black and hollow, ours in blue and filled, colours that all can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "#0072B2"
PUBLISHED = "black"
UNFILTERED = "#D55E00"
SPECTRUM = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of so many inches, without a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
