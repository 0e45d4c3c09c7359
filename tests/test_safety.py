"""Text from files stays text: no page runs it, and no spreadsheet."""

import csv
import io

import numpy as np
import pytest
import xarray as xr

from hlt_bayes.analysis import analyse
from hlt_bayes.core.errors import EvidenceError, SpecError
from hlt_bayes.core.text import FORMULA, text_findings
from hlt_bayes.evidence import load_evidence
from hlt_bayes.report.write import write_report
from hlt_bayes.results.export import export
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_economic_spec

FORMULAS = ['=HYPERLINK("http://x")', "@SUM(A1)", "+1+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0", "\t=1", "\r=1"]
NO_FORMULAS = ["", "-", "-£233", "-1.4", "- 0.05 SD", "+3 ppt", "-2%", "1.5p", "a=b", "3-4", "-1,234***", "-.5"]

HOSTILE = ["<script>alert(1)</script>", "</td><img src=x onerror=alert(1)>", "{{ 7 * 7 }} & \"'"]


def trials(folder, groups, *, source="a report", site=""):
    """A file of trials of health, one a group."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["outcome", "group", "site", "estimate", "unit", "se", "source"])
    writer.writerows([["health", group, site, "0.10", "SD", "0.05", source] for group in groups])
    path = folder / "trials.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_is_found(text):
    (finding,) = text_findings(text)
    assert finding.startswith(repr(text))
    assert finding.endswith(("start it with a letter", "remove it", "write it on one line"))


@pytest.mark.parametrize("text", NO_FORMULAS)
def test_numbers_and_words_are_no_formulas(text):
    assert text_findings(text) == []


@pytest.mark.parametrize("column", ["group", "site", "source"])
def test_a_formula_in_trials_is_refused_with_its_place(tmp_path, column):
    named = {"group": ["=1+1", "B"], "site": ["A", "B"], "source": ["A", "B"]}[column]
    others = {column: "=1+1"} if column != "group" else {}
    with pytest.raises(EvidenceError, match=rf"trials\.csv, line 2, column '{column}': '=1\+1' would run as a formula"):
        load_evidence(trials(tmp_path, named, **others))


def test_a_formula_in_a_ledger_is_refused_with_its_place(evidence_folder):
    table = evidence_folder / "tables/synthesis_table_2_1.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    fields = next(csv.reader([lines[1]]))
    fields[3] = "=cmd"
    lines[1] = ",".join(f'"{field}"' for field in fields)
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"synthesis_table_2_1\.csv, line 2, column 'row': '=cmd' would run"):
        load_evidence(evidence_folder)


@pytest.mark.parametrize("change", ['title = "=1+1"', '[benefits."=1+1"]\nunit = "x"'], ids=["a text", "a name"])
def test_a_formula_in_a_spec_is_refused_with_its_place(tmp_path, change):
    path = tmp_path / "mine.toml"
    path.write_text(f'based_on = "green-book"\nname = "mine"\n{change}\n', encoding="utf-8")
    with pytest.raises(SpecError, match=r"mine\.toml: key '(title|benefits)': '=1\+1' would run as a formula"):
        load_economic_spec(path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory, primary):
    """A result of trials whose names are meant for a browser, and its report."""
    tmp_path = tmp_path_factory.mktemp("hostile")
    evidence = load_evidence(trials(tmp_path, HOSTILE, source=HOSTILE[0], site=HOSTILE[1]))
    values = np.random.default_rng(1).normal(0.1, 0.05, (4, 500, 1, 3))
    coords = {"chain": range(4), "draw": range(500), "outcome": ["health"], "group": HOSTILE}
    impact = xr.DataArray(values, dims=("chain", "draw", "outcome", "group"), coords=coords)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact})})
    analysis = analyse(tree, evidence, primary, None, seed=1)
    folder = write_result(analysis, tmp_path / "mine")
    write_report(folder, evidence=evidence)
    return folder, evidence


def test_names_in_evidence_are_text_on_the_page(hostile):
    folder, _ = hostile
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7 * 7 }} &amp; " in text
    for tag in ("<script>alert", "<img src=x", "onerror=alert(1)>"):
        assert tag not in text
    for figure in folder.glob("*.svg"):
        assert "<script" not in figure.read_text(encoding="utf-8")


def test_no_table_or_export_begins_a_field_with_a_formula(hostile, tmp_path):
    folder, evidence = hostile
    export(folder, to=["csv", "summary", "metafor", "cmdstan"], out=tmp_path / "exports", evidence=evidence)
    tables = [*folder.glob("*.csv"), *(tmp_path / "exports").glob("*.csv")]
    assert len(tables) > 6
    for table in tables:
        with table.open(encoding="utf-8", newline="") as file:
            fields = {field for row in csv.reader(line for line in file if not line.startswith("#")) for field in row}
        assert [field for field in fields if FORMULA.match(field) and not is_number(field)] == [], table


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True
