"""The gate lets good draws pass and says of bad ones what failed."""

import numpy as np
import pytest
import xarray as xr

from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.inference.diagnostics import check_convergence


def dataset(values):
    return xr.Dataset({"impact": (("chain", "draw", "group"), values)}, coords={"group": ["SCR IW", "WMCA"]})


def stats(energy, *, divergences=0):
    diverging = np.zeros(energy.shape, dtype=bool)
    diverging.flat[:divergences] = True
    return xr.Dataset(
        {"energy": (("chain", "draw"), energy), "diverging": (("chain", "draw"), diverging)},
        coords={"chain": np.arange(energy.shape[0])},
    )


@pytest.fixture
def good():
    return np.random.default_rng(2).normal(size=(4, 1000, 2))


@pytest.fixture
def energy():
    return np.random.default_rng(3).normal(size=(4, 1000))


def test_independent_draws_pass(good, energy):
    table = check_convergence(dataset(good), sample_stats=stats(energy))
    assert list(table.index) == ["impact[SCR IW]", "impact[WMCA]"]
    assert (table["rhat"] < 1.01).all()


def test_a_chain_elsewhere_fails_by_rhat(good):
    good[0, :, 1] += 0.5
    with pytest.raises(ConvergenceError, match=r"impact\[WMCA\]: R-hat 1\.\d+") as caught:
        check_convergence(dataset(good))
    assert "impact[SCR IW]" not in str(caught.value)
    assert "What to try" in str(caught.value)
    assert caught.value.exit_code == 3


def test_sticky_chains_fail_by_effective_sample_size(good):
    sticky = good.copy()
    for i in range(1, 1000):
        sticky[:, i] = 0.9 * sticky[:, i - 1] + np.sqrt(1 - 0.81) * good[:, i]
    with pytest.raises(ConvergenceError, match=r"bulk ESS [123]?\d\d,"):
        check_convergence(dataset(sticky))


def test_a_constant_or_missing_value_fails(good):
    good[:, :, 0] = 1.0
    good[1, 5, 1] = np.nan
    with pytest.raises(ConvergenceError, match=r"impact\[WMCA\]: R-hat nan"):
        check_convergence(dataset(good))


def test_one_divergence_is_one_too_many(good, energy):
    with pytest.raises(ConvergenceError, match="1 divergent transitions of 4000"):
        check_convergence(dataset(good), sample_stats=stats(energy, divergences=1))


def test_energy_that_creeps_fails(good, energy):
    energy[2] = np.cumsum(energy[2])
    with pytest.raises(ConvergenceError, match=r"chain 2: E-BFMI 0\.\d+") as caught:
        check_convergence(dataset(good), sample_stats=stats(energy))
    assert "chain 1" not in str(caught.value)
