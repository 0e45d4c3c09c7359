"""Figures: what is published in black and hollow, what is ours in blue and filled."""

from __future__ import annotations

from itertools import cycle, product
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
SPECTRUM = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")
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
    figure = _figure(9.0, max(3.0, 0.16 * len(names) * (len(specs) + 1)) * ((len(outcomes) + 1) // 2) + 0.8)
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


def plot_prior_grid(grid: pd.DataFrame, *, perspective: str = "economic") -> Figure:
    """Draw how the probability that £1 returns more than £1 moves with the scales of the priors, a panel per group.

    Parameters
    ----------
    grid
        Table of ``hlt_bayes.checks.prior_grid``.
    perspective
        Whose returns.
    """
    grid = grid[grid["perspective"] == perspective]
    groups, mu, se = (list(dict.fromkeys(grid[name])) for name in ("group", "mu_factor", "se_factor"))
    figure = _figure(2.3 * len(groups) + 0.6, 3.6)
    axes = figure.subplots(1, len(groups), squeeze=False, sharey=True)
    for axis, group in zip(axes.flat, groups, strict=True):
        for (number, factor), (style, ratio) in product(enumerate(mu), zip(cycle(("-", "--", ":")), se, strict=False)):
            rows = grid[(grid["group"] == group) & (grid["mu_factor"] == factor) & (grid["se_factor"] == ratio)]
            label = f"mu x {factor:g}, SE ratio x {ratio:g}"
            colour = SPECTRUM[number % len(SPECTRUM)]
            axis.plot(
                rows["tau_factor"], rows["prob_above_one"], style, color=colour, marker="o", markersize=3, label=label
            )
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}")
        axis.set_ylim(0, 1)
        axis.axhline(0.5, color="0.6", linewidth=0.8)
        axis.set_title(str(group), loc="left", fontsize=11)
        axis.set_xlabel("prior scale of tau, times")
    axes.flat[0].set_ylabel("P(£1 returns more than £1)")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")
