"""Figures of impacts: beside the published ones, by spec, before and after the data, and slopes of moderators."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.plots.shared import MARKERS, OURS, PUBLISHED, SPECTRUM, legend, panels
from hlt_bayes.impacts.draws import INTERVALS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from hlt_bayes.display.plots.shared import AxesGiven

_Z89 = NormalDist().inv_cdf(INTERVALS[89][1])

PARAMETERS = ("mu", "tau")
"""Parameters whose prior and posterior are shown, whichever of them a model has."""


def plot_impacts(comparison: pd.DataFrame, *, ax: AxesGiven = None) -> Figure:
    """Draw the forest of impacts: posterior beside the printed result, a grey line between them for the shrinkage.

    Parameters
    ----------
    comparison
        Table of ``hlt_bayes.compare``. Printed results get an 89 % interval from the SE
        recovered for them; pooled rows have none.
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
    axis.plot(values["mean"], posterior, "o", color=OURS, label="ours: posterior mean, 89% and 95% interval")
    axis.set_yticks(height, rows["group"])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_title(OUTCOMES[outcome].label, loc="left", fontsize=11)
    axis.set_xlabel(f"impact, {OUTCOMES[outcome].display_unit}")


def plot_specs(impacts: pd.DataFrame, *, ax: AxesGiven = None) -> Figure:
    """Draw the impacts of every group by spec, a panel per outcome.

    Parameters
    ----------
    impacts
        Table of ``hlt_bayes.impacts_by_spec``; trial groups are drawn, and the average.
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


def plot_prior_posterior(tree: xr.DataTree, *, backend: Literal["matplotlib", "bokeh"] = "matplotlib") -> Any:  # noqa: ANN401 - the backend's own
    """Draw prior and posterior of the mean impact and of the spread between groups, a panel per parameter and outcome.

    Parameters
    ----------
    tree
        A fit with groups ``prior`` and ``posterior`` that hold ``mu`` or ``tau``. Values are shown in the display unit
        of their outcome, which the title of a panel says.
    backend
        As arviz-plots takes it: ``"matplotlib"`` or ``"bokeh"``; the figure is one of that.

    Raises
    ------
    ImpactError
        The fit has no prior draws of any of them.
    """
    import arviz_plots as azp

    groups = {name: tree[name].dataset for name in ("prior", "posterior") if name in tree.children}
    names = [name for name in PARAMETERS if len(groups) > 1 and all(name in one for one in groups.values())]
    if not names:
        raise ImpactError(f"no draws of {' or '.join(PARAMETERS)} before and after the data; take a fit of hb.fit")
    shown = {group: xr.Dataset(_by_panel(one[names])) for group, one in groups.items()}
    collection = azp.plot_prior_posterior(
        xr.DataTree.from_dict(shown),
        backend=backend,
        kind="kde",
        col_wrap=4,
        # In black and white, colours of like lightness need another difference.
        aes={"color": ["group"], "linestyle": ["group"]},
        color=["0.4", OURS],
        linestyle=["--", "-"],
        figure_kwargs={"figsize": (11.0, 2.6 * len(names))} if backend == "matplotlib" else {},
    )
    figure = collection.viz["figure"].item()
    if backend == "matplotlib":
        from matplotlib import pyplot as plt

        # It is open there, and would be shown a second time by whoever shows what is open.
        plt.close(figure)
        figure.set_layout_engine("constrained")
        (inside,) = figure.legends
        handles, labels = inside.legend_handles, [text.get_text() for text in inside.get_texts()]
        inside.remove()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _by_panel(parameters: xr.Dataset) -> dict[str, xr.DataArray]:
    """Take parameters apart by outcome, in display units, which their names say."""
    found = {}
    for name, values in parameters.items():
        for outcome in map(str, values["outcome"].to_numpy()):
            known = OUTCOMES[outcome]
            found[f"{name}, {known.heading}"] = values.sel(outcome=outcome, drop=True) * known.display_scale
    return found


def plot_moderators(slopes: pd.DataFrame, *, ax: AxesGiven = None) -> Figure:
    """Draw what was learnt of each moderator's slope beside what its prior said, a panel per outcome.

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
