"""The exact engine agrees with brute force and independent quadrature, and refuses a low effective sample size."""

import itertools
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from printed_numbers import PRINTED, SABOTAGE
from quadrature import posterior as by_quadrature
from scipy.stats import multivariate_normal, norm

from hlt_bayes.core.errors import ConvergenceError, EvidenceError, SpecError
from hlt_bayes.inference.exact import exact_draws_of_rows, exact_posterior, exact_posterior_of_rows
from hlt_bayes.inference.exact.linear import draw_coefficients, integrate, moments_of
from hlt_bayes.inference.exact.truncated_prior import draw_given_print, learnt_tilt, log_prior_mass
from hlt_bayes.inference.structures import response_rates
from hlt_bayes.likelihood import log_probability_of_published, reported_results
from hlt_bayes.specs import load_impact_spec
from hlt_bayes.specs.priors import prior

SCHOOLS = dict(zip("ABCDEFGH", (28.0, 8, -3, 7, -1, 1, 18, 12), strict=True))
ERRORS = dict(zip("ABCDEFGH", (15.0, 10, 16, 11, 9, 11, 10, 18), strict=True))
MU = {
    "normal": {"family": "normal", "mean": 0.0, "sd": 5.0},
    "half-normal": {"family": "half-normal", "sd": 5.0},
    "student-t": {"family": "student-t", "mean": 0.0, "scale": 5.0, "degrees_of_freedom": 4.0},
    "normal-mixture": {"family": "normal-mixture", "weights": [0.8, 0.2], "means": [0.0, 10.0], "sds": [2.0, 8.0]},
}
TAU = {
    "half-normal": {"family": "half-normal", "sd": 5.0},
    "half-student-t": {"family": "half-student-t", "scale": 5.0, "degrees_of_freedom": 1.0},
    "exponential": {"family": "exponential", "mean": 5.0},
    "log-normal": {"family": "log-normal", "median": 5.0, "log_sd": 1.0},
}
PAIRS = [
    pytest.param(mu, tau, marks=[] if i == j else pytest.mark.ci)
    for (i, mu), (j, tau) in itertools.product(enumerate(MU), enumerate(TAU))
]
"""Every family once; in CI each of one kind with each of the other."""

EXACT_SPECS = ("primary", "no-pooling", "complete-pooling", "sites", "moderators", "ips-informed", "nonresponse")


def brute_force(mu, tau):
    """Sum the eight schools over a fine grid of mu and log tau: log marginal likelihood, moments, P(school A < 10)."""
    x, s = np.array(list(SCHOOLS.values())), np.array(list(ERRORS.values()))
    log_tau = np.linspace(np.log(1e-7), np.log(1e6), 1001)
    # Midpoints, with an edge at 10 and at 0, where what is summed has a step.
    step = 0.04
    t, m = np.exp(log_tau), (np.arange(0 if mu.family == "half-normal" else -1500, 1500) + 0.5) * step
    variance = s**2 + t[:, None] ** 2
    a, b = (1 / variance).sum(1), (x / variance).sum(1)
    c = (x**2 / variance + np.log(2 * np.pi * variance)).sum(1)
    log_density = -0.5 * (c[:, None] - 2 * b[:, None] * m + a[:, None] * m**2)
    log_density += mu.log_density(m) + tau.log_density(t)[:, None] + log_tau[:, None]
    density = np.exp(log_density - log_density.max())
    total = np.trapezoid(density.sum(axis=1) * step, log_tau)
    towards = t[:, None] ** 2 / variance[:, [0]]
    below = norm.cdf(10, towards * x[0] + (1 - towards) * m, np.maximum(np.sqrt(towards) * s[0], 1e-12))

    def expect(values):
        return np.trapezoid((density * values).sum(axis=1) * step, log_tau) / total

    return {
        "log": float(np.log(total) + log_density.max()),
        "mu": (expect(m), np.sqrt(expect(m**2) - expect(m) ** 2)),
        "tau": expect(t[:, None] + 0 * m),
        "A below 10": expect(below),
    }


@pytest.mark.parametrize(("mu", "tau"), PAIRS)
def test_normal_rows_are_exact_for_every_family(mu, tau):
    mu, tau = prior(MU[mu]), prior(TAU[tau])
    expected = brute_force(mu, tau)
    found = exact_posterior_of_rows(SCHOOLS, ERRORS, mu=mu, tau=tau, probabilities=[0.1, 0.5, expected["A below 10"]])
    assert found["log_marginal_likelihood"].item() == pytest.approx(expected["log"], abs=2e-5)
    assert found["mean"].sel(quantity="mu").item() == pytest.approx(expected["mu"][0], abs=1e-4)
    assert found["sd"].sel(quantity="mu").item() == pytest.approx(expected["mu"][1], rel=1e-4)
    if tau.family != "half-student-t":  # of a half-Cauchy the grid ends too soon for six digits
        assert found["mean"].sel(quantity="tau").item() == pytest.approx(expected["tau"], rel=1e-4)
    quantile = found["quantile"].sel(quantity="impact[A]").isel(probability=2).item()
    assert quantile == pytest.approx(10, abs=2e-3)


