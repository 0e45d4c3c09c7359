"""Laplace engine: mode and curvature by Newton's method, tau on a grid, and importance sampling of the exact posterior.

With thousands of people the likelihood of the impacts and of all other coefficients is nearly normal. Given tau, the
posterior under a normal likelihood is known in closed form, and tau is drawn from fine strata of its prior, weighted by
their likelihood. Importance weights correct the error of the approximation; their Pareto k shows how large it is.

The model is parameterised by the impacts and all other coefficients, and solved for the effects: the priors of the spec
then apply without a Jacobian, and a small tau is no harder than a large one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from hlt_bayes.ipd.models.regressions_numpy import MAX_STEPS, TOLERANCE, Term, mode_and_precision
from hlt_bayes.specs.priors import Family, NormalPrior

Array = np.ndarray

STRATA = 400
"""Number of strata of tau, of equal prior probability."""

SHARE_OF_PRIOR = 0.1
"""Weight of the prior in the proposal distribution of tau, which bounds the importance weights."""


ImpactAndSlope = Callable[[Sequence[Array]], tuple[Array, Array]]
"""From the parameters {draw, parameter} of each regression to impacts {draw, group} and slopes in the effects."""


class NormalApproximation(NamedTuple):
    """Normal approximation to the likelihood in the unknowns: all parameters, with impacts in place of ``effects``.

    ``centre`` {parameter} is the mode, ``middle`` {unknown} the unknowns there, ``jacobian`` {parameter, unknown} the
    derivatives of parameters by unknowns; ``covariance`` and ``precision`` are {unknown, unknown}.
    """

    effects: Array
    centre: Array
    middle: Array
    jacobian: Array
    covariance: Array
    precision: Array
    ends: Array

    def split(self, parameters: Array) -> list[Array]:
        """Parameters {draw, parameter} of each regression."""
        return np.split(parameters, self.ends, axis=-1)


def normal_near_mode(
    found: Sequence[tuple[Array, Array]], effects: Array, impact: ImpactAndSlope
) -> NormalApproximation:
    """Approximate the likelihood by a normal, from the ``found`` modes and precisions of its terms.

    ``effects`` are the positions of the groups' effects among the parameters of the last term; ``impact`` gives the
    pooled quantity: impacts, or the effects themselves.
    """
    sizes = [len(mode) for mode, _ in found]
    ends = np.cumsum(sizes)[:-1]
    effects = effects + sum(sizes[:-1])
    centre, precision = np.concatenate([mode for mode, _ in found]), _block_diagonal([one for _, one in found])
    middle = centre.copy()
    middle[effects] = impact(np.split(centre[None], ends, axis=-1))[0][0]
    jacobian = _jacobian(centre, effects, lambda one: impact(np.split(one, ends, axis=-1))[0])
    precision = jacobian.T @ precision @ jacobian
    return NormalApproximation(effects, centre, middle, jacobian, np.linalg.inv(precision), precision, ends)


class WeightedDraws(NamedTuple):
    """Draws from the approximation with log importance weights {draw}; ``parameters`` are by regression."""

    mu: Array
    tau: Array
    pooled: Array
    parameters: list[Array]
    log_weight: Array


def weighted_draws(
    terms: Sequence[Term],
    effects: Array,
    impact: ImpactAndSlope,
    mu_prior: NormalPrior,
    tau_prior: Family,
    *,
    draws: int,
    rng: np.random.Generator,
) -> WeightedDraws:
    """Draw from the approximate posterior, with importance weights; arguments as in ``normal_near_mode``."""
    near = normal_near_mode([mode_and_precision(term) for term in terms], effects, impact)
    effects, pooled = near.effects, near.middle[near.effects]
    variance = near.covariance[np.ix_(effects, effects)]
    tau, log_ratio = _draw_tau(pooled, variance, mu_prior, tau_prior, draws=draws, rng=rng)
    mu, drawn = _draw_pooled(pooled, variance, mu_prior, tau, rng)
    # Other unknowns given the impacts: a joint draw, shifted to the impacts drawn.
    whole = rng.standard_normal((draws, len(near.centre))) @ np.linalg.cholesky(near.covariance).T
    gain = np.linalg.solve(variance, near.covariance[effects]).T
    whole += (drawn - pooled - whole[:, effects]) @ gain.T
    parameters, solved = _solved(near, near.middle + whole, impact)
    log_weight = log_ratio - _log_normal_density(whole, precision=near.precision)
    for term, one in zip(terms, parameters, strict=True):
        log_weight = log_weight + term.regression.log_likelihood(one) + term.log_prior(one)
    log_weight = np.where(solved & np.isfinite(log_weight), log_weight, -np.inf)
    return WeightedDraws(mu, tau, drawn, parameters, log_weight)


def _jacobian(centre: Array, effects: Array, impact: Callable[[Array], Array]) -> Array:
    """Differentiate parameters by unknowns {parameter, unknown}, which have impacts in place of effects."""
    step = 1e-5
    moves = np.eye(len(centre)) * step
    gradient = (impact(centre + moves) - impact(centre - moves)).T / (2 * step)
    jacobian = np.eye(len(centre))
    own = gradient[:, effects]
    jacobian[effects] = np.linalg.solve(own, -gradient)
    jacobian[np.ix_(effects, effects)] = np.linalg.inv(own)
    return jacobian


def _draw_tau(
    pooled: Array, variance: Array, mu_prior: NormalPrior, tau_prior: Family, *, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw tau {draw} by strata of its prior; also return log(likelihood * prior / proposal)."""
    ones, identity = np.ones_like(variance), np.eye(len(variance))

    def log_likelihood(tau: Array) -> Array:
        whole = variance + mu_prior.sd**2 * ones + tau[:, None, None] ** 2 * identity
        away = pooled - mu_prior.mean
        distance = np.einsum("i,dij,j->d", away, np.linalg.inv(whole), away)
        return np.asarray(-0.5 * (np.linalg.slogdet(whole)[1] + distance))

    middles = (np.arange(STRATA) + 0.5) / STRATA
    likelihood = log_likelihood(tau_prior.quantile(middles))
    mass = np.exp(likelihood - likelihood.max())
    mass = (1 - SHARE_OF_PRIOR) * mass / mass.sum() + SHARE_OF_PRIOR / STRATA
    stratum = rng.choice(STRATA, size=draws, p=mass)
    tau = tau_prior.quantile((stratum + rng.random(draws)) / STRATA)
    return tau, log_likelihood(tau) - np.log(mass[stratum] * STRATA)


