"""A result folder appears whole or not at all, from draws made anywhere."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import REFERENCE

from hlt_bayes.analysis import analyse
from hlt_bayes.core.errors import ConvergenceError, ResultFolderError
from hlt_bayes.display.format import per_pound, percent, pounds
from hlt_bayes.display.impacts import impacts_table
from hlt_bayes.display.key_messages import (
    LIMITS,
    NO_PUBLISHED_SE,
    POOLED_ROWS_NOT_USED,
    headline,
    limits,
    significance_filter,
)
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.meta import PooledTrials, load_meta_spec
from hlt_bayes.results.folder import check_target, replacing
from hlt_bayes.results.manifest import file_sha256
from hlt_bayes.results.read import load_result
from hlt_bayes.results.write import write_check, write_result, write_trials
from hlt_bayes.specs import load_impact_spec, load_individual_spec, spec_path

FILES = {
    "estimands.csv",
    "posterior.nc",
    "impacts.csv",
    "returns.csv",
    "comparison.csv",
    "impacts.png",
    "impacts.svg",
    "returns.png",
    "returns.svg",
    "specs.json",
    "evidence.json",
    "manifest.json",
}

pytestmark = pytest.mark.usefixtures("netcdf_read_here")


def write(analysis, folder, **kwargs):
    return write_result(analysis, folder, **kwargs)


@pytest.fixture(scope="module")
def written(analysis, tmp_path_factory):
    """One result, for tests that only look."""
    folder = tmp_path_factory.mktemp("written") / "deep" / "mine"
    return write(analysis, folder, seconds=lambda: {"Sampling": 1.234})


@pytest.fixture
def folder(written, tmp_path):
    """A copy of it, for tests that do more."""
    return shutil.copytree(written, tmp_path / "mine")


def test_draws_made_elsewhere_go_through_the_same_code(written, drawn):
    folder = written
    assert {path.name for path in folder.iterdir()} == FILES
    with xr.open_datatree(folder / "posterior.nc", engine="h5netcdf") as tree:
        np.testing.assert_array_equal(tree["posterior"]["impact"], drawn["posterior"]["impact"])
        assert tree["economics"]["benefit_cost_ratio"].dims == ("chain", "draw", "perspective", "group")
    impacts = pd.read_csv(folder / "impacts.csv")
    assert len(impacts) == 20
    row = impacts.query("outcome == 'health' and group == 'WMCA'").iloc[0]
    draws = drawn["posterior"]["impact"].sel(outcome="health", group="WMCA").to_numpy()
    assert row["mean"] == pytest.approx(draws.mean())
    assert row["prob_positive"] == (draws > 0).mean()
    assert "economics" not in drawn.children


def test_the_manifest_hashes_inputs_and_outputs(written):
    folder = written
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["outputs"]) == FILES - {"manifest.json"}
    assert all(file_sha256(folder / name) == digest for name, digest in manifest["outputs"].items())
    assert manifest["inputs"]["impact spec"]["files"]["primary.toml"] == file_sha256(spec_path("primary", "impact"))
    assert "tables/synthesis_table_2_1.csv" in manifest["inputs"]["evidence"]["files"]
    assert (manifest["seed"], manifest["seconds"]) == (1, {"Sampling": 1.23})
    assert {"python", "pymc", "nutpie", "hlt-bayes"} <= set(manifest["versions"])


def test_a_result_of_ours_is_replaced_only_on_demand_and_with_equal_files(analysis, written, folder, tmp_path):
    (folder / "impacts.csv").write_text("stale", encoding="utf-8")
    with pytest.raises(ResultFolderError, match="--overwrite"):
        write(analysis, folder)
    write(analysis, folder, overwrite=True)
    for name in FILES - {"manifest.json"}:
        assert file_sha256(folder / name) == file_sha256(written / name), name
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("content", ["notes.txt", "results", "manifest.json"])
def test_a_folder_that_holds_anything_else_is_left_alone(folder, content):
    if content == "results":
        (folder / content).mkdir()
    else:
        (folder / content).write_text('{"outputs": {}, "format": "another"}', encoding="utf-8")
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(ResultFolderError, match=rf"not part of an hlt-bayes result .*{content}"):
        check_target(folder, overwrite=True)
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_check_with_a_table_of_any_name_is_replaced_and_a_file_beside_it_is_not(tmp_path, primary):
    target, specs = tmp_path / "check", {"impact spec": primary}
    table = pd.DataFrame({"a": [1]})
    write_check({"no_list_has_this": table}, {}, target, specs=specs, seed=1)
    write_check({"nor_this": table}, {}, target, specs=specs, seed=1, overwrite=True)
    assert {path.name for path in target.iterdir()} == {"manifest.json", "nor_this.csv"}
    # What a result of ours may be called elsewhere is not ours here.
    (target / "impacts.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(ResultFolderError, match=r"not part of an hlt-bayes result \(impacts\.csv\)"):
        write_check({"nor_this": table}, {}, target, specs=specs, seed=1, overwrite=True)
    assert (target / "impacts.csv").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("outputs", [None, [], "impacts.csv"])
def test_a_manifest_without_a_table_of_files_is_none_of_ours(folder, outputs):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "outputs": outputs}), encoding="utf-8")
    with pytest.raises(ResultFolderError, match=r"no valid manifest\.json"):
        check_target(folder, overwrite=True)


def test_files_links_and_unwritable_places_are_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(ResultFolderError, match="not a folder"):
            check_target(tmp_path / name, overwrite=True)
    with pytest.raises(ResultFolderError, match="cannot be written to"):
        check_target(tmp_path / "file" / "deeper", overwrite=True)
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(ResultFolderError, match="cannot be written to"):
        check_target(tmp_path / "new", overwrite=True)


def test_a_folder_that_vanishes_while_it_is_looked_at_is_said(folder, monkeypatch):
    monkeypatch.setattr(Path, "is_dir", lambda _: True)
    with pytest.raises(ResultFolderError, match=r"gone: cannot be read \(.*No such file"):
        check_target(folder / "gone", overwrite=True)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_nothing_half_written_is_left_behind(folder, tmp_path, interruption):
    before = {path.name: file_sha256(path) for path in folder.iterdir()}

    def fill():
        with replacing(folder, overwrite=True) as staging:
            (staging / "impacts.csv").write_text("half", encoding="utf-8")
            raise interruption

    with pytest.raises(ResultFolderError if interruption is OSError else interruption):
        fill()
    assert {path.name: file_sha256(path) for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_rename_that_fails_gives_the_old_result_back(folder, tmp_path, monkeypatch):
    before = {path.name: file_sha256(path) for path in folder.iterdir()}

    def failing(*_):
        raise OSError("no")

    monkeypatch.setattr(Path, "replace", failing)

    def replace():
        with replacing(folder, overwrite=True):
            pass

    with pytest.raises(ResultFolderError, match="cannot be written"):
        replace()
    assert {path.name: file_sha256(path) for path in folder.iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_draws_made_elsewhere_must_have_converged_too(drawn, evidence, primary, published):
    impact = drawn["posterior"]["impact"].copy()
    impact.loc[{"chain": 0, "outcome": "health"}] += 0.1
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact})})
    with pytest.raises(ConvergenceError, match=r"impact\[health, WMCA\]: R-hat"):
        analyse(tree, evidence, primary, published, seed=1)


@pytest.mark.ci
def test_a_spec_with_one_perspective_is_reported(drawn, evidence, primary, published, tmp_path):
    financial = published.model_copy(update={"perspectives": {"financial": published.perspectives["financial"]}})
    analysis = analyse(drawn, evidence, primary, financial, seed=1)
    assert significance_filter(analysis.returns, analysis.comparison, analysis.prices) == []
    assert set(load_result(write(analysis, tmp_path / "mine")).returns["perspective"]) == {"financial"}
    said = " ".join(headline(analysis.returns, analysis.impacts, list(evidence.groups)))
    assert "Financial benefit per £1" in said
    assert "Economic benefit of each £1" not in said


def test_an_appraisal_by_components_stands_beside(with_components, written_with_components, analysis):
    folder = written_with_components
    pd.testing.assert_frame_equal(with_components.returns, analysis.returns)
    names = {path.name for path in folder.iterdir()}
    assert names == FILES | {"appraisal.csv", "benefits.csv", "walk.csv", "walk.png", "walk.svg"}
    returns = pd.read_csv(folder / "appraisal.csv")
    assert len(returns) == 10
    with xr.open_datatree(folder / "posterior.nc", engine="h5netcdf") as tree:
        ratio = tree["appraisal"]["benefit_cost_ratio"]
        assert ratio.dims == ("chain", "draw", "perspective", "group")
        assert returns["mean"].sum() == pytest.approx(ratio.mean(("chain", "draw")).sum().item())
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["components spec"]["name"] == "green-book"
    assert with_components.diagnostics.index.str.contains("ratio by components").any()


def test_the_filter_is_explained_with_its_numbers(analysis):
    (sentence,) = significance_filter(analysis.returns, analysis.comparison, analysis.prices)
    row = analysis.returns.query("perspective == 'economic' and group == 'WMCA'").iloc[0]
    for part in (
        "WMCA",
        "0.05 SD",
        "£46,642 to £51,510 per SD of EQ-5D-5L",
        pounds(row["unfiltered"]),
        pounds(row["mean"]),
        percent(row["prob_above_one"]),
    ):
        assert part in sentence
    starred = analysis.comparison.assign(stars="*")
    assert significance_filter(analysis.returns, starred, analysis.prices) == []


def test_what_limits_say_is_so(evidence, primary):
    report = (REFERENCE / "synthesis_excerpt.txt").read_text(encoding="utf-8")
    limits = " ".join(LIMITS)
    printed = evidence.impacts.set_index(["outcome", "group"])["estimate"]["earnings"]
    mean = np.average(printed[["SCR IW", "SCR OOW"]], weights=evidence.treated[["SCR IW", "SCR OOW"]])
    assert f"earnings of All SCR: published £{printed['All SCR']:.0f}, weighted mean £{mean:.0f}" in limits
    sds = [figure.value for figure in primary.standard_error.design["earnings"].sd.values()]
    assert f"(£{min(sds):,.0f} to £{max(sds):,.0f})" in limits
    assert "10,000 Monte Carlo draws" in limits
    assert "10,000 times" in report
    assert "calls the financial returns net" in limits
    assert "a very small net financial return" in report


def test_headlines_name_each_group(analysis):
    groups = ["SCR IW", "SCR OOW", "WMCA"]
    for group, sentence in zip(groups, headline(analysis.returns, analysis.impacts, groups), strict=True):
        row = analysis.returns.query("perspective == 'economic' and group == @group").iloc[0]
        assert sentence.startswith(group)
        assert pounds(row["mean"]) in sentence


@pytest.mark.parametrize(
    ("value", "text"), [(0.996, ">99%"), (1.0, ">99%"), (0.5, "50%"), (0.004, "<1%"), (0.0, "<1%"), (0.0051, "1%")]
)
def test_probabilities_are_never_certain(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(2.316, "£2.32"), (-0.014, "-£0.01"), (-0.001, "£0.00"), (math.nan, "n/c")]
)
def test_amounts_are_to_the_penny(value, text):
    assert pounds(value) == text


@pytest.mark.parametrize(
    ("value", "perspective", "text"),
    [(0.0163, "financial", "1.6p"), (-0.0004, "financial", "0.0p"), (-0.02, "economic", "-£0.02")],
)
def test_financial_returns_are_shown_in_tenths_of_a_penny(value, perspective, text):
    assert per_pound(value, perspective) == text


def test_employment_is_shown_in_percentage_points(analysis):
    shown = impacts_table(analysis.impacts).rows
    row = analysis.impacts.query("outcome == 'employment' and group == 'WMCA'").iloc[0]
    assert ("Employment ppt", "WMCA", f"{100 * row['mean']:.1f}") in {cells[:3] for cells in shown}


def pooled_trials_made_elsewhere():
    index = ["A", "B"]
    effects = pd.DataFrame({"effect": [0.5, 1.0], "se": [0.2, 0.5], "people": [400, 60]}, index=index)
    effects.attrs["measure"] = "log odds ratio"
    ends = {"lower": 0.1, "upper": 1.0, "predicted_lower": -0.2, "predicted_upper": 1.4}
    pooled = pd.DataFrame({"mean": 0.6, **ends}, index=["DL", "Bayes"])
    methods, priors = pd.DataFrame({"method": ["DL"]}), pd.DataFrame({"group": ["WMCA"]})
    spec = load_meta_spec("ips")
    return PooledTrials(spec=spec, seed=1, effects=effects, pooled=pooled, methods=methods, priors=priors)


TRIAL_FILES = {
    "manifest.json",
    *(f"{name}.csv" for name in ("effects", "pooled", "methods", "priors")),
    *(f"{name}.{ending}" for name in ("forest", "funnel") for ending in ("png", "svg")),
}


def test_the_other_trials_become_a_folder_too(tmp_path, folder):
    trials = pooled_trials_made_elsewhere()
    spec_file = spec_path("ips", "meta")
    target = write_trials(trials, tmp_path / "ips")
    assert {path.name for path in target.iterdir()} == TRIAL_FILES
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["inputs"]["meta spec"]["files"] == {"ips.toml": file_sha256(spec_file)}
    assert all(file_sha256(target / name) == digest for name, digest in manifest["outputs"].items())
    with pytest.raises(ResultFolderError, match="--overwrite"):
        write_trials(trials, target)
    write_trials(trials, folder, overwrite=True)
    assert {path.name for path in folder.iterdir()} == TRIAL_FILES


@pytest.fixture(scope="module")
def of_own_trials(drawn, primary):
    """An analysis of somebody's own trials: ragged, without costs."""
    row = {"outcome": "health", "group": "Leeds", "estimate": "0.10", "unit": "SD", "se": "0.05"}
    rows = [row, row | {"group": "York", "p": "<0.01", "se": ""} | {"n_treatment": "1900", "n_control": "1950"}]
    rows.append(row | {"outcome": "employment", "estimate": "3", "unit": "ppt", "se": "1.5"})
    mine = drawn["posterior"]["impact"].isel(group=[0, 1]).assign_coords(group=["Leeds", "York"])
    mine = mine.sel(outcome=["employment", "health"])
    tree = xr.DataTree.from_dict({"posterior": mine.to_dataset(name="impact")})
    evidence = evidence_of_rows(rows, name="my_trials.csv")
    return analyse(tree, evidence, primary, None, seed=1)