def test_with_one_group_and_no_spread_the_closed_form_comes_out_to_six_digits():
    found = exact_posterior_of_rows({"A": 3.0}, {"A": 2.0}, mu=prior(MU["normal"]), tau=None, probabilities=[0.025])
    precision = 1 / 25 + 1 / 4
    mean, sd = 3.0 / 4 / precision, precision**-0.5
    for name in ("mu", "impact[A]", "impact_new"):
        assert found["mean"].sel(quantity=name).item() == pytest.approx(mean, rel=1e-9)
        assert found["sd"].sel(quantity=name).item() == pytest.approx(sd, rel=1e-9)
        expected = NormalDist(mean, sd).inv_cdf(0.025)
        assert found["quantile"].sel(quantity=name).item() == pytest.approx(expected, rel=1e-9)
    assert found["log_marginal_likelihood"].item() == pytest.approx(norm.logpdf(3, 0, np.sqrt(29)), rel=1e-12)


def test_meta_regression_is_that_of_a_dense_normal():
    moderators = pd.DataFrame(
        {"size": np.linspace(-1, 1, 8), "year": [0.0, 1, 0, 1, 1, 0, 0, 1]}, index=list("ABCDEFGH")
    )
    slopes = {name: prior({"family": "normal", "mean": 1.0, "sd": 4.0}) for name in moderators}
    found = exact_posterior_of_rows(
        SCHOOLS, ERRORS, mu=prior(MU["normal"]), tau=None, slopes=slopes, moderators=moderators
    )
    x, s = np.array(list(SCHOOLS.values())), np.array(list(ERRORS.values()))
    design = np.column_stack([moderators, np.ones(8)])
    mean, variance = np.array([1.0, 1.0, 0.0]), np.diag([16.0, 16.0, 25.0])
    covariance = design @ variance @ design.T + np.diag(s**2)
    gain = variance @ design.T @ np.linalg.inv(covariance)
    after, spread = mean + gain @ (x - design @ mean), variance - gain @ design @ variance
    names = ["slope[size]", "slope[year]", "mu"]
    np.testing.assert_allclose(found["mean"].sel(quantity=names), after, rtol=1e-10)
    np.testing.assert_allclose(found["sd"].sel(quantity=names), np.sqrt(np.diag(spread)), rtol=1e-10)
    impacts = [f"impact[{name}]" for name in SCHOOLS]
    np.testing.assert_allclose(found["mean"].sel(quantity=impacts), design @ after, rtol=1e-9)
    expected = multivariate_normal.logpdf(x, design @ mean, covariance)
    assert found["log_marginal_likelihood"].item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("mu", [pytest.param(name, marks=pytest.mark.ci if name == "student-t" else []) for name in MU])
def test_draws_of_rows_agree_with_their_exact_numbers(mu):
    arguments = {"mu": prior(MU[mu]), "tau": prior(TAU["half-normal"])}
    found = exact_posterior_of_rows(SCHOOLS, ERRORS, **arguments, probabilities=[0.1, 0.9])
    draws = exact_draws_of_rows(SCHOOLS, ERRORS, **arguments, draws=40_000, seed=3)
    values = {"mu": draws["mu"], "tau": draws["tau"], "impact_new": draws["impact_new"]}
    values |= {f"impact[{name}]": draws["impact"].sel(group=name) for name in SCHOOLS}
    for name, one in values.items():
        expected = found.sel(quantity=name)
        error = one.std().item() / np.sqrt(one.size)
        assert abs(one.mean().item() - expected["mean"].item()) < 4 * error, name
        for probability in (0.1, 0.9):
            below = (one < expected["quantile"].sel(probability=probability)).mean().item()
            assert abs(below - probability) < 4 * np.sqrt(0.09 / one.size), name
    # Draws under half the spread must not agree.
    other = exact_draws_of_rows(
        SCHOOLS, ERRORS, mu=arguments["mu"], tau=arguments["tau"].scaled(0.5), draws=40_000, seed=3
    )
    off = abs(other["tau"].mean().item() - found["mean"].sel(quantity="tau").item())
    assert off > 10 * other["tau"].std().item() / np.sqrt(40_000)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"se": {"A": 1.0}}, EvidenceError, "se has the groups A, but estimate has A, B"),
        (
            {"se": {"A": 1.0, "B": 0.0}},
            EvidenceError,
            r"B: 2 \(se 0\): estimates must be finite, and standard errors finite and above 0",
        ),
        ({"estimate": {"A": 1.0, "B": np.nan}}, EvidenceError, "B: nan"),
        ({"estimate": {}, "se": {}}, EvidenceError, "no groups given"),
        ({"mu": prior(TAU["exponential"])}, SpecError, "not a prior of a mean"),
        ({"slopes": {"size": prior(MU["normal"])}}, SpecError, "give both the same names"),
    ],
)
def test_wrong_rows_are_refused(change, error, message):
    given = {"estimate": {"A": 1.0, "B": 2.0}, "se": {"A": 1.0, "B": 1.0}, "mu": prior(MU["normal"]), "tau": None}
    given |= change
    with pytest.raises(error, match=message):
        exact_posterior_of_rows(given.pop("estimate"), given.pop("se"), **given)


