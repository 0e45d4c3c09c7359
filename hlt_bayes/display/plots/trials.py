"""Forest and funnel plots of the other IPS trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.display.plots.shared import OURS as POOLED
from hlt_bayes.display.plots.shared import PUBLISHED as TRIAL
from hlt_bayes.display.plots.shared import legend, names_as_they_are, panels
from hlt_bayes.likelihood import STAR_BOUNDS
from hlt_bayes.meta.effects import Z95

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hlt_bayes.display.plots.shared import AxesGiven

_CONTOURS = (
    (*STAR_BOUNDS["*"], "0.85", "p 0.05 to 0.10"),
    (*STAR_BOUNDS["**"], "0.7", "p 0.01 to 0.05; below 0.01 beyond"),
)
_TICKS = np.array([0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64])


@names_as_they_are
def plot_trials(effects: pd.DataFrame, pooled: pd.DataFrame, *, ax: AxesGiven = None) -> Figure:
    """Draw a forest plot of the trials, the largest at the bottom as in the briefing, with pooled ratios below.

    Parameters
    ----------
    effects
        Log ratios of ``effect_sizes``, with 95% normal intervals.
    pooled
        Rows of ``pooled_effects`` or ``pooled_posterior`` on the same scale: ``mean``, ``lower`` to ``upper`` (thick)
        and, if given, the prediction interval ``predicted_lower`` to ``predicted_upper`` of a new trial (thin).
    ax
        Axes to draw on.
    """
    size = (8.0, 0.32 * (len(effects) + len(pooled)) + 1.6)
    figure, (axis,) = panels(1, ax, columns=1, size=size)
    trials = effects.sort_values("people")
    height = np.arange(len(trials) + len(pooled))[::-1].astype(float)
    of_trials, of_pooled = height[: len(trials)], height[len(trials) :] - 0.5
    reach = Z95 * trials["se"]
    axis.axvline(0.0, color="0.6", linewidth=0.8)
    axis.hlines(of_trials, trials["effect"] - reach, trials["effect"] + reach, color=TRIAL, linewidth=1.0)
    axis.plot(trials["effect"], of_trials, "s", color=TRIAL, markerfacecolor="white", label="trial, 95% interval")
    axis.hlines(of_pooled, pooled["predicted_lower"], pooled["predicted_upper"], color=POOLED, linewidth=1.0)
    axis.hlines(of_pooled, pooled["lower"], pooled["upper"], color=POOLED, linewidth=3.0)
    axis.plot(
        pooled["mean"],
        of_pooled,
        "o",
        color=POOLED,
        label="pooled, 95% interval; thin: 95% prediction interval of a new trial",
    )
    names = [f"{name} (n = {people})" for name, people in trials["people"].items()]
    axis.set_yticks([*of_trials, *of_pooled], [*names, *map(str, pooled.index)])
    axis.set_ylim(of_pooled.min() - 0.6 if len(pooled) else -0.6, height.max() + 0.6)
    _ratio_axis(axis, effects)
    legend(figure, [axis], ax, columns=1)
    return figure


@names_as_they_are
def plot_funnel(effects: pd.DataFrame, mean: float, *, ax: AxesGiven = None) -> Figure:
    """Draw a contour-enhanced funnel plot: each trial's effect against its SE.

    Parameters
    ----------
    effects
        Log ratios of ``effect_sizes``.
    mean
        Pooled log ratio; dashed, with the 95% limits expected under a common effect. The shades mark p values of no
        effect: trials missing where p is large suggest publication bias, trials missing elsewhere another cause
        (Peters et al 2008).
    ax
        Axes to draw on.
    """
    figure, (axis,) = panels(1, ax, columns=1, size=(6.0, 5.0))
    deepest = 1.08 * effects["se"].max()
    for low, high, shade, label in _CONTOURS:
        for sign, name in ((-1, None), (1, label)):
            corners = [(0.0, 0.0), (sign * low * deepest, deepest), (sign * high * deepest, deepest)]
            axis.fill(*zip(*corners, strict=True), color=shade, linewidth=0.0, label=name)
    axis.plot(
        [mean - Z95 * deepest, mean, mean + Z95 * deepest],
        [deepest, 0.0, deepest],
        color=POOLED,
        linestyle="--",
        linewidth=1.0,
        label="pooled ratio, 95% limits",
    )
    axis.vlines(mean, 0.0, deepest, color=POOLED, linestyle="--", linewidth=1.0)
    axis.plot(effects["effect"], effects["se"], "o", color=TRIAL, markerfacecolor="white", label="trial")
    axis.set_ylim(deepest, 0.0)
    axis.set_ylabel("standard error of the log ratio")
    _ratio_axis(axis, effects)
    legend(figure, [axis], ax, columns=2)
    return figure


def _ratio_axis(axis: Axes, effects: pd.DataFrame) -> None:
    measure = effects.attrs.get("measure", "")
    if not measure.startswith("log "):
        raise EvidenceError(f"effects: measure {measure!r} given; must be 'log odds ratio' or 'log risk ratio'")
    left, right = axis.get_xlim()
    ticks = _TICKS[(np.log(_TICKS) >= left) & (np.log(_TICKS) <= right)]
    axis.set_xticks(np.log(ticks), [f"{tick:g}" for tick in ticks])
    axis.set_xlabel(f"{measure.removeprefix('log ')} (log scale; above 1 favours IPS)")
