"""The ledger says what the report prints, and a damaged one says where."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers import REFERENCE, edit

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES, POOLED_GROUPS
from hlt_bayes.evidence import load_evidence
from hlt_bayes.evidence.claims import Relation
from hlt_bayes.evidence.printed_text import Printed, parse_printed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3ppt *", Printed(3.0, 0, "*")),
        ("-£233", Printed(-233.0, 0, "")),
        ("0.10 sd ***", Printed(0.10, 2, "***")),
        ("0.9sd", Printed(0.9, 1, "")),
        ("1,260", Printed(1260.0, 0, "")),
        ("£2,116.00", Printed(2116.0, 2, "")),
        ("27%", Printed(27.0, 0, "")),
        ("£0", Printed(0.0, 0, "")),
        ("n/c", None),
        ("N/A", None),
    ],
)
def test_a_printed_cell_is_read(text, expected):
    assert parse_printed(text) == expected


def excerpt(document):
    name = {"lw-page": "pages", "ies-blog": "pages"}.get(document, document)
    return (REFERENCE / f"{name}_excerpt.txt").read_text(encoding="utf-8")


def test_every_row_of_every_table_stands_in_its_document_as_the_ledger_has_it(evidence):
    ledger = evidence.ledger
    rows = 0
    for (document, _, _), cells in ledger[ledger["place"].str.startswith("Table")].groupby(
        ["document", "place", "line"], sort=False
    ):
        words = [cells["row"].iloc[0], *cells["printed"]]
        pattern = re.compile(r".*?".join(re.escape(word) for word in words if word))
        assert any(pattern.search(line) for line in excerpt(document).splitlines()), words
        rows += 1
    assert rows > 300


def test_every_number_of_running_text_is_quoted_from_it(evidence):
    ledger = evidence.ledger
    quotes = ledger[~ledger["place"].str.startswith("Table")]
    assert len(quotes) > 500
    for document, cells in quotes.groupby("document"):
        text = excerpt(document)
        for _, cell in cells.iterrows():
            assert cell["row"] in text, cell["row"]
            assert cell["printed"] in cell["row"], (cell["printed"], cell["row"])


def test_every_numeric_table_of_the_documents_is_there(evidence):
    places = {document: set(cells["place"]) for document, cells in evidence.ledger.groupby("document")}
    synthesis = [f"1.{i}" for i in range(1, 12)] + ["2.1", "2.2", "6.1", "6.2", "6.4", "6.5", "6.6", "6.7", "6.8"]
    theory = ["1.1", "1.2", *(f"6.{i}" for i in range(1, 17))]
    assert {f"Table {name}" for name in synthesis} <= places["synthesis"]
    assert {f"Table {name}" for name in theory} <= places["theory"]
    assert {"Table 1", "Table 2"} <= places["briefing"]
    assert {(table.document, table.place) for table in evidence.tables} == {
        (document, place) for document, found in places.items() for place in found if place.startswith("Table")
    }


@pytest.mark.parametrize(
    ("measure", "printed"),
    [
        ("caseload", {"10", "26"}),
        ("contacts per person", {"12", "14", "10"}),
        ("employer liaison time difference", {"30%"}),
        ("first session within a week", {"31%"}),
        ("planned recruits", {"6,600", "7,500", "3,300", "3,750"}),
        ("12-month survey response", {"46%", "41.8"}),
        ("job entry effect", {"1.78", "1.32", "5.03"}),
        ("significance", {"95%", "99%", "90%"}),
    ],
)
def test_numbers_of_running_text_can_be_found(evidence, measure, printed):
    texts = " ".join(evidence.ledger.pipe(lambda cells: cells[cells["measure"] == measure])["printed"])
    assert all(text in texts for text in printed), texts


def test_rates_are_those_of_the_text(evidence):
    assert evidence.employment_rates.to_dict() == {
        "control": {"SCR OOW": 0.27, "WMCA": 0.18},
        "treatment": {"SCR OOW": 0.25, "WMCA": 0.22},
    }


def test_described_frames_hold_numbers_with_unit_and_cell(evidence):
    baseline = evidence.baseline.query("measure == 'age' and category == '< 30' and group == 'SCR OOW'")
    assert baseline[["value", "unit", "base", "text"]].to_numpy().tolist() == [[29.0, "%", 3571.0, "29"]]
    sessions = evidence.delivery.query("measure == 'sessions' and group == 'WMCA'")
    assert sessions["value"].max() == 34798
    assert set(evidence.survey["measure"]) >= {"support accessed", "motivation", "most important barrier"}


def test_impacts_come_in_natural_units_with_half_of_their_last_digit(evidence):
    impacts = evidence.impacts.set_index(["outcome", "group"])
    assert len(impacts) == len(OUTCOMES) * (len(GROUPS) + len(POOLED_GROUPS))
    assert impacts.loc[("employment", "WMCA"), ["estimate", "half_unit", "stars"]].tolist() == [0.04, 0.005, "***"]
    assert impacts.loc[("earnings", "SCR OOW"), ["estimate", "half_unit", "stars"]].tolist() == [-233.0, 0.5, ""]
    assert impacts.loc[("health", "All OOW"), ["estimate", "half_unit", "stars"]].tolist() == [0.08, 0.005, "**"]


def test_the_misprint_is_corrected_visibly_and_only_on_demand_left(evidence):
    cell = evidence.impacts.set_index(["outcome", "group"]).loc[("wellbeing", "WMCA")]
    assert (cell["estimate"], cell["half_unit"], cell["text"]) == (0.09, 0.005, "0.09 sd")
    assert "Misprint" in cell["correction"]
    assert evidence.corrections["printed"].tolist() == ["0.9sd"]
    as_printed = load_evidence(as_printed=True)
    cell = as_printed.impacts.set_index(["outcome", "group"]).loc[("wellbeing", "WMCA")]
    assert (cell["estimate"], cell["half_unit"], cell["correction"]) == (0.9, 0.05, "")
    assert as_printed.corrections.empty
    assert as_printed.sha256 != evidence.sha256


def test_the_reason_of_the_correction_holds(evidence):
    survey = evidence.arm_sizes("12-month survey sample")
    assert f"{survey.loc['WMCA'].sum():,} respondents" in evidence.corrections["correction"].item()
    wellbeing = evidence.impacts.query("outcome == 'wellbeing'").set_index("group")["estimate"]
    people = survey.sum(axis=1)[["SCR OOW", "WMCA"]]

    def mix(wmca):
        return (0.12 * people["SCR OOW"] + wmca * people["WMCA"]) / people.sum()

    def needed(pooled, other):
        return (pooled * people.sum() - other * people["SCR OOW"]) / people["WMCA"]

    low, high = needed(0.10 - 0.005, 0.12 + 0.005), needed(0.10 + 0.005, 0.12 - 0.005)
    assert f"WMCA lies in {low:.2f} to {high:.2f}" in evidence.corrections["correction"].item()
    assert low < wellbeing["WMCA"] < high
    reason = evidence.corrections["correction"].item()
    assert f"0.9 would make it {mix(0.9):.2f};" in reason
    needed_se, design_se = 0.085 / 1.6449, np.sqrt((1 / survey.loc["WMCA"]).sum())
    assert f"needs a standard error of {needed_se:.3f}, and they give about {design_se:.3f};" in reason
    printed = load_evidence(as_printed=True).ledger.query("measure == 'impact' and unit == 'SD'")
    printed = printed[printed["place"].str.startswith("Table")]
    assert printed.loc[printed["decimals"] == 1, "printed"].tolist() == ["0.9sd"]


def test_arm_sizes_sum_to_the_printed_total(evidence):
    for measure in ("recruits", "12-month survey sample", "4-month survey sample"):
        total = evidence.ledger.query("measure == @measure and group == 'All' and category == ''")["value"].iloc[0]
        assert evidence.arm_sizes(measure).to_numpy().sum() == total


def test_frames_cannot_change_the_evidence(evidence):
    impacts, ledger = evidence.impacts, evidence.ledger
    impacts["estimate"], ledger["value"] = 0.0, 0.0
    assert evidence.impacts["estimate"].abs().min() > 0
    assert evidence.sha256 == load_evidence().sha256


COST = 'Table 2.2,1,SCR IW,Costs per recruit to treatment group,"£2,116",-£5'
DAMAGE = {
    "misspelt group": (
        "synthesis_table_2_1.csv",
        "SCR IW,\n",
        "SCR IV,\n",
        r"line 2, column 'group': 'SCR IV'.*'SCR IW'\?",
    ),
    "misspelt outcome": (
        "synthesis_table_2_1.csv",
        "impact,,health",
        "impact,,helth",
        r"'helth'.*did you mean 'health'",
    ),
    "negative cost": ("synthesis_table_2_2.csv", '"£2,116",2116', '"-£2,116",-2116', r"line 2.*£-2116.*above £0"),
    "value against print": ("synthesis_table_2_1.csv", "3ppt *,3", "3ppt *,30", r"'30' does not agree.*'3ppt \*'"),
    "stars against print": ("synthesis_table_2_1.csv", ",0,*,,impact", ",0,**,,impact", r"column 'stars': '\*\*'"),
    "unknown star": ("synthesis_table_2_1.csv", ",0,*,,impact", ",0,****,,impact", r"column 'stars'.*allowed"),
    "arm size of zero": ("synthesis_table_1_1.csv", '"1,260",1260', "0,0", r"line 2.*above 0"),
    "rate above 100": ("synthesis_text.csv", "outcomes,,18%,18", "outcomes,,180%,180", r"180 % given"),
    "rate of 0": (
        "synthesis_text.csv",
        "outcomes,,18%,18",
        "outcomes,,0%,0",
        r"0 % given; employment rate must lie between",
    ),
    "rate of one arm": (
        "synthesis_text.csv",
        "employment rate,,employment,WMCA,control",
        "employment rate,,employment,SCR IW,control",
        r"no number for employment rate.*SCR IW, treatment",
    ),
    "quantity stated twice": (
        "synthesis_table_1_1.csv",
        "SCR IW,control",
        "SCR IW,treatment",
        r"recruits, SCR IW, treatment is stated again in Table 1\.1",
    ),
    "base of nobody": ("synthesis_table_1_2.csv", ",2519,age", ",0,age", r"column 'base': '0' given"),
    "line without a number": ("synthesis_table_1_1.csv", "Table 1.1,1,", "Table 1.1,one,", r"column 'line': 'one'"),
    "no return": (
        "synthesis_table_2_2.csv",
        "financial return,,,SCR OOW,",
        "financial return,,,All,",
        r"no cell for financial re",
    ),
    "corrected out of range": (
        "corrections.csv",
        "Table 2.1,4,WMCA,Wellbeing,0.9sd,0.09 sd",
        COST,
        r"£-5 given; a cost",
    ),
    "text for a number": ("synthesis_table_1_1.csv", ",1260,", ",many,", r"'many' does not agree"),
    "wrong unit": (
        "synthesis_table_2_1.csv",
        "3ppt *,3,ppt",
        "3ppt *,3,SD",
        r"column 'unit': 'SD' given; the unit of impact must be 'ppt'",
    ),
    "column renamed": (
        "synthesis_table_2_1.csv",
        "stars,base",
        "star,base",
        r"column 'star'.*did you mean 'stars'",
    ),
    "cell twice": ("synthesis_table_1_1.csv", ",SCR IW C,", ",SCR IW T,", r"line 3: this cell appears twice"),
    "cell of no correction": ("corrections.csv", "Table 2.1", "Table 2.9", r"line 2: no such cell"),
    "correction of another text": ("corrections.csv", "0.9sd", "0.8sd", r"the table has '0.9sd'"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damage_is_named_with_file_and_line(evidence_folder, case):
    name, old, new, message = DAMAGE[case]
    edit(evidence_folder / "tables" / name, old, new)
    with pytest.raises(EvidenceError, match=message) as caught:
        load_evidence(evidence_folder)
    assert name in str(caught.value) or "evidence/tables: " in str(caught.value)


def test_all_findings_come_at_once(evidence_folder):
    edit(evidence_folder / "tables/synthesis_table_2_1.csv", "SCR IW,\n", "SCR IV,\n")
    edit(evidence_folder / "tables/synthesis_table_2_2.csv", '"£2,116",2116', '"-£2,116",-2116')
    with pytest.raises(EvidenceError) as caught:
        load_evidence(evidence_folder)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("name", ["sources.toml", "tables/synthesis_table_2_2.csv", "tables/corrections.csv"])
def test_a_missing_file_is_named(evidence_folder, name):
    (evidence_folder / name).unlink()
    with pytest.raises(EvidenceError, match=f"{name}: evidence file cannot be read"):
        load_evidence(evidence_folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[tables]", "[tabels]", r"sources\.toml: key 'tables' is missing"),
        ("[tables]", "[tables", r"sources\.toml: not TOML"),
        ("title = ", "titel = ", r"key 'documents\.synthesis\.titel': 'titel' is unknown.*did you mean 'title'"),
    ],
)
def test_a_wrong_list_of_sources_is_named(evidence_folder, old, new, message):
    edit(evidence_folder / "sources.toml", old, new)
    with pytest.raises(EvidenceError, match=message):
        load_evidence(evidence_folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('kind = "sum"', 'kind = "share"', "key 'relation.3': a table given; 'share' takes 2 terms, not 4"),
        ('kind = "sum"', 'kind = "difference_of_shares"', "'difference_of_shares' takes 4 terms, not 2"),
        ('kind = "sum"', 'kind = "greater"', "'greater' must not have a 'result'"),
        ('kind = "greater"', 'kind = "ratio"', "'ratio' needs a 'result'"),
    ],
)
def test_a_relation_that_is_no_arithmetic_is_named(evidence_folder, old, new, message):
    path = evidence_folder / "relations.toml"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(EvidenceError, match=re.escape(message)) as caught:
        load_evidence(evidence_folder)
    assert "relations.toml" in str(caught.value)


@pytest.mark.parametrize(("kind", "terms"), [("sum", 0), ("ratio_of_sum", 1), ("greater", 3), ("ratio", 1)])
def test_a_relation_takes_as_many_terms_as_its_arithmetic(kind, terms):
    cell = {"document": "report", "place": "Section 1", "line": 1, "column": ""}
    result = None if kind == "greater" else cell
    with pytest.raises(ValueError, match="terms"):
        Relation(what="w", kind=kind, result=result, terms=[cell] * terms)
    assert len(Relation(what="w", kind=kind, result=result, terms=[cell] * 2).terms) == 2


def test_an_empty_file_a_binary_file_and_a_missing_cell_are_named(evidence_folder):
    table = evidence_folder / "tables/synthesis_table_1_1.csv"
    whole = table.read_text(encoding="utf-8")
    table.write_text("", encoding="utf-8")
    with pytest.raises(EvidenceError, match=r"synthesis_table_1_1\.csv: not a table"):
        load_evidence(evidence_folder)
    table.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EvidenceError, match="byte 0 is not UTF-8"):
        load_evidence(evidence_folder)
    lines = whole.splitlines(keepends=True)
    table.write_text("".join(lines[:1] + lines[2:]), encoding="utf-8")
    with pytest.raises(EvidenceError, match="no number for recruits, SCR IW, treatment"):
        load_evidence(evidence_folder)


def test_the_ledger_is_a_plain_table(evidence):
    assert isinstance(evidence.ledger, pd.DataFrame)
    assert evidence.sources["synthesis"].isbn == "978-1-78659-516-4"
    assert set(evidence.ledger["document"]) == set(evidence.sources)
