"""A result folder that somebody else made is read whole, or refused in a line; nothing outside it is touched."""

import json
import os
import re
import shutil
from importlib.metadata import version as own_version

import h5py
import pandas as pd
import pytest
import xarray as xr
from helpers import edit, invoked, rehash

from hlt_bayes.analysis import analyse
from hlt_bayes.core.errors import ImpactError, RecordsError, ResultFolderError
from hlt_bayes.evidence import load_evidence
from hlt_bayes.impacts.external import from_posterior
from hlt_bayes.inference.fit import fit, impact_attrs
from hlt_bayes.ipd.data.load import load_records
from hlt_bayes.likelihood import reported_results
from hlt_bayes.report.verify import (
    DEPARTS,
    NOT_CHECKED,
    discrepancies,
    same_table,
    verification_table,
    verify_result,
)
from hlt_bayes.report.write import write_report
from hlt_bayes.results.contents import allowed_files, required_files
from hlt_bayes.results.export import export
from hlt_bayes.results.locking import sole_writer
from hlt_bayes.results.manifest import FORMAT, file_sha256, read_manifest
from hlt_bayes.results.netcdf import netcdf_bytes
from hlt_bayes.results.read import command_of, load_result
from hlt_bayes.results.synthetic import check_twin_target
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_impact_spec

pytestmark = pytest.mark.usefixtures("netcdf_read_here")


def manifest_of(folder):
    return json.loads((folder / "manifest.json").read_text(encoding="utf-8"))


def put(folder, manifest):
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def rewrite(folder, name, change):
    """Change a JSON file of the folder, and its hash in the manifest with it."""
    content = json.loads((folder / name).read_text(encoding="utf-8"))
    change(content)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    rehash(folder, name)


def test_an_output_outside_the_folder_is_neither_read_nor_written(folder, tmp_path):
    (tmp_path / "L").mkdir()
    (tmp_path / "home").mkdir()
    mine = tmp_path / "home/.bashrc"
    mine.write_text("mine", encoding="utf-8")
    (tmp_path / "L/impacts.csv").symlink_to(mine)
    manifest = manifest_of(folder)
    manifest["outputs"]["../L/impacts.csv"] = file_sha256(mine)
    put(folder, manifest)
    for work in (write_report, load_result, verify_result):
        with pytest.raises(ResultFolderError, match=r"no valid manifest\.json: key 'outputs\.\.\./L/impacts\.csv"):
            work(folder)
    assert invoked("report", folder).exit_code == 2
    assert mine.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["impacts.csv", "posterior.nc", "specs.json", "evidence.json", "manifest.json"])
def test_a_link_in_place_of_a_file_is_not_followed(folder, tmp_path, name):
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(ResultFolderError, match=r"a link|not part of an hlt-bayes result"):
        write_report(folder)
    if name == "manifest.json":
        with pytest.raises(ResultFolderError, match=r"it is a link, not a file"):
            verify_result(folder)
    else:
        wrong = discrepancies(verify_result(folder)).set_index("file")["finding"]
        assert wrong[name] == "changed: it is a link"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes of that kind")
@pytest.mark.parametrize("name", ["impacts.csv", "posterior.nc", "manifest.json"])
def test_a_pipe_in_place_of_a_file_does_not_keep_a_reader_waiting(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ResultFolderError):
        write_report(folder)


