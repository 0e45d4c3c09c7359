"""Figures: what is published in black and hollow, what is ours in blue and filled."""

from hlt_bayes.plots.impacts import plot_impacts, plot_specs
from hlt_bayes.plots.returns import (
    plot_acceptability,
    plot_new_trial,
    plot_plane,
    plot_prior_grid,
    plot_returns,
    plot_tornado,
    plot_volume,
    plot_walk,
)

__all__ = [
    "plot_acceptability",
    "plot_impacts",
    "plot_new_trial",
    "plot_plane",
    "plot_prior_grid",
    "plot_returns",
    "plot_specs",
    "plot_tornado",
    "plot_volume",
    "plot_walk",
]
