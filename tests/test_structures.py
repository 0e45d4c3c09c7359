"""The built model is the one that models/README.md writes down."""

import numpy as np
import pymc as pm
import pytest
from scipy.stats import beta, halfnorm, multivariate_normal, norm

from hlt_bayes.core.errors import SpecError
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.inference.structures import build_model, impact_of_all, response_rates
from hlt_bayes.likelihood import bounds_of, log_se_bounds, reported_results
from hlt_bayes.specs import load_impact_spec, shipped_specs


@pytest.mark.parametrize("name", shipped_specs("impact"))
def test_the_model_reads_as_its_golden_text(evidence, name, golden):
    spec = load_impact_spec(name)
    priors = [
        f"{key.removeprefix('priors.')}[{outcome}] ~ {prior}"
        for key, table in spec.priors.tables()
        for outcome, prior in table.items()
    ]
    golden(f"model_{name}.txt", "\n".join([build_model(spec, evidence).str_repr(), *priors, ""]))


def test_coords_and_dims_carry_names(evidence, primary):
    model = build_model(primary, evidence)
    assert list(model.coords["outcome"]) == ["employment", "earnings", "health", "wellbeing"]
    assert list(model.coords["group"]) == ["SCR IW", "SCR OOW", "WMCA"]
    assert model.named_vars_to_dims["impact"] == ("outcome", "group")


def test_the_log_density_is_that_of_the_formulas(evidence, primary):
    cells = reported_results(evidence, primary)
    model = build_model(primary, evidence)
    rng = np.random.default_rng(5)
    point = model.initial_point()
    point = {name: value + 0.3 * rng.normal(size=value.shape) for name, value in point.items()}
    density = model.compile_logp(jacobian=False)(point)

    mu_sd = np.array([0.05, 600.0, 0.15, 0.15])
    tau_sd = np.array([0.03, 300.0, 0.08, 0.08])
    mu, tau, z = point["mu"], np.exp(point["tau_log__"]), point["z"]
    theta = (mu[:, None] + tau[:, None] * z).ravel()
    position = 1 / (1 + np.exp(-point["estimate_position_interval__"]))
    se_position = 1 / (1 + np.exp(-point["se_position_interval__"]))
    estimate = cells["estimate"].to_numpy() + cells["half_unit"].to_numpy() * (2 * position - 1)
    lower, upper = log_se_bounds(estimate, bounds_of(cells), np)
    log_se = lower + se_position * (upper - lower)
    expected = (
        norm.logpdf(mu, 0, mu_sd).sum()
        + halfnorm.logpdf(tau, scale=tau_sd).sum()
        + norm.logpdf(z).sum()
        + norm.logpdf(point["z_new"]).sum()
        + (norm.logpdf(log_se, np.log(cells["design_se"].to_numpy()) + 0.05, 0.2) + np.log(upper - lower)).sum()
        + norm.logpdf(estimate, theta, np.exp(log_se)).sum()
    )
    np.testing.assert_allclose(density, expected, rtol=1e-10)


def test_outcomes_that_nobody_measured_are_not_in_the_model(primary):
    rows = [{"outcome": "health", "group": name, "estimate": "0.1", "unit": "SD", "se": "0.05"} for name in "AB"]
    evidence = evidence_of_rows(rows, name="mine.csv")
    assert list(build_model(primary, evidence).coords["outcome"]) == ["health"]
    with pytest.raises(SpecError, match=r"key 'pooled_rows': mine\.csv has no row that pools two of its groups"):
        build_model(load_impact_spec("pooled-rows"), evidence)


def point_of(model, seed=5):
    rng = np.random.default_rng(seed)
    return {name: value + 0.3 * rng.normal(size=value.shape) for name, value in model.initial_point().items()}


def seen_through_the_print(point, cells, impact, *, correlation=None):
    """Log density of everything below the impacts {outcome, group}, by SciPy."""
    u = 1 / (1 + np.exp(-point["estimate_position_interval__"]))
    w = 1 / (1 + np.exp(-point["se_position_interval__"]))
    estimate = cells["lower"].to_numpy() + (cells["upper"] - cells["lower"]).to_numpy() * u
    lower, upper = log_se_bounds(estimate, bounds_of(cells), np)
    log_se = lower + w * (upper - lower)
    mean, sd = cells["log_se_mean"].to_numpy(), cells["log_se_sd"].to_numpy()
    total = (norm.logpdf(log_se, mean, sd) + np.log(upper - lower)).sum()
    if correlation is None:
        return total + norm.logpdf(estimate, impact.ravel(), np.exp(log_se)).sum()
    x, s = estimate.reshape(4, 3), np.exp(log_se).reshape(4, 3)
    for g in range(3):
        total += multivariate_normal.logpdf(x[:, g], impact[:, g], correlation * np.outer(s[:, g], s[:, g]))
    return total