def test_coefficients_cut_at_zero_have_the_moments_of_the_cut_normal():
    rng = np.random.default_rng(4)
    x, variance = np.full(200_000, -1.0)[:, None], np.ones((200_000, 1))
    found = integrate(x, variance, [np.ones(1)], [np.zeros(())], [np.full((), 4.0)], positive=True)
    (drawn,) = draw_coefficients(found, rng)
    mean, sd = found.mean_and_sd_of_last()
    alpha = -mean[0] / sd[0]
    hazard = norm.pdf(alpha) / norm.sf(alpha)
    assert (drawn > 0).all()
    assert abs(drawn.mean() - (mean[0] + sd[0] * hazard)) < 4 * drawn.std() / np.sqrt(drawn.size)
    expected = norm.logpdf(-1, 0, np.sqrt(5)) + np.log(2) + norm.logsf(alpha)
    assert found.log_density[0] == pytest.approx(expected)


def test_moments_of_a_sum_of_coefficients_are_those_of_its_draws():
    rng = np.random.default_rng(5)
    columns = [rng.normal(size=4) for _ in range(3)]
    x, variance = rng.normal(size=(1, 4)) + np.zeros((100_000, 1)), np.full((100_000, 4), 0.5)
    found = integrate(x, variance, columns, [np.zeros(())] * 3, [np.ones(())] * 3)
    direction = [np.array(value) for value in (0.5, -1.0, 2.0)]
    mean, spread, _ = moments_of(found, direction)
    drawn = sum(step * one for step, one in zip(direction, draw_coefficients(found, rng), strict=True))
    assert abs(drawn.mean() - mean[0]) < 4 * drawn.std() / np.sqrt(drawn.size)
    assert drawn.var() == pytest.approx(np.broadcast_to(spread, drawn.shape)[0], rel=0.02)


@pytest.fixture(scope="module")
def drawn_exactly(primary, evidence):
    cells = reported_results(evidence, primary)
    return exact_posterior(cells, primary, chains=4, draws=25_000, seed=1)


def departures(posterior, outcome, expected):
    """|draws - quadrature| in Monte Carlo standard errors, for each mean, SD and P(impact > 0)."""
    draws = posterior.sel(outcome=outcome).stack(sample=("chain", "draw"))
    quantities = {"mu": draws["mu"], "tau": draws["tau"]} | {g: draws["impact"].isel(group=g) for g in range(3)}
    found = {}
    for name, values in quantities.items():
        values, (mean, sd, *positive) = values.to_numpy(), expected[name]
        # Duplicates of resampled draws, and weights, cost less than a tenth of their worth.
        size = 0.9 * values.size
        found[name, "mean"] = abs(values.mean() - mean) / (values.std() / np.sqrt(size))
        kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
        found[name, "sd"] = abs(values.std() - sd) / (values.std() * np.sqrt((kurtosis - 1) / 4 / size))
        if positive:
            share = (values > 0).mean()
            found[name, "P(>0)"] = abs(share - positive[0]) / np.sqrt(max(share * (1 - share), 1e-4) / size)
    return found


@pytest.mark.parametrize("outcome", PRINTED)
def test_exact_draws_agree_with_quadrature(drawn_exactly, outcome):
    posterior, statistics = drawn_exactly
    assert statistics["effective_draws"].sel(outcome=outcome).item() > 0.85 * 100_000
    found = departures(posterior, outcome, by_quadrature(PRINTED[outcome]))
    assert len(found) == 2 * 2 + 3 * 3
    assert max(found.values()) < 4, found


