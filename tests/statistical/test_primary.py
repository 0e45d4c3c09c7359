"""The fitted primary model against a quadrature that shares no code with it."""

import arviz_stats as azs
import numpy as np
import pytest
from printed_numbers import PRINTED, SABOTAGE
from quadrature import posterior

from hlt_bayes.core.vocabulary import GROUPS
from hlt_bayes.impacts.draws import impact_draws
from hlt_bayes.inference.diagnostics import check_convergence
from hlt_bayes.inference.fit import PRIOR_DRAWS, convergence_variables


def departures(tree, outcome, expected):
    """|draws - quadrature| in Monte Carlo standard errors, for each mean, SD and P(impact > 0)."""
    draws = tree["posterior"].dataset.sel(outcome=outcome)
    quantities = {name: draws[name] for name in ("mu", "tau")}
    quantities |= {g: draws["impact"].sel(group=group) for g, group in enumerate(GROUPS)}
    found = {}
    for name, values in quantities.items():
        mean, sd, *positive = expected[name]
        values = values.drop_vars(["group", "outcome"], errors="ignore").to_dataset(name="value")
        error = {method: azs.mcse(values, method=method)["value"].item() for method in ("mean", "sd")}
        found[name, "mean"] = abs(values["value"].mean().item() - mean) / error["mean"]
        found[name, "sd"] = abs(values["value"].std(ddof=1).item() - sd) / error["sd"]
        if positive:
            above = (values > 0).astype(float)
            # Of the expected share: where few draws lie below 0, their own says how few there happen to be.
            share = np.clip(positive[0], 1 / values["value"].size, 1 - 1 / values["value"].size)
            error = np.sqrt(share * (1 - share) / azs.ess(above, method="mean")["value"].item())
            found[name, "P(>0)"] = abs(above["value"].mean().item() - positive[0]) / error
    return found


@pytest.mark.parametrize("outcome", PRINTED)
def test_the_posterior_agrees_with_quadrature(fitted, outcome):
    found = departures(fitted, outcome, posterior(PRINTED[outcome]))
    assert len(found) == 2 * 2 + 3 * 3
    assert max(found.values()) < 4, found


@pytest.mark.parametrize("fault", SABOTAGE)
def test_a_wrong_model_is_found_out(fitted, fault):
    outcome, wrong = SABOTAGE[fault]
    found = departures(fitted, outcome, posterior(wrong(PRINTED[outcome])))
    assert max(found.values()) > 10, found


def test_every_reported_quantity_has_converged(fitted, reanalysis):
    chosen = convergence_variables(fitted["posterior"].dataset, fitted["reported"].dataset)
    table = check_convergence(chosen, sample_stats=fitted["sample_stats"].dataset)
    assert len(table) == 12 + 4 + 4 + 4 + 12 + 12
    assert len(reanalysis.diagnostics) == 4 * (5 + 1 + 1 + 3) + 10
    assert (reanalysis.diagnostics["rhat"] <= 1.01).all()


def test_impacts_say_what_they_are(fitted, primary, evidence):
    impact = impact_draws(fitted)
    assert impact.dims == ("chain", "draw", "outcome", "group")
    assert (impact.attrs["spec"], impact.attrs["seed"]) == ("primary", str(primary.sampling.seed))
    assert impact.attrs["spec_sha256"] == primary.fingerprint
    assert impact.attrs["evidence_sha256"] == evidence.sha256


def test_the_prior_is_the_stated_one(fitted, primary):
    prior = fitted["prior"].dataset
    for outcome in primary.outcomes:
        mu, tau = (prior[name].sel(outcome=outcome).to_numpy().ravel() for name in ("mu", "tau"))
        stated = primary.priors.mu[outcome].sd, primary.priors.tau[outcome].sd
        assert mu.size == PRIOR_DRAWS
        error = 4 / np.sqrt(mu.size)
        assert abs(mu.mean() / stated[0]) < error
        assert abs(np.mean(np.abs(mu) < stated[0]) - 0.6827) < error / 2
        assert abs(np.mean(tau < stated[1]) - 0.6827) < error / 2
        spread = prior["impact"].sel(outcome=outcome).std().item()
        assert abs(spread / np.hypot(*stated) - 1) < error


def test_draws_stay_inside_what_is_printed(fitted):
    posterior, cells = fitted["posterior"].dataset, fitted["reported"].dataset
    assert (abs(posterior["estimate"] - cells["estimate"]) <= cells["half_unit"]).all()
    z = abs(posterior["estimate"]) / posterior["se"]
    assert ((z > cells["z_lower"] * (1 - 1e-12)) & (z < cells["z_upper"] * (1 + 1e-12))).all()
