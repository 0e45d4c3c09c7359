"""What figures share: published is black and hollow, ours blue and filled; colours and marks all can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.core.errors import HltBayesError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    AxesGiven = Axes | Sequence[Axes] | np.ndarray | None
    """Panels to draw on: one, or as many as a figure has; without, a new figure."""

OURS = "#0072B2"
PUBLISHED = "black"
UNFILTERED = "#D55E00"
SPECTRUM = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of so many inches, without a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def panels(
    count: int,
    ax: AxesGiven,
    *,
    columns: int,
    size: tuple[float, float],
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Take the panels of ``ax``, or make a figure of ``size`` inches with so many, in rows of ``columns``.

    Raises
    ------
    HltBayesError
        ``ax`` holds more or fewer than ``count``.
    """
    if ax is None:
        figure = new_figure(*size)
        rows = -(-count // columns)
        made = figure.subplots(rows, min(columns, count), squeeze=False, sharex=sharex, sharey=sharey).ravel()
        for spare in made[count:]:
            spare.remove()
        return figure, list(made[:count])
    given: list[Axes] = list(np.ravel(np.asarray(ax, dtype=object)))
    if len(given) != count:
        raise HltBayesError(f"ax: {len(given)} given; this figure has {count} panel(s), and needs one Axes for each")
    of_given = given[0].get_figure(root=True)
    if of_given is None:
        raise HltBayesError("ax: its figure is gone; give Axes of a figure")
    return of_given, given


def legend(figure: Figure, axes: Sequence[Axes], ax: AxesGiven, *, columns: int, small: bool = False) -> None:
    """Explain the marks of the first panel: below a figure of ours, inside the last panel of somebody's own."""
    handles, labels = axes[0].get_legend_handles_labels()
    size = {"fontsize": 8} if small else {}
    if ax is None:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, **size)
    else:
        axes[-1].legend(handles, labels, frameon=False, **size)
