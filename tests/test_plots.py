"""Figures show the numbers of their tables."""

import numpy as np
from matplotlib.collections import LineCollection

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
from hlt_bayes.plots import (
    plot_acceptability,
    plot_impacts,
    plot_new_trial,
    plot_plane,
    plot_returns,
    plot_tornado,
    plot_volume,
    plot_walk,
)


def line(axis, label):
    return next(line for line in axis.lines if line.get_label().startswith(label))


def test_the_forest_shows_printed_and_posterior_in_display_units(analysis):
    axis = plot_impacts(analysis.comparison).axes[0]
    rows = analysis.comparison.query("outcome == 'employment'")
    np.testing.assert_allclose(line(axis, "published").get_xdata(), 100 * rows["published"])
    np.testing.assert_allclose(line(axis, "posterior").get_xdata(), 100 * rows["mean"])
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
    np.testing.assert_allclose(line(economic, "posterior").get_xdata(), rows["mean"])
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
    np.testing.assert_allclose(line(axis, "its cost").get_ydata(), rows["cost_gbp"] / 1e6)
    np.testing.assert_allclose(line(axis, "worth of what").get_ydata(), rows["value_of_decision_gbp"] / 1e6)
