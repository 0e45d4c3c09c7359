"""What is exported is read back the same by other readers, says what it is, and is written whole or not at all."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xarray as xr
from helpers import invoked
from scipy import integrate, stats

from hlt_bayes.analysis import analyse
from hlt_bayes.core.errors import EvidenceError, ImpactError, ResultFolderError, SpecError
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES, POOLED_GROUPS
from hlt_bayes.economics import appraise
from hlt_bayes.evidence import load_evidence
from hlt_bayes.impacts.estimands import estimand_draws
from hlt_bayes.impacts.external import from_posterior
from hlt_bayes.results.export import FORMATS, export
from hlt_bayes.results.export import draws as draws_module
from hlt_bayes.results.export.approximation_error import (
    distance,
    in_words,
    joint_closeness,
    jointly_in_words,
    normal_closeness,
)
from hlt_bayes.results.export.content import EVALUATION, SOFTWARE, draws_table, metadata, named_impacts
from hlt_bayes.results.export.csv_tables import safe_text, write_csv
from hlt_bayes.results.export.mixture import Mixture, fit_mixture, local_information
from hlt_bayes.results.export.person_sd import PersonSD, of_new_group, person_sds
from hlt_bayes.results.export.prior_translation import of_bayesmeta, of_gmap, of_mu
from hlt_bayes.results.export.priors import mixture_json
from hlt_bayes.results.export.summary import PROBABILITIES, summary_content
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_impact_spec, load_individual_spec
from hlt_bayes.specs.priors import prior

OURS = {name: outcome.unit for name, outcome in OUTCOMES.items()}
COLUMNS = {f"impact[{outcome},{group}]": (outcome, group) for outcome in OUTCOMES for group in GROUPS}
STAN_COLUMNS = {
    f"impact.{i}.{j}": (outcome, group)
    for i, outcome in enumerate(OUTCOMES, start=1)
    for j, group in enumerate(GROUPS, start=1)
}
SAMPLER = {"logp": -7.0, "mean_tree_accept": 0.9, "step_size": 0.2, "depth": 4, "n_steps": 15, "diverging": False}


@pytest.fixture(scope="module")
def full(drawn, evidence, primary, published, components):
    """An analysis with everything that may be exported: a new group, sampler statistics, two sets of returns."""
    impact = drawn["posterior"]["impact"]
    rng = np.random.default_rng(7)
    mean = impact.mean("group")
    spread = xr.DataArray([0.03, 300.0, 0.08, 0.08], coords={"outcome": list(OUTCOMES)})
    new = mean + spread * mean.copy(data=rng.standard_t(4, size=mean.shape))
    ones = xr.ones_like(impact.isel(outcome=0, group=0, drop=True))
    stats_of_draws = xr.Dataset({name: (ones * value).astype(type(value)) for name, value in SAMPLER.items()})
    tree = xr.DataTree.from_dict(
        {"posterior": xr.Dataset({"impact": impact, "impact_new": new}), "sample_stats": stats_of_draws}
    )
    return analyse(tree, evidence, primary, published, seed=1, components=components)


@pytest.fixture(scope="module")
def written(full, tmp_path_factory):
    """The folder of every format."""
    folder = tmp_path_factory.mktemp("exports") / "made" / "here"
    notes = []
    paths = export(full, to="all", out=folder, note=notes.append)
    assert notes == []
    assert sorted(folder.iterdir()) == sorted(paths)
    return folder


def returned(tree, evidence, published):
    return appraise(tree, published, evidence, seed=1)["benefit_cost_ratio"]


WAYS = {
    "parquet": lambda folder: (pd.read_parquet(folder / "draws.parquet"), {"columns": COLUMNS}),
    "csv": lambda folder: (folder / "draws.csv", {"columns": COLUMNS}),
    "netcdf": lambda folder: (folder / "posterior.nc", {}),
    "zarr": lambda folder: (xr.open_datatree(folder / "posterior.zarr", engine="zarr").load(), {}),
    "cmdstan": lambda folder: (sorted(folder.glob("cmdstan-*.csv")), {"columns": STAN_COLUMNS}),
}


@pytest.mark.parametrize("way", WAYS)
def test_exported_draws_come_back_as_the_same_and_return_the_same(way, written, full, evidence, published):
    source, options = WAYS[way](written)
    taken = from_posterior(source, units=OURS, **options)
    expected = full.draws["posterior"]["impact"]
    found = taken["posterior"]["impact"].sel(outcome=expected["outcome"], group=expected["group"])
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=1e-14)
    economics = full.draws["economics"]["benefit_cost_ratio"]
    xr.testing.assert_allclose(returned(taken, evidence, published), economics, rtol=1e-12)
    # Draw for draw: the same posterior in another order is not the same.
    assert not np.allclose(returned(taken, evidence, published).isel(draw=slice(None, None, -1)), economics, rtol=1e-3)
    if way in ("parquet", "netcdf", "zarr"):
        np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


@pytest.mark.parametrize("way", ["parquet", "csv"])
def test_the_table_of_draws_has_every_quantity_by_its_name(way, written, full):
    table = (
        pd.read_parquet(written / "draws.parquet")
        if way == "parquet"
        else pd.read_csv(written / "draws.csv", comment="#")
    )
    chains, draws = 4, 1000
    np.testing.assert_array_equal(table[".chain"], np.repeat(np.arange(chains) + 1, draws))
    np.testing.assert_array_equal(table[".iteration"], np.tile(np.arange(draws) + 1, chains))
    np.testing.assert_array_equal(table[".draw"], np.arange(chains * draws) + 1)
    asked = estimand_draws(full.draws, full.evidence.treated)
    expected = {f"average[{name}]": asked.sel(outcome=name, estimand="average") for name in OUTCOMES}
    expected |= {f"impact_new[{name}]": full.draws["posterior"]["impact_new"].sel(outcome=name) for name in OUTCOMES}
    for prefix, group in (("", "economics"), ("appraisal_", "appraisal")):
        ratio = full.draws[group]["benefit_cost_ratio"]
        for perspective in ratio["perspective"].to_numpy():
            for row in ratio["group"].to_numpy():
                cell = ratio.sel(perspective=perspective, group=row)
                expected[f"{prefix}benefit_cost_ratio[{perspective},{row}]"] = cell
    assert set(table) == {".chain", ".iteration", ".draw", *COLUMNS, *expected}
    for name, values in expected.items():
        np.testing.assert_allclose(table[name], values.transpose("chain", "draw").to_numpy().ravel(), rtol=1e-14)


def test_cmdstan_files_say_what_each_index_is(written, full):
    for number, path in enumerate(sorted(written.glob("cmdstan-*.csv")), start=1):
        text = path.read_text(encoding="utf-8")
        table = pd.read_csv(path, comment="#")
        assert f"# id = {number}\n" in text
        assert "# num_samples = 1000\n" in text
        said = dict(line[2:].split(" = ", 1) for line in text.splitlines() if line.startswith("# ") and " = " in line)
        for name, labels in STAN_COLUMNS.items():
            assert json.loads(said[name]) == list(labels)
        assert said["benefit_cost_ratio.2.4"] == '["economic", "WMCA"]'
        economic = full.draws["economics"]["benefit_cost_ratio"].sel(perspective="economic", group="WMCA")
        np.testing.assert_allclose(table["benefit_cost_ratio.2.4"], economic.isel(chain=number - 1), rtol=1e-14)
        stan = ["lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__"]
        assert list(table)[: len(stan)] == stan
        np.testing.assert_array_equal(table["divergent__"], 0)
        # Column-major, as readers that go by position expect: the first index turns fastest.
        assert list(table)[len(stan) : len(stan) + 5] == [f"impact.{i}.1" for i in (1, 2, 3, 4)] + ["impact.1.2"]


def test_sampler_columns_are_never_made_up(analysis, tmp_path):
    path = export(analysis, to="cmdstan", out=tmp_path)[0]
    assert not [name for name in pd.read_csv(path, comment="#") if name.endswith("__")]


def test_the_tree_keeps_all_groups_and_bears_its_units(written, full):
    for tree in (xr.load_datatree(written / "posterior.nc"), WAYS["zarr"](written)[0]):
        assert set(tree.children) == {"posterior", "sample_stats", "economics", "appraisal"}
        for group in tree.children:
            xr.testing.assert_equal(tree[group].dataset, full.draws[group].dataset)
        assert json.loads(tree["posterior"]["impact"].attrs["unit"]) == OURS
    # What was exported is as it was.
    assert "cite" not in full.draws.attrs
    assert "unit" not in full.draws["posterior"]["impact"].attrs


SAID = ("units", "scale", "sign", "spec", "spec_sha256", "evidence_sha256", "seed", "created_by", "cite")


def said_in(path):
    """What a file says of itself, by an independent reader."""
    if path.suffix == ".parquet":
        return {key.decode(): text.decode() for key, text in pq.read_schema(path).metadata.items()}
    if path.suffix == ".zarr":
        return xr.open_datatree(path, engine="zarr").attrs
    if path.suffix == ".nc":
        return xr.load_datatree(path).attrs
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        content = json.loads(text)
        return content.get("hlt_bayes") or content["about"]
    lines = [line[2:] for line in text.splitlines() if line.startswith("# ")]
    cmdstan = dict(line.split(" = ", 1) for line in lines if " = " in line and ": " not in line)
    return dict(line.split(": ", 1) for line in lines if ": " in line) | cmdstan


def test_every_file_says_what_it_is_and_how_to_cite_it(written, full, evidence, primary):
    expected = metadata(full)
    assert expected["spec_sha256"] == primary.fingerprint
    assert expected["evidence_sha256"] == evidence.sha256
    assert expected["draws_of"].startswith("external")
    for path in written.iterdir():
        found = said_in(path)
        for key in SAID:
            value = found[key] if isinstance(found[key], str) else json.dumps(found[key])
            assert value == expected[key], (path, key)


def test_the_citation_is_that_of_the_repository(pytestconfig):
    text = (pytestconfig.rootpath / "CITATION.cff").read_text(encoding="utf-8")
    for part in ("The hlt-bayes developers", "Institute for Employment Studies", "978-1-78659-516-4"):
        assert part in text
        assert part in SOFTWARE + EVALUATION


def test_the_summary_has_moments_quantiles_and_covariance(written, full):
    content = json.loads((written / "summary.json").read_text(encoding="utf-8"))
    impact = full.draws["posterior"]["impact"].stack(sample=("chain", "draw"))
    rows = pd.read_csv(written / "summary.csv", comment="#")
    labels = [(one["outcome"], one["group"]) for one in content["impacts"]]
    assert labels == [(outcome, group) for outcome in OUTCOMES for group in GROUPS]
    together = np.array([impact.sel(outcome=outcome, group=group).to_numpy() for outcome, group in labels])
    for one, row, draws in zip(content["impacts"], rows.to_dict("records"), together, strict=True):
        quantiles = [np.quantile(draws, probability) for probability in PROBABILITIES]
        for found in ([one["mean"], one["sd"], *one["quantiles"]], [row["mean"], row["sd"], *list(row.values())[6:13]]):
            np.testing.assert_allclose(found, [draws.mean(), draws.std(ddof=1), *quantiles], rtol=1e-12)
        assert one["label"] == row["label"]
    np.testing.assert_allclose(content["covariance"], np.cov(together), rtol=1e-10)
    np.testing.assert_allclose(content["correlation"], np.corrcoef(together), rtol=1e-10)
    square = pd.read_csv(written / "covariance.csv", comment="#", index_col="label")
    assert list(square.index) == list(square.columns) == [one["label"] for one in content["impacts"]]
    assert set(square) <= set(read(written, "draws.csv"))
    np.testing.assert_allclose(square, np.cov(together), rtol=1e-10)
    # The sabotaged twin: SDs in place of variances.
    assert not np.allclose(np.sqrt(np.diag(square)), np.diag(np.cov(together)), rtol=1e-3)
    np.testing.assert_allclose(np.sqrt(np.diag(square)), [one["sd"] for one in content["impacts"]], rtol=1e-10)


def test_closeness_to_a_normal_is_small_for_one_and_grows_with_what_is_none():
    rng = np.random.default_rng(3)
    normal = rng.normal(5, 2, size=20_000)
    close = normal_closeness(normal)
    assert close["kolmogorov"] < 0.01
    assert close["wasserstein_sd"] < 0.02
    assert close["kolmogorov"] == pytest.approx(stats.kstest((normal - normal.mean()) / normal.std(ddof=1), "norm")[0])
    skewed = normal_closeness(rng.exponential(2.0, size=200_000))
    assert skewed["skewness"] == pytest.approx(2.0, abs=0.1)
    assert skewed["excess_kurtosis"] == pytest.approx(6.0, abs=0.6)
    # Exponential against the normal of its moments: the largest difference stands at 0.
    assert skewed["kolmogorov"] == pytest.approx(stats.norm.cdf(-1), abs=0.003)
    area, _ = integrate.quad(lambda x: abs(stats.expon.cdf(x) - stats.norm.cdf(x, 1, 1)), -8, 20, points=[0, 1, 2])
    assert skewed["wasserstein_sd"] == pytest.approx(area, abs=0.005)


@pytest.mark.parametrize(("centre", "off"), [(0.0, 0.0), (0.2, 0.2), (1.0, 1.0)])
def test_a_shift_is_the_distance_by_which_probability_must_move(centre, off):
    draws = stats.norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    found = distance(draws, lambda at: stats.norm.cdf(at, centre))
    assert found.wasserstein_sd == pytest.approx(off, abs=2e-3)
    assert found.kolmogorov == pytest.approx(2 * stats.norm.cdf(off / 2) - 1, abs=1e-3)


def test_joint_closeness_sees_heavy_joint_tails_and_equal_impacts():
    rng = np.random.default_rng(5)
    normal = rng.multivariate_normal([0, 1, 2], [[1, 0.5, 0], [0.5, 2, 0], [0, 0, 3e-8]], size=20_000)
    close = joint_closeness(normal)
    assert close["dimensions"] == 3
    assert close["kolmogorov"] < 0.01
    assert close["mardia_kurtosis"] == pytest.approx(15.0, rel=0.02)
    # A common scale makes each margin a t and leaves correlations as they are.
    heavy = joint_closeness(normal / np.sqrt(rng.chisquare(5, size=(20_000, 1)) / 5))
    assert heavy["kolmogorov"] > 0.05
    assert heavy["mardia_kurtosis"] > 20
    equal = joint_closeness(np.column_stack([normal, normal[:, 0]]))
    assert equal["dimensions"] == 3
    assert equal["kolmogorov"] == pytest.approx(close["kolmogorov"], abs=1e-6)


@pytest.mark.parametrize(("off", "word"), [(0.011, "close"), (0.03, "fair"), (0.071, "poor")])
def test_words_follow_the_distance(off, word):
    for said in (in_words(off), jointly_in_words(off)):
        assert said.startswith(f"{word}: the largest error")
        assert said.endswith(f"{100 * off:.1f} percentage points")


def test_each_impact_and_all_together_have_their_words(full):
    content = summary_content(full)
    assert content["normal"]["in_words"] == jointly_in_words(content["normal"]["kolmogorov"])
    assert content["normal"]["dimensions"] == 12
    for one in content["impacts"]:
        assert one["normal"]["in_words"] == in_words(one["normal"]["kolmogorov"])


def read(folder, name):
    return pd.read_csv(folder / name, comment="#")


def test_effect_sizes_are_the_printed_ones_with_recovered_variances(written, full):
    table = read(written, "metafor.csv")
    expected = full.comparison[~full.comparison["group"].isin(list(POOLED_GROUPS))].reset_index(drop=True)
    assert len(table) == 12
    for ours, theirs in (("outcome", "outcome"), ("group", "study"), ("group", "slab"), ("unit", "unit")):
        np.testing.assert_array_equal(table[theirs], expected[ours])
    np.testing.assert_allclose(table["yi"], expected["published"], rtol=1e-14)
    np.testing.assert_allclose(table["vi"], expected["se"] ** 2, rtol=1e-14)
    np.testing.assert_allclose(table["sei"], expected["se"], rtol=1e-14)
    assert dict(zip(table["outcome"], table["measure"], strict=True)) == {
        "employment": "RD",
        "earnings": "MD",
        "health": "SMD",
        "wellbeing": "SMD",
    }
    printed = table.set_index(["outcome", "study"])
    assert printed.loc[("employment", "SCR OOW"), "yi"] == -0.02
    assert printed.loc[("earnings", "WMCA"), "ni"] == 1837 + 1838
    assert printed.loc[("wellbeing", "SCR IW"), "ni"] == 640 + 541
    # Not the posterior, which is shrunk; and not the SE where the variance belongs.
    assert not np.allclose(table["yi"], expected["mean"], rtol=1e-2)
    assert not np.allclose(table["vi"], expected["se"], rtol=1e-2)
    assert "neither is a posterior summary" in (written / "metafor.csv").read_text(encoding="utf-8")


def test_a_pooled_estimate_by_hand_is_that_of_the_table(written):
    """Fixed-effect mean and SE by the closed form, and with SEs taken for variances another."""
    table = read(written, "metafor.csv").query("outcome == 'health'")
    weight = 1 / table["vi"]
    mean = (weight * table["yi"]).sum() / weight.sum()
    assert 0.05 < mean < 0.10
    assert 1 / np.sqrt(weight.sum()) == pytest.approx(0.0323, abs=0.002)
    assert np.sqrt(1 / (1 / table["sei"]).sum()) > 2 * 0.0323


def test_contrasts_have_a_baseline_without_estimate(written):
    table = read(written, "multinma.csv")
    assert list(table) == ["outcome", "study", "trt", "y", "se", "sample_size"]
    baseline, treated = (table[table["trt"] == arm].reset_index(drop=True) for arm in ("control", "treatment"))
    assert baseline[["y", "se"]].isna().all(axis=None)
    assert len(table) == 24
    effects = read(written, "metafor.csv")
    for ours, theirs in (("y", "yi"), ("se", "sei"), ("sample_size", "n1i"), ("study", "study")):
        np.testing.assert_array_equal(treated[ours], effects[theirs])
    np.testing.assert_array_equal(baseline["sample_size"], effects["n2i"])


def test_priors_stand_beside_effect_sizes_in_the_words_of_each_program(written):
    effects = read(written, "metafor.csv")
    by_bayesmeta, by_rbest = read(written, "bayesmeta.csv"), read(written, "rbest.csv")
    for table, y, se in ((by_bayesmeta, "y", "sigma"), (by_rbest, "y", "y.se")):
        np.testing.assert_array_equal(table[y], effects["yi"])
        np.testing.assert_array_equal(table[se], effects["sei"])
    np.testing.assert_array_equal(by_rbest["n"], effects["ni"])
    employment = by_bayesmeta.iloc[0]
    assert (employment["mu.prior.mean"], employment["mu.prior.sd"], employment["tau.prior.scale"]) == (0.0, 0.05, 0.03)
    assert employment["tau.prior"] == "function(t) bayesmeta::dhalfnormal(t, scale = 0.03)"
    earnings = by_rbest[by_rbest["outcome"] == "earnings"].iloc[0]
    assert (earnings["tau.dist"], earnings["tau.prior.a"], earnings["tau.prior.b"]) == ("HalfNormal", 0.0, 300.0)
    assert (earnings["beta.prior.mean"], earnings["beta.prior.sd"]) == (0.0, 600.0)


def with_tau(spec, **family):
    priors = spec.priors.model_copy(update={"tau": dict.fromkeys(spec.outcomes, prior(family))})
    return spec.model_copy(update={"priors": priors})


def test_each_family_of_tau_has_its_equivalent_or_says_that_it_has_none(primary):
    exponential = with_tau(primary, family="exponential", mean=0.04)
    assert of_bayesmeta(exponential, "health")["tau.prior"] == "function(t) stats::dexp(t, rate = 25.0)"
    found = of_gmap(exponential, "health")
    assert (found["tau.dist"], found["tau.prior.a"], found["tau.prior.b"]) == ("Exp", 25.0, 0.0)
    log_normal = with_tau(primary, family="log-normal", median=2.0, log_sd=0.5)
    found = of_gmap(log_normal, "health")
    assert (found["tau.dist"], found["tau.prior.a"], found["tau.prior.b"]) == ("LogNormal", np.log(2.0), 0.5)
    assert f"meanlog = {float(np.log(2.0))!r}, sdlog = 0.5" in of_bayesmeta(log_normal, "health")["tau.prior"]
    cauchy = with_tau(primary, family="half-student-t", scale=0.1, degrees_of_freedom=1)
    assert of_gmap(cauchy, "health")["tau.dist"] == "TruncCauchy"
    student = with_tau(primary, family="half-student-t", scale=0.1, degrees_of_freedom=3)
    assert "dhalft(t, df = 3.0, scale = 0.1)" in of_bayesmeta(student, "health")["tau.prior"]
    assert of_gmap(student, "health")["tau.dist"] is None
    assert "no equivalent" in of_gmap(student, "health")["tau.prior.note"]


@pytest.mark.parametrize("name", ["no-pooling", "complete-pooling", "sites"])
def test_structures_of_other_models_have_no_equivalent_priors(name):
    spec = load_impact_spec(name)
    assert np.isnan(of_mu(spec, "health", "mu.prior")["mu.prior.mean"])
    assert "not a plain random-effects model" in of_mu(spec, "health", "mu.prior")["mu.prior.note"]
    assert of_bayesmeta(spec, "health")["tau.prior"] is None


def test_a_mean_with_another_prior_than_a_normal_has_no_equivalent():
    found = of_mu(load_impact_spec("ips-informed"), "employment", "beta.prior")
    assert np.isnan(found["beta.prior.sd"]) or found["beta.prior.note"] == ""


# Mixtures


def one_normal(mean, sd):
    return Mixture(np.array([1.0]), np.array([mean]), np.array([sd]))


@pytest.mark.parametrize(("mean", "sd"), [(0.0, 1.0), (150.0, 240.0), (0.02, 0.004)])
def test_information_of_one_normal_is_its_precision(mean, sd):
    assert local_information(one_normal(mean, sd)) == pytest.approx(1 / sd**2, rel=1e-10)


MIXTURES = {
    "heavy tails": Mixture(np.array([0.7, 0.3]), np.array([0.1, 0.0]), np.array([1.0, 4.0])),
    "two peaks": Mixture(np.array([0.6, 0.4]), np.array([-2.0, 2.0]), np.array([0.5, 1.0])),
    "a narrow part": Mixture(np.array([0.9, 0.08, 0.02]), np.array([0.0, 0.5, 3.0]), np.array([1.0, 0.05, 2.0])),
}


@pytest.mark.parametrize("name", MIXTURES)
def test_information_by_another_way(name):
    """By parts the mean of minus the curvature is that of the squared slope: on a plain grid, slopes by differences."""
    one = MIXTURES[name]
    at = np.linspace(-60, 60, 2_000_001)
    density = stats.norm.pdf(at[:, None], one.means, one.sds) @ one.weights
    slope = np.gradient(density, at)
    positive = density > 1e-290
    expected = np.trapezoid(np.where(positive, slope**2 / np.where(positive, density, 1.0), 0.0), at)
    assert local_information(one) == pytest.approx(expected, rel=1e-5)
    # Between that of its parts, and not of its moments.
    assert local_information(one) < (one.weights / one.sds**2).sum() * (1 + 1e-9)
    assert local_information(one) > 1 / one.sd**2


def test_moments_and_distribution_of_a_mixture_are_those_of_its_draws():
    one = MIXTURES["two peaks"]
    assert one.mean == pytest.approx(-0.4)
    assert one.sd == pytest.approx(np.sqrt(0.6 * (0.25 + 1.6**2) + 0.4 * (1 + 2.4**2)))
    np.testing.assert_allclose(
        one.cumulative(np.array([-3.0, 0.0, 3.0])),
        [0.6 * stats.norm.cdf(x, -2, 0.5) + 0.4 * stats.norm.cdf(x, 2, 1) for x in (-3, 0, 3)],
    )


def test_a_mixture_is_fitted_with_as_many_components_as_the_draws_have():
    rng = np.random.default_rng(11)
    normal = 100 + 20 * rng.normal(size=4000)
    assert len(fit_mixture(normal, seed=1).weights) == 1
    peaks = np.where(rng.uniform(size=4000) < 0.3, rng.normal(4, 1, size=4000), rng.normal(0, 0.5, size=4000))
    found = fit_mixture(peaks, seed=1)
    np.testing.assert_allclose(found.weights, [0.7, 0.3], atol=0.03)
    np.testing.assert_allclose(found.means, [0, 4], atol=0.15)
    np.testing.assert_allclose(found.sds, [0.5, 1], atol=0.1)
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    again = fit_mixture(peaks, seed=1)
    np.testing.assert_array_equal(again.means, found.means)


def test_mixture_files_hold_what_rbest_reads_and_how_near_it_is(written, full):
    files = sorted(written.glob("mixture-*.json"))
    assert len(files) == 4 * (3 + 1)
    impacts = named_impacts(full)
    for path in files:
        content = json.loads(path.read_text(encoding="utf-8"))
        meta, ours = content["meta"], content["hlt_bayes"]
        weights = content["comp"][0]
        assert meta["dim"] == [3, len(weights)]
        assert meta["dimnames"]["parameter"] == ["w", "m", "s"]
        assert meta["class"] == ["normMix", "mix"]
        assert (meta["link"], meta["likelihood"]) == ("identity", "normal")
        assert list(weights) == sorted(weights, reverse=True)
        assert ours["mixture"]["mean"] == pytest.approx(ours["draws"]["mean"], abs=1e-3 * ours["draws"]["sd"])
        assert ours["mixture"]["sd"] == pytest.approx(ours["draws"]["sd"], rel=1e-3)
        assert ours["distance"]["kolmogorov"] < 0.03
        assert meta["sigma"] == pytest.approx(np.sqrt(2) * ours["effective_sample_size"]["sd_between_people"])
        moment = 2 * ours["effective_sample_size"]["sd_between_people"] ** 2 / ours["mixture"]["sd"] ** 2
        assert ours["effective_sample_size"]["moment"] == pytest.approx(moment, rel=1e-12)
        if ours["variable"] == "impact":
            draws = impacts[ours["outcome"], ours["group"]]
            assert ours["draws"]["mean"] == pytest.approx(draws.mean(), rel=1e-12)
            assert "use the file of impact_new" in ours["use"]
        else:
            assert ours["use"].startswith("prior of the impact in a new trial")


def test_a_mixture_moved_by_a_fifth_of_an_sd_is_seen(full):
    """The sabotaged twin of the distance."""
    for draws in list(named_impacts(full).values())[::4]:
        fitted = fit_mixture(draws, seed=1)
        moved = dataclasses.replace(fitted, means=fitted.means + 0.2 * draws.std())
        sd = PersonSD(1.0, "")
        right, wrong = (mixture_json(one, draws, sd, {})["hlt_bayes"]["distance"] for one in (fitted, moved))
        assert right["kolmogorov"] < 0.03
        assert right["wasserstein_sd"] < 0.05
        assert wrong["kolmogorov"] > 0.05
        assert wrong["wasserstein_sd"] > 0.15


def test_people_in_each_arm_are_those_of_the_estimate_itself():
    """A posterior that is a trial's own estimate is worth that trial: n people an arm give an SE of SD sqrt(2 / n)."""
    n, sd = 500, 6000.0
    draws = stats.norm.ppf((np.arange(4000) + 0.5) / 4000) * sd * np.sqrt(2 / n)
    content = mixture_json(one_normal(0.0, sd * np.sqrt(2 / n)), draws, PersonSD(sd, "known"), {})
    assert content["hlt_bayes"]["effective_sample_size"]["elir"] == pytest.approx(n, rel=1e-9)
    assert content["hlt_bayes"]["effective_sample_size"]["moment"] == pytest.approx(n, rel=1e-9)
    # In RBesT's own way, of its reference scale.
    assert content["meta"]["sigma"] ** 2 / (sd * np.sqrt(2 / n)) ** 2 == pytest.approx(n)