def test_own_trials_are_reported_without_returns_and_without_words_of_ours(of_own_trials, tmp_path):
    assert of_own_trials.returns.empty
    shown = of_own_trials.estimands
    differences = shown[shown["kind"] == "difference"]
    # York's file states no employment: nothing of it is shown, differences least of all.
    assert set(zip(differences["outcome"], differences["estimand"], strict=True)) == {("health", "Leeds - York")}
    assert ("employment", "York") not in set(zip(shown["outcome"], shown["estimand"], strict=True))
    assert "economics" not in of_own_trials.draws.children
    folder = write_result(of_own_trials, tmp_path / "mine")
    assert {path.name for path in folder.iterdir()} == {name for name in FILES if not name.startswith("returns")}
    assert [tuple(row) for row in of_own_trials.comparison[["outcome", "group"]].to_numpy()] == [
        ("employment", "Leeds"),
        ("health", "Leeds"),
        ("health", "York"),
    ]


def test_limits_and_notes_are_those_of_the_spec(analysis):
    of_primary = limits(analysis)
    assert of_primary == LIMITS
    of_joint, of_nonresponse = (
        limits(replace(analysis, impact_spec=load_impact_spec(name))) for name in ("joint", "nonresponse")
    )
    assert not any("Outcomes are independent" in limit for limit in of_joint)
    assert any("hardly identified" in limit for limit in of_joint)
    assert not any("returns apply them to everyone" in limit for limit in of_nonresponse)
    assert len(of_joint) == len(of_nonresponse) == len(of_primary)
    assert "per person who answered the survey" in impacts_table(analysis.impacts).notes[1]
    assert "non-respondents are assumed" in impacts_table(analysis.impacts, whose="assumed").notes[1]
    assert "gained as much as similar respondents" in impacts_table(analysis.impacts, whose="like them").notes[1]


@pytest.mark.parametrize(("spec", "whose"), [("records", "like them"), ("nonresponse", "assumed")])
def test_limits_of_records_do_not_speak_of_print(analysis, spec, whose):
    of_records = replace(analysis, individual_spec=load_individual_spec(spec))
    assert of_records.whose == whose
    said = limits(of_records)
    assert not {NO_PUBLISHED_SE, POOLED_ROWS_NOT_USED} & set(said)
    assert any("Health and wellbeing were observed only in those who answered" in limit for limit in said)
    assert len(said) == len(LIMITS) - 2
