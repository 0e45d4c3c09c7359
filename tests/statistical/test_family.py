"""Every impact model of the family, by both engines, against an importance sampler that shares no code with them.

The rule: a mean or an SD departs by its distance from the reference, in combined Monte Carlo standard errors: that of
the draws (``arviz_stats.mcse``; the exact engine's resampled draws count for as many as they are worth by their
weights) and that of the reference, by batches. With so many comparisons a suite with new seeds may fail by chance now
and then, the more so by SDs of long-tailed quantities; yet another seed then tells.

A twin, of which the reference is wrong in one way, must depart by more than 10 in the impacts, ``mu`` or ``tau``. Three
faults hardly show in these, and are no twins: impacts of a group not correlated in ``joint``, moderators known to be at
their middles, and the wide part left out of the prior of ``ips-informed``.
"""

from dataclasses import replace
from functools import cache

import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr
from importance import FAMILY, GROUPS, MODERATORS, OUTCOMES, correlation_factors, reference
from printed_numbers import PRINTED
from quadrature import posterior
from scipy.stats import beta, kstest

from hlt_bayes.inference.fit import fit
from hlt_bayes.specs import load_impact_spec

BOUND = 4.5
"""Of 1,500 independent normal distances the largest passes it in about one suite of a hundred."""

CLEARLY = 10.0
LEAST_EFFECTIVE = 50_000
SMALL, LARGE = 1250, 5000
"""Sizes of a batch of the reference: of the tests that are run most often, and of all others."""
SHOWN = ("impact", "mu", "tau")

SPECS = [name for name in FAMILY if name != "primary"]
EXACT = [name for name in SPECS if name != "joint"]

FAST = ("moderators", "nonresponse")


def of_tier(name):
    """Two models are compared in every run of the tests, the others in CI."""
    return [] if name in FAST else [pytest.mark.ci]


AT_SCR = {name: replace(one, reference=one.sites["SCR"][1]) for name, one in MODERATORS.items()}
ONLY_NULL = {**FAMILY["primary"].mu, "employment": [(0.8, 0.0, 0.093), (0.2, 0.0, 0.25)]}
SABOTAGE = {
    "sites": {
        "site effects left out": {"site": None},
        "in-work group swapped": {"works": ("SCR OOW",)},
        "in-work term left out": {"in_work": None},
    },
    "moderators": {
        "slopes left out": {"slope": None},
        "slopes that do not shrink": {"slopes_shrink": False},
        "steps from the wrong reference": {"moderators": AT_SCR},
    },
    "joint": {
        "independent errors": {"errors": None},
        "hardly anything unknown of the errors": {"errors_unknown": 0.01},
    },
    "nonresponse": {
        "as much gained by all": {"share": (1e4, 1.0)},
        "no difference of the surplus": {"difference": 1e-6},
    },
    "ips-informed": {
        "the prior of primary": {"mu": FAMILY["primary"].mu},
        "other trials without effect": {"mu": ONLY_NULL},
    },
    "no-pooling": {"groups pooled": {"mu": FAMILY["primary"].mu, "mu_common": True, "tau": FAMILY["primary"].tau}},
    "complete-pooling": {"groups that differ a little": {"tau": {k: v / 3 for k, v in FAMILY["primary"].tau.items()}}},
}
TWINS = [
    pytest.param(name, fault, marks=[pytest.mark.deep] if name in ("joint", "moderators") else of_tier(name))
    for name in SPECS
    for fault in (*SABOTAGE[name], "arms swapped")
]


@cache
def expected(name, size=SMALL):
    """The reference by 40 batches, from which its errors are computed."""
    return reference(FAMILY[name], size=size)


@pytest.fixture(scope="module")
def fit_of(evidence):
    """Fit a spec by an engine, once for all tests of this file."""
    return cache(lambda name, engine: fit(load_impact_spec(name), evidence, engine=engine))


