"""Shared figure style: published in black and hollow, re-analysis in blue and filled; a colour-blind-safe palette."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.core.errors import HltBayesError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    AxesGiven = Axes | Sequence[Axes] | np.ndarray | None
    """Axes to draw on, one per panel; ``None`` makes a new figure."""

OURS = "#0072B2"
PUBLISHED = "black"
UNFILTERED = "#D55E00"
SPECTRUM = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")


def names_as_they_are[**P, T](plot: Callable[P, T]) -> Callable[P, T]:
    """Let a function draw dollar signs in names as they are, which Matplotlib would read as mathematics."""

    @functools.wraps(plot)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        import matplotlib as mpl

        with mpl.rc_context({"text.parse_math": False}):
            return plot(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """Make a figure of ``width`` by ``height`` inches, without a window."""
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
    """Return the panels of ``ax``, or make a figure of ``size`` inches with ``count`` panels in rows of ``columns``.

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
        raise HltBayesError(f"ax: {len(given)} given; this figure has {count} panel(s) and needs one Axes for each")
    of_given = given[0].get_figure(root=True)
    if of_given is None:
        raise HltBayesError("ax: these Axes no longer belong to a figure; give Axes that do")
    return of_given, given


def legend(figure: Figure, axes: Sequence[Axes], ax: AxesGiven, *, columns: int, small: bool = False) -> None:
    """Add the legend of the first panel: below a new figure, or inside the last panel of given axes."""
    handles, labels = axes[0].get_legend_handles_labels()
    size = {"fontsize": 8} if small else {}
    if ax is None:
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, **size)
    else:
        axes[-1].legend(handles, labels, frameon=False, **size)
