"""Draw tau, coefficients and impacts given estimates and SEs, with importance weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from hlt_bayes.inference.exact.basis import Basis, Part
from hlt_bayes.inference.exact.linear import CoefficientPosterior, draw_coefficients, impact_given, integrate
from hlt_bayes.inference.exact.tau_grid import Proposal, draw_tau, proposal
from hlt_bayes.specs.priors import Family

Array = np.ndarray

TAU_NODES = 16
"""Values of tau over which the weight of each draw is averaged."""

BLOCK = 4096
"""Draws weighted at a time, to bound memory."""


class Weighed(NamedTuple):
    """Draws {draw} with log weights; ``coefficients`` is {draw, coefficient}, ``impact`` {draw, group}."""

    tau: Array
    coefficients: Array
    impact: Array
    log_weight: Array


def weigh(estimate: Array, se: Array, terms: Basis, tau_prior: Family | None, *, rng: np.random.Generator) -> Weighed:
    """Draw tau, coefficients and impacts given ``estimate`` and ``se`` {draw, group}.

    The weight {draw} is the density of the estimates with coefficients and tau integrated out; for tau by stratified
    draws from its proposal, which is unbiased. Without ``tau_prior``, groups differ only by their columns.
    """
    draws, groups = estimate.shape
    proposed = None if tau_prior is None else proposal(tau_prior, _at_the_middle(estimate, se, terms))
    found = Weighed(np.zeros(draws), np.empty((draws, len(terms.names))), np.empty((draws, groups)), np.empty(draws))
    for start in range(0, draws, BLOCK):
        block = slice(start, min(start + BLOCK, draws))
        part = _weigh_block(estimate[block], se[block], _of_rows(terms, block, draws), tau_prior, proposed, rng)
        for whole, piece in zip(found, part, strict=True):
            whole[block] = piece
    return found


def _weigh_block(
    estimate: Array,
    se: Array,
    terms: Basis,
    tau_prior: Family | None,
    proposed: Proposal | None,
    rng: np.random.Generator,
) -> Weighed:
    draws = len(estimate)
    tau, log_ratio = np.zeros((draws, 1)), np.zeros((draws, 1))
    if tau_prior is not None and proposed is not None:
        tau, log_ratio = draw_tau(tau_prior, proposed, draws, nodes=TAU_NODES, rng=rng)
    variance = se[:, None, :] ** 2 + tau[:, :, None] ** 2
    log_density = np.stack(
        [
            part.log_weight + log_ratio + _integrated(estimate[:, None, :], variance, terms, part).log_density
            for part in terms.parts
        ],
        axis=-1,
    ).reshape(draws, -1)
    log_weight = logsumexp(log_density, axis=1)
    shares = np.cumsum(np.exp(log_density - log_weight[:, None]), axis=1)
    choice = (shares[:, :-1] < rng.random((draws, 1))).sum(axis=1)
    node, of_part = np.divmod(choice, len(terms.parts))
    chosen = np.take_along_axis(tau, node[:, None], axis=1)
    coefficients = np.empty((draws, len(terms.names)))
    for position in range(len(terms.parts)):
        rows = np.flatnonzero(of_part == position)
        if rows.size:
            of_rows = _of_rows(terms, rows, draws)
            found = _integrated(
                estimate[rows, None, :],
                se[rows, None, :] ** 2 + chosen[rows, :, None] ** 2,
                of_rows,
                of_rows.parts[position],
            )
            coefficients[rows] = np.concatenate(draw_coefficients(found, rng), axis=1)
    columns = [column if column.ndim == 1 else column[:, 0] for column in terms.columns]
    mean, sd = impact_given(estimate, se, chosen[:, 0], columns, list(coefficients.T))
    impact = mean + sd * rng.standard_normal(mean.shape)
    return Weighed(chosen[:, 0], coefficients, impact, log_weight - np.log(tau.shape[1]))


def _integrated(x: Array, variance: Array, terms: Basis, part: Part) -> CoefficientPosterior:
    return integrate(x, variance, terms.columns, part.means, part.variances, positive=part.positive)


def _at_the_middle(estimate: Array, se: Array, terms: Basis) -> Callable[[Array], Array]:
    """Log likelihood {node} of tau {node} at the median estimate and SE of each group."""
    x, s = np.median(estimate, axis=0), np.median(se, axis=0)
    middle = _of_rows(terms, np.array([len(estimate) // 2]), len(estimate))

    def log_likelihood(tau: Array) -> Array:
        variance = s**2 + tau[None, :, None] ** 2
        parts = [part.log_weight + _integrated(x, variance, middle, part).log_density[0] for part in middle.parts]
        return np.asarray(logsumexp(parts, axis=0))

    return log_likelihood


def _of_rows(terms: Basis, rows: Array | slice, draws: int) -> Basis:
    """Select rows of the arrays that vary by draw."""

    def take(arrays: Sequence[Array]) -> list[Array]:
        return [array[rows] if array.ndim > 1 and len(array) == draws else array for array in arrays]

    parts = [part._replace(means=take(part.means), variances=take(part.variances)) for part in terms.parts]
    return terms._replace(columns=take(terms.columns), parts=parts)
