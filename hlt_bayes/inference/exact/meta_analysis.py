"""Random-effects meta-analysis, or meta-regression, of normal estimates with known standard errors, by quadrature.

Given tau and a component of the prior of ``mu``, everything is normal, so every marginal is a mixture of normals over
nodes of tau: its moments and quantiles are exact up to quadrature error, without sampling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from scipy.optimize import brentq
from scipy.special import gammaln, log_ndtr, logsumexp, ndtr, owens_t

from hlt_bayes.core.errors import EvidenceError, SpecError
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.inference.exact.linear import (
    CoefficientPosterior,
    draw_coefficients,
    impact_given,
    integrate,
    moments_of,
)
from hlt_bayes.inference.exact.prior_mixture import NormalParts, mixture_of
from hlt_bayes.inference.exact.tau_grid import gauss_legendre, proposal, tau_nodes
from hlt_bayes.specs.priors import Family, NormalPrior, StudentTPrior

Array = np.ndarray

PROBABILITIES = (0.025, 0.055, 0.25, 0.5, 0.75, 0.945, 0.975)

T_NODES = 160
"""Number of normals in the mixture that represents a Student's t."""

NEGLIGIBLE = 1e-16
"""Weight at or below which a mixture component is dropped."""

TINY = 1e-30
"""Replaces zeros in denominators."""


class Rows(NamedTuple):
    """Checked input: ``x`` and ``se`` {group}; names and columns {group} of the slopes, with their priors."""

    groups: list[str]
    x: Array
    se: Array
    slopes: list[str]
    columns: list[Array]
    priors: list[NormalPrior]


def exact_posterior_of_rows(
    estimate: Mapping[str, float],
    se: Mapping[str, float],
    *,
    mu: Family,
    tau: Family | None,
    slopes: Mapping[str, Family] | None = None,
    moderators: pd.DataFrame | None = None,
    probabilities: Sequence[float] = PROBABILITIES,
) -> xr.Dataset:
    """Compute the exact posterior of a random-effects meta-analysis with known standard errors.

    Parameters
    ----------
    estimate, se
        Estimate and standard error by group, all in one unit.
    mu
        Prior of the mean impact, of any family for a mean.
    tau
        Prior of the between-group SD, of any family for a scale; ``None`` for a common effect.
    slopes, moderators
        Normal prior of each moderator's slope, and the moderators' values, with one row per group and one column per
        moderator. ``mu`` is then the impact where all moderators are 0.
    probabilities
        Probabilities of the quantiles.

    Returns
    -------
    Dataset
        ``mean``, ``sd`` {quantity} and ``quantile`` {quantity, probability} of ``mu``, ``tau``, each ``impact[group]``
        and ``slope[moderator]``, and ``impact_new``, that of a new group with all moderators at 0;
        ``log_marginal_likelihood`` of the estimates.

    Raises
    ------
    EvidenceError
        The groups do not match, a standard error is not above 0, or a number is not finite.
    SpecError
        A prior's family is not allowed for its parameter, or slopes and moderators do not match.
    """
    rows, parts = checked_rows(estimate, se, slopes, moderators), mixture_parts(mu)
    edges, nodes, log_node = tau_nodes(tau, float(rows.se.min()))
    found = _integrated(rows, nodes, parts)
    log_terms = log_node[:, None] + parts.log_weight + found.log_density
    log_total = float(logsumexp(log_terms))
    weight = np.exp(log_terms - log_total)
    marginals = _marginals(rows, nodes, weight, found)
    summaries = {name: one.summary(probabilities) for name, one in marginals.items()}
    if tau is not None:

        def density(at: Array) -> Array:
            log_density = logsumexp(parts.log_weight + _integrated(rows, at, parts).log_density, axis=1)
            return np.asarray(np.exp(tau.log_density(at) + log_density - log_total))

        summaries["tau"] = _summary_of_tau(edges, density, probabilities)
    table = np.array(list(summaries.values()))
    return xr.Dataset(
        {
            "mean": ("quantity", table[:, 0]),
            "sd": ("quantity", table[:, 1]),
            "quantile": (("quantity", "probability"), table[:, 2:]),
            "log_marginal_likelihood": log_total,
        },
        coords={"quantity": list(summaries), "probability": list(probabilities)},
    )


