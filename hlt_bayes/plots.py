"""Figures: what is published in black and hollow, what is ours in blue and filled."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.impacts import INTERVALS
from hlt_bayes.vocabulary import OUTCOMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS = "#0072B2"
PUBLISHED = "black"
UNFILTERED = "#D55E00"
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
    figure = _figure(9.0, max(2.6, 0.42 * rows + 0.5) * ((len(outcomes) + 1) // 2) + 0.8)
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


def plot_returns(economics: xr.Dataset) -> Figure:
    """Draw the posterior of the gross benefit per £1, a panel per perspective, beside what was published.

    Parameters
    ----------
    economics
        Dataset of ``hlt_bayes.economics.appraise``.
    """
    perspectives = list(economics["perspective"].to_numpy())
    figure = _figure(9.0, 4.2)
    axes = figure.subplots(1, len(perspectives), squeeze=False, sharey=True)
    for axis, name in zip(axes.flat, perspectives[::-1], strict=True):
        _return_panel(axis, economics.sel(perspective=name), str(name))
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _return_panel(axis: Axes, economics: xr.Dataset, perspective: str) -> None:
    groups = list(economics["group"].to_numpy())
    height = np.arange(len(groups))[::-1].astype(float)
    draws = economics["benefit_cost_ratio"].stack(sample=("chain", "draw")).transpose("group", "sample").to_numpy()
    low, high = np.quantile(draws, [0.001, 0.999])
    edges = np.linspace(low, high, 81)
    for base, row in zip(height, draws, strict=True):
        counts, _ = np.histogram(row, bins=edges, density=True)
        shape = base + 0.8 * counts / counts.max()
        axis.stairs(shape, edges, baseline=base, fill=True, color=OURS, alpha=0.35)
        axis.hlines(base, *np.quantile(row, INTERVALS[89]), color=OURS, linewidth=3.0)
    axis.plot(draws.mean(axis=1), height, "o", color=OURS, label="posterior mean, 89% interval, distribution")
    axis.plot(
        economics["unfiltered"], height + 0.2, "D", color=UNFILTERED, label="no filter: printed impact, star or not"
    )
    axis.plot(
        economics["published"], height + 0.5, "s", color=PUBLISHED, markerfacecolor="white", label="published return"
    )
    if perspective == "economic":
        axis.axvline(1.0, color="black", linestyle="--", linewidth=1.0, label="£1 returns £1")
    axis.set_yticks(height, groups)
    axis.set_ylim(-0.3, len(groups) - 0.05)
    axis.set_title(f"{perspective.capitalize()} ({economics['outcome'].item()} valued)", loc="left", fontsize=11)
    axis.set_xlabel("£ of benefit per £1 of cost")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
