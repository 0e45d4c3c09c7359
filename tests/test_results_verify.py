"""A result that is no longer what was written is found out, by hashes or by making its tables again."""

import json

import pytest
from helpers import edit, invoked, rehash

import hlt_bayes.report.write as report_module
import hlt_bayes.results.manifest as manifest_module
import hlt_bayes.results.read as reading_module
from hlt_bayes.checks.run_checks import CheckTables
from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.report.verify import (
    DEPARTS,
    FOLLOWS,
    RETURNS_FOLLOW,
    SHIPPED,
    discrepancies,
    verify_result,
)
from hlt_bayes.report.write import write_report
from hlt_bayes.results.findings import AS_WRITTEN, file_findings
from hlt_bayes.results.read import load_result

pytestmark = pytest.mark.usefixtures("netcdf_read_here")


def found(folder, **settings):
    wrong = discrepancies(verify_result(folder, **settings))
    return {row.file: row.again if row.finding == AS_WRITTEN else row.finding for row in wrong.itertuples()}


def flip(path):
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_every_single_changed_file_is_found(folder):
    for path in sorted(folder.iterdir()):
        if path.name == "manifest.json":
            continue
        before = path.read_bytes()
        flip(path)
        wrong = {name: finding for name, finding in file_findings(folder).items() if finding != AS_WRITTEN}
        assert wrong == {path.name: "changed"}
        path.write_bytes(before)
    assert found(folder) == {}


def test_files_that_are_missing_or_foreign_are_found(folder):
    (folder / "impacts.csv").unlink()
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    (folder / "figures").mkdir()
    (folder / "returns.csv").unlink()
    (folder / "returns.csv").mkdir()
    assert found(folder) == {
        "impacts.csv": "missing",
        "returns.csv": "changed: it is a folder",
        "figures": "not of this result",
        "thesis.txt": "not of this result",
    }


def test_what_cannot_be_read_is_said(folder, monkeypatch):
    def refuses(*_, **__):
        raise PermissionError(13, "Permission denied", "impacts.csv")

    monkeypatch.setattr(manifest_module, "file_sha256", refuses)
    with pytest.raises(ResultFolderError, match=r"mine: cannot be read \(.*Permission denied.*impacts\.csv"):
        verify_result(folder)


def test_a_table_edited_together_with_its_hash_is_found_by_making_all_again(folder):
    flip(folder / "returns.csv")
    rehash(folder, "returns.csv")
    assert found(folder) == {}
    findings = verify_result(folder, recompute=True)
    names = {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert set(findings.loc[findings["finding"] == AS_WRITTEN, "file"]) == names
    again = dict(zip(findings["file"], findings["again"], strict=True))
    assert again.pop("returns.csv") == DEPARTS
    assert again.pop("posterior.nc") == RETURNS_FOLLOW
    assert {again.pop(name) for name in ("specs.json", "evidence.json")} == {SHIPPED}
    assert set(again.values()) == {FOLLOWS}
    assert discrepancies(findings)["file"].tolist() == ["returns.csv"]


def test_draws_that_changed_are_not_computed_with(folder):
    flip(folder / "posterior.nc")
    with pytest.raises(ResultFolderError, match=r"posterior\.nc: changed since it was written"):
        verify_result(folder, recompute=True)


def test_a_folder_without_a_manifest_is_refused(tmp_path):
    with pytest.raises(ResultFolderError, match=r"not an hlt-bayes result .* give the folder of a result"):
        verify_result(tmp_path)


def test_the_verb_says_so_and_ends_with_2(folder):
    well = invoked("verify", folder, "--quiet")
    assert well.exit_code == 0
    assert "no discrepancies" in well.stdout
    flip(folder / "impacts.png")
    result = invoked("verify", folder, "--json")
    assert result.exit_code == 2
    records = json.loads(result.stdout)["tables"][0]["records"]
    assert records[0] == {"file": "impacts.png", "finding": "changed", "again": ""}


def test_a_file_that_changes_under_the_reader_is_used_as_it_was_looked_at(folder, monkeypatch):
    before = load_result(folder)
    unchanged = reading_module.unchanged_bytes

    def then_changes(file, manifest):
        content = unchanged(file, manifest)
        file.write_bytes(b"changed")
        return content

    monkeypatch.setattr(reading_module, "unchanged_bytes", then_changes)
    again = load_result(folder)
    assert again.impacts.equals(before.impacts)
    assert found(folder) == {"posterior.nc": "changed", "specs.json": "changed", "evidence.json": "changed"}


def test_a_report_is_refused_where_a_table_changes_while_it_is_made(folder, monkeypatch):
    monkeypatch.setattr(report_module, "run_checks", lambda *_, **__: CheckTables(tables={}, why_not={}, labels={}))
    monkeypatch.setattr(report_module, "_figures", lambda *_: {})

    def meanwhile(stage, _done, _total):
        if stage == "Writing the report":
            edit(folder / "impacts.csv", "WMCA", "wmca")

    with pytest.raises(ResultFolderError, match=r"impacts\.csv: changed since it was written"):
        write_report(folder, progress=meanwhile)
    assert not (folder / "report.html").exists()
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]
