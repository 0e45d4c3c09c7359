"""Engines agree: PyMC's own sampler with the exact one; the seed decides."""

import arviz_stats as azs
import numpy as np
import pytest

from hlt_bayes.errors import SpecError
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
