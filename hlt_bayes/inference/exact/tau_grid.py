"""Quadrature nodes and a proposal distribution for tau, the between-group SD."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from hlt_bayes.specs.priors import Family

Array = np.ndarray

NODES = 16
"""Gauss-Legendre nodes per panel."""

OUTERMOST = 1e-13
"""Prior probability beyond the last panel, and the least within the first."""

LEAST_SHARE = 1e-4
"""End of the first panel, as a share of the smallest SE: a tau below it has no visible effect."""

SHARE_OF_PRIOR = 0.2
"""Weight of the prior in the proposal for tau."""


def tau_panels(low: float, high: float) -> Array:
    """Return the panel edges 0, ``low`` and its doublings, until ``high`` is reached."""
    doublings = int(np.ceil(np.log2(high / low))) if high > low else 1
    return np.concatenate([[0.0], low * 2.0 ** np.arange(doublings + 1)])


def gauss_legendre(edges: Array) -> tuple[Array, Array]:
    """Nodes and weights that integrate over all panels."""
    x, w = np.polynomial.legendre.leggauss(NODES)
    middle, half = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    return (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel()


def tau_nodes(prior: Family | None, smallest_se: float) -> tuple[Array, Array, Array]:
    """Return panel edges, nodes {node} of tau, and the log of quadrature weight times prior density.

    Without a prior, groups do not differ: a single node at 0.
    """
    if prior is None:
        return np.zeros(1), np.zeros(1), np.zeros(1)
    low = min(LEAST_SHARE * smallest_se, float(prior.quantile(1e-4)))
    low = max(low, float(prior.quantile(OUTERMOST)), 1e-12 * smallest_se)
    edges = tau_panels(low, float(prior.quantile(1 - OUTERMOST)))
    nodes, weights = gauss_legendre(edges)
    return edges, nodes, np.log(weights) + prior.log_density(nodes)


class Proposal(NamedTuple):
    """A piecewise-uniform distribution of tau between ``edges``, so that its density is known."""

    edges: Array
    cumulative: Array
    log_density: Array


def proposal(
    prior: Family, log_likelihood: Callable[[Array], Array], *, share_of_prior: float = SHARE_OF_PRIOR
) -> Proposal:
    """Tabulate the posterior of tau under ``log_likelihood`` {node} of each tau {node}, mixed with its prior.

    The prior keeps weights bounded where the likelihood of a single draw differs.
    """
    inner = np.linspace(0, 1, 1001)[1:-1]
    tails = np.geomspace(1e-9, inner[0], 20)[:-1]
    edges = np.concatenate([[0.0], prior.quantile(np.concatenate([tails, inner, 1 - tails[::-1]]))])
    # Repeat with finer edges where tau is likely.
    table = _tabulated(prior, log_likelihood, edges, share_of_prior)
    edges = np.union1d(edges, np.interp(inner, table.cumulative, table.edges))
    return _tabulated(prior, log_likelihood, edges, share_of_prior)


def _tabulated(
    prior: Family, log_likelihood: Callable[[Array], Array], edges: Array, share_of_prior: float
) -> Proposal:
    width = np.diff(edges)
    middles = edges[:-1] + width / 2
    log_prior = prior.log_density(middles) + np.log(width)
    log_posterior = log_prior + log_likelihood(middles)
    mass = [np.exp(one - one.max()) for one in (log_prior, log_posterior)]
    mixed = share_of_prior * mass[0] / mass[0].sum() + (1 - share_of_prior) * mass[1] / mass[1].sum()
    with np.errstate(divide="ignore"):
        return Proposal(edges, np.concatenate([[0.0], np.cumsum(mixed)]), np.log(mixed / width))


def draw_tau(
    prior: Family, proposed: Proposal, count: int, *, nodes: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw ``nodes`` values of tau {draw, node}, stratified over the proposal.

    Also return the log ratio of prior to proposal density {draw, node}.
    """
    at = (np.arange(nodes) + rng.random((count, 1))) / nodes
    cell = np.searchsorted(proposed.cumulative[1:-1], at)
    tau = proposed.edges[cell] + (at - proposed.cumulative[cell]) * np.exp(-proposed.log_density)[cell]
    return tau, prior.log_density(tau) - proposed.log_density[cell]
