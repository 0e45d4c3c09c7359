"""Results are simulated as they are printed, ranks of a right model are uniform, and the kept table is of today."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import hlt_bayes.inference.calibration.ranks as module
from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.inference.calibration import (
    REPLICATES,
    calibrate,
    calibration_record,
    calibration_summary,
    engines_of,
    is_calibrated,
    marks_of,
    model_sha256,
    simulated_results,
    stale,
)
from hlt_bayes.inference.fit import draw_prior
from hlt_bayes.inference.structures import build_model
from hlt_bayes.likelihood import reported_results
from hlt_bayes.results.calibrations import read_calibrations
from hlt_bayes.specs import load_impact_spec, shipped_specs

FEW = 100


@pytest.fixture(scope="module")
def complete():
    return load_impact_spec("complete-pooling")


@pytest.fixture(scope="module")
def calibrated(complete, evidence):
    return calibrate(complete, evidence, engine="exact", replicates=FEW, workers=1)


def test_results_are_printed_as_the_report_prints_them(evidence, primary):
    cells = reported_results(evidence, primary)
    prior = draw_prior(build_model(primary, evidence), draws=2000, seed=1)
    results = simulated_results(prior["impact"], cells, np.random.default_rng(1))
    inside = (results["lower"] <= results["estimate"]) & (results["estimate"] <= results["upper"])
    assert inside.all()
    np.testing.assert_allclose((results["upper"] - results["lower"]).max("draw")[0], 2 * cells["half_unit"])
    z = abs(results["estimate"]) / results["se"]
    assert ((z >= results["z_lower"]) & (z < results["z_upper"])).all()
    np.testing.assert_array_equal(marks_of(np.array([0.0, 1.7, 2.0, 3.0])), [0, 1, 2, 3])
    log_ratio = np.log(results["se"] / cells["design_se"]).to_numpy()
    assert abs(log_ratio.mean() - 0.05) < 4 * 0.2 / np.sqrt(log_ratio.size)
    expected = prior["impact"].sel(outcome=cells["outcome"], group=cells["group"])
    error = ((results["estimate"] - expected) / results["se"]).to_numpy()
    assert abs(error.var() - 1) < 4 * np.sqrt(2 / error.size)


def test_errors_of_one_group_are_correlated_where_they_should_be(evidence):
    spec = load_impact_spec("joint")
    cells = reported_results(evidence, spec)
    prior = draw_prior(build_model(spec, evidence), draws=4000, seed=1)
    results = simulated_results(
        prior["impact"], cells, np.random.default_rng(1), error_correlation=prior["error_correlation"]
    )
    expected = prior["impact"].sel(outcome=cells["outcome"], group=cells["group"])
    error = ((results["estimate"] - expected) / results["se"]).isel(chain=0).transpose("draw", "cell").to_numpy()
    found = np.corrcoef(error.T)
    names = list(cells["cell"].to_numpy())
    mean = prior["error_correlation"].sel(outcome="health", other_outcome="wellbeing").mean().item()
    same = found[names.index("health, WMCA"), names.index("wellbeing, WMCA")]
    other = found[names.index("health, WMCA"), names.index("wellbeing, SCR IW")]
    assert abs(same - mean) < 4 / np.sqrt(4000)
    assert abs(other) < 4 / np.sqrt(4000)


def test_ranks_of_a_right_model_are_uniform(calibrated):
    assert len(calibrated) == 4 + 12 + 4 + 12 + 12
    assert (calibrated["replicates"] == FEW).all()
    assert is_calibrated(calibrated)


@pytest.mark.deep
@pytest.mark.parametrize("fault", ["half the people", "numbers taken as cut off, not rounded", "treatment for control"])
def test_a_wrong_model_is_found_out(complete, evidence, monkeypatch, fault):
    right = module._exactly

    def wrong(cells, spec, **settings):
        if fault == "half the people":
            cells = cells.assign(log_se_mean=cells["log_se_mean"] + np.log(2) / 2)
        if fault == "numbers taken as cut off, not rounded":
            half = cells["half_unit"]
            cells = cells.assign(lower=cells["lower"] + half, upper=cells["upper"] + half)
        if fault == "treatment for control":
            cells = cells.assign(lower=-cells["upper"], upper=-cells["lower"])
        return right(cells, spec, **settings)

    monkeypatch.setattr(module, "_exactly", wrong)
    assert not is_calibrated(calibrate(complete, evidence, engine="exact", replicates=2 * FEW, workers=1))


@pytest.mark.deep
def test_it_does_not_matter_how_replicates_are_cut(complete, evidence, calibrated, monkeypatch):
    monkeypatch.setitem(module.BLOCK, "exact", 80)
    again = calibrate(complete, evidence, engine="exact", replicates=FEW, workers=1)
    pd.testing.assert_frame_equal(calibrated, again)


@pytest.mark.parametrize(("refused", "left"), [pytest.param(1, FEW - 1, marks=pytest.mark.ci), (2, 0), (FEW, 0)])
def test_a_replicate_that_is_refused_is_left_out_and_counted_and_many_are_an_error(
    complete, evidence, monkeypatch, refused, left
):
    exactly, tried, given = module._exactly, [], []

    def refusing(cells, spec, **settings):
        tried.append(cells)
        if len(tried) <= refused:
            raise ConvergenceError("worth too few")
        if left:
            return exactly(cells, spec, **settings)
        # An error is raised whatever was drawn: the draws of the first replicate stand for all.
        given[:] = given or [exactly(cells, spec, **settings)]
        return given[0]

    monkeypatch.setattr(module, "_exactly", refusing)
    if left:
        found = calibrate(complete, evidence, engine="exact", replicates=FEW, workers=1)
        assert (found["replicates"] == left).all()
        assert is_calibrated(found)
    else:
        message = "worth too few" if refused == FEW else f"{refused} of {FEW} replicates were rejected, more than 1%"
        with pytest.raises(ConvergenceError, match=message):
            calibrate(complete, evidence, engine="exact", replicates=FEW, workers=1)


def test_the_test_of_uniformity_fails_as_often_as_it_says():
    rng = np.random.default_rng(2)
    verdicts = [is_calibrated(calibration_summary([{"mu": rng.integers(0, 100, size=(400, 10))}])) for _ in range(1000)]
    failed = 1000 - sum(verdicts)
    assert failed < 10 + 4 * np.sqrt(10)
    slanted = np.clip(norm.cdf(0.5 + rng.normal(size=(400, 1))) * 100, 0, 99).astype(int)
    assert not is_calibrated(calibration_summary([{"mu": slanted}]))


def test_the_kept_calibrations_are_of_todays_models_and_passed(evidence):
    records = read_calibrations()
    specs = {name: load_impact_spec(name) for name in shipped_specs("impact")}
    assert stale(records, list(specs.values()), evidence) == []
    wanted = {(name, engine) for name, spec in specs.items() for engine in engines_of(spec)}
    assert set(zip(records["spec"], records["engine"], strict=True)) == wanted
    for _, row in records.iterrows():
        assert row["replicates"] >= REPLICATES[row["engine"]], row["spec"]
        assert row["threshold"] == pytest.approx(0.01 / row["quantities"], abs=1e-6)
        assert row["calibrated"] == (row["least_p"] > row["threshold"])
    assert records["calibrated"].all()


def test_a_changed_model_makes_its_calibration_stale(evidence, primary):
    records = read_calibrations()
    tau = {name: prior.scaled(1.001) for name, prior in primary.priors.tau.items()}
    changed = primary.model_copy(update={"priors": primary.priors.model_copy(update={"tau": tau})})
    assert set(stale(records, [changed], evidence)) == {("primary", "nuts"), ("primary", "exact")}
    reworded = primary.model_copy(update={"title": "Another title"})
    assert stale(records, [reworded], evidence) == []
    assert model_sha256(primary, evidence) != model_sha256(changed, evidence)
    assert stale(records.iloc[:0], [primary], evidence) == [("primary", "nuts")]


def test_a_record_says_what_was_calibrated(complete, evidence, calibrated):
    record = calibration_record(complete, evidence, calibrated, engine="exact")
    assert (record["spec"], record["engine"], record["replicates"]) == ("complete-pooling", "exact", FEW)
    assert record["model_sha256"] == model_sha256(complete, evidence)
    assert record["least_p"] == pytest.approx(calibrated["p"].min(), abs=1e-6)


@pytest.mark.deep
def test_nuts_is_calibrated_in_short(complete, evidence):
    assert is_calibrated(calibrate(complete, evidence, engine="nuts", replicates=100, workers=2))
