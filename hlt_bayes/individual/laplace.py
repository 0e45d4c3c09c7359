"""The second engine: mode and curvature by Newton, tau by quadrature, and importance weights to the exact posterior.

With thousands of people the likelihood of a group's impact and of all other coefficients is nearly normal. Given tau
the posterior of a normal likelihood is known, and tau is weighed on a fine grid of its prior; what the approximation
misses, the importance weights put right. How far they had to is told by the Pareto k of the weights.

The unknowns are taken as impacts and the rest, the effects being what gives the impacts: the priors of both are then as
they stand in the spec, without a Jacobian, and small tau are no harder than large ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import digamma, polygamma

from hlt_bayes.individual.design import Cells, Moments, Profiles
from hlt_bayes.individual.regressions import (
    NUMPY,
    bernoulli_log_likelihood,
    gamma_log_likelihood,
    normal_log_likelihood,
)
from hlt_bayes.priors import Family, NormalPrior

Array = np.ndarray

STRATA = 400
"""Intervals of equal prior probability that tau is weighed over."""

SHARE_OF_PRIOR = 0.1
"""Weight of the prior in the distribution that tau is drawn from, which bounds the weights."""

BLOCK = 20_000_000
"""Linear predictors that are evaluated at a time, which bounds the memory."""

STEPS = 100
SETTLED = 1e-9
"""Newton's steps at most; it stops where none would move by more than this many standard errors."""


class Regression(Protocol):
    """A regression: its parameters are coefficients, and the log of a spread where it has one."""

    @property
    def start(self) -> Array:
        """Parameters to begin with."""

    def log_likelihood(self, parameters: Array) -> Array:
        """Log likelihood {draw} of ``parameters`` {draw, parameter}."""

    def score_and_information(self, parameters: Array) -> tuple[Array, Array]:
        """Gradient, and the expected curvature, at ``parameters`` {parameter}."""


@dataclass(frozen=True, repr=False)
class LogisticRegression:
    """Events among people, by cell."""

    matrix: Array
    people: Array
    events: Array

    @classmethod
    def of(cls, profiles: Profiles, cells: Cells) -> LogisticRegression:
        """Take the total of an outcome that is 0 or 1 as events."""
        return cls(profiles.matrix(cells.profile, cells.treated), cells.people, cells.total)

    @property
    def start(self) -> Array:
        """No covariate, no effect, even odds."""
        return np.zeros(self.matrix.shape[1])

    def log_likelihood(self, parameters: Array) -> Array:
        """See ``Regression``."""
        return _by_blocks(
            parameters,
            len(self.matrix),
            lambda some: bernoulli_log_likelihood(some @ self.matrix.T, self.people, self.events, NUMPY),
        )

    def score_and_information(self, parameters: Array) -> tuple[Array, Array]:
        """See ``Regression``."""
        share = NUMPY.sigmoid(self.matrix @ parameters)
        weight = self.people * share * (1.0 - share)
        return self.matrix.T @ (self.events - self.people * share), (self.matrix * weight[:, None]).T @ self.matrix


@dataclass(frozen=True, repr=False)
class GammaRegression:
    """Amounts above 0 with a log link, by cell; the last parameter is the log of the shape."""

    matrix: Array
    cells: Cells

    @property
    def start(self) -> Array:
        """Give all the same mean: that of the sample."""
        mean = np.log(self.cells.total.sum() / self.cells.people.sum())
        coefficients, *_ = np.linalg.lstsq(self.matrix, np.full(len(self.matrix), mean), rcond=None)
        return np.append(coefficients, 0.0)

    def log_likelihood(self, parameters: Array) -> Array:
        """See ``Regression``."""
        cells = self.cells

        def of_some(some: Array) -> Array:
            log_mean, shape = some[:, :-1] @ self.matrix.T, np.exp(some[:, -1])
            found = gamma_log_likelihood(log_mean, shape, cells.people, cells.total, cells.total_log, NUMPY)
            return np.asarray(found)

        return _by_blocks(parameters, len(self.matrix), of_some)

    def score_and_information(self, parameters: Array) -> tuple[Array, Array]:
        """See ``Regression``."""
        log_mean, shape = self.matrix @ parameters[:-1], np.exp(parameters[-1])
        people, scaled = self.cells.people, self.cells.total * np.exp(-log_mean)
        of_shape = shape * (
            people.sum() * (np.log(shape) + 1.0 - digamma(shape))
            + self.cells.total_log.sum()
            - (people * log_mean + scaled).sum()
        )
        curvature = people.sum() * shape**2 * (polygamma(1, shape) - 1.0 / shape)
        score = np.append(shape * self.matrix.T @ (scaled - people), of_shape)
        return score, _with_corner(shape * (self.matrix * people[:, None]).T @ self.matrix, curvature)