@pytest.mark.parametrize("fault", SABOTAGE)
def test_a_wrong_model_is_found_out(drawn_exactly, fault):
    outcome, wrong = SABOTAGE[fault]
    assert max(departures(drawn_exactly[0], outcome, by_quadrature(wrong(PRINTED[outcome]))).values()) > 10


@pytest.mark.parametrize("name", EXACT_SPECS)
def test_draws_are_worth_what_they_should_be(evidence, name):
    spec = load_impact_spec(name)
    cells = reported_results(evidence, spec)
    rates = response_rates(evidence, spec, cells)
    posterior, statistics = exact_posterior(cells, spec, chains=2, draws=2000, seed=1, rates=rates)
    least = 0.6 if name == "moderators" else 0.85
    assert (statistics["effective_draws"] > least * 4000).all()
    assert posterior["impact"].dims == ("chain", "draw", "outcome", "group")
    assert np.isfinite(posterior["impact"]).all()
    assert ("impact_new" in posterior) == (name != "no-pooling")
    again, _ = exact_posterior(cells, spec, chains=2, draws=2000, seed=1, rates=rates)
    np.testing.assert_array_equal(posterior["impact"], again["impact"])


def test_the_marginal_likelihood_is_the_probability_of_the_print(evidence):
    """Without pooling it falls apart into cells: an integral over each impact's prior."""
    spec = load_impact_spec("no-pooling")
    cells = reported_results(evidence, spec)
    _, statistics = exact_posterior(cells, spec, chains=1, draws=20_000, seed=2)
    for outcome in spec.outcomes:
        total = 0.0
        mu = spec.priors.mu[outcome]
        grid = np.linspace(mu.mean - 8 * mu.sd, mu.mean + 8 * mu.sd, 4001)
        part = cells.isel(cell=np.flatnonzero(cells["outcome"].to_numpy() == outcome))
        for name in part["cell"].to_numpy():
            cell = part.sel(cell=[name])
            group = cell["group"].item()
            impact = cells["lower"].isel(cell=0, drop=True).expand_dims(draw=grid.size, outcome=1, group=1).copy()
            impact = impact.assign_coords(outcome=[outcome], group=[group]).drop_vars("cell", errors="ignore")
            impact[:, 0, 0] = grid
            log_density = log_probability_of_published(impact, cell).to_numpy()[:, 0]
            total += np.log(np.trapezoid(np.exp(log_density + mu.log_density(grid)), grid))
        assert statistics["log_marginal_likelihood"].sel(outcome=outcome).item() == pytest.approx(total, abs=0.02)


def test_a_tilt_changes_how_often_bins_are_drawn_and_nothing_else(evidence, primary):
    cells = reported_results(evidence, primary).isel(cell=[0, 2, 8])
    rng = np.random.default_rng(6)
    plain = draw_given_print(cells, draws=200_000, rng=rng)
    wanted = -3 * (np.log(plain.se).sum(axis=1))
    tilted = draw_given_print(cells, draws=200_000, rng=rng, tilt=learnt_tilt(plain, plain.log_weight + wanted))
    assert abs(np.exp(tilted.log_weight).mean() - 1) < 4 * np.exp(tilted.log_weight).std() / np.sqrt(200_000)
    for cell in range(3):
        means = [np.average(np.log(one.se[:, cell]), weights=np.exp(one.log_weight)) for one in (plain, tilted)]
        assert means[0] == pytest.approx(means[1], abs=4 * np.log(plain.se[:, cell]).std() / np.sqrt(50_000))
        assert np.log(tilted.se[:, cell]).mean() < means[0]
    assert np.isfinite(log_prior_mass(cells))


@pytest.mark.parametrize("name", ["joint", "pooled-rows"])
def test_what_is_not_normal_given_tau_is_refused(evidence, name):
    spec = load_impact_spec(name)
    with pytest.raises(SpecError, match="use engine 'nuts'"):
        exact_posterior(reported_results(evidence, spec), spec, chains=1, draws=10, seed=1)


def test_too_few_effective_draws_are_refused(evidence, primary):
    with pytest.raises(ConvergenceError, match=r"draws have an effective sample size of \d+, below"):
        exact_posterior(
            far_from_its_prior(evidence, primary), primary, chains=1, draws=2000, seed=1, least_effective=1000
        )


def far_from_its_prior(evidence, primary):
    """Cells whose SEs would have to be far larger than their prior says."""
    cells = reported_results(evidence, primary).copy(deep=True)
    return cells.assign(lower=cells["lower"] * 30, upper=cells["upper"] * 30, log_se_sd=cells["log_se_sd"] * 5)