MANIFESTS = {
    "outputs of null": lambda it: it.update(outputs=None),
    "an output that is a list": lambda it: it.update(outputs=["impacts.csv"]),
    "an output in a folder": lambda it: it["outputs"].update({"a/impacts.csv": "0" * 64}),
    "an output of another drive": lambda it: it["outputs"].update({"C:\\impacts.csv": "0" * 64}),
    "an output above": lambda it: it["outputs"].update({"..": "0" * 64}),
    "an output without a name": lambda it: it["outputs"].update({"": "0" * 64}),
    "an output that starts with a dash": lambda it: it["outputs"].update({"-rf.csv": "0" * 64}),
    "an output of another kind": lambda it: it["outputs"].update({"run.sh": "0" * 64}),
    "an output with an escape sequence": lambda it: it["outputs"].update({"a\x1b[31m.csv": "0" * 64}),
    "a hash that is none": lambda it: it["outputs"].update({"impacts.csv": "yes"}),
    "no settings": lambda it: it["settings"].pop("smallest"),
    "a setting that is not known": lambda it: it["settings"].update(largest=1),
    "a seed of a half": lambda it: it.update(seed=0.5),
    "a seed below zero": lambda it: it.update(seed=-1),
    "a seed as text": lambda it: it.update(seed="1"),
    "inputs of null": lambda it: it.update(inputs=None),
    "an input without a hash": lambda it: it["inputs"]["evidence"].pop("sha256"),
    "no inputs": lambda it: it.update(inputs={}),
    "no evidence": lambda it: it["inputs"].pop("evidence"),
    "no impact spec": lambda it: it["inputs"].pop("impact spec"),
    "an input of a spec that is not there": lambda it: it["inputs"].update({"moderators spec": {"sha256": "0" * 64}}),
    "an unknown key": lambda it: it.update(command="rm"),
    "no seed": lambda it: it.pop("seed"),
    "a machine of a number": lambda it: it.update(machine=3),
    "versions with an escape sequence": lambda it: it["versions"].update(python="\x1b]0;x\x07"),
    "a right-to-left override": lambda it: it.update(created="\u202e2026"),
    "another kind": lambda it: it.update(kind="other"),
    "another format": lambda it: it.update(format="another result 1"),
    "an input of no kind": lambda it: it["inputs"].update({"ethics approval": {"sha256": "0" * 64}}),
    "no kind": lambda it: it.pop("kind"),
    "format 1 with a kind": lambda it: it.update(format="hlt-bayes result 1"),
    "a spec of another name": lambda it: it["inputs"]["impact spec"].update(name="other"),
    "seconds that are none": lambda it: it.update(seconds={"fit": float("nan")}),
    "evidence without its hash": lambda it: it["inputs"]["evidence"].pop("sha256"),
    "an HMAC of what has no key": lambda it: it["inputs"]["evidence"].update(hmac_sha256="0" * 64),
    "an HMAC of records that there are not": lambda it: it["inputs"].update(records={"hmac_sha256": "0" * 64}),
    "records that there are not": lambda it: it["inputs"].update(records={"sha256": "0" * 64}),
    "another engine": lambda it: it["settings"].update(engine="nuts"),
    "no smallest but infinity": lambda it: it["settings"].update(smallest={"health": float("inf")}),
}