def test_what_people_differ_by_is_said_with_its_reason(full, evidence):
    found = person_sds(full)
    assert found["health", "WMCA"].value == 1.0
    assumed = found["employment", "SCR IW"]
    assert assumed.value == pytest.approx(np.sqrt(0.75 * 0.25))
    assert "assumed by the spec" in assumed.why
    printed = found["employment", "WMCA"]
    rate = evidence.employment_rates.loc["WMCA", "control"]
    assert printed.value == pytest.approx(np.sqrt(rate * (1 - rate)))
    assert "as published" in printed.why
    se = full.comparison.set_index(["outcome", "group"]).loc[("earnings", "WMCA"), "se"]
    assert found["earnings", "WMCA"].value == pytest.approx(se / np.sqrt(1 / 1837 + 1 / 1838))
    of_new = of_new_group(found, "earnings").value
    assert of_new == pytest.approx(np.sqrt(np.mean([found["earnings", group].value ** 2 for group in GROUPS])))
    assert of_new_group({}, "employment") == PersonSD(0.5, "largest possible, as no rate is known")
    assert np.isnan(of_new_group({}, "earnings").value)


def test_without_people_no_sample_size_is_made_up():
    draws = np.random.default_rng(1).normal(size=1000)
    content = mixture_json(one_normal(0, 1), draws, PersonSD(float("nan"), "unknown"), {})
    assert "sigma" not in content["meta"]
    assert content["hlt_bayes"]["effective_sample_size"]["elir"] is None
    assert content["hlt_bayes"]["effective_sample_size"]["sd_is"] == "unknown"
    json.dumps(content, allow_nan=False)


