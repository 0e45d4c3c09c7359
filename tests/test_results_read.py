"""A result folder is read again as it was written, or not at all."""

import json

import pandas as pd
import pytest
import xarray as xr
from helpers import edit

from hlt_bayes.analysis import analyse
from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.results.manifest import file_sha256
from hlt_bayes.results.read import load_result
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_economic_spec, load_impact_spec, load_individual_spec, shipped_specs

TABLES = ("impacts", "estimands", "returns", "prices", "comparison", "diagnostics")

pytestmark = pytest.mark.usefixtures("netcdf_read_here")


def test_all_tables_and_draws_come_back_bit_for_bit(with_components, written_with_components):
    again = load_result(written_with_components)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(with_components, name), check_exact=True)
    for name in ("returns", "benefits", "walk", "years"):
        pd.testing.assert_frame_equal(
            getattr(again.appraisal, name), getattr(with_components.appraisal, name), check_exact=True
        )
    for group in ("posterior", "economics", "appraisal"):
        xr.testing.assert_equal(again.draws[group].dataset, with_components.draws[group].dataset)
    assert (again.seed, again.smallest) == (1, {"health": 0.05})
    assert again.impact_spec == with_components.impact_spec
    assert again.appraisal.spec.fingerprint == with_components.appraisal.spec.fingerprint


@pytest.mark.parametrize(
    ("kind", "load"),
    [("impact", load_impact_spec), ("economic", load_economic_spec), ("individual", load_individual_spec)],
)
def test_every_shipped_spec_comes_back_from_its_json(kind, load):
    for name in shipped_specs(kind):
        spec = load(name)
        again = type(spec).model_validate_json(json.dumps(spec.model_dump(mode="json")))
        assert again.fingerprint == spec.fingerprint, name


@pytest.mark.parametrize("name", ["posterior.nc", "specs.json"])
def test_a_file_that_changed_since_is_refused(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ResultFolderError, match=rf"{name}: changed since it was written"):
        load_result(folder)
    (folder / name).unlink()
    with pytest.raises(ResultFolderError, match=rf"{name}: missing"):
        load_result(folder)


def test_specs_of_another_version_are_refused(folder):
    edit(folder / "specs.json", '"structure"', '"shape"')
    edit(folder / "manifest.json", file_sha256_of(folder, "specs.json"), file_sha256(folder / "specs.json"))
    with pytest.raises(
        ResultFolderError,
        match=r"not specs of this version of hlt-bayes \(key .*structure.*make the result again: hlt-bayes run --spec",
    ):
        load_result(folder)


def file_sha256_of(folder, name):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["outputs"][name]


def test_what_is_no_result_of_an_analysis_is_refused(tmp_path, folder):
    with pytest.raises(ResultFolderError, match=r"not an hlt-bayes result \(no manifest.json"):
        load_result(tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest["outputs"]["specs.json"]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ResultFolderError, match=r"not an analysis result \(no specs.json\)"):
        load_result(folder)


def test_the_evidence_must_be_that_which_it_was_made_from(drawn, primary, written_with_components, tmp_path):
    row = {"outcome": "health", "group": "Leeds", "estimate": "0.10", "unit": "SD", "se": "0.05"}
    mine = evidence_of_rows([row], name="my_trials.csv")
    impact = drawn["posterior"]["impact"].isel(group=[0]).sel(outcome=["health"]).assign_coords(group=["Leeds"])
    tree = xr.DataTree.from_dict({"posterior": impact.to_dataset(name="impact")})
    analysis = analyse(tree, mine, primary, None, seed=1)
    own = write_result(analysis, tmp_path / "own")
    for again in (load_result(own), load_result(own, evidence=mine)):
        pd.testing.assert_frame_equal(again.impacts, analysis.impacts, check_exact=True)
        assert again.evidence.sha256 == mine.sha256
    with pytest.raises(ResultFolderError, match=r"not to the current version of .*my_trials\.csv"):
        load_result(written_with_components, evidence=mine)