@pytest.mark.parametrize("change", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_is_not_one_is_refused_in_a_line(folder, change):
    manifest = manifest_of(folder)
    change(manifest)
    put(folder, manifest)
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    for verb in ("report", "compare"):
        found = invoked(verb, folder)
        assert found.exit_code == 2, (verb, found.output)
        said = found.stderr.strip("\n")
        assert said.startswith("hlt-bayes: ")
        assert said.isprintable(), said
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"format": ' + "[" * 100_000, '{"seed": ' + "9" * 5000 + "}", "\ud800"]
)
def test_a_manifest_that_is_no_json_of_ours_is_refused(folder, text):
    (folder / "manifest.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ResultFolderError, match=r"no valid manifest\.json"):
        read_manifest(folder)


def test_a_folder_of_a_newer_version_is_told_so(folder):
    manifest = manifest_of(folder)
    put(folder, manifest | {"format": f"hlt-bayes result {FORMAT + 1}", "further": {"key": 1}})
    for work in (load_result, verify_result, write_report):
        with pytest.raises(
            ResultFolderError, match=r"written by a newer version of hlt-bayes \(format 3; .* update hlt"
        ):
            work(folder)


SPECS = {
    "no impact spec": lambda it: it.pop("impact"),
    "a role that is not known": lambda it: it.update(other=it["impact"]),
    "a spec of null": lambda it: it.update(impact=None),
    "another title": lambda it: it["impact"].update(title="Another title"),
    "another prior": lambda it: it["impact"]["priors"]["tau"]["health"].update(scale=9.0),
    "one spec fewer": lambda it: it.pop("components"),
    "a deep one": lambda it: it.update(impact=json.loads("[" * 500 + "]" * 500)),
    "a list": lambda it: it.update(impact=[1]),
}


@pytest.mark.parametrize("change", SPECS.values(), ids=SPECS)
def test_specs_other_than_those_of_the_draws_are_found_though_their_hash_was_made_anew(folder, change):
    rewrite(folder, "specs.json", change)
    with pytest.raises(
        ResultFolderError, match=r"specs\.json: .*(make the result again: hlt-bayes run|as (it was )?written)"
    ):
        load_result(folder)
    wrong = discrepancies(verify_result(folder)).set_index("file")["finding"]
    assert wrong["specs.json"].startswith("does not belong to this result")


def test_draws_of_another_spec_do_not_pass_under_these_specs(few_draws_of, tmp_path):
    """Swap the draws of two fits to the same evidence, hashes included."""
    one, other = (shutil.copytree(few_draws_of[name], tmp_path / name) for name in ("primary", "no-pooling"))
    shutil.copy(other / "posterior.nc", one / "posterior.nc")
    rehash(one, "posterior.nc")
    with pytest.raises(ResultFolderError, match=r"posterior\.nc: its draws were made from another spec"):
        load_result(one)
    found = discrepancies(verify_result(one))
    assert found["finding"].iloc[0].startswith("does not belong to this result")
    assert discrepancies(verify_result(other)).empty


def test_evidence_other_than_that_of_the_draws_is_found(folder):
    def change(kept):
        text = kept["files"]["sources.toml"]
        kept["files"]["sources.toml"] = text.replace("Evaluation", "Revaluation", 1)
        table = kept["files"]["tables/synthesis_table_2_1.csv"]
        assert "0.10" in table or "0.1" in table
        kept["as_printed"] = not kept["as_printed"]

    rewrite(folder, "evidence.json", change)
    with pytest.raises(ResultFolderError, match=r"evidence\.json: is not the evidence that the manifest names"):
        load_result(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda it: it.update(files={}), r"lacks 'sources\.toml'"),
        (lambda it: it["files"].update({"more.toml": ""}), r"has files that are not evidence: more\.toml"),
        (lambda it: it["files"].update({"sources.toml": "="}), r"sources\.toml: not TOML"),
        (lambda it: it.update(name="../a"), r"not evidence as hlt-bayes keeps it \(key 'name'"),
        (lambda it: it.update(format="other"), r"key 'format'"),
        (lambda it: it.update(files=[1]), r"key 'files'"),
        (lambda it: it.update(rows=[{"outcome": "health"}]), r"line 1"),
    ],
)
def test_evidence_that_is_none_is_refused(folder, change, message):
    rewrite(folder, "evidence.json", change)
    with pytest.raises(ResultFolderError, match=message):
        load_result(folder)


