"""Engines agree: PyMC's own sampler with the exact one; the seed decides."""

import arviz_stats as azs
import numpy as np
import pytest

from hlt_bayes.core.errors import SpecError
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.inference.exact import exact_prior
from hlt_bayes.inference.fit import draw_prior, fit
from hlt_bayes.inference.structures import build_model, response_rates
from hlt_bayes.likelihood import reported_results
from hlt_bayes.specs import load_impact_spec

EXACT_SPECS = ("sites", "moderators", "ips-informed", "nonresponse", "no-pooling")


def means_agree(by_nuts, exact, names):
    """Hold means of draws by NUTS to those of the exact engine, whose draws are worth 80 % of their number at least."""
    for name in names:
        error = azs.mcse(by_nuts[[name]], method="mean")[name].to_numpy()
        draws = exact.sizes["chain"] * exact.sizes["draw"]
        other = exact[name].std(("chain", "draw")).to_numpy() / np.sqrt(0.8 * draws)
        off = abs(by_nuts[name].mean(("chain", "draw")) - exact[name].mean(("chain", "draw"))).to_numpy()
        assert (off < 4.5 * np.hypot(error, other)).all(), name


@pytest.mark.deep
def test_pymcs_own_sampler_agrees_with_the_exact_engine(evidence):
    spec = load_impact_spec("complete-pooling")
    by_pymc, exact = (fit(spec, evidence, engine=engine)["posterior"].dataset for engine in ("pymc", "exact"))
    assert "diverging" not in by_pymc
    means_agree(by_pymc, exact, ("mu", "estimate", "se"))


def test_an_engine_that_is_none_is_refused(evidence, primary):
    with pytest.raises(SpecError, match="engine 'nutz' is unknown; allowed: 'nuts', 'pymc', 'exact'"):
        fit(primary, evidence, engine="nutz")


def test_the_seed_decides(evidence):
    spec = load_impact_spec("no-pooling")
    one, same, other = (fit(spec, evidence, engine="exact", seed=seed)["posterior"]["impact"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.ci
def test_ragged_trials_of_ones_own_give_the_same_by_both_engines(primary):
    """Events, a p value, a star and an SE; not every group has every outcome."""
    common = {"n_treatment": "300", "n_control": "310"}
    rows = [
        {"outcome": "health", "group": "Leeds", "estimate": "0.10", "unit": "SD", "se": "0.05"},
        {"outcome": "health", "group": "York", "estimate": "0.02", "unit": "SD", "p": "0.6", **common},
        {"outcome": "employment", "group": "Leeds", "unit": "ppt", **common}
        | {"events_treatment": "40", "events_control": "30"},
        {"outcome": "employment", "group": "Hull", "estimate": "6", "unit": "ppt", "stars": "*", **common},
    ]
    evidence = evidence_of_rows(rows, name="mine.csv")
    exact, nuts = (fit(primary, evidence, engine=engine)["posterior"].dataset for engine in ("exact", "nuts"))
    means_agree(nuts, exact, ("impact", "mu", "tau", "impact_new"))
    # Hull's health and York's employment are foretold, more widely than what was seen.
    spread = exact["impact"].std(("chain", "draw"))
    assert spread.sel(outcome="health", group="Hull") > 1.5 * spread.sel(outcome="health", group="Leeds")


@pytest.mark.parametrize("name", ["primary", *(pytest.param(name, marks=pytest.mark.ci) for name in EXACT_SPECS)])
def test_the_prior_is_the_same_by_both_engines(evidence, name):
    spec = load_impact_spec(name)
    cells = reported_results(evidence, spec)
    rates = response_rates(evidence, spec, cells)
    exact = exact_prior(cells, spec, draws=8000, seed=1, rates=rates)
    by_pymc = draw_prior(build_model(spec, evidence), draws=8000, seed=1)
    assert set(exact.data_vars) == set(by_pymc.data_vars)
    for variable in exact.data_vars:
        one, other = (prior[variable].transpose(*exact[variable].dims).isel(chain=0) for prior in (exact, by_pymc))
        spread = other.std("draw")
        known = (spread < 1e-12).to_numpy()
        np.testing.assert_allclose(one.mean("draw").to_numpy()[known], other.mean("draw").to_numpy()[known])
        off = abs(one.mean("draw") - other.mean("draw")).to_numpy()
        assert (off <= 4.5 * spread.to_numpy() * np.sqrt(2 / 8000) + 1e-12).all(), variable
        for probability in (0.1, 0.9):
            shares = (one < other.quantile(probability, "draw")).mean("draw").to_numpy()
            assert (abs(shares - probability) < 4.5 * np.sqrt(2 * 0.09 / 8000))[~known].all(), variable