def exact_draws_of_rows(
    estimate: Mapping[str, float],
    se: Mapping[str, float],
    *,
    mu: Family,
    tau: Family | None,
    slopes: Mapping[str, Family] | None = None,
    moderators: pd.DataFrame | None = None,
    draws: int,
    seed: int,
) -> xr.Dataset:
    """Draw jointly and independently from the posterior of ``exact_posterior_of_rows``.

    Returns
    -------
    Dataset {draw}
        ``mu``, ``tau``, ``impact`` {group}, ``impact_new``, and ``slope`` {moderator} if there are moderators; tau
        is drawn from a histogram of about two thousand bins.
    """
    rows, parts = checked_rows(estimate, se, slopes, moderators), mixture_parts(mu)
    rng = np.random.default_rng(stream_seed(seed, "rows"))
    spread, part = np.zeros(draws), np.zeros(draws, dtype=int)
    if tau is not None:

        def log_likelihood(at: Array) -> Array:
            return np.asarray(logsumexp(parts.log_weight + _integrated(rows, at, parts).log_density, axis=1))

        table = proposal(tau, log_likelihood, share_of_prior=0.0)
        spread = np.interp(rng.random(draws), table.cumulative, table.edges)
    if len(parts.mean) > 1:
        shares = parts.log_weight + _integrated(rows, spread, parts).log_density
        shares = np.cumsum(np.exp(shares - shares.max(axis=1, keepdims=True)), axis=1)
        part = (shares[:, :-1] < rng.random((draws, 1)) * shares[:, -1:]).sum(axis=1)
    chosen = NormalParts(parts.log_weight[part], parts.mean[part], parts.variance[part], parts.positive)
    variance = rows.se**2 + spread[:, None] ** 2
    found = integrate(
        rows.x, variance, _columns(rows), *_priors(rows, chosen.mean, chosen.variance), positive=parts.positive
    )
    coefficients = [np.broadcast_to(one, draws) for one in draw_coefficients(found, rng)]
    mean, sd = impact_given(rows.x, rows.se, spread, _columns(rows), coefficients)
    variables = {
        "mu": ("draw", coefficients[-1]),
        "tau": ("draw", spread),
        "impact": (("draw", "group"), mean + sd * rng.standard_normal((draws, len(rows.groups)))),
        "impact_new": ("draw", coefficients[-1] + spread * rng.standard_normal(draws)),
    }
    coords: dict[str, list[str]] = {"group": rows.groups}
    if rows.slopes:
        variables["slope"] = (("draw", "moderator"), np.stack(coefficients[:-1], axis=1))
        coords["moderator"] = rows.slopes
    return xr.Dataset(variables, coords=coords)