def _draw_pooled(
    pooled: Array, variance: Array, mu_prior: NormalPrior, tau: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw mu {draw} and the impacts {draw, group} given tau and a normal likelihood."""
    identity = np.eye(len(variance))
    precision = np.linalg.inv(variance + tau[:, None, None] ** 2 * identity)
    of_mu = precision.sum(axis=(1, 2)) + mu_prior.sd**-2
    mean = ((precision @ pooled).sum(axis=1) + mu_prior.mean / mu_prior.sd**2) / of_mu
    mu = mean + rng.standard_normal(len(tau)) / np.sqrt(of_mu)
    # Matheron's rule: a joint prior draw of impacts and estimates, shifted to the observed estimates.
    prior = mu[:, None] + tau[:, None] * rng.standard_normal((len(tau), len(pooled)))
    seen = prior + rng.standard_normal(prior.shape) @ np.linalg.cholesky(variance).T
    moved = np.einsum("dij,dj->di", precision, pooled - seen)
    return mu, prior + tau[:, None] ** 2 * moved


def _solved(near: NormalApproximation, at: Array, impact: ImpactAndSlope) -> tuple[list[Array], Array]:
    """Solve for the effects that give the impacts of ``at`` {draw, unknown}; also return which draws converged."""
    wanted, parameters = at[:, near.effects], at.copy()
    parameters[:, near.effects] = near.centre[near.effects] + (at - near.middle) @ near.jacobian[near.effects].T
    step = np.full_like(wanted, np.inf)
    for _ in range(MAX_STEPS):
        found, slope = impact(near.split(parameters))
        step = (wanted - found) / slope
        if not (np.abs(step) > TOLERANCE).any():
            break
        parameters[:, near.effects] += np.clip(step, -1.0, 1.0)
    return near.split(parameters), (np.abs(step) <= TOLERANCE).all(axis=1)


def _block_diagonal(blocks: Sequence[Array]) -> Array:
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*blocks))


def _log_normal_density(away: Array, *, precision: Array) -> Array:
    _, log_determinant = np.linalg.slogdet(precision)
    distance = ((away @ precision) * away).sum(axis=1)
    return np.asarray(0.5 * (log_determinant - len(precision) * np.log(2 * np.pi) - distance))
