"""Figures of impacts: beside the published ones, and by spec."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hlt_bayes.impacts import INTERVALS
from hlt_bayes.plots.shared import MARKERS, OURS, PUBLISHED, SPECTRUM, new_figure
from hlt_bayes.vocabulary import OUTCOMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Z89 = NormalDist().inv_cdf(INTERVALS[89][1])


def plot_impacts(comparison: pd.DataFrame) -> Figure:
    """Draw the forest of impacts: posterior beside the printed result, a panel per outcome.

    Parameters
    ----------
    comparison
        Table of ``hlt_bayes.comparison.compare``. Printed results get an 89 % interval from the SE
        recovered for them; pooled rows have none.
    """
    outcomes = list(dict.fromkeys(comparison["outcome"]))
    rows = comparison.groupby("outcome").size().max()
    figure = new_figure(9.0, max(2.6, 0.42 * rows + 0.5) * ((len(outcomes) + 1) // 2) + 0.8)
    axes = figure.subplots((len(outcomes) + 1) // 2, min(2, len(outcomes)), squeeze=False)
    for axis, outcome in zip(axes.flat, outcomes, strict=False):
        _impact_panel(axis, comparison[comparison["outcome"] == outcome], outcome)
    for axis in axes.flat[len(outcomes) :]:
        axis.remove()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _impact_panel(axis: Axes, rows: pd.DataFrame, outcome: str) -> None:
    scale, height = OUTCOMES[outcome].display_scale, np.arange(len(rows))[::-1].astype(float)
    values = {name: rows[name].to_numpy(float) * scale for name in rows.columns if rows[name].dtype.kind == "f"}
    axis.axvline(0.0, color="0.6", linewidth=0.8)
    printed = height + 0.15
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
    posterior = height - 0.15
    axis.hlines(posterior, values["lower_95"], values["upper_95"], color=OURS, linewidth=1.0)
    axis.hlines(posterior, values["lower_89"], values["upper_89"], color=OURS, linewidth=3.0)
    axis.plot(values["mean"], posterior, "o", color=OURS, label="posterior mean, 89% and 95% interval")
    axis.set_yticks(height, rows["group"])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_title(OUTCOMES[outcome].label, loc="left", fontsize=11)
    axis.set_xlabel(f"impact, {OUTCOMES[outcome].display_unit}")


def plot_specs(impacts: pd.DataFrame) -> Figure:
    """Draw the impacts of every group by spec, a panel per outcome.

    Parameters
    ----------
    impacts
        Table of ``hlt_bayes.checks.impacts_by_spec``; trial groups are drawn, and the average.
    """
    shown = impacts[impacts["kind"].isin(["group", "average"])]
    outcomes, specs = (list(dict.fromkeys(shown[name])) for name in ("outcome", "spec"))
    names = list(dict.fromkeys(shown["estimand"]))
    figure = new_figure(9.0, max(3.0, 0.16 * len(names) * (len(specs) + 1)) * ((len(outcomes) + 1) // 2) + 0.8)
    axes = figure.subplots((len(outcomes) + 1) // 2, min(2, len(outcomes)), squeeze=False)
    for axis, outcome in zip(axes.flat, outcomes, strict=False):
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
    for axis in axes.flat[len(outcomes) :]:
        axis.remove()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(specs)), frameon=False)
    return figure