@dataclass(frozen=True, repr=False)
class NormalRegression:
    """Linear regression from its cross-products; the last parameter is the log of the residual SD.

    ``shift`` is added to the log likelihood: the Jacobian where the outcome is the log of an amount.
    """

    moments: Moments
    shift: float = 0.0

    @property
    def start(self) -> Array:
        """Least squares."""
        coefficients = np.linalg.solve(self.moments.gram, self.moments.cross)
        residual = self.moments.square - coefficients @ self.moments.cross
        return np.append(coefficients, 0.5 * np.log(residual / self.moments.people))

    def log_likelihood(self, parameters: Array) -> Array:
        """See ``Regression``."""
        one = self.moments
        found: Array = normal_log_likelihood(
            parameters[:, :-1], np.exp(parameters[:, -1]), one.gram, one.cross, one.square, one.people, NUMPY
        )
        return found + self.shift

    def score_and_information(self, parameters: Array) -> tuple[Array, Array]:
        """See ``Regression``."""
        one, coefficients, variance = self.moments, parameters[:-1], np.exp(2.0 * parameters[-1])
        residual = one.square - 2.0 * coefficients @ one.cross + coefficients @ one.gram @ coefficients
        score = np.append((one.cross - one.gram @ coefficients) / variance, residual / variance - one.people)
        return score, _with_corner(one.gram / variance, 2.0 * one.people)


class Term(NamedTuple):
    """A regression with the priors of its parameters.

    ``mean`` and ``sd`` {parameter} are those of normal priors; an infinite SD leaves the prior to somebody else.
    ``spread`` is the prior of what the last parameter is the log of.
    """

    regression: Regression
    mean: Array
    sd: Array
    spread: Family | None = None

    def log_prior(self, parameters: Array) -> Array:
        """Log density {draw} of the priors stated here."""
        z = (parameters - self.mean) / self.sd
        finite = np.isfinite(self.sd)
        found = -0.5 * (z[:, finite] ** 2).sum(axis=1) - np.log(self.sd[finite] * np.sqrt(2 * np.pi)).sum()
        if self.spread is not None:
            found = found + self.spread.log_density(np.exp(parameters[:, -1])) + parameters[:, -1]
        return np.asarray(found)


def mode_and_precision(term: Term) -> tuple[Array, Array]:
    """Find the mode of likelihood times normal priors by Newton's steps, and the expected precision there."""
    at, precision_of_prior = term.regression.start, 1.0 / term.sd**2
    for _ in range(STEPS):
        score, information = term.regression.score_and_information(at)
        precision = information + np.diag(precision_of_prior)
        step = np.linalg.solve(precision, score - precision_of_prior * (at - term.mean))
        step *= min(1.0, 2.0 / np.abs(step).max()) if np.abs(step).max() > 0 else 1.0
        at = at + step
        if step @ precision @ step < SETTLED**2:
            break
    return at, precision


ImpactAndSlope = Callable[[Sequence[Array]], tuple[Array, Array]]
"""From the parameters {draw, parameter} of each regression to impacts {draw, group} and their slopes on the effects."""


class Near(NamedTuple):
    """The likelihood near its mode, as a normal of the unknowns: all parameters, impacts in place of ``effects``.

    ``centre`` {parameter} is the mode, ``middle`` {unknown} the unknowns there; ``turned`` {parameter, unknown}
    differentiates the first by the second; ``covariance`` and ``precision`` {unknown, unknown}.
    """

    effects: Array
    centre: Array
    middle: Array
    turned: Array
    covariance: Array
    precision: Array
    ends: Array

    def split(self, parameters: Array) -> list[Array]:
        """Parameters {draw, parameter} of each regression."""
        return np.split(parameters, self.ends, axis=-1)


def normal_near_mode(found: Sequence[tuple[Array, Array]], effects: Array, impact: ImpactAndSlope) -> Near:
    """Describe the likelihood near its mode, of terms whose modes and precisions were ``found``.

    ``effects`` are the positions of the groups' effects among the parameters of the last term; ``impact`` gives what is
    pooled: impacts, or the effects themselves.
    """
    sizes = [len(mode) for mode, _ in found]
    ends = np.cumsum(sizes)[:-1]
    effects = effects + sum(sizes[:-1])
    centre, precision = np.concatenate([mode for mode, _ in found]), _block_diagonal([one for _, one in found])
    middle = centre.copy()
    middle[effects] = impact(np.split(centre[None], ends, axis=-1))[0][0]
    turned = _turned(centre, effects, lambda one: impact(np.split(one, ends, axis=-1))[0])
    precision = turned.T @ precision @ turned
    return Near(effects, centre, middle, turned, np.linalg.inv(precision), precision, ends)