def sds(table):
    return np.array([prior.sd for prior in table.values()])


def above_the_print(name, point, spec):
    """Impacts {outcome, group} that the likelihood sees, log prior of all parameters, and error correlation."""
    mu_sd = None if name == "ips-informed" else sds(spec.priors.mu)
    if name == "no-pooling":
        each = np.stack([point[f"impact_{group}"] for group in ("SCR IW", "SCR OOW", "WMCA")], axis=1)
        return each, norm.logpdf(each, 0, mu_sd[:, None]).sum(), None
    if name == "complete-pooling":
        return np.repeat(point["mu"][:, None], 3, axis=1), norm.logpdf(point["mu"], 0, mu_sd).sum(), None
    if name == "ips-informed":
        mu = np.array([point[f"mu_{outcome}"] for outcome in spec.outcomes])
        first, *others = spec.priors.mu.values()
        parts = zip(first.weights, first.means, first.sds, strict=True)
        prior = np.log(sum(w * norm.pdf(mu[0], m, s) for w, m, s in parts))
        prior += norm.logpdf(mu[1:], 0, [other.sd for other in others]).sum()
    else:
        mu = point["mu"]
        prior = norm.logpdf(mu, 0, mu_sd).sum()
    tau = np.exp(point["tau_log__"])
    prior += halfnorm.logpdf(tau, scale=sds(spec.priors.tau)).sum()
    prior += norm.logpdf(point["z"]).sum() + norm.logpdf(point["z_new"]).sum()
    impact, correlation = mu[:, None] + tau[:, None] * point["z"], None
    if name == "sites":
        site_sd = np.exp(point["site_sd_log__"])
        prior += halfnorm.logpdf(site_sd, scale=sds(spec.priors.site)).sum()
        prior += norm.logpdf(point["in_work"], 0, sds(spec.priors.in_work)).sum()
        prior += norm.logpdf(point["site_z"]).sum() + norm.logpdf(point["site_z_new"]).sum()
        impact = impact + site_sd[:, None] * point["site_z"][:, [0, 0, 1]]
        impact = impact + point["in_work"][:, None] * np.array([1, 0, 0])
    if name == "moderators":
        slope_sd = np.exp(point["slope_sd_log__"])
        prior += halfnorm.logpdf(slope_sd, scale=sds(spec.priors.slope)).sum() + norm.logpdf(point["slope_z"]).sum()
        values = {(key, place): one for key, m in spec.moderators.items() for place, one in m.values.items()}
        within = [key for key, one in values.items() if one.method == "interval"]
        drawn = {key: one.value for key, one in values.items() if one.method == "printed"}
        for key, raw in zip(within, point["moderator_within_interval__"], strict=True):
            low, high = values[key].lower, values[key].upper
            drawn[key] = low + (high - low) / (1 + np.exp(-raw))
            prior -= np.log(high - low)
        measured = [key for key, one in values.items() if one.method == "normal"]
        for key, value in zip(measured, point["moderator_measured"], strict=True):
            drawn[key] = value
            prior += norm.logpdf(value, values[key].mean, values[key].sd)
        for row, (key, m) in enumerate(spec.moderators.items()):
            steps = np.array([(drawn[key, site] - m.reference) / m.per for site in ("SCR", "SCR", "WMCA")])
            impact = impact + (slope_sd * point["slope_z"][row])[:, None] * steps
    if name == "joint":
        factors = {}
        for key, eta in (("impact_partial", spec.joint.impacts.eta), ("error_partial", 1.0)):
            share = 1 / (1 + np.exp(-point[f"{key}_logodds__"]))
            shape = np.array([eta + 1, eta + 1, eta + 1, eta + 0.5, eta + 0.5, eta])
            prior += beta.logpdf(share, shape, shape).sum()
            factors[key] = factor_of(2 * share - 1)
        impact = mu[:, None] + tau[:, None] * (factors["impact_partial"] @ point["z"])
        unknown = factors["error_partial"] @ factors["error_partial"].T
        correlation = 0.6 * spec.joint.expected_errors(spec.outcomes) + 0.4 * unknown
    if name == "nonresponse":
        share = 1 / (1 + np.exp(-point["share_logodds__"]))
        prior += beta.logpdf(share, 1, 1).sum() + norm.logpdf(point["difference"], 0, 0.2).sum()
    return impact, prior, correlation