def test_one_file_more_or_less_is_found_though_the_manifest_agrees(folder):
    (folder / "extra.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "estimands.csv").unlink()
    rehash(folder, "extra.csv", "estimands.csv")
    wrong = discrepancies(verify_result(folder)).set_index("file")["finding"]
    assert wrong.to_dict() == {"extra.csv": "not of this result", "estimands.csv": "missing"}


@pytest.mark.parametrize("kind", ["check", "trials"])
def test_an_analysis_that_says_it_is_a_mere_check_is_still_looked_at_as_one(folder, kind):
    (folder / "summary.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "estimands.csv").unlink()
    rehash(folder, "summary.csv", "estimands.csv")
    put(folder, manifest_of(folder) | {"kind": kind})
    wrong = discrepancies(verify_result(folder)).set_index("file")["finding"]
    assert wrong.to_dict() == {"summary.csv": "not of this result", "estimands.csv": "missing"}


@pytest.mark.parametrize("name", ["manifest.json", "specs.json", "evidence.json"])
def test_a_key_that_stands_twice_is_refused(folder, name):
    """A reader sees the first, a program takes the last."""
    text = (folder / name).read_text(encoding="utf-8")
    key = {"manifest.json": '"seed": 2', "specs.json": '"impact": {}', "evidence.json": '"name": "other"'}[name]
    (folder / name).write_text(text.replace("{", "{" + key + ",", 1), encoding="utf-8")
    if name != "manifest.json":
        rehash(folder, name)
    with pytest.raises(ResultFolderError, match=r"key '(seed|impact|name)' occurs more than once"):
        load_result(folder)


def test_the_text_of_evidence_is_bound_to_the_manifest_and_told_from_our_own(own_result, folder, tmp_path):
    def change(kept):
        kept["files"]["sources.toml"] = kept["files"]["sources.toml"].replace("Evaluation", "Revaluation", 1)

    rewrite(folder, "evidence.json", change)
    with pytest.raises(ResultFolderError, match=r"evidence\.json: is not the evidence that the manifest names"):
        load_result(folder)
    findings = verify_result(shutil.copytree(own_result, tmp_path / "own"), recompute=True)
    again = dict(zip(findings["file"], findings["again"], strict=True))
    assert again["evidence.json"] == "taken as given"
    assert again["specs.json"] == "that of this package"


def edit_draws(folder, change):
    """Change the draws of a folder, and their hash in the manifest."""
    with h5py.File(folder / "posterior.nc", "r+") as file:
        change(file)
    rehash(folder, "posterior.nc")


def test_published_results_beside_the_draws_are_those_of_the_evidence(few_draws_of, evidence, tmp_path):
    folder = shutil.copytree(few_draws_of["primary"], tmp_path / "mine")
    cells = reported_results(evidence, load_impact_spec("primary"))
    draws = xr.load_datatree(folder / "posterior.nc", engine="h5netcdf")
    for factor in (1.0, 3.0):
        draws["reported"] = xr.DataTree(cells.assign(estimate=factor * cells["estimate"]))
        (folder / "posterior.nc").write_bytes(netcdf_bytes(draws))
        edit_draws(folder, lambda _: None)
        if factor == 1.0:
            assert load_result(folder).evidence.sha256 == evidence.sha256
    with pytest.raises(ResultFolderError, match=r"its group 'reported', the published results, is not that of the"):
        load_result(folder)


def test_draws_that_name_another_spec_are_refused(few_draws_of, tmp_path):
    folder = shutil.copytree(few_draws_of["primary"], tmp_path / "mine")
    edit_draws(folder, lambda file: file["posterior/impact"].attrs.modify("spec", "no-pooling"))
    with pytest.raises(ResultFolderError, match=r"its draws were made from another spec"):
        load_result(folder)


def set_attrs(file, **attrs):
    file["posterior/impact"].attrs.update(attrs)


def two_of_one_name(file):
    """Two arrays that a netCDF reader takes for the same: one has the prefix of a variable named as a dim."""
    group = file["economics"]
    true = group["benefit_cost_ratio"]
    again = group.create_dataset("_nc4_non_coord_benefit_cost_ratio", data=true[()])
    for axis, dim in enumerate(true.dims):
        again.dims[axis].attach_scale(dim[0])
    true[...] = true[()] * 9


def without_outcome(file):
    group = file["posterior"]
    values, scales = group["mu"][()], [group["mu"].dims[axis][0] for axis in (0, 1)]
    del group["mu"]
    mu = group.create_dataset("mu", data=values[:, :, 0])
    for axis, scale in enumerate(scales):
        mu.dims[axis].attach_scale(scale)


MALFORMED = {
    "an array twice": (two_of_one_name, r"'/economics' has two arrays 'benefit_cost_ratio'; store one"),
    "an array at the root": (lambda file: file.create_dataset("more", data=[1.0]), r"it has 'more', which is not read"),
    "a group in a group": (lambda file: file["economics"].create_group("in"), r"it has 'economics/in', which is not"),
    "records": (lambda file: set_attrs(file, records_sha256="x"), r"its records_sha256 is not the one that the man"),
    "keyed records": (lambda file: set_attrs(file, records_hmac_sha256="x"), r"its records_hmac_sha256 is not the one"),
    "an engine": (lambda file: set_attrs(file, engine="{bad"), r"its engine is not the one that the manifest names"),
    "deep units": (lambda file: set_attrs(file, unit="[" * 90_000), r"impact\.attrs\['unit'\] is .* it must be JSON"),
}


@pytest.mark.parametrize(("change", "message"), MALFORMED.values(), ids=MALFORMED)
def test_draws_of_another_form_are_refused_in_a_line(reanalysed, tmp_path, change, message):
    folder = shutil.copytree(reanalysed, tmp_path / "mine")
    edit_draws(folder, change)
    for verb, *more in (("verify", "--recompute"), ("report",)):
        found = invoked(verb, folder, *more)
        assert found.exit_code == 2
        assert re.search(message, found.stderr.replace("\n", " ")), found.stderr


@pytest.mark.ci
def test_draws_that_lack_what_a_report_needs_are_refused_in_a_line(reanalysed, tmp_path):
    folder = shutil.copytree(reanalysed, tmp_path / "mine")
    edit_draws(folder, without_outcome)
    with pytest.raises(ResultFolderError, match=r"its draws do not have the form of a result .*: hlt-bayes run --spec"):
        write_report(folder)
    assert not (folder / "report.html").exists()


@pytest.mark.ci
def test_what_another_unit_or_another_number_of_files_would_tell_is_found_by_making_all_again(folder):
    edit_draws(folder, lambda file: file["economics/benefit_cost_ratio"].attrs.modify("unit", "million"))
    for name in ("walk.csv", "walk.png", "walk.svg"):
        (folder / name).unlink()
    (folder / "posterior_predictive.csv").write_text("a\n1\n", encoding="utf-8")
    rehash(folder, "walk.csv", "walk.png", "walk.svg")
    assert discrepancies(verify_result(folder))["file"].tolist() == ["posterior_predictive.csv"]
    wrong = discrepancies(verify_result(folder, recompute=True)).set_index("file")
    assert wrong["again"]["posterior.nc"] == DEPARTS
    assert wrong["finding"]["walk.csv"] == wrong["finding"]["walk.png"] == "missing"


def test_a_file_that_claims_terabytes_is_refused_at_once(folder, tmp_path):
    for name in ("posterior.nc", "impacts.csv", "draws.csv"):
        place = tmp_path / name if name == "draws.csv" else folder / name
        place.touch()
        try:
            os.truncate(place, 2**40)
        except OSError:
            pytest.skip("this file system has no sparse files")
    wrong = discrepancies(verify_result(folder)).set_index("file")["finding"]
    assert wrong["impacts.csv"] == wrong["posterior.nc"].replace("2,000,000,000", "100,000,000")
    assert "it has 1,099,511,627,776 bytes; at most 2,000,000,000 are read" in wrong["posterior.nc"]
    for work in (load_result, write_report):
        with pytest.raises(ResultFolderError, match=r"1,099,511,627,776 bytes"):
            work(folder)
    with pytest.raises(ImpactError, match=r"draws\.csv: has 1,099,511,627,776 bytes"):
        from_posterior(tmp_path / "draws.csv", units={}, columns={"a": ("health", "A")})
    with pytest.raises(ImpactError, match=r"posterior\.nc: has 1,099,511,627,776 bytes"):
        from_posterior(folder / "posterior.nc", units={})
    (tmp_path / "draws.csv").rename(tmp_path / "records.csv")
    with pytest.raises(RecordsError, match=r"records\.csv: .*1,099,511,627,776 bytes"):
        load_records(tmp_path / "records.csv")


def test_a_folder_of_very_many_files_is_refused(folder):
    for number in range(1001):
        (folder / f"{number}.txt").touch()
    with pytest.raises(ResultFolderError, match=r"has more than 1,000 files; give the folder of a result"):
        verify_result(folder)


def test_what_lies_beside_a_result_is_moved_only_if_it_was_set_aside_from_it(folder):
    """Working folders of killed runs are cleared; one that came in an archive may be a link, or hold other names."""
    victim = folder.parent / "victim"
    victim.mkdir()
    (victim / "keep.old").write_text("precious", encoding="utf-8")
    (folder.parent / ".mine.hlt-bayes-x").symlink_to(victim)
    planted = folder.parent / ".mine.hlt-bayes-y"
    planted.mkdir()
    (planted / ".profile.old").write_text("evil", encoding="utf-8")
    before = manifest_of(folder)
    shutil.move(folder, planted / "mine.old")
    with sole_writer(folder):
        assert manifest_of(folder) == before
    assert (victim / "keep.old").read_text(encoding="utf-8") == "precious"
    assert not (folder.parent / ".profile").exists()
    assert not (folder.parent / "keep").exists()
    assert not planted.exists()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("7", "7.0", False),
        ("7", "07", False),
        ("0.10", "0.1", True),
        ("1e-3", "0.001", True),
        ("-1.5", "-1.5000000000001", True),
        ("0.1", "0.1001", False),
        ("0.0_96", "0.096", False),
        ("1", "one", False),
        ("nan", "NaN", False),
        ("", "0", False),
        ("٣", "3", False),
    ],
)
def test_numbers_in_tables_are_those_that_other_software_reads(one, other, same):
    first, second = (f"a\n{value}\n".encode() for value in (one, other))
    assert same_table(first, second) is same


