"""What is exported is the same in R: read by its own packages, moments, quantiles, pooled estimates and mixtures."""

import json
import subprocess

import numpy as np
import pytest
import xarray as xr
from helpers import REFERENCE
from scipy import stats

from hlt_bayes.analysis import analyse
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.results.export import export
from hlt_bayes.results.export.mixture import Mixture
from hlt_bayes.results.export.person_sd import PersonSD
from hlt_bayes.results.export.priors import mixture_json

pytestmark = pytest.mark.ci

PROBABILITIES = (0.025, 0.055, 0.25, 0.5, 0.75, 0.945, 0.975)
EXACT = 1e-6
THREE = Mixture(np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.1, -0.2]), np.array([0.05, 0.2, 0.1]))
"""Of three components jsonlite simplifies lists of three to a matrix."""


@pytest.fixture(scope="module")
def full(drawn, evidence, primary, published, components):
    impact = drawn["posterior"]["impact"]
    mean = impact.mean("group")
    spread = xr.DataArray([0.03, 300.0, 0.08, 0.08], coords={"outcome": list(OUTCOMES)})
    new = mean + spread * mean.copy(data=np.random.default_rng(7).standard_t(4, size=mean.shape))
    log_density = -(impact.sel(outcome="health", group="WMCA", drop=True) ** 2)
    tree = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset({"impact": impact, "impact_new": new}),
            "sample_stats": xr.Dataset({"lp": log_density}),
        }
    )
    return analyse(tree, evidence, primary, published, seed=1, components=components)


