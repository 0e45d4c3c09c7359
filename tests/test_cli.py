"""The command line: one line an error, its exit code, nothing half-written."""

import csv
import io

import pytest
from helpers import edit, edited_spec, invoked, said

from hlt_bayes.evidence import load_evidence


def misspelt(tmp_path):
    return edited_spec(tmp_path, "primary", "impact", ("[priors.mu.earnings]", "[priors.mu.earning]"))


def foreign(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.docx").write_text("years of work", encoding="utf-8")
    return tmp_path / "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda _: ["--spec", "primry"], "impact spec 'primry' is unknown; allowed: 'complete-pooling', "),
        (lambda _: ["--economics", "publishd"], "economic spec 'publishd' is unknown"),
        (lambda tmp: ["--spec", misspelt(tmp)], "key 'priors.mu.earning': 'earning' is unknown"),
        (lambda tmp: ["--evidence", tmp / "nowhere"], "sources.toml: evidence file cannot be read"),
        (lambda tmp: ["--out", foreign(tmp)], "files that are not part of an hlt-bayes result"),
    ],
    ids=["spec", "economics", "key", "evidence", "folder"],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, message):
    given = arguments(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    result = invoked("run", *given, cwd=tmp_path)
    assert result.exit_code == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("hlt-bayes:")]
    assert message in line
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_negative_cost_is_one_line(evidence_folder, tmp_path):
    edit(evidence_folder / "tables/synthesis_table_2_2.csv", '"£2,116",2116', '"-£2,116",-2116')
    result = invoked("run", "--evidence", evidence_folder, cwd=tmp_path)
    assert result.exit_code == 2
    assert "synthesis_table_2_2.csv, line 2, column 'value': £-2116 given" in result.stderr
    assert not (tmp_path / "results").exists()


def test_evidence_lists_its_places_and_filters_its_cells():
    assert "Table 6.14" in said("evidence")
    cells = said("evidence", "--measure", "caseload")
    assert "26" in cells
    assert "Executive summary" not in cells
    assert "0.9sd †" in said("evidence", "--measure", "impact", "--group", "WMCA")
    assert "486" in said("evidence", "--document", "theory", "--contains", "workplace assessment")


def test_evidence_shows_a_table_as_printed_and_marks_what_is_corrected():
    shown = said("evidence", "show", "Table 2.1")
    assert "Summary of the impacts obtained for the" in shown
    assert "0.9sd †" in shown
    assert "† used as '0.09 sd': Misprint" in shown
    both = said("evidence", "show", "Table 6.1")
    assert "Completed interviews by time" in both
    assert "Number of recruits in treatment group" in both
    assert "Completed interviews" not in said("evidence", "show", "Table 6.1", "--document", "theory")
    assert "27%" in said("evidence", "show", "Section 2.1")


def test_audit_prints_findings_and_gives_them_as_csv():
    shown = said("audit", "--severity", "error")
    assert "errors" in shown.splitlines()[0]
    assert "warnings" not in shown.splitlines()[0]
    assert "note: worth knowing" in " ".join(shown.split())
    rows = list(csv.DictReader(io.StringIO(said("audit", "--csv"))))
    assert {"severity", "check", "arithmetic", "cells", "treatment"} <= set(rows[0])
    assert len({row["severity"] for row in rows}) == 3


def test_the_template_is_a_file_of_trials(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(said("evidence", "template"), encoding="utf-8")
    assert load_evidence(path).groups == ("SCR IW", "SCR OOW", "WMCA")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evidence", "show", "Table 2.11"], "place 'Table 2.11' is unknown"),
        (["evidence", "show", "Table 2.1", "--document", "synthsis"], "did you mean 'synthesis'"),
        (["evidence", "--measure", "caselod"], "--measure: 'caselod' is unknown"),
        (["audit", "--severity", "eror"], "--severity: 'eror' is unknown; allowed: 'error', 'warning', 'note'"),
        (["ips", "--spec", "isp"], "meta spec 'isp' is unknown; allowed: 'ips'"),
    ],
)
def test_unknown_names_are_refused_with_those_allowed(arguments, message):
    result = invoked(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_wrong_file_of_trials_is_refused_before_anything_is_done(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("outcome,group,estimate,unit,se\nhealth,A,0.1,SD,0\n", encoding="utf-8")
    result = invoked("run", "--evidence", path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "line 2, column 'se': '0' given; must be above 0" in result.output
    path.write_text("outcome,group,estimate,unit,se\nhealth,A,0.1,SD,0.05\n", encoding="utf-8")
    arguments = ["run", "--evidence", str(path), "--economics", "published", "--out", str(tmp_path / "out")]
    result = invoked(*arguments)
    assert result.exit_code == 2
    assert "has no costs for A, so nothing can be valued" in result.output
    assert not (tmp_path / "out").exists()