def test_a_result_has_the_files_that_its_specs_call_for(written_once, written_with_components):
    for place, roles in (
        (written_once, {"impact", "economic"}),
        (written_with_components, {"impact", "economic", "components"}),
    ):
        names = {path.name for path in place.iterdir()} - {"manifest.json"}
        assert required_files(roles, reported=False) <= names <= allowed_files(roles, reported=False)
        assert read_manifest(place).kind == "analysis"


def test_a_result_needs_nothing_but_itself(own_result, tmp_path, monkeypatch):
    """Own trials are reported, exported and verified without their file, from another working directory."""
    place = shutil.copytree(own_result, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    analysis = load_result(place)
    assert analysis.evidence.groups == ("Leeds", "York")
    assert str(analysis.evidence.path) == "my_trials.csv"
    assert export(place, to="summary", out=tmp_path / "out")
    assert discrepancies(verify_result(place, recompute=True)).empty
    assert invoked("compare", place).exit_code == 0


def test_evidence_is_kept_without_where_it_lay(own_result):
    text = (own_result / "evidence.json").read_text(encoding="utf-8")
    kept = json.loads(text)
    assert kept["name"] == "my_trials.csv"
    assert "/" not in "".join(kept["files"])
    assert "tmp" not in text


def test_the_command_that_makes_a_result_again_names_its_specs_and_seed(folder, own_result):
    assert command_of(read_manifest(folder)) == (
        "hlt-bayes run --spec primary --moderators none --economics published --components green-book --seed 1 "
        "--smallest health=0.05"
    )
    assert "--evidence my_trials.csv" in command_of(read_manifest(own_result))


def test_a_folder_of_version_0_1_0_is_read(folder, evidence):
    """Format 1 has neither kind nor evidence: that of the package is taken if it is the same."""
    (folder / "evidence.json").unlink()
    rehash(folder, "evidence.json")
    manifest = manifest_of(folder)
    del manifest["kind"]
    put(folder, manifest | {"format": "hlt-bayes result 1"})
    assert load_result(folder).evidence.sha256 == evidence.sha256
    assert discrepancies(verify_result(folder)).empty
    manifest["inputs"]["evidence"]["sha256"] = "0" * 64
    put(folder, manifest | {"format": "hlt-bayes result 1"})
    with pytest.raises(ResultFolderError, match=r"or make the result again: hlt-bayes run --spec primary"):
        load_result(folder)


def test_a_hash_of_records_without_a_key_is_pointed_out_and_not_exported(folder, tmp_path):
    """Version 0.1.0 wrote it into manifest and draws; guesses at the records can be confirmed by it."""
    guessed = "5" * 64
    edit_draws(folder, lambda file: set_attrs(file, records_sha256=guessed))
    manifest = manifest_of(folder)
    manifest["inputs"]["records"] = {"sha256": guessed}
    put(folder, manifest)
    wrong = discrepancies(verify_result(folder))
    assert wrong["file"].tolist() == ["manifest.json"]
    assert "confirms guesses" in wrong["finding"].item()
    export(load_result(folder), to="netcdf", out=tmp_path / "out")
    assert all(guessed.encode() not in path.read_bytes() for path in (tmp_path / "out").iterdir())


@pytest.mark.parametrize("version", ["0.1.0", None])
def test_what_another_version_made_is_not_called_false_nor_passed_over(own_result, tmp_path, version):
    folder = shutil.copytree(own_result, tmp_path / "mine")
    for name in ("impacts.csv", "impacts.svg"):
        edit(folder / name, "Leeds", "Leads")
    rehash(folder, "impacts.csv", "impacts.svg")
    if version is not None:
        edit(folder / "manifest.json", own_version("hlt-bayes"), version)
    findings = verify_result(folder, recompute=True)
    again = dict(zip(findings["file"], findings["again"], strict=True))
    if version is None:
        assert again["impacts.csv"] == again["impacts.svg"] == DEPARTS
        assert discrepancies(findings)["file"].tolist() == ["impacts.csv", "impacts.svg"]
    else:
        assert again["impacts.csv"] == f"{DEPARTS}, or hlt-bayes 0.1.0 wrote it otherwise"
        assert again["impacts.svg"] == f"{NOT_CHECKED}: made with another version of hlt-bayes"
        assert discrepancies(findings)["file"].tolist() == ["impacts.csv"]
        assert "Not checked: impacts.svg." in verification_table(findings, folder).notes[1]


def test_names_of_own_files_stand_in_the_command(own_result):
    manifest = read_manifest(own_result)
    spec = manifest.inputs["impact spec"].model_copy(update={"name": "mine", "files": {"my_spec.toml": "0" * 64}})
    changed = manifest.model_copy(update={"inputs": {**manifest.inputs, "impact spec": spec}})
    assert "--spec my_spec.toml" in command_of(changed)


@pytest.fixture(scope="module")
def own_result(tmp_path_factory, primary, drawn):
    place = tmp_path_factory.mktemp("own")
    rows = [("health", "Leeds", "0.10", "SD", "0.05"), ("health", "York", "0.21", "SD", "0.08")]
    pd.DataFrame(rows, columns=["outcome", "group", "estimate", "unit", "se"]).to_csv(
        place / "my_trials.csv", index=False
    )
    mine = load_evidence(place / "my_trials.csv")
    impact = drawn["posterior"]["impact"].isel(group=[0, 1]).sel(outcome=["health"])
    impact = impact.assign_coords(group=["Leeds", "York"])
    tree = xr.DataTree.from_dict({"posterior": impact.to_dataset(name="impact")})
    written = write_result(analyse(tree, mine, primary, None, seed=1), place / "result")
    (place / "my_trials.csv").unlink()
    return written


@pytest.fixture(scope="module")
def reanalysed(evidence, primary, published, tmp_path_factory):
    """A result of few exact draws with all that a fit has beside its impacts."""
    short = primary.model_copy(update={"sampling": primary.sampling.model_copy(update={"draws": 500})})
    tree = fit(short, evidence, engine="exact", seed=1)
    return write_result(analyse(tree, evidence, short, published, seed=1), tmp_path_factory.mktemp("fit") / "result")


@pytest.fixture(scope="module")
def few_draws_of(drawn, evidence, tmp_path_factory):
    """Results whose draws say that they are of one spec each."""
    place, found = tmp_path_factory.mktemp("few"), {}
    for name in ("primary", "no-pooling"):
        spec = load_impact_spec(name)
        impact = drawn["posterior"]["impact"].copy()
        made_of = {"evidence_sha256": evidence.sha256}
        impact.attrs.update(impact_attrs(spec, estimand="as drawn", made_of=made_of, engine="exact", seed=1))
        tree = xr.DataTree.from_dict({"posterior": impact.to_dataset(name="impact")})
        found[name] = write_result(analyse(tree, evidence, spec, None, seed=1), place / name)
    return found


def test_a_file_whose_name_steers_the_terminal_is_shown_harmless(folder):
    (folder / "a\x1b[31m\u202eb.csv").write_text("", encoding="utf-8")
    (folder / "two\nlines.csv").write_text("", encoding="utf-8")
    (folder / os.fsdecode(b"\xff.csv")).write_text("", encoding="utf-8")
    found = invoked("verify", folder)
    assert found.exit_code == 2
    assert r"two\nlines.csv" in found.stdout
    assert r"\udcff.csv" in found.stdout
    assert "\x1b" not in found.stdout
    assert "\u202e" not in found.stdout
    assert r"a\x1b[31m\u202eb.csv" in found.stdout.replace("\n", "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes of that kind")
def test_a_pipe_where_synthetic_records_would_be_replaced_keeps_nobody_waiting(tmp_path):
    (tmp_path / "twin.csv").write_text("", encoding="utf-8")
    os.mkfifo(tmp_path / "twin.truth.json")
    with pytest.raises(ResultFolderError, match="exists but is not an unchanged hlt-bayes synthetic dataset"):
        check_twin_target(tmp_path / "twin.csv", overwrite=True)
