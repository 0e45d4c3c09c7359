"""Each check finds what it should, and a wrong input shows."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from printed_numbers import PRINTED
from quadrature import STARS as BY_MARK
from quadrature import probability_of_print
from scipy.stats import norm

from hlt_bayes.checks import (
    compare_specs,
    held_out_rows,
    held_out_scores,
    impacts_by_spec,
    posterior_predictive,
    power_scaling,
    prior_grid,
    prior_predictive,
    range_over_grid,
    returns_by_spec,
)
from hlt_bayes.checks.predictive import predicted_results
from hlt_bayes.checks.sensitivity import with_scaled_priors
from hlt_bayes.core.errors import HltBayesError, SpecError
from hlt_bayes.display.plots import plot_prior_grid, plot_specs
from hlt_bayes.economics import appraise
from hlt_bayes.inference.calibration import engines_of
from hlt_bayes.inference.exact import exact_posterior, is_exact
from hlt_bayes.inference.fit import fit
from hlt_bayes.likelihood import log_probability_of_published, reported_results
from hlt_bayes.specs import load_impact_spec, shipped_specs
from hlt_bayes.specs.priors import prior

STARS = tuple(BY_MARK.values())
"""Bounds of |estimate| / SE by the number of stars."""


@pytest.fixture(scope="module")
def cells(evidence, primary):
    return reported_results(evidence, primary)


def known(cells, value, draws=20_000):
    """Impacts that are all one number of SEs of each cell, and the SEs."""
    s = cells["design_se"].to_numpy()
    impact = xr.DataArray(
        np.broadcast_to((value * s).reshape(4, 3), (1, draws, 4, 3)),
        dims=("chain", "draw", "outcome", "group"),
        coords={"outcome": list(dict.fromkeys(cells["outcome"].to_numpy())), "group": ["SCR IW", "SCR OOW", "WMCA"]},
    )
    se = xr.DataArray(
        np.broadcast_to(s, (1, draws, 12)), dims=("chain", "draw", "cell"), coords={"cell": cells["cell"]}
    )
    return xr.Dataset({"impact": impact, "se": se})


def test_marks_come_as_often_as_a_normal_says(evidence, cells):
    table = predicted_results(known(cells, 1.0), evidence, cells, seed=3)
    for stars, (low, high) in enumerate(STARS):
        expected = norm.cdf(high, 1) - norm.cdf(low, 1) + norm.cdf(-low, 1) - norm.cdf(-high, 1)
        error = np.sqrt(expected * (1 - expected) / 20_000)
        assert (abs(table[f"prob_{stars}"] - expected) < 4 * error).all()
    # With impacts of nothing they come otherwise.
    nothing = predicted_results(known(cells, 0.0), evidence, cells, seed=3)
    assert (abs(nothing["prob_3"] - 0.01) < 0.004).all()
    together = 1.0
    for mark in table["mark"]:
        low, high = STARS[len(mark)]
        together *= norm.cdf(high, 1) - norm.cdf(low, 1) + norm.cdf(-low, 1) - norm.cdf(-high, 1)
    assert table.attrs["prob_of_all_marks"] == pytest.approx(together, rel=1e-6)


def test_the_prior_predictive_is_that_of_the_stated_priors(primary, evidence, cells):
    table = prior_predictive(primary, evidence, draws=20_000, seed=4).set_index(["outcome", "group"])
    assert list(table.columns[:3]) == ["unit", "printed", "mark"]
    mu, tau = primary.priors.mu["health"].sd, primary.priors.tau["health"].sd
    rng = np.random.default_rng(9)
    impact = mu * rng.normal(size=200_000) + tau * np.abs(rng.normal(size=200_000)) * rng.normal(size=200_000)
    se = cells["design_se"].sel(cell="health, WMCA").item() * np.exp(0.05 + 0.2 * rng.normal(size=200_000))
    z = abs(impact + se * rng.normal(size=200_000)) / se
    row = table.loc[("health", "WMCA")]
    assert row["impact_upper_89"] == pytest.approx(np.quantile(impact, 0.945), rel=0.05)
    for stars, (low, high) in enumerate(STARS):
        share = ((z >= low) & (z < high)).mean()
        assert abs(row[f"prob_{stars}"] - share) < 4 * np.sqrt(share * (1 - share) / 20_000) + 0.002
    assert (table["surprise"] > 0.05).all()


def test_a_prior_in_conflict_with_what_was_printed_is_surprised(primary, evidence):
    far = primary.priors.mu["wellbeing"].model_copy(update={"mean": -0.5, "sd": 0.1})
    mu = {**primary.priors.mu, "wellbeing": far}
    spec = primary.model_copy(update={"priors": primary.priors.model_copy(update={"mu": mu})})
    table = prior_predictive(spec, evidence, draws=4000, seed=4).set_index("outcome")
    assert (table.loc["wellbeing", "surprise"] < 0.01).all()
    assert (table.loc["health", "surprise"] > 0.05).all()


def test_a_model_of_the_wrong_trial_does_not_print_this_table(exactly_fitted, evidence, primary):
    right = posterior_predictive(exactly_fitted, evidence, primary, seed=1)
    wrong = exactly_fitted.copy()
    larger = exactly_fitted["posterior"].dataset.assign(impact=-3 * exactly_fitted["posterior"]["impact"])
    wrong["posterior"] = xr.DataTree(larger)
    of_wrong = posterior_predictive(wrong, evidence, primary, seed=1)
    assert right.attrs["prob_of_all_marks"] > 3 * of_wrong.attrs["prob_of_all_marks"]
    assert (right["surprise"] > 0.1).all()
    assert of_wrong["surprise"].min() < 0.05


def test_pooled_rows_are_held_out_and_foretold(exactly_fitted, evidence, primary):
    table = held_out_rows(exactly_fitted, evidence, primary, seed=1).set_index(["outcome", "group"])
    assert len(table) == 8
    posterior = exactly_fitted["posterior"]["estimate"]
    # About the middle of its parts, since the weight is near a half.
    parts = posterior.sel(cell=["health, SCR OOW", "health, WMCA"]).mean().item()
    assert table.loc[("health", "All OOW"), "mean"] == pytest.approx(parts, abs=0.01)
    assert (table["surprise"] > 0.05).all()
    elsewhere = exactly_fitted.copy()
    moved = exactly_fitted["posterior"].dataset.assign(estimate=posterior + 0.2)
    elsewhere["posterior"] = xr.DataTree(moved)
    off = held_out_rows(elsewhere, evidence, primary, seed=1).set_index(["outcome", "group"])
    assert (off.loc["health", "surprise"] < 0.01).all()


@pytest.mark.ci
def test_power_scaling_tells_a_strong_prior_from_a_weak_one(exactly_fitted, evidence, primary, published):
    returns = appraise(exactly_fitted, published, evidence, seed=1)["benefit_cost_ratio"]
    table = power_scaling(exactly_fitted, evidence, primary, returns=returns).set_index("quantity")
    assert {"mu[health]", "impact[health, WMCA]", "benefit_cost_ratio[economic, WMCA]"} <= set(table.index)
    strong = with_scaled_priors(primary, mu=0.1, tau=0.1, se=1.0)
    other = power_scaling(fit(strong, evidence, engine="exact"), evidence, strong).set_index("quantity")
    cell = "impact[health, WMCA]"
    assert other.loc[cell, "prior"] > 5 * table.loc[cell, "prior"]


@pytest.mark.parametrize("name", ["joint", "pooled-rows"])
def test_power_scaling_refuses_what_has_no_likelihood_of_cells(exactly_fitted, evidence, name):
    with pytest.raises(SpecError, match="does not factorise over published results"):
        power_scaling(exactly_fitted, evidence, load_impact_spec(name))


def test_the_log_likelihood_of_the_print_is_that_of_the_quadrature(primary, cells):
    grid = np.linspace(-0.1, 0.2, 7)
    impact = xr.DataArray(
        np.broadcast_to(grid[:, None, None], (7, 4, 3)),
        dims=("draw", "outcome", "group"),
        coords={"outcome": list(primary.outcomes), "group": ["SCR IW", "SCR OOW", "WMCA"]},
    )
    found = log_probability_of_published(impact, cells)
    for outcome in ("employment", "health", "wellbeing"):
        for g, group in enumerate(("SCR IW", "SCR OOW", "WMCA")):
            with np.errstate(divide="ignore"):
                expected = np.log(probability_of_print(PRINTED[outcome], g, grid))
            near = expected > expected.max() - 12
            ours = found.sel(cell=f"{outcome}, {group}").to_numpy()
            np.testing.assert_allclose(ours[near], expected[near], atol=0.02)


def test_the_grid_has_the_spec_itself_in_it(primary, published, evidence, exactly_fitted):
    grid = prior_grid(primary, published, evidence, mu=[1.0], tau=[0.5, 1.0], se=[1.0], seed=5)
    table = range_over_grid(grid).set_index(["perspective", "group"])
    ratio = appraise(exactly_fitted, published, evidence, seed=1)["benefit_cost_ratio"]
    for group in ("SCR IW", "WMCA"):
        share = (ratio.sel(perspective="economic", group=group) > 1).mean().item()
        assert abs(table.loc[("economic", group), "as_stated"] - share) < 4 * np.sqrt(0.25 / 4000 + 0.25 / 8000)
    assert (table["least"] <= table["as_stated"]).all()
    assert (table["moved_by_mu"] == 0).all()
    assert table.loc[("economic", "WMCA"), "moved_by_tau"] > 0
    assert len(plot_prior_grid(grid).axes) == 5


@pytest.mark.ci
def test_the_grid_gives_the_same_over_processes(primary, published, evidence):
    few = {"mu": [1.0], "tau": [1.0, 2.0], "se": [1.0], "seed": 5}
    one, two = (prior_grid(primary, published, evidence, **few, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def test_scaled_priors_are_scaled(primary):
    spec = with_scaled_priors(primary, mu=2.0, tau=3.0, se=0.5)
    assert spec.priors.mu["health"].sd == 2 * primary.priors.mu["health"].sd
    assert spec.priors.tau["health"].sd == 3 * primary.priors.tau["health"].sd
    assert spec.standard_error.log_ratio.sd == 0.5 * primary.standard_error.log_ratio.sd


def test_a_held_out_cell_is_scored_by_the_others(evidence):
    """Without pooling others say nothing: the score is the probability under the prior."""
    spec = load_impact_spec("no-pooling")
    scores = held_out_scores(spec, evidence, seed=2).set_index(["outcome", "group"])["log_probability"]
    cells = reported_results(evidence, spec)
    for group in ("SCR IW", "WMCA"):
        alone = cells.sel(cell=[f"health, {group}"])
        _, statistics = exact_posterior(alone, spec, chains=1, draws=20_000, seed=8)
        assert scores["health", group] == pytest.approx(statistics["log_marginal_likelihood"].item(), abs=0.05)
    # Pooled, the others foretell a cell that is like them better, and one that is not worse.
    pooled = held_out_scores(load_impact_spec("complete-pooling"), evidence, seed=2).set_index(["outcome", "group"])
    assert pooled.loc[("health", "SCR IW"), "log_probability"] > scores["health", "SCR IW"]
    assert pooled.loc[("employment", "SCR OOW"), "log_probability"] < scores["employment", "SCR OOW"]


@pytest.mark.ci
@pytest.mark.parametrize("name", ["complete-pooling", pytest.param("moderators", marks=pytest.mark.deep)])
def test_scores_have_the_monte_carlo_error_that_they_say(evidence, name):
    spec = load_impact_spec(name)
    scores = [held_out_scores(spec, evidence, seed=seed)["log_probability"] for seed in range(6)]
    assert np.std(scores, axis=0, ddof=1).max() < 0.02


def test_specs_stand_side_by_side(evidence, published, primary):
    specs = [load_impact_spec(name) for name in ("no-pooling", "complete-pooling")]
    trees = compare_specs(specs, evidence, seed=1)
    table = impacts_by_spec(trees, evidence).set_index(["spec", "outcome", "estimand"])
    spread = {
        name: table.loc[name].loc["employment"].loc[["SCR IW", "SCR OOW", "WMCA"], "mean"].std() for name in trees
    }
    assert spread["complete-pooling"] < 1e-12 < spread["no-pooling"]
    assert ("no-pooling", "health", "new group") not in table.index
    returns = returns_by_spec(trees, published, evidence, seed=1)
    assert set(returns["spec"]) == set(trees)
    assert len(plot_specs(table.reset_index()).axes) == 4
    with pytest.raises(HltBayesError, match="two have the same name"):
        compare_specs([primary, primary], evidence)


def test_which_specs_are_exact():
    exact = {name for name in shipped_specs("impact") if is_exact(load_impact_spec(name))}
    assert set(shipped_specs("impact")) - exact == {"joint", "pooled-rows"}


def test_a_prior_that_the_exact_engine_cannot_take_makes_a_spec_one_for_nuts():
    spec = load_impact_spec("no-pooling")
    half = prior({"family": "half-normal", "sd": 0.2, "unit": spec.priors.mu["health"].unit})
    mu = {**spec.priors.mu, "health": half}
    other = spec.model_copy(update={"priors": spec.priors.model_copy(update={"mu": mu})})
    assert is_exact(spec)
    assert not is_exact(other)
    assert engines_of(other) == ["nuts"]