# Somebody's own trials, and records


OWN = """outcome,group,site,estimate,unit,stars,n_treatment,n_control,events_treatment,events_control,se
employment,*A,,,ppt,,162,164,72,62,
health,*A,,0.10,SD,,,,,,0.06
health,"B #1, old",,0.21,SD,*,640,541,,,
"""


@pytest.fixture
def own(tmp_path, primary):
    path = tmp_path / "mine.csv"
    path.write_text(OWN, encoding="utf-8")
    evidence = load_evidence(path)
    rng = np.random.default_rng(2)
    values = rng.normal(0.05, 0.03, size=(4, 500, 2, 2))
    coords = {
        "chain": range(4),
        "draw": range(500),
        "outcome": ["employment", "health"],
        "group": list(evidence.groups),
    }
    impact = xr.DataArray(values, dims=("chain", "draw", "outcome", "group"), coords=coords)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact})})
    return analyse(tree, evidence, primary, None, seed=1)


def test_own_trials_are_exported_with_what_they_have(own, tmp_path):
    notes = []
    paths = export(own, to="all", out=tmp_path / "out", note=notes.append)
    assert notes == []
    table = read(tmp_path / "out", "metafor.csv")
    assert list(table["study"]) == ["*A", "*A", "B #1, old"]
    assert table["yi"].tolist() == pytest.approx([72 / 162 - 62 / 164, 0.10, 0.21])
    assert table.loc[1, "sei"] == pytest.approx(0.06, abs=0.005)
    assert np.isnan(table.loc[1, "ni"])
    assert {path.name for path in paths if "mixture" in path.name} == {
        f"mixture-{outcome}-{group}.json" for outcome in ("employment", "health") for group in ("a", "b-1-old")
    }
    counted = json.loads((tmp_path / "out/mixture-employment-a.json").read_text(encoding="utf-8"))["hlt_bayes"]
    rate = 62 / 164
    assert counted["effective_sample_size"]["sd_between_people"] == pytest.approx(np.sqrt(rate * (1 - rate)))
    unknown = json.loads((tmp_path / "out/mixture-employment-b-1-old.json").read_text(encoding="utf-8"))
    assert unknown["hlt_bayes"]["effective_sample_size"]["elir"] is None
    # A label with a comment sign and a star comes back, one with a comma by its entry; what nobody measured is said.
    draws = read(tmp_path / "out", "draws.csv")
    assert {"impact[health,B #1; old]", "impact[health,*A]"} <= set(draws)
    assert set(read(tmp_path / "out", "covariance.csv")["label"]) <= set(draws)
    assert json.loads(metadata(own)["index_labels"]) == {"B #1; old": "B #1, old"}
    assert json.loads(metadata(own)["predicted_not_measured"]) == ["employment, B #1, old"]
    assert "returns" not in metadata(own, with_returns=True)
    assert metadata(own)["of_whom"] == "as published by each trial"
    assert "Health-led Trials: Evaluation" not in metadata(own)["cite"]