def departures(tree, truth, quantities):
    """Distances from the reference in combined errors, by variable, labels and moment."""
    draws = tree["posterior"].dataset
    columns = []
    for name, *labels in quantities:
        dims = draws[name].dims[2:]
        columns.append(draws[name].sel(dict(zip(dims, labels, strict=True))).to_numpy())
    values = xr.Dataset({"value": (("chain", "draw", "quantity"), np.stack(columns, axis=-1))})
    total = values.sizes["chain"] * values.sizes["draw"]
    worth = tree["importance"]["effective_draws"].min().item() if "importance" in tree.children else total
    found = {}
    for moment, of_truth, of_draws, its_error in (
        ("mean", truth.mean, values.mean(("chain", "draw")), truth.mean_error),
        ("sd", truth.sd, values.std(("chain", "draw"), ddof=1), truth.sd_error),
    ):
        errors = azs.mcse(values, method=moment)["value"].to_numpy() * np.sqrt(total / worth)
        for quantity, value, error in zip(quantities, of_draws["value"].to_numpy(), errors, strict=True):
            distance = abs(value - of_truth[quantity]) / np.hypot(error, its_error[quantity])
            found[*quantity, moment] = distance.item()
    return found


def largest(found):
    return dict(sorted(found.items(), key=lambda item: -item[1])[:5])


def test_the_reference_agrees_with_quadrature():
    truth = expected("primary")
    for outcome in OUTCOMES:
        found = posterior(PRINTED[outcome])
        quantities = {name: (name, outcome) for name in ("mu", "tau")}
        quantities |= {g: ("impact", outcome, group) for g, group in enumerate(GROUPS)}
        for key, quantity in quantities.items():
            mean, sd, *_ = found[key]
            assert abs(truth.mean[quantity] - mean) < BOUND * truth.mean_error[quantity] + 1e-4 * sd, quantity
            assert abs(truth.sd[quantity] - sd) < BOUND * truth.sd_error[quantity] + 1e-4 * sd, quantity


@pytest.mark.parametrize("eta", [1.0, 2.0])
def test_the_reference_draws_correlation_matrices_of_an_lkj_prior(eta):
    factors = correlation_factors(eta, 4, 20_000, np.random.default_rng(1))
    matrices = factors @ factors.transpose(0, 2, 1)
    np.testing.assert_allclose(np.diagonal(matrices, axis1=1, axis2=2), 1.0)
    shape = eta - 1 + 4 / 2
    for i, j in zip(*np.tril_indices(4, -1), strict=True):
        assert kstest((1 + matrices[:, i, j]) / 2, beta(shape, shape).cdf).pvalue > 1e-4


@pytest.mark.deep
@pytest.mark.parametrize("name", SPECS)
def test_the_reference_is_worth_many_draws(name):
    assert expected(name, LARGE).effective > LEAST_EFFECTIVE


@pytest.mark.parametrize(
    ("name", "size"),
    [*((name, SMALL) for name in FAST), *(pytest.param(name, LARGE, marks=pytest.mark.ci) for name in EXACT)],
)
def test_the_exact_engine_agrees_with_the_reference(fit_of, name, size):
    tree, truth = fit_of(name, "exact"), expected(name, size)
    assert set(tree["posterior"].dataset.data_vars) == {quantity[0] for quantity in truth.mean}
    found = departures(tree, truth, list(truth.mean))
    assert max(found.values()) < BOUND, largest(found)


@pytest.mark.deep
@pytest.mark.parametrize("name", SPECS)
def test_nuts_agrees_with_the_reference(fit_of, name):
    truth = expected(name, LARGE)
    found = departures(fit_of(name, "nuts"), truth, list(truth.mean))
    assert max(found.values()) < BOUND, largest(found)


@pytest.mark.parametrize(("name", "fault"), TWINS)
def test_a_wrong_reference_is_found_out(fit_of, name, fault):
    right = FAMILY[name]
    wrong = right.swapped() if fault == "arms swapped" else replace(right, **SABOTAGE[name][fault])
    truth = reference(wrong, batches=20, size=SMALL)
    tree = fit_of(name, "exact" if name in EXACT else "nuts")
    quantities = [quantity for quantity in truth.mean if quantity[0] in SHOWN and quantity in expected(name).mean]
    found = departures(tree, truth, quantities)
    assert max(found.values()) > CLEARLY, largest(found)
