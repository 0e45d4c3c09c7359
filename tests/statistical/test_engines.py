"""Engines agree: PyMC's own sampler with the exact one; the seed decides."""

import arviz_stats as azs
import numpy as np
import pytest

from hlt_bayes.errors import SpecError
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.fitting import fit
from hlt_bayes.specs import load_impact_spec


@pytest.mark.slow
def test_pymcs_own_sampler_agrees_with_the_exact_engine(evidence):
    spec = load_impact_spec("complete-pooling")
    by_pymc, exact = (fit(spec, evidence, engine=engine)["posterior"].dataset for engine in ("pymc", "exact"))
    assert "diverging" not in by_pymc
    for name in ("mu", "estimate", "se"):
        error = azs.mcse(by_pymc[[name]], method="mean")[name].to_numpy()
        other = exact[name].std(("chain", "draw")).to_numpy() / np.sqrt(
            0.8 * exact.sizes["chain"] * exact.sizes["draw"]
        )
        off = abs(by_pymc[name].mean(("chain", "draw")) - exact[name].mean(("chain", "draw"))).to_numpy()
        assert (off < 4.5 * np.hypot(error, other)).all(), name


def test_an_engine_that_is_none_is_refused(evidence, primary):
    with pytest.raises(SpecError, match="engine 'nutz' is unknown; allowed: 'nuts', 'pymc', 'exact'"):
        fit(primary, evidence, engine="nutz")


def test_the_seed_decides(evidence):
    spec = load_impact_spec("no-pooling")
    one, same, other = (fit(spec, evidence, engine="exact", seed=seed)["posterior"]["impact"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


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
    for name in ("impact", "mu", "tau", "impact_new"):
        error = azs.mcse(nuts[[name]], method="mean")[name].to_numpy()
        other = exact[name].std(("chain", "draw")).to_numpy() / np.sqrt(0.8 * 8000)
        off = abs(nuts[name].mean(("chain", "draw")) - exact[name].mean(("chain", "draw"))).to_numpy()
        assert (off < 4.5 * np.hypot(error, other)).all(), name
    # Hull's health and York's employment are foretold, more widely than what was seen.
    spread = exact["impact"].std(("chain", "draw"))
    assert spread.sel(outcome="health", group="Hull") > 1.5 * spread.sel(outcome="health", group="Leeds")
