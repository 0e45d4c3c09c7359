"""The verbs of the appraisal, on a fit: what they print and write, and what they refuse."""

import json
from functools import partial

import helpers
import pandas as pd
import pytest
from helpers import edited_spec

invoked, said = (partial(function, COLUMNS="200") for function in (helpers.invoked, helpers.said))


@pytest.mark.ci
def test_appraise_prints_and_writes(tmp_path, few_draws):
    shown = said("appraise", "--spec", few_draws, "--volume", "planned", "--out", tmp_path / "planned")
    assert "at the planned volume" in shown
    assert "As published" not in shown
    shown = said("appraise", "--spec", few_draws, "--group", "SCR IW", "--out", tmp_path / "actual")
    for words in ("as published", "requires, at £70,000 a QALY", "undefined", "return of SCR IW: mean benefit"):
        assert words in shown
    files = {path.name for folder in ("planned", "actual") for path in (tmp_path / folder).iterdir()}
    tables = {"returns", "benefits", "prices", "cost_effectiveness", "walk", "volume", "tornado"}
    tables |= {"acceptability", "acceptability_qaly"}
    drawn = tables - {"benefits", "prices", "cost_effectiveness"} | {"plane_jobs", "plane_qalys"}
    pictures = {f"{name}.{ending}" for name in drawn for ending in ("png", "svg")}
    assert files == {"manifest.json", *(f"{name}.csv" for name in tables), *pictures}
    returns = pd.read_csv(tmp_path / "actual/returns.csv")
    assert len(returns) == 10
    manifest = json.loads((tmp_path / "actual/manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["inputs"]) == {"impact spec", "economic spec"}
    assert invoked("appraise", "--out", tmp_path / "actual").exit_code == 2


@pytest.mark.ci
def test_voi_prints_and_writes(tmp_path, few_draws):
    shown = said("voi", "--spec", few_draws, "--out", tmp_path / "voi")
    for words in ("Everything", "Health impact", "another trial in WMCA", "Unpublished values", "fixed"):
        assert words in shown
    voi = {"manifest.json", "evppi.csv", "trials.csv", "trials.png", "trials.svg", "unprinted.csv"}
    assert {path.name for path in (tmp_path / "voi").iterdir()} == voi
    assert len(pd.read_csv(tmp_path / "voi/unprinted.csv")) > 30


def test_assumptions_are_listed_the_first_to_replace_on_top(few_draws):
    lines = said("assumptions", "--spec", few_draws).splitlines()
    assert any(line.startswith("persistence.health.decay") for line in lines[:6])
    assert "fixed" in "".join(lines)


@pytest.fixture(scope="module")
def written(tmp_path_factory, few_draws):
    folder = tmp_path_factory.mktemp("result") / "mine"
    said("run", "--spec", few_draws, "--moderators", "none", "--engine", "exact", "--out", folder)
    return folder


@pytest.mark.ci
def test_draws_of_a_result_are_valued_again(written, tmp_path, few_draws):
    said("appraise", "--spec", few_draws, "--posterior", written / "posterior.nc", "--out", tmp_path / "again")
    again = pd.read_csv(tmp_path / "again/returns.csv")
    pd.testing.assert_frame_equal(again, pd.read_csv(written / "appraisal.csv"), rtol=1e-9)


@pytest.mark.ci
def test_draws_of_another_spec_are_refused(written, tmp_path):
    result = invoked("appraise", "--posterior", written / "posterior.nc", "--spec", "sites")
    assert result.exit_code == 2
    assert "made by impact spec 'few-draws', not by the current 'sites'" in result.output
    (tmp_path / "no.nc").write_bytes(b"no")
    result = invoked("voi", "--posterior", tmp_path / "no.nc")
    assert result.exit_code == 2
    assert "cannot be read as netCDF" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["appraise", "--economics", "greenbook"], "economic spec 'greenbook' is unknown"),
        (["appraise", "--group", "WMC"], "--group: 'WMC' is unknown; allowed: 'SCR IW', 'SCR OOW', 'WMCA'"),
        (["appraise", "--economics", "published", "--volume", "planned"], "needs the key 'costs.fixed_share'"),
        (["voi", "--economics", "published"], "the key 'decision' is missing"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(arguments, message):
    result = invoked(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


def test_a_new_trial_beside_one_of_unknown_size_is_refused_before_anything_is_fitted(tmp_path, monkeypatch):
    (tmp_path / "mine.csv").write_text("outcome,group,estimate,unit,se\nhealth,A,0.1,SD,0.05\n", encoding="utf-8")
    (tmp_path / "prices.toml").write_text(
        'based_on = "green-book"\nwithout = ["nonresponse", "persistence.work.follow_up", "perspectives.financial"]\n'
        'name = "mine"\ntitle = "Mine"\n[perspectives.economic]\nbenefits = ["health"]\n'
        '[costs.per_head."A"]\nvalue = 2000.0\nunit = "GBP"\nwhy = "w"\nsource = "s"\n',
        encoding="utf-8",
    )

    def fit(*_, **__):
        pytest.fail("fitted")

    monkeypatch.setattr("hlt_bayes.inference.fit.fit", fit)
    prices, evidence = (str(tmp_path / name) for name in ("prices.toml", "mine.csv"))
    result = invoked("voi", "--economics", prices, "--evidence", evidence)
    assert result.exit_code == 2
    assert "does not give the number randomised to each arm in 'A'" in " ".join(result.output.split())


@pytest.mark.ci
def test_a_new_trial_says_why_it_is_not_shown():
    assert "whom a survey does not measure" in said("voi", "--spec", "nonresponse", "--economics", "green-book")


def test_a_wrong_spec_is_refused_before_anything_is_fitted(tmp_path):
    path = edited_spec(tmp_path, "green-book", "economic", ("value = 0.035", "value = 35.0"))
    result = invoked("run", "--components", path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "35.0 given; an annual rate must lie between 0 and 0.2" in " ".join(result.output.split())
    assert not (tmp_path / "out").exists()
