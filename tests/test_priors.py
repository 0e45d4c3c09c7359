"""Each family of priors is what SciPy and PyMC call by its name."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from scipy import special, stats

from hlt_bayes.core.errors import SpecError
from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.specs.priors import NormalPrior, prior

TABLES = {
    "normal": {"family": "normal", "mean": 0.01, "sd": 0.03},
    "half-normal": {"family": "half-normal", "sd": 0.02},
    "student-t": {"family": "student-t", "mean": 50.0, "scale": 200.0, "degrees_of_freedom": 3.0},
    "normal-mixture": {"family": "normal-mixture", "weights": [2.0, 6.0], "means": [-0.02, 0.05], "sds": [0.01, 0.04]},
    "half-student-t": {"family": "half-student-t", "scale": 200.0, "degrees_of_freedom": 5.0},
    "exponential": {"family": "exponential", "mean": 0.05},
    "log-normal": {"family": "log-normal", "median": 0.03, "log_sd": 0.5},
}
BY_SCIPY = {
    "normal": stats.norm(0.01, 0.03),
    "half-normal": stats.halfnorm(scale=0.02),
    "student-t": stats.t(3.0, 50.0, 200.0),
    "exponential": stats.expon(scale=0.05),
    "log-normal": stats.lognorm(0.5, scale=0.03),
}
BY_PYMC = {
    "normal": lambda: pm.Normal.dist(mu=0.01, sigma=0.03),
    "half-normal": lambda: pm.HalfNormal.dist(sigma=0.02),
    "student-t": lambda: pm.StudentT.dist(nu=3.0, mu=50.0, sigma=200.0),
    "normal-mixture": lambda: pm.NormalMixture.dist(w=[0.25, 0.75], mu=[-0.02, 0.05], sigma=[0.01, 0.04]),
    "half-student-t": lambda: pm.HalfStudentT.dist(nu=5.0, sigma=200.0),
    "exponential": lambda: pm.Exponential.dist(scale=0.05),
    "log-normal": lambda: pm.LogNormal.dist(mu=np.log(0.03), sigma=0.5),
}
SHARES = np.array([1e-6, 1e-3, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999, 1 - 1e-6])
POSITIVE = ("half-normal", "half-student-t", "exponential", "log-normal")
FAMILIES = pytest.mark.parametrize("family", TABLES)
SINGLE = np.finfo(np.float32).eps


def scipy_log_density(family, x):
    if family == "normal-mixture":
        return np.log(0.25 * stats.norm(-0.02, 0.01).pdf(x) + 0.75 * stats.norm(0.05, 0.04).pdf(x))
    if family == "half-student-t":
        return np.log(2) + stats.t(5.0, 0.0, 200.0).logpdf(x)
    return BY_SCIPY[family].logpdf(x)


def scipy_cdf(family, x):
    if family == "normal-mixture":
        return 0.25 * stats.norm(-0.02, 0.01).cdf(x) + 0.75 * stats.norm(0.05, 0.04).cdf(x)
    if family == "half-student-t":
        square = (x / 200.0) ** 2
        return special.betainc(0.5, 2.5, square / (5.0 + square))
    return BY_SCIPY[family].cdf(x)


@pytest.fixture(scope="module")
def points():
    return {family: np.asarray(prior(table).quantile(SHARES)) for family, table in TABLES.items()}


@pytest.fixture(scope="module")
def pymc_log_density(points):
    """Log densities at ``points``; PyMC holds some constants in single precision."""
    outputs = [pm.logp(BY_PYMC[family](), points[family]) for family in TABLES]
    values = uncompiled([], outputs)()
    return dict(zip(TABLES, values, strict=True))


def uncompiled(inputs, outputs):
    """Make a function without a compiler, which would take longer than all these tests."""
    with pytensor.config.change_flags(cxx=""):
        return pytensor.function(inputs, outputs, mode=pytensor.compile.mode.Mode(linker="py", optimizer=None))


def agrees(found, expected, tolerance=1e-9):
    return np.allclose(found, expected, rtol=tolerance, atol=tolerance)


@FAMILIES
def test_a_density_is_that_of_scipy(family, points):
    x = points[family]
    assert agrees(prior(TABLES[family]).log_density(x), scipy_log_density(family, x))
    assert not agrees(prior(TABLES[family]).scaled(1.001).log_density(x), scipy_log_density(family, x))


@FAMILIES
def test_a_density_is_that_of_pymc(family, points, pymc_log_density):
    made = prior(TABLES[family])
    assert agrees(made.log_density(points[family]), pymc_log_density[family], SINGLE)
    assert not agrees(made.scaled(1.001).log_density(points[family]), pymc_log_density[family], SINGLE)


@FAMILIES
def test_a_quantile_has_its_probability_below_it(family, points):
    np.testing.assert_allclose(scipy_cdf(family, points[family]), SHARES, rtol=1e-7)
    wrong = prior(TABLES[family]).scaled(1.001).quantile(SHARES)
    assert not np.allclose(scipy_cdf(family, wrong), SHARES, rtol=1e-7)


@FAMILIES
def test_a_density_adds_up_to_the_probability_between_its_quantiles(family):
    made = prior(TABLES[family])
    nodes, weights = np.polynomial.legendre.leggauss(200)
    low, high = made.quantile(np.array([0.1, 0.8]))
    x = low + (high - low) * (nodes + 1) / 2
    assert np.sum(weights * np.exp(made.log_density(x))) * (high - low) / 2 == pytest.approx(0.7, abs=1e-8)


@pytest.mark.parametrize("degrees_of_freedom", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5, 30.0, 1000.0])
def test_a_half_student_t_has_its_quantiles_next_to_zero(degrees_of_freedom):
    """The exact engine tabulates a prior of tau from probability 1e-9 upwards, between quantiles that must rise."""
    made = prior({"family": "half-student-t", "scale": 1.0, "degrees_of_freedom": degrees_of_freedom})
    small = np.geomspace(1e-9, 1e-3, 20)
    found = made.quantile(small)
    assert (np.diff(found) > 0).all()
    # Next to zero the density is flat.
    np.testing.assert_allclose(found, small / (2 * stats.t(degrees_of_freedom).pdf(0)), rtol=1e-5)


@FAMILIES
def test_the_outermost_quantiles_are_the_ends_of_the_support(family):
    made = prior(TABLES[family])
    assert made.quantile(0.0) == (0.0 if family in POSITIVE else -np.inf)
    assert made.quantile(1.0) == np.inf


@FAMILIES
def test_numbers_and_arrays_keep_their_shape(family, points):
    made = prior(TABLES[family])
    for method, value in ((made.quantile, SHARES), (made.log_density, points[family])):
        values = np.asarray(method(value))
        assert values.shape == value.shape
        assert np.shape(method(value[2])) == ()
        assert float(method(value[2])) == pytest.approx(values[2])
        np.testing.assert_allclose(method(value.reshape(3, 3)), values.reshape(3, 3))


@FAMILIES
def test_a_scaled_prior_is_stretched_about_its_mean_or_from_zero(family, points):
    """What is above 0 stays there; what has a mean keeps it."""
    centres = {"normal": 0.01, "student-t": 50.0, "normal-mixture": 0.25 * -0.02 + 0.75 * 0.05}
    made, centre = prior(TABLES[family]), centres.get(family, 0.0)
    assert family in centres or family in POSITIVE
    np.testing.assert_allclose(made.scaled(3.0).quantile(SHARES), centre + 3.0 * (points[family] - centre), rtol=1e-6)
    assert made == prior(TABLES[family])
    np.testing.assert_allclose(made.scaled(1.0).quantile(SHARES), points[family])
    assert (made.scaled(2.0).unit, made.scaled(2.0).source) == (made.unit, made.source)


def test_weights_of_a_mixture_are_made_to_add_to_one():
    assert prior(TABLES["normal-mixture"]).shares == [0.25, 0.75]
    once, twice = (prior(TABLES["normal-mixture"] | {"weights": [k, 3 * k]}) for k in (0.25, 10.0))
    assert once.log_density(0.01) == pytest.approx(float(twice.log_density(0.01)))


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("normal", "Normal(0.01, 0.03)"),
        ("half-normal", "HalfNormal(0.02)"),
        ("student-t", "StudentT(3, 50, 200)"),
        ("normal-mixture", "0.25 Normal(-0.02, 0.01) + 0.75 Normal(0.05, 0.04)"),
        ("half-student-t", "HalfStudentT(5, 200)"),
        ("exponential", "Exponential(mean 0.05)"),
        ("log-normal", "LogNormal(median 0.03, log SD 0.5)"),
    ],
)
def test_a_prior_is_said_in_words(family, said):
    assert str(prior(TABLES[family])) == said


def test_a_prior_of_a_call_needs_no_reason_but_keeps_one():
    assert prior(TABLES["normal"]).source == "assumption"
    made = prior(TABLES["normal"] | {"unit": "SD", "why": "as asked", "source": "a panel"})
    assert isinstance(made, NormalPrior)
    assert (made.unit, made.why, made.source) == ("SD", "as asked", "a panel")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            {"family": "cauchy", "scale": 1.0},
            "'cauchy'.* any of .*'normal', 'half-normal', 'student-t', 'normal-mixtur",
        ),
        ({"mean": 0.0, "sd": 1.0}, "'family'"),
        ({"family": "normal", "mean": 0.0, "sd": -1.0}, r"sd: .*greater than"),
        ({"family": "half-normal", "sd": 0.0}, r"sd: .*greater than"),
        ({"family": "exponential", "mean": -1.0}, r"mean: .*greater than"),
        ({"family": "log-normal", "median": 1.0, "log_sd": 11.0}, r"log_sd: .*less than or equal to 10"),
        ({"family": "student-t", "mean": 0.0, "scale": 1.0, "degrees_of_freedom": 0.5}, r"degrees_of_freedom: .*to 1"),
        ({"family": "normal", "mean": float("nan"), "sd": 1.0}, "mean: "),
        ({"family": "normal", "mean": 0.0}, "sd: Field required"),
        ({"family": "normal", "mean": "0", "sd": 1.0}, "mean: .*valid number"),
        ({"family": "normal", "mean": 0.0, "sd": 1.0, "scale": 1.0}, "scale: "),
        (
            {"family": "normal-mixture", "weights": [1.0], "means": [0.0, 1.0], "sds": [1.0]},
            "1 weights, 2 means and 1 ",
        ),
        ({"family": "normal-mixture", "weights": [1.0, -1.0], "means": [0.0, 1.0], "sds": [1.0, 1.0]}, r"weights\.1: "),
        ({"family": "normal-mixture", "weights": [], "means": [], "sds": []}, "weights: "),
    ],
)
def test_a_prior_that_is_none_is_refused(table, message):
    with pytest.raises(SpecError, match=message) as found:
        prior(table)
    assert repr(table) in str(found.value)


def model_of(tables):
    """Make a model with the one variable ``mu``; also the priors."""
    priors = {name: prior(table) for name, table in tables.items()}
    with pm.Model(coords={"outcome": list(priors)}) as model:
        prior_variable("mu", priors, dim="outcome")
    return model, priors


def log_density_of(model, values):
    """Log density of each free variable at ``values`` of the whole, in order."""
    single = len(model.free_RVs) == 1
    parts = [values] if single else list(values)
    outputs = [pm.logp(variable, np.asarray(part)) for variable, part in zip(model.free_RVs, parts, strict=True)]
    return np.concatenate([np.atleast_1d(one) for one in uncompiled([], outputs)()])


@pytest.mark.parametrize("family", ["normal", "student-t", "normal-mixture", "log-normal"])
def test_priors_of_one_family_are_one_variable(family):
    first = TABLES[family]
    second = {key: [2 * v for v in value] if isinstance(value, list) else value for key, value in first.items()}
    second |= {key: 2 * value for key, value in first.items() if isinstance(value, float)}
    model, priors = model_of({"health": first, "earnings": second})
    assert [variable.name for variable in model.free_RVs] == ["mu"]
    assert model.named_vars_to_dims["mu"] == ("outcome",)
    values = np.array([float(one.quantile(0.3)) for one in priors.values()])
    expected = [float(one.log_density(value)) for one, value in zip(priors.values(), values, strict=True)]
    assert expected[0] != pytest.approx(expected[1])
    assert agrees(log_density_of(model, values), expected, SINGLE)
    assert not agrees(log_density_of(model, values[::-1]), expected, SINGLE)


@pytest.mark.parametrize(
    "tables",
    [
        {"health": TABLES["normal"], "earnings": TABLES["student-t"], "employment": TABLES["normal-mixture"]},
        {"health": TABLES["half-normal"], "earnings": TABLES["half-student-t"]},
        {
            "health": {"family": "normal-mixture", "weights": [1.0], "means": [0.1], "sds": [0.5]},
            "earnings": TABLES["normal-mixture"],
        },
    ],
    ids=["means", "scales", "mixtures of unequal size"],
)
def test_priors_of_several_families_are_stacked(tables):
    model, priors = model_of(tables)
    assert [variable.name for variable in model.free_RVs] == [f"mu_{name}" for name in tables]
    assert model.named_vars_to_dims["mu"] == ("outcome",)
    values = np.array([float(one.quantile(0.3)) for one in priors.values()])
    expected = [float(one.log_density(value)) for one, value in zip(priors.values(), values, strict=True)]
    assert agrees(log_density_of(model, values), expected, SINGLE)
    stacked = uncompiled(model.free_RVs, model["mu"])(*values)
    np.testing.assert_array_equal(stacked, values)
