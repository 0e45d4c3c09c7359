"""Figures show the numbers of their tables."""

import numpy as np

from hlt_bayes.plots import plot_impacts, plot_returns


def line(axis, label):
    return next(line for line in axis.lines if line.get_label().startswith(label))


def test_the_forest_shows_printed_and_posterior_in_display_units(analysis):
    axis = plot_impacts(analysis.comparison).axes[0]
    rows = analysis.comparison.query("outcome == 'employment'")
    np.testing.assert_allclose(line(axis, "published").get_xdata(), 100 * rows["published"])
    np.testing.assert_allclose(line(axis, "posterior").get_xdata(), 100 * rows["mean"])
    assert [label.get_text() for label in axis.get_yticklabels()] == rows["group"].tolist()
    assert "ppt" in axis.get_xlabel()


def test_returns_show_the_line_at_one_pound(analysis):
    figure = plot_returns(analysis.draws["economics"].dataset)
    economic = next(axis for axis in figure.axes if axis.get_title("left").startswith("Economic"))
    rows = analysis.returns.query("perspective == 'economic'")
    np.testing.assert_allclose(line(economic, "posterior").get_xdata(), rows["mean"])
    np.testing.assert_allclose(line(economic, "published").get_xdata(), rows["published"])
    assert set(line(economic, "£1").get_xdata()) == {1.0}