def checked_rows(
    estimate: Mapping[str, float],
    se: Mapping[str, float],
    slopes: Mapping[str, Family] | None,
    moderators: pd.DataFrame | None,
) -> Rows:
    """Validate the input, and put it in the order of ``estimate``."""
    groups = [str(name) for name in estimate]
    if not groups:
        raise EvidenceError("estimate: no groups given")
    for what, names in (
        ("se", list(se)),
        *((("moderators", list(moderators.index)),) if moderators is not None else ()),
    ):
        if sorted(map(str, names)) != sorted(groups):
            raise EvidenceError(
                f"{what} has the groups {', '.join(map(str, names))}, but estimate has {', '.join(groups)}; give both "
                "the same groups"
            )
    x, s = (np.array([float(table[name]) for name in groups]) for table in (estimate, se))
    wrong = [
        f"{name}: {one:g} (se {two:g})"
        for name, one, two in zip(groups, x, s, strict=True)
        if not (np.isfinite(one) and 0 < two < np.inf)
    ]
    if wrong:
        raise EvidenceError(f"{'; '.join(wrong)}: estimates must be finite, and standard errors finite and above 0")
    stated, columns = dict(slopes or {}), []
    known = [] if moderators is None else list(moderators.columns)
    if set(stated) != set(known):
        raise SpecError(
            f"slopes has the names {', '.join(stated) or 'none'}, but moderators has the columns "
            f"{', '.join(map(str, known)) or 'none'}; give both the same names"
        )
    for name, prior in stated.items():
        if not isinstance(prior, NormalPrior):
            raise SpecError(f"slopes, {name!r}: {prior} given; only a normal prior is allowed")
        if moderators is not None:
            columns.append(moderators.loc[groups, name].to_numpy(float))
        if not np.isfinite(columns[-1]).all():
            raise EvidenceError(f"moderators, column {name!r}: a value is missing or not finite")
    return Rows(
        groups, x, s, list(stated), columns, [prior for prior in stated.values() if isinstance(prior, NormalPrior)]
    )


def mixture_parts(prior: Family) -> NormalParts:
    """Express a prior of ``mu`` as a mixture of normals; for a Student's t, over a grid of its log variance."""
    mixture = mixture_of(prior)
    if not isinstance(mixture, StudentTPrior):
        return mixture
    shape = mixture.degrees_of_freedom / 2
    # A log gamma variate falls off like exp(shape y) below and exp(-shape exp(y)) above.
    y = np.linspace(-40 / shape, np.log(1 + 40 / shape) + 1, T_NODES)
    log_weight = shape * (np.log(shape) + y - np.exp(y)) - gammaln(shape) + np.log(y[1] - y[0])
    return NormalParts(log_weight, np.full(T_NODES, mixture.mean), mixture.scale**2 * np.exp(-y), positive=False)


def _columns(rows: Rows) -> list[Array]:
    return [*rows.columns, np.ones(len(rows.groups))]


def _priors(rows: Rows, mean: Array, variance: Array) -> tuple[list[Array], list[Array]]:
    """Means and variances of all coefficients, those of mu last."""
    return (
        [*(np.array(prior.mean) for prior in rows.priors), mean],
        [*(np.array(prior.sd**2) for prior in rows.priors), variance],
    )


def _integrated(rows: Rows, tau: Array, parts: NormalParts) -> CoefficientPosterior:
    """Posterior of the coefficients {node, part}."""
    variance = rows.se**2 + tau[:, None, None] ** 2
    return integrate(
        rows.x, variance, _columns(rows), *_priors(rows, parts.mean, parts.variance), positive=parts.positive
    )


def _marginals(rows: Rows, nodes: Array, weight: Array, found: CoefficientPosterior) -> dict[str, Marginal]:
    """Marginals of mu, impacts, a new group and slopes, as mixtures over nodes of tau and parts of the prior of mu."""
    tau, none, one = nodes[:, None], np.zeros(()), np.ones(())
    mean_of_mu, sd_of_mu = found.mean_and_sd_of_last()
    above = mean_of_mu / sd_of_mu if found.positive else None

    def marginal(direction: Sequence[Array], *, shift: Array = none, noise: Array = none) -> Marginal:
        mean, variance, with_mu = moments_of(found, direction)
        sd = np.sqrt(variance + noise)
        return Marginal(weight, mean + shift, sd, above, with_mu / sd)

    marginals = {"mu": marginal([*[none] * len(rows.columns), one])}
    for g, group in enumerate(rows.groups):
        towards = tau**2 / (tau**2 + rows.se[g] ** 2)
        direction = [*((1 - towards) * column[g] for column in rows.columns), 1 - towards]
        marginals[f"impact[{group}]"] = marginal(direction, shift=towards * rows.x[g], noise=towards * rows.se[g] ** 2)
    marginals["impact_new"] = marginal([*[none] * len(rows.columns), one], noise=tau**2)
    for i, name in enumerate(rows.slopes):
        marginals[f"slope[{name}]"] = marginal([*(one if i == j else none for j in range(len(rows.slopes))), none])
    return marginals


