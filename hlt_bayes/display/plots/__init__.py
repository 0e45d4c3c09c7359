"""Figures: published results in black, hollow marks; the re-analysis in blue, filled marks."""

from hlt_bayes.display.plots.impacts import plot_impacts, plot_moderators, plot_prior_posterior, plot_specs
from hlt_bayes.display.plots.returns import (
    plot_acceptability,
    plot_new_trial,
    plot_plane,
    plot_prior_grid,
    plot_returns,
    plot_tornado,
    plot_volume,
    plot_walk,
)
from hlt_bayes.display.plots.trials import plot_funnel, plot_trials

__all__ = [
    "plot_acceptability",
    "plot_funnel",
    "plot_impacts",
    "plot_moderators",
    "plot_new_trial",
    "plot_plane",
    "plot_prior_grid",
    "plot_prior_posterior",
    "plot_returns",
    "plot_specs",
    "plot_tornado",
    "plot_trials",
    "plot_volume",
    "plot_walk",
]
