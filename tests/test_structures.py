"""The built model is the one that models/README.md writes down."""

import numpy as np
import pytest
from scipy.stats import halfnorm, norm

from hlt_bayes.errors import SpecError
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.reported import bounds_of, log_se_bounds, reported_results
from hlt_bayes.specs import load_impact_spec, shipped_specs
from hlt_bayes.structures import build_model


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
    with pytest.raises(SpecError, match=r"key 'pooled_rows': mine\.csv prints no row that pools two of its groups"):
        build_model(load_impact_spec("pooled-rows"), evidence)
