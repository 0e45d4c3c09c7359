"""Figures show the numbers of their tables."""

import numpy as np
from matplotlib.collections import LineCollection

from hlt_bayes.plots import plot_impacts, plot_returns


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