@pytest.fixture(scope="module")
def folder(full, tmp_path_factory):
    out = tmp_path_factory.mktemp("for_r")
    formats = ["csv", "cmdstan", "netcdf", "summary", "metafor", "multinma", "bayesmeta", "rbest", "mixture"]
    export(full, to=formats, out=out)
    draws = np.random.default_rng(1).normal(size=1000)
    three = mixture_json(THREE, draws, PersonSD(1.0, "stated"), {})
    (out / "mixture-three.json").write_text(json.dumps(three) + "\n", encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def in_r(rscript, folder, tmp_path_factory):
    """What R found in the files."""
    found = tmp_path_factory.mktemp("from_r") / "found.json"
    script = [rscript, REFERENCE / "read_exports.R", folder, found]
    subprocess.run(script, check=True, capture_output=True, text=True)
    return json.loads(found.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def impact(full):
    return full.draws["posterior"]["impact"]


def quantity(full, name):
    """Draws of one column by its name, taken from the tree."""
    variable, _, labels = name.removesuffix("]").partition("[")
    labels = labels.split(",")
    if variable == "impact":
        return full.draws["posterior"]["impact"].sel(outcome=labels[0], group=labels[1])
    if variable == "impact_new":
        return full.draws["posterior"]["impact_new"].sel(outcome=labels[0])
    if variable == "average":
        weights = full.evidence.treated.reindex(list(GROUPS)).to_numpy(float)
        impact = full.draws["posterior"]["impact"].sel(outcome=labels[0], group=list(GROUPS))
        return (impact * xr.DataArray(weights / weights.sum(), dims="group", coords={"group": list(GROUPS)})).sum(
            "group"
        )
    group = "appraisal" if variable.startswith("appraisal") else "economics"
    return full.draws[group]["benefit_cost_ratio"].sel(perspective=labels[0], group=labels[1])


def test_posterior_reads_the_draws_with_their_moments_and_quantiles(in_r, full):
    table = in_r["table"]
    assert (table["chains"], table["iterations"], table["array_dim"]) == (4, 1000, 1000)
    assert len(in_r["impacts"]) == 12
    assert in_r["readr"]
    assert len(table["variable"]) == 12 + 4 + 4 + 10 + 10
    for name, found in zip(table["variable"], table["moments"], strict=True):
        draws = quantity(full, name).to_numpy().ravel()
        expected = [draws.mean(), draws.std(ddof=1), *np.quantile(draws, PROBABILITIES)]
        np.testing.assert_allclose(found, expected, rtol=EXACT, atol=EXACT * draws.std(), err_msg=name)


def test_cmdstan_files_are_chains_to_r_and_to_rstan(in_r, impact):
    assert in_r["cmdstan"]["chains"] == 4
    assert in_r["cmdstan"]["comments"] == []
    for i, outcome in enumerate(OUTCOMES, start=1):
        for j, group in enumerate(GROUPS, start=1):
            expected = float(impact.sel(outcome=outcome, group=group).mean())
            assert in_r["cmdstan"]["mean"][f"impact.{i}.{j}"] == pytest.approx(expected, rel=EXACT)
            if in_r["rstan"]:
                assert in_r["rstan"]["mean"][f"impact[{i},{j}]"] == pytest.approx(expected, rel=EXACT)
    if in_r["rstan"]:
        assert in_r["rstan"]["dim"] == [4000, 4, 3]


def test_netcdf_is_read_as_the_readme_says(in_r, impact):
    netcdf = in_r["netcdf"]
    assert (netcdf["groups"], netcdf["outcomes"]) == (list(GROUPS), list(OUTCOMES))
    np.testing.assert_allclose(np.array(netcdf["mean"]).T, impact.mean(("chain", "draw")), rtol=EXACT)
    assert "DWP research report no. 1025" in netcdf["cite"]
    assert json.loads(netcdf["unit"])["employment"] == "proportion"


def test_covariances_are_those_of_the_draws(in_r):
    assert in_r["covariance"]["symmetric"]
    assert in_r["covariance"]["labels"]
    assert in_r["covariance"]["json"] < EXACT
    assert in_r["covariance"]["csv"] < EXACT


def test_metafor_pools_the_printed_estimates_as_the_closed_form_does(in_r, full):
    printed = full.comparison.dropna(subset="se")
    for outcome, found in in_r["pooled"].items():
        rows = printed[printed["outcome"] == outcome]
        weight = 1 / rows["se"] ** 2
        assert found["estimate"] == pytest.approx((weight * rows["published"]).sum() / weight.sum(), rel=EXACT)
        assert found["se"] == pytest.approx(1 / np.sqrt(weight.sum()), rel=EXACT)
        assert found["slab"] == list(GROUPS)
        # SE taken for variance would be another result.
        wrong = 1 / rows["se"]
        assert found["se"] != pytest.approx(1 / np.sqrt(wrong.sum()), rel=0.05)


def test_multinma_would_take_the_contrasts(in_r, full):
    rows = full.comparison.dropna(subset="se").query("outcome == 'employment'")
    assert in_r["multinma"]["one_baseline"]
    assert in_r["multinma"]["whole_sizes"]
    np.testing.assert_allclose(in_r["multinma"]["estimates"], rows["published"], rtol=EXACT)
    np.testing.assert_allclose(in_r["multinma"]["ses"], rows["se"], rtol=EXACT)


def test_priors_are_densities_in_r(in_r, primary):
    stated = primary.priors.tau["earnings"]
    np.testing.assert_allclose(in_r["bayesmeta"]["at"], np.exp(stated.log_density(np.array([0, 100, 500]))), rtol=EXACT)
    assert in_r["bayesmeta"]["total"] == pytest.approx(1.0, rel=EXACT)
    assert (in_r["bayesmeta"]["mean"], in_r["bayesmeta"]["sd"]) == (0, 600)
    assert {row["tau.dist"] for row in in_r["gmap"]} == {"HalfNormal"}
    assert {(row["tau.prior.a"], row["tau.prior.b"]) for row in in_r["gmap"]} == {(0, 300)}


def test_mixtures_are_those_of_rbest(in_r, folder):
    assert len(in_r["mixtures"]) == 17
    for name, found in in_r["mixtures"].items():
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        weights, means, sds = map(np.array, content["comp"])
        assert found["same"], name
        assert found["class"] == ["normMix", "mix"]
        assert found["dim"] == [3, len(weights)]
        assert found["rows"] == ["w", "m", "s"]
        assert (found["link"], found["likelihood"]) == ("identity", "normal")
        density = stats.norm.pdf(np.array(found["at"])[:, None], means, sds) @ weights
        np.testing.assert_allclose(found["density"], density, rtol=EXACT)
        ours = content["hlt_bayes"]
        assert found["mean"] == pytest.approx(ours["mixture"]["mean"], rel=EXACT)
        assert found["sd"] == pytest.approx(ours["mixture"]["sd"], rel=EXACT)
        back = stats.norm.cdf(np.array(found["quantiles"])[:, None], means, sds) @ weights
        np.testing.assert_allclose(back, PROBABILITIES, atol=EXACT)
        # As RBesT's ess() with the file's reference scale, by another integral: people in each arm.
        assert found["elir"] == pytest.approx(ours["effective_sample_size"]["elir"], rel=EXACT)
    assert in_r["mixtures"]["mixture-three.json"]["dim"] == [3, 3]
