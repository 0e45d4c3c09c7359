"""Figures of impacts: against published results, by spec, prior and posterior, and moderator slopes."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.plots.shared import MARKERS, OURS, PUBLISHED, SPECTRUM, legend, names_as_they_are, panels
from hlt_bayes.impacts.draws import INTERVALS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hlt_bayes.display.plots.shared import AxesGiven

_Z89 = NormalDist().inv_cdf(INTERVALS[89][1])

PARAMETERS = ("mu", "tau")
"""Parameters whose prior and posterior are shown, if the model has them."""


@names_as_they_are
def plot_impacts(comparison: pd.DataFrame, *, ax: AxesGiven = None) -> Figure:
    """Draw a forest plot of impacts: posterior beside the published result, joined by a grey line.

    Parameters
    ----------
    comparison
        Table of ``hlt_bayes.compare``. Published results have an 89 % interval from the recovered SE; pooled rows have
        none.
    ax
        Axes to draw on, one for each outcome of the table.
    """
    outcomes = list(dict.fromkeys(comparison["outcome"]))
    rows = comparison.groupby("outcome").size().max()
    size = (9.0, max(2.6, 0.42 * rows + 0.5) * ((len(outcomes) + 1) // 2) + 0.8)
    figure, axes = panels(len(outcomes), ax, columns=2, size=size)
    for axis, outcome in zip(axes, outcomes, strict=True):
        _impact_panel(axis, comparison[comparison["outcome"] == outcome], outcome)
    legend(figure, axes, ax, columns=2)
    return figure


def _impact_panel(axis: Axes, rows: pd.DataFrame, outcome: str) -> None:
    scale, height = OUTCOMES[outcome].display_scale, np.arange(len(rows))[::-1].astype(float)
    values = {name: rows[name].to_numpy(float) * scale for name in rows.columns if rows[name].dtype.kind == "f"}
    axis.axvline(0.0, color="0.6", linewidth=0.8)
    printed, posterior = height + 0.15, height - 0.15
    axis.plot([values["published"], values["mean"]], [printed, posterior], color="0.6", linewidth=0.8, zorder=0)
    reach = _Z89 * values["se"]
    axis.hlines(printed, values["published"] - reach, values["published"] + reach, color=PUBLISHED, linewidth=1.0)
    axis.plot(
        values["published"],
        printed,
        "s",
        color=PUBLISHED,
        markerfacecolor="white",
        label="published, 89% interval from recovered SE",
    )
    axis.hlines(posterior, values["lower_95"], values["upper_95"], color=OURS, linewidth=1.0)
    axis.hlines(posterior, values["lower_89"], values["upper_89"], color=OURS, linewidth=3.0)
    axis.plot(values["mean"], posterior, "o", color=OURS, label="re-analysis: posterior mean, 89% and 95% intervals")
    axis.set_yticks(height, rows["group"])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_title(OUTCOMES[outcome].label, loc="left", fontsize=11)
    axis.set_xlabel(f"impact, {OUTCOMES[outcome].display_unit}")


@names_as_they_are
def plot_specs(impacts: pd.DataFrame, *, ax: AxesGiven = None) -> Figure:
    """Draw the impacts of every group by spec, one panel per outcome.

    Parameters
    ----------
    impacts
        Table of ``hlt_bayes.impacts_by_spec``; trial groups and their average are drawn.
    ax
        Axes to draw on, one for each outcome of the table.
    """
    shown = impacts[impacts["kind"].isin(["group", "average"])]
    outcomes, specs = (list(dict.fromkeys(shown[name])) for name in ("outcome", "spec"))
    names = list(dict.fromkeys(shown["estimand"]))
    size = (9.0, max(3.0, 0.16 * len(names) * (len(specs) + 1)) * ((len(outcomes) + 1) // 2) + 0.8)
    figure, axes = panels(len(outcomes), ax, columns=2, size=size)
    for axis, outcome in zip(axes, outcomes, strict=True):
        scale = OUTCOMES[outcome].display_scale
        axis.axvline(0.0, color="0.6", linewidth=0.8)
        for number, spec in enumerate(specs):
            rows = shown[(shown["spec"] == spec) & (shown["outcome"] == outcome)].set_index("estimand").reindex(names)
            height = np.arange(len(names))[::-1] + 0.8 * (0.5 - (number + 0.5) / len(specs))
            colour = SPECTRUM[number % len(SPECTRUM)]
            axis.hlines(height, scale * rows["lower_89"], scale * rows["upper_89"], color=colour, linewidth=1.5)
            axis.plot(
                scale * rows["mean"], height, MARKERS[number % len(MARKERS)], color=colour, markersize=4, label=spec
            )
        axis.set_yticks(np.arange(len(names))[::-1], names)
        axis.set_title(OUTCOMES[outcome].label, loc="left", fontsize=11)
        axis.set_xlabel(f"impact, {OUTCOMES[outcome].display_unit}: mean and 89% interval")
    legend(figure, axes, ax, columns=min(5, len(specs)))
    return figure


@names_as_they_are
def plot_prior_posterior(tree: xr.DataTree, *, backend: Literal["matplotlib", "bokeh"] = "matplotlib") -> Any:  # noqa: ANN401 - the backend's own
    """Draw prior and posterior of the mean impact and of tau, one panel per parameter and outcome.

    Parameters
    ----------
    tree
        A fit with groups ``prior`` and ``posterior`` that hold ``mu`` or ``tau``. Values are shown in the display unit
        of their outcome, given in the panel title.
    backend
        As in arviz-plots: ``"matplotlib"`` or ``"bokeh"``; the figure is of that type.

    Raises
    ------
    ImpactError
        The fit has no prior and posterior draws of either.
    """
    import arviz_plots as azp

    groups = {name: tree[name].dataset for name in ("prior", "posterior") if name in tree.children}
    names = [name for name in PARAMETERS if len(groups) > 1 and all(name in one for one in groups.values())]
    if not names:
        raise ImpactError(
            f"no prior and posterior draws of {' or '.join(PARAMETERS)}; give a fit made by hlt_bayes.fit"
        )
    shown = {group: xr.Dataset(_by_panel(one[names])) for group, one in groups.items()}
    collection = azp.plot_prior_posterior(
        xr.DataTree.from_dict(shown),
        backend=backend,
        kind="kde",
        col_wrap=4,
        # Line styles tell the curves apart in black and white.
        aes={"color": ["group"], "linestyle": ["group"]},
        color=["0.4", OURS],
        linestyle=["--", "-"],
        figure_kwargs={"figsize": (11.0, 2.6 * len(names))} if backend == "matplotlib" else {},
    )
    figure = collection.viz["figure"].item()
    if backend == "matplotlib":
        from matplotlib import pyplot as plt

        # An open figure would be shown twice, for example in a notebook.
        plt.close(figure)
        figure.set_layout_engine("constrained")
        (inside,) = figure.legends
        handles, labels = inside.legend_handles, [text.get_text() for text in inside.get_texts()]
        inside.remove()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _by_panel(parameters: xr.Dataset) -> dict[str, xr.DataArray]:
    """Split parameters by outcome, in display units, with the unit in the name."""
    found = {}
    for name, values in parameters.items():
        for outcome in map(str, values["outcome"].to_numpy()):
            known = OUTCOMES[outcome]
            found[f"{name}, {known.heading}"] = values.sel(outcome=outcome, drop=True) * known.display_scale
    return found


@names_as_they_are
def plot_moderators(slopes: pd.DataFrame, *, ax: AxesGiven = None) -> Figure:
    """Draw prior and posterior of each moderator's slope, one panel per outcome.

    Parameters
    ----------
    slopes
        Table of ``hlt_bayes.impacts.moderation.slopes``. The grey bar is the 89 % interval of the prior about zero.
    ax
        Axes to draw on, one for each outcome of the table.
    """
    outcomes = list(dict.fromkeys(slopes["outcome"]))
    labels = list(dict.fromkeys(slopes["label"]))
    size = (9.0, (0.3 * len(labels) + 1.0) * ((len(outcomes) + 1) // 2) + 0.6)
    figure, axes = panels(len(outcomes), ax, columns=2, size=size)
    height = np.arange(len(labels))[::-1]
    for axis, outcome in zip(axes, outcomes, strict=True):
        scale = OUTCOMES[outcome].display_scale
        rows = slopes[slopes["outcome"] == outcome].set_index("label").loc[labels]
        reach = scale * _Z89 * rows["prior_sd"]
        axis.hlines(height, -reach, reach, color="0.8", linewidth=8.0, label="prior, 89% interval")
        axis.axvline(0.0, color="0.4", linewidth=0.8)
        axis.hlines(height, scale * rows["lower_89"], scale * rows["upper_89"], color=OURS, linewidth=2.0)
        axis.plot(scale * rows["mean"], height, "o", color=OURS, label="posterior mean, 89% interval")
        axis.set_yticks(height, labels)
        axis.set_title(OUTCOMES[outcome].label, loc="left", fontsize=11)
        axis.set_xlabel(f"change in impact, {OUTCOMES[outcome].display_unit}")
    legend(figure, axes, ax, columns=2)
    return figure