def test_groups_of_the_same_letters_get_files_of_their_own(own):
    renamed = own.draws["posterior"]["impact"].assign_coords(group=["a b", "A-B"])
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": renamed})})
    files = FORMATS["mixture"].files(dataclasses.replace(own, draws=tree))
    assert set(files) == {f"mixture-{name}-a-b{end}.json" for name in ("employment", "health") for end in ("", "-2")}


@pytest.mark.parametrize("name", ["metafor", "multinma", "bayesmeta", "rbest"])
def test_records_have_no_printed_estimates(analysis, tmp_path, name):
    of_records = dataclasses.replace(analysis, individual_spec=load_individual_spec("records"))
    with pytest.raises(EvidenceError, match=r"individual records.*hlt_bayes\.aggregate"):
        export(of_records, to=name, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_all_leaves_out_what_there_is_not_and_says_so(analysis, tmp_path, monkeypatch):
    monkeypatch.delitem(FORMATS, "mixture")  # for speed
    unknown = dataclasses.replace(analysis, comparison=analysis.comparison.assign(se=np.nan))
    notes = []
    paths = export(unknown, to=["summary", "all"], out=tmp_path, note=notes.append)
    assert [line.split(":")[0] for line in notes] == ["metafor", "multinma", "bayesmeta", "rbest"]
    assert all("no trial group has a published estimate" in line for line in notes)
    assert {"draws.csv", "summary.json"} <= {path.name for path in paths}
    with pytest.raises(EvidenceError, match="no trial group has a published estimate with a recovered standard error"):
        export(unknown, to="metafor", out=tmp_path / "other")


# Refusals, and files


@pytest.mark.parametrize(
    ("to", "message"),
    [
        ("metaphor", r"format 'metaphor' is unknown; allowed: 'parquet'.*did you mean 'metafor'"),
        (["csv", "excel"], "format 'excel' is unknown"),
        ([], r"no format given; allowed: 'parquet'"),
    ],
)
def test_an_unknown_format_is_refused(analysis, tmp_path, to, message):
    with pytest.raises(SpecError, match=message):
        export(analysis, to=to, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_something_else_than_an_analysis_is_refused(tmp_path):
    with pytest.raises(SpecError, match="a dict given; export takes an Analysis or a result folder"):
        export({}, to="csv", out=tmp_path)
    with pytest.raises(ResultFolderError, match="nothing here"):
        export(tmp_path / "nothing here", to="csv", out=tmp_path / "out")


@pytest.mark.parametrize(("name", "module"), [("zarr", "zarr"), ("mixture", "sklearn.mixture")])
def test_a_missing_library_is_named_with_what_installs_it(analysis, tmp_path, monkeypatch, name, module):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(SpecError, match=rf"format '{name}' needs .*pip install 'hlt-bayes\[export\]'"):
        export(analysis, to=name, out=tmp_path)
    for slow in {"mixture", "zarr", "netcdf"} - {name}:
        monkeypatch.delitem(FORMATS, slow)
    notes = []
    paths = export(analysis, to="all", out=tmp_path, note=notes.append)
    assert len(notes) == 1
    assert notes[0].startswith(f"{name}: omitted")
    assert not [path for path in paths if name in path.name]


def test_a_constant_impact_is_refused(analysis, tmp_path):
    constant = analysis.draws.copy(deep=True)
    constant["posterior"]["impact"].loc[{"outcome": "health", "group": "WMCA"}] = 0.1
    for name in ("summary", "mixture"):
        with pytest.raises(ImpactError, match="impact, health of WMCA: the same in every draw"):
            export(dataclasses.replace(analysis, draws=constant), to=name, out=tmp_path)


def test_files_there_already_are_kept_unless_they_may_be_replaced(analysis, tmp_path):
    export(analysis, to=["metafor", "zarr"], out=tmp_path)
    (tmp_path / "metafor.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(ResultFolderError, match=r"metafor\.csv: already exists.*overwrite"):
        export(analysis, to=["csv", "metafor"], out=tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"metafor.csv", "posterior.zarr"}
    with pytest.raises(ResultFolderError, match=r"posterior\.zarr: already exists"):
        export(analysis, to="zarr", out=tmp_path)
    (tmp_path / "posterior.zarr" / "stale").write_text("", encoding="utf-8")
    export(analysis, to=["csv", "metafor", "zarr"], out=tmp_path, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"draws.csv", "metafor.csv", "posterior.zarr"}
    assert not (tmp_path / "posterior.zarr" / "stale").exists()
    assert "yi" in (tmp_path / "metafor.csv").read_text(encoding="utf-8")


def test_what_is_not_an_export_is_never_replaced(analysis, tmp_path):
    (tmp_path / "posterior.zarr").mkdir()
    (tmp_path / "posterior.zarr" / "thesis.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "draws.csv").mkdir()
    (tmp_path / "metafor.csv").symlink_to(tmp_path / "elsewhere.csv")
    for name in ("zarr", "csv", "metafor"):
        with pytest.raises(ResultFolderError, match="left unchanged"):
            export(analysis, to=name, out=tmp_path, overwrite=True)
    assert (tmp_path / "posterior.zarr" / "thesis.txt").read_text(encoding="utf-8") == "mine"
    with pytest.raises(ResultFolderError, match="not a folder"):
        export(analysis, to="csv", out=tmp_path / "posterior.zarr" / "thesis.txt")
    result = tmp_path / "result"
    result.mkdir()
    (result / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ResultFolderError, match="a result folder"):
        export(analysis, to="csv", out=result)


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), ValueError("a fault")])
def test_nothing_is_half_written(analysis, tmp_path, monkeypatch, error):
    def fail(_, path):
        path.write_text("half", encoding="utf-8")
        raise error

    export(analysis, to="metafor", out=tmp_path / "old")
    before = (tmp_path / "old/metafor.csv").read_bytes()
    monkeypatch.setattr(draws_module, "_write_parquet", fail)
    raised = ResultFolderError if isinstance(error, OSError) else type(error)
    for out in ("old", "new/deeper"):
        with pytest.raises(raised):
            export(analysis, to=["metafor", "csv", "parquet"], out=tmp_path / out, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["metafor.csv"]
    assert (tmp_path / "old/metafor.csv").read_bytes() == before


def test_the_same_analysis_makes_the_same_files(full, written, tmp_path):
    export(full, to=["csv", "netcdf", "summary", "rbest"], out=tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (written / path.name).read_bytes(), path.name


@pytest.mark.parametrize("text", ["=1+1", "+x", "-A", "@cmd", "\tx"])
def test_no_text_is_taken_for_a_formula(text, tmp_path):
    write_csv(
        pd.DataFrame({text: [text, "plain # not a comment"], "n": [-1.5, np.nan]}),
        tmp_path / "x.csv",
        {"key": f"a\n{text}"},
    )
    lines = (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# key: a ")
    found = pd.read_csv(tmp_path / "x.csv", comment="#")
    assert found.columns[0] == f"'{text}"
    assert found.iloc[:, 0].tolist() == [f"'{text}", "plain # not a comment"]
    assert found["n"].tolist()[0] == -1.5
    assert safe_text(-1.5) == -1.5


def test_a_draws_table_is_as_long_as_its_draws(analysis):
    assert len(draws_table(analysis)) == 4000


def test_the_verb_lists_formats_and_writes_them(analysis, tmp_path, monkeypatch):
    listed = invoked("export")
    assert listed.exit_code == 0
    for name, one in FORMATS.items():
        assert name in listed.stdout
        assert one.description in listed.stdout
    monkeypatch.setattr("hlt_bayes.results.export._analysis", lambda *_: analysis)
    out = tmp_path / "out"
    done = invoked("export", "a result", "--to", "metafor", "--to", "rbest", "--out", out)
    assert done.exit_code == 0
    assert [line for line in done.stdout.splitlines() if line] == [
        f"Written: {out / 'metafor.csv'}",
        f"Written: {out / 'rbest.csv'}",
    ]
    again = invoked("export", "a result", "--to", "metafor", "--out", out)
    assert again.exit_code == 2
    assert "already exists" in again.stderr


@pytest.mark.ci
def test_a_result_folder_is_exported_as_its_analysis(analysis, tmp_path):
    write_result(analysis, tmp_path / "result")
    formats = ["csv", "summary", "metafor"]
    export(analysis, to=formats, out=tmp_path / "direct")
    export(tmp_path / "result", to=formats, out=tmp_path / "by folder")
    for path in (tmp_path / "direct").iterdir():
        assert (tmp_path / "by folder" / path.name).read_bytes() == path.read_bytes(), path.name