def _summary_of_tau(edges: Array, density: Callable[[Array], Array], probabilities: Sequence[float]) -> list[float]:
    """Mean, SD and quantiles of tau, panel by panel."""

    def integral(low: float, high: float) -> float:
        nodes, weights = gauss_legendre(np.array([low, high]))
        return float(weights @ density(nodes))

    nodes, weights = gauss_legendre(edges)
    mass = weights * density(nodes)
    total = mass.sum()
    mean = float(mass @ nodes / total)
    sd = float(np.sqrt(mass @ (nodes - mean) ** 2 / total))
    by_panel = np.concatenate([[0.0], np.cumsum(mass.reshape(len(edges) - 1, -1).sum(axis=1))]) / total
    quantiles = []
    for asked in probabilities:
        panel = min(int(np.searchsorted(by_panel, asked)), len(edges) - 1) - 1
        start, rest = edges[panel], (asked - by_panel[panel]) * total
        quantiles.append(
            float(
                brentq(
                    lambda at, a=start, r=rest: integral(a, at) - r, start, edges[panel + 1], xtol=1e-300, rtol=1e-14
                )
            )
        )
    return [mean, sd, *quantiles]


class Marginal(NamedTuple):
    """A mixture of normals {node, part}: ``weight``, ``mean``, ``sd``.

    If ``above`` is given, each component is conditioned on a standard normal variate exceeding ``-above``, with which
    it has the ``correlation``: the standardised ``mu``, whose prior is truncated at 0.
    """

    weight: Array
    mean: Array
    sd: Array
    above: Array | None
    correlation: Array

    def summary(self, probabilities: Sequence[float]) -> list[float]:
        """Mean, SD and quantiles."""
        above = np.full((), np.inf) if self.above is None else self.above
        arrays = np.broadcast_arrays(self.weight, self.mean, self.sd, above, self.correlation)
        weight, mean, sd, above, correlation = (np.ravel(one)[np.ravel(arrays[0]) > NEGLIGIBLE] for one in arrays)
        weight = weight / weight.sum()
        hazard = np.zeros_like(mean)
        if self.above is not None:
            hazard = np.exp(-0.5 * above**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(above))
            first = mean + correlation * sd * hazard
            spread = sd**2 * (1 - correlation**2 * hazard * (hazard + above))
        else:
            first, spread = mean, sd**2
        centre = float(weight @ first)
        of_all = float(np.sqrt(weight @ (spread + (first - centre) ** 2)))
        asked = np.asarray(probabilities, dtype=float)
        low, high = (np.full(asked.shape, end) for end in ((mean - 40 * sd).min(), (mean + 40 * sd).max()))
        for _ in range(100):
            middle = (low + high) / 2
            z = (middle[:, None] - mean) / sd
            below = ndtr(z) if self.above is None else _below_both(z, above, correlation) / ndtr(above)
            cumulative = below @ weight
            low, high = np.where(cumulative < asked, middle, low), np.where(cumulative < asked, high, middle)
        return [centre, of_all, *((low + high) / 2)]


def _below_both(z: Array, above: Array, correlation: Array) -> Array:
    """Probability that a standard normal lies below ``z`` and another, correlated, above ``-above`` (Owen 1956)."""
    h, k = (np.where(np.abs(one) < TINY, TINY, one) for one in np.broadcast_arrays(z, above))
    r = -correlation
    root = np.sqrt(np.maximum(1 - r**2, TINY))
    opposite = 0.5 * ((h * k < 0) | ((h * k == 0) & (h + k < 0)))
    owen = owens_t(h, (k / h - r) / root) + owens_t(k, (h / k - r) / root)
    return np.asarray(0.5 * (ndtr(h) + ndtr(k)) - owen - opposite)
