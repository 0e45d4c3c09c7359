"""Likelihoods and priors of the regressions as functions of their parameters, and modes by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import digamma, polygamma

from hlt_bayes.ipd.models.design_matrix import Cells, Moments, Profiles
from hlt_bayes.ipd.models.regressions import (
    NUMPY,
    bernoulli_log_likelihood,
    gamma_log_likelihood,
    normal_log_likelihood,
)
from hlt_bayes.specs.priors import Family

Array = np.ndarray

BLOCK = 50_000
"""Number of linear predictors evaluated at a time: few enough for the CPU cache, and for their memory to be reused."""

MAX_STEPS = 100
TOLERANCE = 1e-9
"""Maximum number of Newton steps, and the tolerance, in standard errors, at which they stop."""


class Regression(Protocol):
    """A regression; its parameters are coefficients and, if it has a spread, the log of that."""

    @property
    def start(self) -> Array:
        """Starting values of the parameters."""

    def log_likelihood(self, parameters: Array) -> Array:
        """Log likelihood {draw} of ``parameters`` {draw, parameter}."""

    def score_and_information(self, parameters: Array) -> tuple[Array, Array]:
        """Score and expected information at ``parameters`` {parameter}."""


@dataclass(frozen=True, repr=False)
class LogisticRegression:
    """Logistic regression of events among people, by cell."""

    matrix: Array
    people: Array
    events: Array

    @classmethod
    def of(cls, profiles: Profiles, cells: Cells) -> LogisticRegression:
        """Use the totals of a binary outcome as events."""
        return cls(profiles.matrix(cells.profile, cells.treated), cells.people, cells.total)

    @property
    def start(self) -> Array:
        """All coefficients 0."""
        return np.zeros(self.matrix.shape[1])

    def log_likelihood(self, parameters: Array) -> Array:
        """See ``Regression``."""

        def of_some(some: Array, rows: slice) -> Array:
            log_odds = some @ self.matrix[rows].T
            return np.asarray(bernoulli_log_likelihood(log_odds, self.people[rows], self.events[rows], NUMPY))

        return by_blocks(parameters, len(self.matrix), of_some)

    def score_and_information(self, parameters: Array) -> tuple[Array, Array]:
        """See ``Regression``."""
        share = NUMPY.sigmoid(self.matrix @ parameters)
        weight = self.people * share * (1.0 - share)
        return self.matrix.T @ (self.events - self.people * share), (self.matrix * weight[:, None]).T @ self.matrix


@dataclass(frozen=True, repr=False)
class GammaRegression:
    """Gamma regression of amounts above 0 with a log link, by cell; the last parameter is the log of the shape."""

    matrix: Array
    cells: Cells

    @property
    def start(self) -> Array:
        """Use the sample mean for everyone, and shape 1."""
        mean = np.log(self.cells.total.sum() / self.cells.people.sum())
        coefficients, *_ = np.linalg.lstsq(self.matrix, np.full(len(self.matrix), mean), rcond=None)
        return np.append(coefficients, 0.0)

    def log_likelihood(self, parameters: Array) -> Array:
        """See ``Regression``."""
        cells = self.cells

        def of_some(some: Array, rows: slice) -> Array:
            log_mean, shape = some[:, :-1] @ self.matrix[rows].T, np.exp(some[:, -1])
            people, total, total_log = cells.people[rows], cells.total[rows], cells.total_log[rows]
            return np.asarray(gamma_log_likelihood(log_mean, shape, people, total, total_log, NUMPY))

        return by_blocks(parameters, len(self.matrix), of_some)

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
        """Least-squares estimates."""
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

    ``mean`` and ``sd`` {parameter} are those of normal priors; an infinite SD means a prior applied elsewhere.
    ``spread`` is the prior of the spread, whose log is the last parameter.
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
    """Find the mode of likelihood times normal priors by Newton's method, and the expected precision there."""
    at, precision_of_prior = term.regression.start, 1.0 / term.sd**2
    for _ in range(MAX_STEPS):
        score, information = term.regression.score_and_information(at)
        precision = information + np.diag(precision_of_prior)
        step = np.linalg.solve(precision, score - precision_of_prior * (at - term.mean))
        step *= min(1.0, 2.0 / np.abs(step).max()) if np.abs(step).max() > 0 else 1.0
        at = at + step
        if step @ precision @ step < TOLERANCE**2:
            break
    return at, precision


def by_blocks(parameters: Array, rows: int, of_some: Callable[[Array, slice], Array]) -> Array:
    """Sum ``of_some``, a function of some draws of the parameters and a slice of rows, over all rows {draw, ...}."""
    draws, wide = max(1, BLOCK // rows), min(rows, BLOCK)
    slices = [slice(start, start + wide) for start in range(0, rows, wide)]
    pieces = []
    for start in range(0, len(parameters), draws):
        some = parameters[start : start + draws]
        pieces.append(sum(of_some(some, one) for one in slices))
    return np.concatenate(pieces)


def _with_corner(matrix: Array, corner: float) -> Array:
    whole = np.zeros((len(matrix) + 1, len(matrix) + 1))
    whole[:-1, :-1], whole[-1, -1] = matrix, corner
    return whole
