"""Evidence of others, whatever it holds: own trials as CSV, folders in the ledger's format, one printed result."""

import csv
import io
import shutil

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import as_csv, damaged, mutated, mutated_table, numerals, texts, toml
from properties import finds_out, folder, refuse_nan, result_or_error, take

import hlt_bayes as hb
from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.core.toml import tomllib
from hlt_bayes.display.evidence import trials_csv
from hlt_bayes.evidence import load, own_trials
from hlt_bayes.evidence.load import EMBEDDED
from hlt_bayes.likelihood import recovered_se, reported_results

TEMPLATE = list(csv.reader(io.StringIO(trials_csv(hb.load_evidence()))))
HEAD = list(own_trials.COLUMNS)
PRINTED = [
    {
        "outcome": "health",
        "group": "A",
        "estimate": "0.10",
        "unit": "SD",
        "stars": "*",
        "n_treatment": "640",
        "n_control": "541",
    },
    {
        "outcome": "employment",
        "group": "B",
        "n_treatment": "162",
        "n_control": "164",
        "events_treatment": "72",
        "events_control": "62",
    },
    {"outcome": "earnings", "group": "C", "estimate": "442", "unit": "GBP", "ci_lower": "-300", "ci_upper": "1,184"},
    {"outcome": "wellbeing", "group": "C", "site": "S", "estimate": "0.12", "unit": "SD", "p": "0.03", "se": "0.055"},
    {
        "outcome": "employment",
        "group": "D",
        "estimate": "4",
        "unit": "ppt",
        "percent_treatment": "31",
        "percent_control": "27",
        "n_treatment": "500",
        "n_control": "490",
        "stars": "none",
    },
]
OWN = [HEAD, *([row.get(name, "") for name in HEAD] for row in PRINTED)]
PRIMARY = hb.load_impact_spec("primary")
TABLES = sorted(path.name for path in (EMBEDDED / "tables").glob("*.csv"))
TOMLS = {
    name: tomllib.loads((EMBEDDED / name).read_text("utf-8"))
    for name in ("sources.toml", "tables.toml", "relations.toml")
}

plausible = st.one_of(
    numerals, st.integers(1, 5000).map(str), st.sampled_from(["", "*", "***", "none", "<0.001", ">0.1"])
)
trials = st.one_of(
    damaged(mutated_table([OWN, OWN[:3], TEMPLATE]).map(as_csv)),
    mutated_table([[HEAD, OWN[row]] for row in range(1, len(OWN))], most=2, values=plausible).map(as_csv),
    mutated_table([TEMPLATE], most=1, values=plausible).map(as_csv),
)


def carried_through(evidence):
    """Recover estimates and SEs of all that the evidence prints: what a model would be given."""
    assert np.isfinite(evidence.impacts[["estimate", "half_unit"]].to_numpy()).all()
    cells = reported_results(evidence, PRIMARY)
    refuse_nan(cells, missing=("design_se", "z_upper", "se_upper"))
    refuse_nan(recovered_se(cells.isel(cell=slice(2)), [0.1, 0.9]))


def own_trials_hold(content):
    with folder() as place:
        path = place / "mine.csv"
        path.write_bytes(content)
        evidence = result_or_error(lambda: hb.load_evidence(path), names=["mine.csv"], inside=place)
        if evidence is not None:
            result_or_error(lambda: carried_through(evidence), names=["mine.csv", "primary"])


@take("own trials")
@given(trials)
@example(
    as_csv([[*HEAD[:2], "estimate", "unit", "n_treatment", "n_control"], ["health", "A", "0.1", "SD", "9" * 400, "5"]])
)
@example(as_csv([["outcome", "group", "estimate", "unit", "p"], ["health", "A", "0.1", "SD", "0." + "0" * 21 + "1"]]))
def test_own_trials_are_read_or_refused(content):
    own_trials_hold(content)


def test_a_reader_that_takes_any_number_is_found_out(monkeypatch):
    for name in ("_problems", "_check_header", "_repeated"):
        monkeypatch.setattr(own_trials, name, lambda *_: [])
    finds_out(trials, own_trials_hold, "own trials")


@st.composite
def ledgers(draw):
    """A file of the ledger's folder, by its path there, and its content."""
    if draw(st.booleans()):
        name = draw(st.sampled_from([*TABLES, "corrections.csv"]))
        rows = list(csv.reader(io.StringIO((EMBEDDED / "tables" / name).read_text("utf-8"))))
        return f"tables/{name}", draw(damaged(mutated_table([rows]).map(as_csv)))
    name = draw(st.sampled_from(list(TOMLS)))
    return name, draw(damaged(mutated([TOMLS[name]]).map(lambda table: toml(table).encode())))