class Draws(NamedTuple):
    """Draws of the approximation with their log weights {draw}; ``parameters`` is that of each regression."""

    mu: Array
    tau: Array
    pooled: Array
    parameters: list[Array]
    log_weight: Array


def weighed_draws(
    terms: Sequence[Term],
    effects: Array,
    impact: ImpactAndSlope,
    mu_prior: NormalPrior,
    tau_prior: Family,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Draws:
    """Draw from the approximate posterior, and weigh against the exact one; arguments as ``normal_near_mode``."""
    near = normal_near_mode([mode_and_precision(term) for term in terms], effects, impact)
    effects, pooled = near.effects, near.middle[near.effects]
    variance = near.covariance[np.ix_(effects, effects)]
    tau, log_ratio = _draw_tau(pooled, variance, mu_prior, tau_prior, draws=draws, rng=rng)
    mu, drawn = _draw_pooled(pooled, variance, mu_prior, tau, rng)
    # The rest given the impacts: a draw of the whole, moved to where the impacts are.
    whole = rng.standard_normal((draws, len(near.centre))) @ np.linalg.cholesky(near.covariance).T
    gain = np.linalg.solve(variance, near.covariance[effects]).T
    whole += (drawn - pooled - whole[:, effects]) @ gain.T
    parameters, solved = _solved(near, near.middle + whole, impact)
    log_weight = log_ratio - _log_normal_density(whole, precision=near.precision)
    for term, one in zip(terms, parameters, strict=True):
        log_weight = log_weight + term.regression.log_likelihood(one) + term.log_prior(one)
    log_weight = np.where(solved & np.isfinite(log_weight), log_weight, -np.inf)
    return Draws(mu, tau, drawn, parameters, log_weight)


def _turned(centre: Array, effects: Array, impact: Callable[[Array], Array]) -> Array:
    """Differentiate the parameters {parameter, unknown} by unknowns that have impacts in place of effects."""
    step = 1e-5
    moves = np.eye(len(centre)) * step
    gradient = (impact(centre + moves) - impact(centre - moves)).T / (2 * step)
    turned = np.eye(len(centre))
    own = gradient[:, effects]
    turned[effects] = np.linalg.solve(own, -gradient)
    turned[np.ix_(effects, effects)] = np.linalg.inv(own)
    return turned


def _draw_tau(
    pooled: Array, variance: Array, mu_prior: NormalPrior, tau_prior: Family, *, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw tau {draw} by strata of its prior; and the log of likelihood over the density of the draw, prior apart."""
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
    # Matheron's rule: a draw from the prior, and of the estimate given it, moved to the estimate that was seen.
    prior = mu[:, None] + tau[:, None] * rng.standard_normal((len(tau), len(pooled)))
    seen = prior + rng.standard_normal(prior.shape) @ np.linalg.cholesky(variance).T
    moved = np.einsum("dij,dj->di", precision, pooled - seen)
    return mu, prior + tau[:, None] ** 2 * moved


def _solved(near: Near, at: Array, impact: ImpactAndSlope) -> tuple[list[Array], Array]:
    """Find the effects that give the impacts of ``at`` {draw, unknown}, and say of which draws there are any."""
    wanted, parameters = at[:, near.effects], at.copy()
    parameters[:, near.effects] = near.centre[near.effects] + (at - near.middle) @ near.turned[near.effects].T
    step = np.full_like(wanted, np.inf)
    for _ in range(STEPS):
        found, slope = impact(near.split(parameters))
        step = (wanted - found) / slope
        if not (np.abs(step) > SETTLED).any():
            break
        parameters[:, near.effects] += np.clip(step, -1.0, 1.0)
    return near.split(parameters), (np.abs(step) <= SETTLED).all(axis=1)


def _by_blocks(parameters: Array, rows: int, of_some: Callable[[Array], Array]) -> Array:
    size = max(1, BLOCK // rows)
    return np.concatenate([of_some(parameters[start : start + size]) for start in range(0, len(parameters), size)])


def _with_corner(matrix: Array, corner: float) -> Array:
    whole = np.zeros((len(matrix) + 1, len(matrix) + 1))
    whole[:-1, :-1], whole[-1, -1] = matrix, corner
    return whole


def _block_diagonal(blocks: Sequence[Array]) -> Array:
    from scipy.linalg import block_diag

    return np.asarray(block_diag(*blocks))


def _log_normal_density(away: Array, *, precision: Array) -> Array:
    _, log_determinant = np.linalg.slogdet(precision)
    distance = ((away @ precision) * away).sum(axis=1)
    return np.asarray(0.5 * (log_determinant - len(precision) * np.log(2 * np.pi) - distance))
