"""Figures of returns: posterior, prior grid, bridge, acceptability, cost-effectiveness, tornado, volume, new trial."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.display.plots.shared import (
    MARKERS,
    OURS,
    PUBLISHED,
    SPECTRUM,
    UNFILTERED,
    legend,
    names_as_they_are,
    panels,
)
from hlt_bayes.impacts.draws import INTERVALS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hlt_bayes.display.plots.shared import AxesGiven


@names_as_they_are
def plot_returns(economics: xr.Dataset, *, ax: AxesGiven = None) -> Figure:
    """Draw the posterior of the gross benefit per £1 beside the published return, one panel per perspective.

    Parameters
    ----------
    economics
        Dataset of ``hlt_bayes.appraise``.
    ax
        Axes to draw on, one for each perspective, the last first.
    """
    perspectives = list(economics["perspective"].to_numpy())
    figure, axes = panels(len(perspectives), ax, columns=len(perspectives), size=(9.0, 4.2), sharey=True)
    for axis, name in zip(axes, perspectives[::-1], strict=True):
        _return_panel(axis, economics.sel(perspective=name), str(name))
    legend(figure, axes, ax, columns=2)
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
    axis.plot(
        draws.mean(axis=1), height, "o", color=OURS, label="re-analysis: posterior mean, 89% interval, distribution"
    )
    axis.plot(
        economics["unfiltered"],
        height + 0.2,
        "D",
        color=UNFILTERED,
        label="no filter: published impact, significant or not",
    )
    axis.plot(
        economics["published"], height + 0.5, "s", color=PUBLISHED, markerfacecolor="white", label="published return"
    )
    if perspective == "economic":
        axis.axvline(1.0, color="black", linestyle="--", linewidth=1.0, label="£1 returns £1")
    axis.set_yticks(height, groups)
    axis.set_ylim(-0.3, len(groups) - 0.05)
    outcomes = dict.fromkeys(str(name) for name in economics["outcome"][economics["counted"]].to_numpy())
    valued = f" ({next(iter(outcomes))} valued)" if len(outcomes) == 1 else ""
    axis.set_title(f"{perspective.capitalize()}{valued}", loc="left", fontsize=11)
    axis.set_xlabel("£ of benefit per £1 of cost")


@names_as_they_are
def plot_prior_grid(grid: pd.DataFrame, *, perspective: str = "economic", ax: AxesGiven = None) -> Figure:
    """Draw the probability that £1 returns more than £1 against the scales of the priors, one panel per group.

    Parameters
    ----------
    grid
        Table of ``hlt_bayes.prior_grid``.
    perspective
        Perspective of the returns.
    ax
        Axes to draw on, one for each group.
    """
    grid = grid[grid["perspective"] == perspective]
    groups, mu, se = (list(dict.fromkeys(grid[name])) for name in ("group", "mu_factor", "se_factor"))
    size = (2.3 * len(groups) + 0.6, 3.6)
    figure, axes = panels(len(groups), ax, columns=len(groups), size=size, sharey=True)
    for axis, group in zip(axes, groups, strict=True):
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
        axis.set_xlabel("factor on prior scale of tau")
    axes[0].set_ylabel("P(£1 returns more than £1)")
    legend(figure, axes, ax, columns=3, small=True)
    return figure


@names_as_they_are
def plot_walk(steps: pd.DataFrame, *, perspective: str = "economic", ax: AxesGiven = None) -> Figure:
    """Draw the bridge from the published to the re-analysed return, one panel per group.

    Parameters
    ----------
    steps
        Table of ``hlt_bayes.walk``.
    perspective
        Perspective of the returns.
    ax
        Axes to draw on, one for each group.
    """
    steps = steps[steps["perspective"] == perspective]
    groups = list(dict.fromkeys(steps["group"]))
    size = (2.1 * len(groups) + 2.6, 3.8)
    figure, axes = panels(len(groups), ax, columns=len(groups), size=size, sharex=True, sharey=True)
    for axis, group in zip(axes, groups, strict=True):
        rows = steps[steps["group"] == group].reset_index(drop=True)
        height = np.arange(len(rows))[::-1].astype(float)
        axis.axvline(1.0, color="black", linestyle="--", linewidth=1.0)
        axis.plot(rows["mean"], height, color="0.7", linewidth=0.8, zorder=0)
        point = rows["lower_89"].isna()
        axis.hlines(height[~point], rows["lower_89"][~point], rows["upper_89"][~point], color=OURS, linewidth=3.0)
        axis.plot(
            rows["mean"][point],
            height[point],
            "s",
            color=PUBLISHED,
            markerfacecolor="white",
            label="from published values",
        )
        axis.plot(
            rows["mean"][~point], height[~point], "o", color=OURS, label="re-analysis: posterior mean, 89% interval"
        )
        axis.set_title(str(group), loc="left", fontsize=11)
        axis.set_xlabel("£ of benefit per £1")
    axes[0].set_yticks(height, rows["label"])
    legend(figure, axes, ax, columns=2)
    return figure


@names_as_they_are
def plot_acceptability(curve: pd.DataFrame, *, perspective: str = "economic", ax: AxesGiven = None) -> Figure:
    """Draw acceptability curves: by threshold on the return per £1, or by price of one benefit; one line per group.

    Parameters
    ----------
    curve
        Table of ``hlt_bayes.acceptability`` or ``acceptability_of_price``.
    perspective
        Perspective of the returns.
    ax
        Axes to draw on.
    """
    curve = curve[curve["perspective"] == perspective]
    column = "threshold" if "threshold" in curve else "price"
    figure, (axis,) = panels(1, ax, columns=1, size=(6.5, 4.0))
    for number, (group, rows) in enumerate(curve.groupby("group", sort=False)):
        colour, marker = SPECTRUM[number % len(SPECTRUM)], MARKERS[number % len(MARKERS)]
        every = max(1, len(rows) // 8)
        axis.plot(rows[column], rows["probability"], color=colour, marker=marker, markevery=every, label=str(group))
    axis.axhline(0.5, color="0.6", linewidth=0.8)
    axis.set_ylim(0, 1)
    if column == "threshold":
        axis.axvline(1.0, color="black", linestyle="--", linewidth=1.0)
        axis.set_xlabel("threshold, £ of benefit per £1 of cost")
        axis.set_ylabel("P(£1 returns more)")
    else:
        axis.xaxis.set_major_formatter("£{x:,.0f}")
        axis.set_xlabel("price per unit of effect, such as the value of a QALY")
        axis.set_ylabel("P(benefits exceed costs)")
    axis.legend(frameon=False)
    return figure


@names_as_they_are
def plot_plane(
    effects: xr.DataArray, cost: xr.DataArray, *, unit: str, price: float | None = None, ax: AxesGiven = None
) -> Figure:
    """Draw the cost-effectiveness or cost-benefit plane: effect and cost of each draw, one panel per group.

    Parameters
    ----------
    effects
        Draws {chain, draw, group} of ``hlt_bayes.economics.effects_per_head``, or of ``benefit_per_head``.
    cost
        ``cost_per_head`` {chain, draw, group} of an appraisal.
    unit
        Unit of the effects.
    price
        Willingness to pay, £ per unit of effect (1 if effects are in £); draws right of the dashed line are worth their
        cost.
    ax
        Axes to draw on, one for each group.
    """
    groups = [str(name) for name in effects["group"].to_numpy()]
    size = (2.1 * len(groups) + 0.8, 3.2)
    figure, axes = panels(len(groups), ax, columns=len(groups), size=size, sharex=True, sharey=True)
    for axis, group in zip(axes, groups, strict=True):
        x, y = (one.sel(group=group).to_numpy().ravel() for one in (effects, cost))
        every = max(1, x.size // 2000)
        axis.plot(x[::every], y[::every], ".", color=OURS, markersize=1.5, alpha=0.4, rasterized=True)
        axis.plot(x.mean(), y.mean(), "o", color=PUBLISHED)
        axis.axvline(0.0, color="0.4", linewidth=0.8)
        if price is None:
            said = f"{(x > 0).mean():.0%} above 0"
        else:
            axis.axline((0.0, 0.0), slope=price, color="black", linestyle="--", linewidth=1.0)
            said = f"{(price * x > y).mean():.0%} worth it"
        axis.set_title(f"{group}: {said}", loc="left", fontsize=9)
        axis.set_xlabel(f"{unit} per person")
    axes[0].set_ylabel("cost, £ per person")
    axes[0].yaxis.set_major_formatter("£{x:,.0f}")
    axes[0].set_ylim(bottom=0)
    return figure


@names_as_they_are
def plot_tornado(
    moved: pd.DataFrame,
    labels: Mapping[str, str],
    *,
    group: str,
    perspective: str = "economic",
    ax: AxesGiven = None,
) -> Figure:
    """Draw a tornado plot of the mean return: one quantity varied at a time, the widest bar on top.

    Parameters
    ----------
    moved
        Table of ``hlt_bayes.tornado``.
    labels
        Name of each quantity, by its key.
    group, perspective
        Group and perspective of the return.
    ax
        Axes to draw on.
    """
    rows = moved[(moved["group"] == group) & (moved["perspective"] == perspective)]
    rows = rows.assign(width=(rows["high"] - rows["low"]).abs())
    rows = rows[rows["width"] > 0.001].sort_values("width")
    figure, (axis,) = panels(1, ax, columns=1, size=(7.5, 0.32 * len(rows) + 1.2))
    height = np.arange(len(rows))
    for end, colour, hatch, label in (
        ("low", UNFILTERED, "//", "at the low end of its 89% interval"),
        ("high", OURS, "", "at the high end"),
    ):
        width = rows[end] - rows["base"]
        axis.barh(height, width, left=rows["base"], color=colour, hatch=hatch, edgecolor="white", label=label)
    axis.axvline(rows["base"].iloc[0], color="black", linewidth=0.8)
    axis.axvline(1.0, color="black", linestyle="--", linewidth=1.0)
    axis.set_yticks(height, [labels[key] for key in rows["quantity"]])
    axis.set_xlabel("mean £ of benefit per £1 of cost")
    axis.set_title(f"{group}, {perspective}", loc="left", fontsize=11)
    legend(figure, [axis], ax, columns=2, small=True)
    return figure


@names_as_they_are
def plot_volume(curve: pd.DataFrame, *, perspective: str = "economic", ax: AxesGiven = None) -> Figure:
    """Draw the return at the planned volume against the fixed share of the cost, one line per group.

    Parameters
    ----------
    curve
        Table of ``hlt_bayes.volume_curve``.
    perspective
        Perspective of the returns.
    ax
        Axes to draw on: one for the cost, one for the return.
    """
    curve = curve[curve["perspective"] == perspective]
    figure, axes = panels(2, ax, columns=2, size=(8.5, 3.8))
    for number, (group, rows) in enumerate(curve.groupby("group", sort=False)):
        style: dict[str, Any] = {"color": SPECTRUM[number], "marker": MARKERS[number], "label": str(group)}
        axes[0].plot(rows["fixed_share"], rows["cost_per_head_gbp"], **style)
        axes[1].plot(rows["fixed_share"], rows["mean"], **style)
    axes[0].set_ylabel("cost per person")
    axes[0].yaxis.set_major_formatter("£{x:,.0f}")
    axes[1].set_ylabel("mean £ of benefit per £1 of cost")
    axes[1].axhline(1.0, color="black", linestyle="--", linewidth=1.0)
    for axis in axes:
        axis.set_xlabel("fixed share of the cost")
        axis.set_ylim(bottom=0)
    axes[1].legend(frameon=False, ncols=2, fontsize=8)
    return figure


@names_as_they_are
def plot_new_trial(trials: pd.DataFrame, *, perspective: str = "economic", ax: AxesGiven = None) -> Figure:
    """Draw the value of a new trial to the decision, and its cost, against its size.

    Parameters
    ----------
    trials
        Table of ``hlt_bayes.new_trial``.
    perspective
        Perspective of the decision.
    ax
        Axes to draw on.
    """
    rows = trials[trials["perspective"] == perspective]
    figure, (axis,) = panels(1, ax, columns=1, size=(6.5, 4.0))
    for column, colour, style, label in (
        ("value_of_decision_gbp", OURS, "-", "value of sample information"),
        ("cost_gbp", UNFILTERED, "--", "cost of the trial"),
    ):
        axis.plot(rows["per_arm"], rows[column] / 1e6, style, color=colour, marker="o", markersize=3, label=label)
    limit = rows["limit_gbp"].iloc[0] * (rows["value_of_decision_gbp"] / rows["value_gbp"]).max() / 1e6
    if np.isfinite(limit):
        axis.axhline(limit, color=PUBLISHED, linestyle=":", label="value of perfect information on impacts")
    axis.set_xscale("log")
    axis.set_xlabel("people per arm")
    axis.set_ylabel("£ million")
    axis.set_ylim(bottom=0)
    axis.set_title(str(rows["group"].iloc[0]), loc="left", fontsize=11)
    axis.legend(frameon=False)
    return figure