def factor_of(partial):
    """Cholesky factor by the recursion of partial correlations, pairs in the order 10 20 30 21 31 32."""
    p = np.zeros((4, 4))
    p[1, 0], p[2, 0], p[3, 0], p[2, 1], p[3, 1], p[3, 2] = partial
    factor = np.zeros((4, 4))
    for i in range(4):
        rest = 1.0
        for j in range(i):
            factor[i, j] = p[i, j] * np.sqrt(rest)
            rest -= factor[i, j] ** 2
        factor[i, i] = np.sqrt(rest)
    return factor


@pytest.mark.parametrize("name", [name for name in shipped_specs("impact") if name != "pooled-rows"])
def test_the_log_density_of_each_structure_is_that_of_its_formulas(evidence, name):
    spec = load_impact_spec(name)
    cells = reported_results(evidence, spec)
    model = build_model(spec, evidence)
    point = point_of(model)
    impact, prior, correlation = above_the_print(name, point, spec)
    expected = prior + seen_through_the_print(point, cells, impact, correlation=correlation)
    density = model.compile_logp(jacobian=False, mode="FAST_COMPILE")(point)
    np.testing.assert_allclose(density, expected, rtol=1e-9)


def test_partial_correlations_make_the_lkj_distribution(evidence):
    """PyMC's own draws of it have the same spread of every correlation: Beta(eta + 1, eta + 1) for four outcomes."""
    model = build_model(load_impact_spec("joint"), evidence)
    drawn = pm.draw(model["impact_correlation"], draws=5000, random_seed=1, mode="FAST_COMPILE")
    for row, column in zip(*np.tril_indices(4, -1), strict=True):
        share = (drawn[:, row, column] + 1) / 2
        expected = beta(3, 3)
        assert abs(share.mean() - 0.5) < 4 * expected.std() / np.sqrt(5000)
        fourth = expected.moment(4) - 4 * 0.5 * expected.moment(3) + 6 * 0.25 * expected.moment(2) - 3 * 0.5**4
        error = np.sqrt((fourth - expected.var() ** 2) / 5000)
        assert abs(share.var() - expected.var()) < 4 * error


def test_who_did_not_answer_gains_as_the_equations_say(evidence):
    spec = load_impact_spec("nonresponse")
    cells = reported_results(evidence, spec)
    rates = response_rates(evidence, spec, cells)
    assert rates["treatment"].sel(outcome="health", group="WMCA").item() == pytest.approx(754 / 1837)
    assert (rates.sel(outcome=["employment", "earnings"]).to_array() == 1).all()
    seen = np.arange(12.0).reshape(4, 3)
    np.testing.assert_allclose(impact_of_all(seen, 1.0, 0.0, rates), seen)
    impact = impact_of_all(seen, 0.0, 0.1, rates)
    treated, control = 754 / 1837, 664 / 1838
    assert impact[2, 2] == pytest.approx((8 - 0.1 * (treated - control) / treated) * treated)
    assert impact[0, 1] == 1.0
    with pytest.raises(SpecError, match=r"key 'nonresponse': .* not report how many people in A, B were randomised"):
        build_model(spec, own_rows("A", "B"))


def own_rows(*groups, estimate="0.1"):
    rows = [{"outcome": "health", "group": name, "estimate": estimate, "unit": "SD", "se": "0.05"} for name in groups]
    return evidence_of_rows(rows, name="mine.csv")


@pytest.mark.parametrize(
    ("name", "evidence", "message"),
    [
        ("primary", own_rows("A"), r"spec 'primary' on mine\.csv: only one group \(A\).*use spec 'no-pooling'"),
        ("sites", own_rows("A", "B"), r"key 'in_work': group 'SCR IW' is unknown; allowed: 'A', 'B'"),
        ("moderators", own_rows("A", "B"), r"key 'moderators\.caseload\.values': no value for site 'A'"),
        ("primary", own_rows("A", "B", estimate="4.9"), r"key 'priors\.mu\.health': Normal\(0, 0\.15\).*excludes"),
        ("pooled-rows", own_rows("A", "B"), r"has no row that pools two of its groups"),
    ],
    ids=["one group", "unknown group", "no value", "excluded", "no pooled row"],
)
def test_a_spec_that_does_not_suit_the_evidence_is_refused(name, evidence, message):
    with pytest.raises(SpecError, match=message):
        build_model(load_impact_spec(name), evidence)


def test_one_group_can_stand_by_itself():
    assert list(build_model(load_impact_spec("no-pooling"), own_rows("A")).coords["group"]) == ["A"]
