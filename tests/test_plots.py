"""Figures show the numbers of their tables."""

from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from hlt_bayes.core.errors import HltBayesError, ImpactError
from hlt_bayes.display.plots import (
    plot_acceptability,
    plot_impacts,
    plot_moderators,
    plot_new_trial,
    plot_plane,
    plot_prior_posterior,
    plot_returns,
    plot_tornado,
    plot_volume,
    plot_walk,
)
from hlt_bayes.economics import (
    acceptability,
    appraise,
    effects_per_head,
    new_trial,
    quantity_label,
    tornado,
    volume_curve,
    walk,
)
from hlt_bayes.results.figures import svg


def line(axis, label):
    return next(line for line in axis.lines if line.get_label().startswith(label))


def test_the_forest_shows_printed_and_posterior_in_display_units(analysis):
    axis = plot_impacts(analysis.comparison).axes[0]
    rows = analysis.comparison.query("outcome == 'employment'")
    np.testing.assert_allclose(line(axis, "published").get_xdata(), 100 * rows["published"])
    np.testing.assert_allclose(line(axis, "re-analysis").get_xdata(), 100 * rows["mean"])
    printed, wide, narrow = (
        [segment[:, 0] for segment in lines.get_segments() if len(segment)]
        for lines in axis.collections
        if isinstance(lines, LineCollection)
    )
    seen = rows.dropna(subset="se")
    assert len(seen) == 3
    ends = np.outer(seen["se"], [-1.59819, 1.59819]) + seen[["published"]].to_numpy()
    np.testing.assert_allclose(printed, 100 * ends, rtol=1e-4)
    np.testing.assert_allclose(wide, 100 * rows[["lower_95", "upper_95"]])
    np.testing.assert_allclose(narrow, 100 * rows[["lower_89", "upper_89"]])
    assert [label.get_text() for label in axis.get_yticklabels()] == rows["group"].tolist()
    assert "ppt" in axis.get_xlabel()


def test_returns_show_the_line_at_one_pound(analysis):
    figure = plot_returns(analysis.draws["economics"].dataset)
    economic = next(axis for axis in figure.axes if axis.get_title("left").startswith("Economic"))
    rows = analysis.returns.query("perspective == 'economic'")
    np.testing.assert_allclose(line(economic, "re-analysis").get_xdata(), rows["mean"])
    np.testing.assert_allclose(line(economic, "published").get_xdata(), rows["published"])
    bars = [np.array(bar.get_segments())[0, :, 0] for bar in economic.collections if isinstance(bar, LineCollection)]
    np.testing.assert_allclose(bars, rows[["lower_89", "upper_89"]])
    assert set(line(economic, "£1").get_xdata()) == {1.0}


def test_the_walk_is_drawn_step_by_step(drawn, evidence, published, primary, components):
    steps = walk(drawn, evidence, published, components, primary, seed=1)
    figure = plot_walk(steps)
    rows = steps[(steps["perspective"] == "economic") & (steps["group"] == "WMCA")]
    axis = next(axis for axis in figure.axes if axis.get_title("left") == "WMCA")
    path = next(line for line in axis.lines if len(line.get_xdata()) == len(rows))
    np.testing.assert_allclose(path.get_xdata(), rows["mean"])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == rows["label"].tolist()


def test_curves_show_their_tables(drawn, evidence, components):
    economics = appraise(drawn, components, evidence, seed=1)
    curve = acceptability(economics, [0.5, 1.0, 2.0])
    drawn_line = line(plot_acceptability(curve).axes[0], "WMCA")
    expected = curve[(curve["perspective"] == "economic") & (curve["group"] == "WMCA")]["probability"]
    np.testing.assert_allclose(drawn_line.get_ydata(), expected)
    volume = volume_curve(drawn, components, evidence, seed=1, fixed_shares=[0.0, 1.0])
    shown = line(plot_volume(volume).axes[1], "WMCA").get_ydata()
    np.testing.assert_allclose(
        shown, volume[(volume["perspective"] == "economic") & (volume["group"] == "WMCA")]["mean"]
    )


def test_the_plane_and_the_tornado_show_draws_and_ends(drawn, evidence, components):
    economics = appraise(drawn, components, evidence, seed=1)
    qalys = effects_per_head(economics, drawn, components, evidence)["QALY"]
    axis = plot_plane(qalys, economics["cost_per_head"], unit="QALYs").axes[3]
    assert axis.get_title("left") == f"WMCA: {(qalys.sel(group='WMCA') > 0).mean().item():.0%} above 0"
    assert "QALYs per person" in axis.get_xlabel()
    moved = tornado(drawn, components, evidence, seed=1)
    labels = {key: quantity_label(key, components) for key in moved["quantity"].unique()}
    axis = plot_tornado(moved, labels, group="WMCA").axes[0]
    assert axis.get_yticklabels()[-1].get_text() in ("Health impact", "Health: decay")


def test_a_new_trial_is_drawn_with_its_cost(drawn, evidence, primary, components):
    economics = appraise(drawn, components, evidence, seed=1)
    trials = new_trial(economics, drawn, components, primary, evidence, group="WMCA", sizes=[100, 1000])
    axis = plot_new_trial(trials).axes[0]
    rows = trials[trials["perspective"] == "economic"]
    np.testing.assert_allclose(line(axis, "cost of the trial").get_ydata(), rows["cost_gbp"] / 1e6)
    np.testing.assert_allclose(line(axis, "value of sample").get_ydata(), rows["value_of_decision_gbp"] / 1e6)