def ledger_holds(thrown):
    name, content = thrown
    with folder() as place:
        root = place / "evidence"
        shutil.copytree(EMBEDDED / "tables", root / "tables")
        for other in TOMLS:
            shutil.copy(EMBEDDED / other, root)
        (root / name).write_bytes(content)
        evidence = result_or_error(lambda: hb.load_evidence(root), names=[str(root)], inside=place)
        if evidence is not None:
            result_or_error(lambda: carried_through(evidence), names=[str(root), "primary"])
            result_or_error(lambda: hb.audit_evidence(evidence))


@take("ledger")
@given(ledgers())
@example(("tables/corrections.csv", (EMBEDDED / "tables/corrections.csv").read_bytes().replace(b",1,", b",one,")))
def test_a_ledger_is_read_or_refused(thrown):
    ledger_holds(thrown)


def test_a_ledger_whose_findings_are_not_raised_is_found_out(monkeypatch):
    monkeypatch.setattr(load, "_raise_for", lambda _: None)
    finds_out(ledgers(), ledger_holds, "ledger")


FIGURES = {
    "estimate": st.floats(-0.6, 0.6).map("{:.2f}".format),
    "stars": st.sampled_from(["", "none", "*", "**", "***"]),
    "n_treatment": st.integers(1, 5000).map(str),
    "n_control": st.integers(1, 5000).map(str),
}
BESIDE = {
    "se": st.floats(0.001, 0.5).map("{:.3f}".format),
    "p": st.sampled_from(["0", "0.0", "0.03", "<0.001", ">0.1", "1", "1.00", "0.5", "0.000000000000001", "<0.05"]),
    "sd": st.sampled_from(["1", "5200", "0.01", "1000000000"]),
    "events_treatment": st.integers(0, 500).map(str),
    "events_control": st.integers(0, 500).map(str),
    "percent_treatment": st.integers(0, 100).map(str),
    "percent_control": st.integers(0, 100).map(str),
}
printed_results = st.tuples(
    st.sampled_from(["employment", "earnings", "health", "wellbeing", "health", "wellbeing", "helth", ""]),
    st.one_of(
        st.fixed_dictionaries(FIGURES),
        st.fixed_dictionaries(FIGURES, optional=BESIDE),
        st.fixed_dictionaries({name: FIGURES[name] for name in FIGURES if name != "stars"}, optional=BESIDE),
        st.dictionaries(st.sampled_from(HEAD[2:]), texts, max_size=6),
        mutated(
            [{name: text for name, text in row.items() if name not in ("outcome", "group")} for row in PRINTED], most=2
        ),
    ),
    st.lists(st.floats(0, 1), max_size=3),
)


def printed_result_holds(thrown):
    outcome, printed, probabilities = thrown
    found = result_or_error(
        lambda: hb.recover_se(outcome, printed=printed, probabilities=probabilities),
        names=["printed", "outcome", "standard_error"],
    )
    if found is not None:
        refuse_nan(found, missing=("design_se",))
        assert (found["sd"] >= 0).all()


@take("printed result")
@given(printed_results)
def test_a_printed_result_gives_a_standard_error_or_is_refused(thrown):
    printed_result_holds(thrown)


def test_a_printed_result_that_is_not_checked_is_found_out(monkeypatch):
    monkeypatch.setattr(own_trials, "_problems", lambda *_: [])
    finds_out(printed_results, printed_result_holds, "printed result")


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "sub/x.csv", "..", "", "..\\x.csv", "x.txt"])
def test_a_table_outside_its_folder_is_not_read(evidence_folder, name):
    (evidence_folder / "secret.csv").write_text("column\nsecret\n", encoding="utf-8")
    sources = tomllib.loads((evidence_folder / "sources.toml").read_text(encoding="utf-8"))
    sources["tables"][name] = "somebody else's"
    (evidence_folder / "sources.toml").write_text(toml(sources), encoding="utf-8")
    with pytest.raises(
        EvidenceError, match=r"sources\.toml: key 'tables\..*must be the name of a \.csv file"
    ) as caught:
        hb.load_evidence(evidence_folder)
    assert "secret'" not in str(caught.value)


@pytest.mark.parametrize("path", ["a\x00.csv", "a\x00", "\ud800.csv"])
def test_a_path_that_cannot_be_one_is_refused(path):
    with pytest.raises(EvidenceError, match="evidence file cannot be read"):
        hb.load_evidence(path)


def test_a_folder_without_tables_is_refused(evidence_folder):
    sources = tomllib.loads((evidence_folder / "sources.toml").read_text(encoding="utf-8"))
    (evidence_folder / "sources.toml").write_text(toml(sources | {"tables": {}}), encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"sources\.toml: key 'tables'"):
        hb.load_evidence(evidence_folder)