def slopes():
    rows = [
        {
            "label": label,
            "outcome": outcome,
            "mean": mean,
            "lower_89": mean - 0.1,
            "upper_89": mean + 0.1,
            "prior_sd": 0.2,
        }
        for outcome in ("employment", "health")
        for label, mean in (("Caseload", 0.01), ("Contacts", -0.02))
    ]
    return pd.DataFrame(rows)


def test_moderators_are_shown_inside_their_priors():
    employment, health = plot_moderators(slopes()).axes
    np.testing.assert_allclose(line(health, "posterior").get_xdata(), [0.01, -0.02])
    np.testing.assert_allclose(line(employment, "posterior").get_xdata(), [1.0, -2.0])
    prior, posterior = (
        [segment[:, 0] for segment in lines.get_segments()]
        for lines in health.collections
        if isinstance(lines, LineCollection)
    )
    np.testing.assert_allclose(prior, [[-0.2 * 1.59819, 0.2 * 1.59819]] * 2, rtol=1e-4)
    np.testing.assert_allclose(posterior, [[-0.09, 0.11], [-0.12, 0.08]])
    assert [label.get_text() for label in health.get_yticklabels()] == ["Caseload", "Contacts"]


def before_and_after():
    rng = np.random.default_rng(1)
    dims, coords = ("chain", "draw", "outcome"), {"outcome": ["employment", "health"]}
    return xr.DataTree.from_dict(
        {
            name: xr.Dataset(
                {
                    parameter: xr.DataArray(rng.normal(0.0, sd, size=(2, 300, 2)), dims=dims, coords=coords)
                    for parameter in ("mu", "other")
                }
            )
            for name, sd in (("prior", 0.1), ("posterior", 0.02))
        }
    )


def test_prior_and_posterior_stand_together_in_display_units():
    tree = before_and_after()
    figure = plot_prior_posterior(tree)
    titles = {axis.get_title(): axis for axis in figure.axes if axis.get_title()}
    assert set(titles) == {"mu, Employment ppt", "mu, Health SD"}
    wide, narrow = (np.ptp(drawn.get_xdata()) for drawn in titles["mu, Employment ppt"].lines)
    employment = tree["prior"]["mu"].sel(outcome="employment").to_numpy()
    assert wide == pytest.approx(100 * np.ptp(employment), rel=0.2)
    assert narrow < 0.4 * wide
    assert len({drawn.get_linestyle() for drawn in titles["mu, Health SD"].lines}) == 2
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["prior", "posterior"]


def test_draws_without_a_prior_are_refused(drawn):
    with pytest.raises(ImpactError, match="no prior and posterior draws of mu or tau"):
        plot_prior_posterior(drawn)


def test_a_plane_of_money_says_which_draws_are_worth_their_cost(drawn, evidence, components):
    economics = appraise(drawn, components, evidence, seed=1)
    benefit, cost = economics["benefit_per_head"].sel(perspective="economic"), economics["cost_per_head"]
    figure = plot_plane(benefit, cost, unit="£ of benefit", price=1.0)
    for axis, group in zip(figure.axes, benefit["group"].to_numpy(), strict=True):
        above = (economics["benefit_cost_ratio"].sel(perspective="economic", group=group) > 1).mean().item()
        assert axis.get_title(loc="left") == f"{group}: {above:.0%} worth it"


@pytest.mark.parametrize("count", [1, 3, 5])
def test_figures_are_drawn_on_axes_that_are_given(analysis, count):
    figure = Figure()
    axes = figure.subplots(1, count)
    if count != 3:
        with pytest.raises(HltBayesError, match=rf"ax: {count} given; this figure has 3 panel\(s\)"):
            plot_impacts(analysis.comparison[analysis.comparison["outcome"] != "health"], ax=axes)
        return
    drawn_on = plot_impacts(analysis.comparison[analysis.comparison["outcome"] != "health"], ax=axes)
    assert drawn_on is figure
    assert [axis.get_title(loc="left") for axis in axes] == ["Employment", "Earnings", "Wellbeing"]
    # Somebody's own figure keeps its layout: the legend stands in a panel.
    assert not figure.legends
    assert axes[-1].get_legend() is not None


def test_one_panel_takes_one_axes(drawn, evidence, components):
    economics = appraise(drawn, components, evidence, seed=1)
    axis = Figure().subplots()
    assert plot_acceptability(acceptability(economics, [0.0, 1.0, 2.0]), ax=axis) is axis.figure
    assert "£ of benefit per £1" in axis.get_xlabel()


NAMES = ["cost $5 and $6", r"$\bad{$", "x_$a^2$ & <b>"]


def test_names_with_dollar_signs_are_names_and_no_mathematics(analysis):
    renamed = dict(zip(("SCR IW", "SCR OOW", "WMCA"), NAMES, strict=True))
    comparison = analysis.comparison.assign(group=analysis.comparison["group"].replace(renamed))
    economics = analysis.draws["economics"].dataset
    groups = [renamed.get(name, name) for name in map(str, economics["group"].to_numpy())]
    for figure in (plot_impacts(comparison), plot_returns(economics.assign_coords(group=groups))):
        text = svg(figure, "figure", "made by a test")
        shown = {node.text for node in ET.fromstring(text).iter() if node.text}  # noqa: S314 - ours
        assert set(NAMES) <= shown
