"""Records: what is read, what is found wrong, and that nothing a record holds is ever said."""

import logging
import re
import traceback
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers import invoked

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data import (
    COLUMNS,
    RecordFindings,
    check_records,
    load_records,
    records_of_frame,
    schema_table,
)
from hlt_bayes.ipd.data.findings import SHOWN_LINES, raise_for, together
from hlt_bayes.ipd.data.rules import RULES
from hlt_bayes.ipd.data.schema import CONTACT_BANDS, DTYPES, MONTHS

SIZE = 24


def people(size=SIZE):
    """Records that break no rule: every column but those of reasons in some rows, and all kinds."""
    rng = np.random.default_rng(3)
    group = np.resize(["SCR IW", "SCR OOW", "WMCA"], size)
    of_scr = group != "WMCA"
    treated = np.resize([True, False], size)
    answered = np.resize([True, True, False], size)
    employed = rng.random((size, len(MONTHS))) < 0.5
    pay = np.where(employed, rng.integers(20_000, 200_000, (size, len(MONTHS))) / 100, 0.0)
    frame = {
        "person": [f"P{row:04d}" for row in range(size)],
        "site": np.where(of_scr, "SCR", "WMCA"),
        "group": group,
        "arm": np.where(treated, "treatment", "control"),
        "randomised": pd.Timestamp("2018-05-01") + pd.to_timedelta(np.arange(size) * 7, unit="D"),
        "provider": np.where(of_scr, "Sheffield", "D&W"),
        "specialist": np.where(of_scr, "S1", "S2"),
        "age": np.resize(["<30", "30-39", "40-49", "50+", None], size),
        "work_history": np.resize(COLUMNS["work_history"].codes, size),
        "condition_pain": np.resize([True, False, None], size),
        "baseline_eq5d": rng.uniform(-0.5, 1.0, size),
        "employed_13_weeks": employed.sum(axis=1) >= 3,
        "months_employed": employed.sum(axis=1),
        "earnings": pay.sum(axis=1),
        "answered": answered,
        "answered_4_months": answered,
        "eq5d": np.where(answered, rng.uniform(-0.5, 1.0, size), np.nan),
        "weeks_working": [25 if told else None for told in answered],
        "gse_4_months": np.where(answered, 30.5, np.nan),
        "survey_weight": np.where(answered, 1.25, np.nan),
        "contacts_brief": [3 if one else 0 for one in treated],
        "first_session_days": [12 if one else None for one in treated],
        "caseload": np.where(treated, 17.5, np.nan),
    }
    for month in MONTHS:
        frame[f"employed_month_{month}"] = employed[:, month - 1]
        frame[f"earnings_month_{month}"] = pay[:, month - 1]
    frame["reason_caring"] = [None if "Always" in text else True for text in frame["work_history"]]
    return pd.DataFrame(frame)[[name for name in COLUMNS if name in frame]]


def texts(frame):
    """All as text, as it stands in a CSV file, so that any cell can be spoilt."""
    return frame.astype(object).where(frame.notna(), "").astype(str)


def stata(frame):
    """Convert what the format does not know."""
    plain = frame.copy()
    for name in plain:
        kind = COLUMNS[name].kind
        if kind == "category":
            plain[name] = pd.Categorical(plain[name], list(COLUMNS[name].codes))
        elif kind in ("flag", "count"):
            plain[name] = plain[name].astype(float)
        elif kind == "identifier":
            plain[name] = plain[name].astype(object)
    return plain


def written(frame, folder, suffix):
    path = folder / f"records{suffix}"
    if suffix == ".csv":
        frame.to_csv(path, index=False)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        stata(frame).to_stata(path, write_index=False, version=118)
    return path


def spoilt(folder, *, rows=None, **cells):
    """Check a file whose cells ``name=(row, text)`` are other than in records without fault."""
    frame = texts(people())
    for name, (row, value) in cells.items():
        if name not in frame:
            frame[name] = ""
        frame.loc[row - 1, name] = value
    return check_records(written(frame if rows is None else rows(frame), folder, ".csv"))


def lines(findings):
    return {(None if pd.isna(row) else int(row), column, problem) for row, column, problem in findings.to_numpy()}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".dta"])
def test_all_formats_give_the_same_records(tmp_path, suffix):
    given = people()
    path = written(given, tmp_path, suffix)
    assert lines(check_records(path)) == set()
    records = load_records(path)
    expected = records_of_frame(given, key=None).frame
    pd.testing.assert_frame_equal(records.frame, expected)
    for name in expected:
        kind = COLUMNS[name].kind
        assert expected[name].dtype.name == ("string" if kind == "identifier" else DTYPES[kind]), name
        assert expected[name].isna().tolist() == given[name].isna().tolist(), name
    pd.testing.assert_series_equal(expected["earnings"], given["earnings"], check_exact=True)
    assert list(expected["age"].cat.categories) == list(COLUMNS["age"].codes)


@pytest.mark.parametrize(("rows", "columns"), [(50_000_001, 1), (30_000_000, 2), (10, 5_001)])
def test_a_small_file_of_very_many_values_is_refused_before_they_are_read(tmp_path, rows, columns):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    ones = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, dtype="i1")), pa.array(["A"]))
    parquet.write_table(pa.table(dict.fromkeys(map(str, range(columns)), ones)), tmp_path / "bomb.parquet")
    assert (tmp_path / "bomb.parquet").stat().st_size < 3_000_000
    with pytest.raises(RecordsError, match=r"bomb\.parquet: has .* (at most 50,000,000 values|at most 5,000 are read)"):
        load_records(tmp_path / "bomb.parquet")


def test_what_is_made_up_says_so():
    assert records_of_frame(people().assign(synthetic=True)).synthetic
    assert not records_of_frame(people().assign(synthetic=False)).synthetic
    assert not records_of_frame(people()).synthetic


@pytest.mark.parametrize("word", ["TRUE", "true", "Yes", "1", " yes "])
def test_flags_may_be_written_in_several_ways(tmp_path, word):
    path = written(texts(people()).assign(condition_pain=word), tmp_path, ".csv")
    assert load_records(path).frame["condition_pain"].all()
    opposite = {"true": "false", "yes": "NO", "1": "0"}[word.strip().lower()]
    path = written(texts(people()).assign(condition_pain=opposite), tmp_path, ".csv")
    assert not load_records(path).frame["condition_pain"].any()


def test_a_byte_order_mark_and_blank_lines_are_no_matter(tmp_path):
    path = written(people(), tmp_path, ".csv")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\nP0003", b"\n\nP0003"))
    pd.testing.assert_frame_equal(load_records(path).frame, records_of_frame(people()).frame)


IN_LONDON = pd.date_range("2018-05-03", periods=SIZE, freq="21D", tz="Europe/London")
"""Local days on both sides of the change of clocks."""


@pytest.mark.parametrize(
    ("days", "wrong"),
    [
        (IN_LONDON.tz_localize(None), 0),
        (IN_LONDON, 0),
        (IN_LONDON.tz_localize(None).date, 0),
        (IN_LONDON.tz_convert("UTC"), sum(day.dst() != pd.Timedelta(0) for day in IN_LONDON)),
        (IN_LONDON.tz_localize(None) + pd.Timedelta(hours=9), SIZE),
    ],
    ids=["midnights", "midnights in London", "dates", "midnights in London held as UTC", "nine in the morning"],
)
def test_a_day_of_a_parquet_file_is_never_another_day(tmp_path, days, wrong):
    assert 0 < sum(day.dst() != pd.Timedelta(0) for day in IN_LONDON) < SIZE
    path = tmp_path / "records.parquet"
    people().assign(randomised=days).to_parquet(path)
    found = check_records(path)
    assert (found["column"] == "randomised").sum() == len(found) == wrong
    if wrong:
        assert "without a time of day: midnight in London is 23:00 in UTC in summer" in found["problem"][0]
    else:
        assert (load_records(path).frame["randomised"] == IN_LONDON.tz_localize(None)).all()


@pytest.mark.parametrize(
    ("kind", "wrong"), [("td", 0), ("tc", 0), ("tm", SIZE), ("tq", SIZE), ("th", SIZE), ("tw", SIZE), ("ty", SIZE)]
)
def test_a_stata_date_is_a_day_and_not_the_first_of_a_month(tmp_path, kind, wrong):
    path = tmp_path / "records.dta"
    stata(people()).to_stata(path, write_index=False, version=118, convert_dates={"randomised": kind})
    found = check_records(path)
    assert (found["column"] == "randomised").sum() == len(found) == wrong
    if wrong:
        assert found["problem"][0] == "allowed: a date as YYYY-MM-DD (in Stata %td), not a month or another period"
    else:
        assert (load_records(path).frame["randomised"] == people()["randomised"]).all()


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (
            "SECRET-1,age,working,arm,2018-06-01,SECRET-2",
            "required columns are missing: person, site, group, randomised;",
        ),
        ("person,site,group,arm,SECRET-1,age", "required columns are missing: randomised;"),
        ("Person ,site,group,arm,randomised,SECRET-1", "column 1 differs from 'person' in case only"),
    ],
    ids=["a record", "one missing", "case"],
)
def test_nothing_of_a_first_line_is_shown_unless_it_has_all_required_columns(tmp_path, head, told):
    path = tmp_path / "records.csv"
    path.write_text(f"{head}\nSECRET-3,x,x,x,x,x\n")
    for text in ("", 'drop_others = false\n[columns.age]\nfrom = "agee"'):
        with pytest.raises(RecordsError) as caught:
            load_records(path, mapping=mapping(tmp_path, text) if text else None)
        assert secrets_in(everything_said(caught.value).replace(head, "")) == []
        assert told in str(caught.value)


FLAG = "allowed: true or false, yes or no, 1 or 0, or blank"
NUMBER = "allowed: a number in plain digits such as 1234.5, or blank"
WHOLE = "allowed: a whole number in plain digits, or blank"


WRONG = [
    ("arm", "Treatment", "allowed: treatment, control"),
    ("age", "30 to 39", "allowed: <30, 30-39, 40-49, 50+"),
    ("arm", "", "blank; a value is required"),
    ("person", "", "blank; a value is required"),
    ("specialist", "two\nlines", "allowed: text on one line"),
    ("condition_pain", "2", FLAG),
    ("condition_pain", "NA", FLAG),
    ("randomised", "01/06/2018", "allowed: a date as YYYY-MM-DD"),
    ("randomised", "2018-02-30", "allowed: a date as YYYY-MM-DD"),
    ("randomised", "2020-01-01", "allowed: 2018-05-01 to 2019-10-31"),
    ("baseline_eq5d", "0,5", NUMBER),
    ("baseline_eq5d", "nan", NUMBER),
    ("baseline_eq5d", "inf", NUMBER),
    ("baseline_eq5d", "1e999", NUMBER),
    ("baseline_eq5d", "1.5", "allowed: -0.6 to 1 index; 1 is full health, 0 as bad as dead"),
    ("first_session_days", "12.5", WHOLE),
    ("first_session_days", "99999999999", WHOLE),
    ("first_session_days", "-1", "allowed: 0 to 600 days"),
]
"""A value that is not allowed, by column, and what is said of it."""


def one_of_each_column(wrong):
    """Files of wrong values, each column at most once in a file."""
    files = []
    for name, value, problem in wrong:
        place = next((file for file in files if name not in file), None)
        if place is None:
            files.append(place := {})
        place[name] = (value, problem)
    return files


@pytest.mark.parametrize("cells", one_of_each_column(WRONG), ids=lambda cells: ", ".join(cells))
def test_each_value_that_is_not_allowed_is_found_where_it_is(tmp_path, cells):
    # Row 7 is treated and answered.
    found = lines(spoilt(tmp_path, **{name: (7, value) for name, (value, _) in cells.items()}))
    assert found == {(7, name, problem) for name, (_, problem) in cells.items()}


RULE = {
    "group": ({"group": (1, "WMCA")}, "does not belong to the site in 'site'"),
    "provider": ({"provider": (1, "D&W"), "specialist": (1, "S2")}, "does not belong to the site in 'site'"),
    "synthetic": ({"synthetic": (3, "true")}, "not true here but true elsewhere; allowed: true in all rows or in none"),
    "contacts_brief": (
        {"contacts_brief": (2, "1")},
        "applies to the treatment arm only; allowed in control: blank or 0",
    ),
    "caseload": ({"caseload": (2, "20")}, "applies to the treatment arm only; allowed in control: blank"),
    "first_session_days": (
        {"first_session_days": (2, "0")},
        "applies to the treatment arm only; allowed in control: blank",
    ),
    "eq5d": ({"eq5d": (3, "0.5")}, "applies to survey respondents only; allowed where 'answered' is not true: blank"),
    "gse_4_months": (
        {"gse_4_months": (3, "20")},
        "applies to survey respondents only; allowed where 'answered_4_months' is not true: blank",
    ),
    "survey_weight": ({"survey_weight": (1, "")}, "blank; every survey respondent needs a weight"),
    "reason_caring": (
        {"reason_caring": (1, "false")},
        "applies to people not always in work only; allowed where 'work_history' is 'Always been in paid employment': "
        "blank",
    ),
    "months_employed": (
        {"months_employed": (1, "12")},
        "differs from the number of months employed in 'employed_month_1' to 'employed_month_12'",
    ),
    "earnings": (
        {"earnings": (1, "1.99")},
        "differs by more than a pound from the sum of 'earnings_month_1' to 'earnings_month_12'",
    ),
}


@pytest.mark.parametrize("column", RULE)
def test_what_contradicts_another_column_is_found(tmp_path, column):
    cells, problem = RULE[column]
    found = lines(spoilt(tmp_path, **cells))
    row = next(iter(cells.values()))[0]
    if column == "synthetic":
        assert found == {(other, column, problem) for other in range(1, SIZE + 1) if other != row}
    else:
        # A specialist who is moved to another's name is with two providers then, and so are the other's people.
        others = {one for one in found if one[1] == "specialist"} if column == "provider" else set()
        assert found - others == {(row, column, problem)}


def test_a_specialist_with_two_providers_is_found_in_all_of_their_rows(tmp_path):
    found = spoilt(tmp_path, provider=(1, "Rotherham"))
    assert set(found["column"]) == {"specialist"}
    assert set(found["row"]) == {row for row in range(1, SIZE + 1) if row % 3}


def test_thirteen_weeks_of_work_need_three_months(tmp_path):
    idle = {f"employed_month_{month}": "true" if month < 3 else "false" for month in MONTHS}

    def rows(frame, months="2", weeks="true"):
        return frame.assign(**idle, months_employed=months, employed_13_weeks=weeks)

    found = spoilt(tmp_path, rows=rows)
    problem = "true with fewer than 3 months employed, but 13 weeks span at least 3"
    assert lines(found) == {(row, "employed_13_weeks", problem) for row in range(1, SIZE + 1)}
    assert lines(spoilt(tmp_path, rows=lambda frame: rows(frame, weeks="false"))) == set()
    without = spoilt(tmp_path, rows=lambda frame: rows(frame).drop(columns="months_employed"))
    assert lines(without) == lines(found)
    three = {"employed_month_3": "true", "months_employed": "3"}
    assert lines(spoilt(tmp_path, rows=lambda frame: rows(frame).assign(**three))) == set()


def test_an_identifier_that_stands_again_is_found_with_its_first_row(tmp_path):
    found = spoilt(tmp_path, rows=lambda frame: frame.assign(person=["A", "B", "A", "A", *frame["person"][4:]]))
    problem = "identifiers must be unique; this one is already used (row 1)"
    assert lines(found) == {(3, "person", problem), (4, "person", problem)}


def test_earnings_may_be_rounded_to_a_pound(tmp_path):
    earnings = people()["earnings"]
    assert lines(spoilt(tmp_path, earnings=(1, str(earnings[0] + 1)))) == set()
    assert len(spoilt(tmp_path, earnings=(1, str(earnings[0] + 1.01)))) == 1


def test_a_rule_is_left_out_where_its_columns_are(tmp_path):
    least = people()[["person", "site", "group", "arm", "randomised"]]
    assert len(load_records(written(least, tmp_path, ".csv"))) == SIZE
    for rule in RULES:
        assert set(rule.needs) <= set(COLUMNS)
        assert rule.column in rule.needs


def test_every_column_of_some_people_alone_has_its_rule():
    held = {rule.column for rule in RULES if rule.column in rule.needs}
    assert {name for name, column in COLUMNS.items() if column.people != "everyone"} <= held
    assert set(CONTACT_BANDS) <= held


def test_what_follows_from_a_wrong_cell_is_not_found_beside_it(tmp_path):
    assert lines(spoilt(tmp_path, answered=(1, "perhaps"))) == {(1, "answered", FLAG)}
    assert len(spoilt(tmp_path, site=(1, "Sheffield"))) == 1


@pytest.mark.parametrize(
    ("rows", "finding"),
    [
        (lambda frame: frame.assign(agee="1"), ("agee", "unknown; the nearest name is 'age'; remove it, or map it")),
        (
            lambda frame: frame.set_axis([*frame.columns[:-1], "site"], axis=1),
            ("site", "occurs more than once in the file"),
        ),
    ],
    ids=["unknown", "twice"],
)
def test_columns_are_findings_of_no_row(tmp_path, rows, finding):
    (found,) = lines(spoilt(tmp_path, rows=rows))
    assert found[:2] == (None, finding[0])
    assert finding[1] in found[2]


def test_a_line_of_more_or_fewer_fields_keeps_the_number_of_the_others(tmp_path):
    path = written(texts(people()).assign(arm=["treatment", "control"] * 11 + ["placebo"] * 2), tmp_path, ".csv")
    content = path.read_text(encoding="utf-8").split("\n")
    content[5] += ",more"
    content[10] = "fewer"
    path.write_text("\n".join(content), encoding="utf-8")
    found = check_records(path)
    assert list(found[found["column"] == ""]["row"]) == [5, 10]
    assert list(found[found["column"] == "arm"]["row"]) == [23, 24]


def test_all_findings_of_all_kinds_come_at_once(tmp_path):
    frame = texts(people()).assign(mystery="?")
    frame.loc[0, ["arm", "earnings", "age"]] = ["neither", "lots", "old"]
    frame.loc[1, ["caseload", "baseline_eq5d"]] = ["20", "7"]
    frame.loc[3, "person"] = frame.loc[2, "person"]
    path = written(frame, tmp_path, ".csv")
    found = check_records(path)
    cells = {(None, "mystery"), (1, "arm"), (1, "earnings"), (1, "age")}
    cells |= {(2, "caseload"), (2, "baseline_eq5d"), (4, "person")}
    assert {line[:2] for line in lines(found)} == cells
    assert len(found) == len(cells)
    assert found["row"].isna().tolist() == [True] + [False] * 6
    with pytest.raises(RecordFindings) as caught:
        load_records(path)
    pd.testing.assert_frame_equal(caught.value.findings, found)
    message = str(caught.value).splitlines()
    assert message[0] == f"{path}: the records break the schema or are inconsistent"
    assert len(message) == 9
    told = "column 'caseload': applies to the treatment arm only; allowed in control: blank [fewer than 10 rows]"
    assert told in message
    assert "hlt-bayes records check" in message[-1]


def test_a_message_is_short_however_many_findings_there_are():
    names = list(COLUMNS)[: SHOWN_LINES + 5]
    findings = together(pd.DataFrame({"row": range(1, 19), "column": name, "problem": "allowed: x"}) for name in names)
    with pytest.raises(RecordFindings) as caught:
        raise_for(findings, where="file")
    message = str(caught.value).splitlines()
    assert message[0] == "file: the records break the schema or are inconsistent"
    assert message[1] == "column 'person': allowed: x [about 15 rows]"
    assert message[-2] == "and findings of 5 more kinds"
    assert len(message) == SHOWN_LINES + 3


NAMES = {"person": "pid", "arm": "trial_arm", "randomised": "rand_date", "condition_pain": "q7"}

MAPPING = """
missing = ["-9", "refused"]
[columns.person]
from = "pid"
[columns.arm]
from = "trial_arm"
codes = { "1" = "treatment", "0" = "control" }
[columns.randomised]
from = "rand_date"
date_format = "%d/%m/%Y"
[columns.condition_pain]
from = "q7"
codes = { "2" = "false", "1" = "true" }
"""


def mapping(folder, text=MAPPING):
    path = folder / "mapping.toml"
    path.write_text(text, encoding="utf-8")
    return path


def foreign(frame, **labels):
    """Records as an archive might hold them."""
    arm, pain = frame["arm"].eq("treatment").astype(int), frame["condition_pain"]
    pain = pain.map({True: 1, False: 2}).fillna(-9).astype(int)
    given = frame.assign(arm=arm, condition_pain=pain, zzz=5).rename(columns=NAMES)
    return given.assign(**labels)


def test_a_mapping_gives_columns_and_codes_their_names_here(tmp_path):
    given = people()
    dates = given["randomised"].dt.strftime("%d/%m/%Y")
    path = written(foreign(given, rand_date=dates), tmp_path, ".csv")
    records = load_records(path, mapping=mapping(tmp_path))
    pd.testing.assert_frame_equal(records.frame, records_of_frame(given).frame)
    kept = mapping(tmp_path, "drop_others = false\n" + MAPPING)
    assert lines(check_records(path, mapping=kept)) == {(None, "zzz", "unknown; remove it, or map it")}
    with pytest.raises(RecordsError, match="required columns are missing: person, arm, randomised;"):
        check_records(path)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_mapping_names_numbers_of_a_stata_file_with_labels_or_without(tmp_path, labelled):
    given = people()
    frame = foreign(stata(given).assign(arm=given["arm"], condition_pain=given["condition_pain"]))
    labels = (
        {"trial_arm": {1: "Intervention", 0: "Usual"}, "q7": {1: "Yes", 2: "No", -9: "refused"}} if labelled else {}
    )
    path = tmp_path / "archive.dta"
    frame.to_stata(path, write_index=False, version=118, value_labels=labels)
    found = check_records(path, mapping=mapping(tmp_path))
    assert lines(found) == set()
    records = load_records(path, mapping=mapping(tmp_path))
    pd.testing.assert_frame_equal(records.frame, records_of_frame(given).frame)
    by_label = MAPPING.replace('"1" = "treatment"', '"Intervention" = "treatment"').replace('"0"', '"Usual"')
    if labelled:
        again = load_records(path, mapping=mapping(tmp_path, by_label))
        pd.testing.assert_frame_equal(again.frame, records.frame)
    else:
        assert len(check_records(path, mapping=mapping(tmp_path, by_label))) == SIZE


def test_a_labelled_number_is_itself_and_its_label_may_stand_for_missing(tmp_path):
    given = people()
    frame = stata(given)
    frame["weeks_working"] = frame["weeks_working"].fillna(-8).astype(int)
    frame.loc[0, "weeks_working"] = 0
    labels = {"weeks_working": {0: "never", -8: "refused", 25: "many"}}
    frame.to_stata(tmp_path / "archive.dta", write_index=False, version=118, value_labels=labels)
    text = 'missing = ["refused"]\n[columns.weeks_working]\nfrom = "weeks_working"'
    weeks = load_records(tmp_path / "archive.dta", mapping=mapping(tmp_path, text)).frame["weeks_working"]
    assert weeks[0] == 0
    assert weeks[1:].isna().tolist() == given["weeks_working"][1:].isna().tolist()


def test_stata_labels_that_are_not_unique_leave_numbers_and_the_labels_of_others(tmp_path):
    given = people()
    frame = stata(given).assign(condition_pain=given["condition_pain"].fillna(False).astype(int))
    path = tmp_path / "archive.dta"
    frame.to_stata(path, write_index=False, version=118, value_labels={"condition_pain": {0: "same", 1: "same"}})
    with pytest.raises(ValueError, match="not unique"):
        pd.read_stata(path)
    expected = records_of_frame(given.assign(condition_pain=frame["condition_pain"])).frame
    pd.testing.assert_frame_equal(load_records(path).frame, expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[columns.arm]", "[columns.arms]", "key 'columns.arms': 'arms' is unknown; allowed: "),
        ('"1" = "treatment"', '"1" = "treated"', "key 'columns.arm.codes': 'treated' is unknown; allowed: 'treatment'"),
        (
            '"2" = "false"',
            '"2" = "no"',
            "key 'columns.condition_pain.codes': 'no' is unknown; allowed: 'true', 'false'",
        ),
        ('from = "q7"', 'from = "pid"', "key 'columns.condition_pain.from': column 'pid' of the file is mapped twice"),
        ('from = "pid"', 'from = "pid"\ncodes = { "a" = "b" }', "a identifier has no codes"),
        ('from = "pid"', 'from = "pid"\ndate_format = "%Y"', "a identifier is not a date"),
        ('from = "pid"', "", "key 'columns.person.from' is missing"),
        ('from = "pid"', 'from = "pid"\ncode = {}', "key 'columns.person.code': 'code' is unknown"),
        ('missing = ["-9", "refused"]', "missing = -9", "key 'missing': -9 given; input should be a valid list"),
    ],
)
def test_a_mapping_that_does_not_fit_says_where(tmp_path, old, new, message):
    assert MAPPING.count(old) == 1
    path = written(people(), tmp_path, ".csv")
    with pytest.raises(RecordsError) as caught:
        load_records(path, mapping=mapping(tmp_path, MAPPING.replace(old, new)))
    assert f"{tmp_path / 'mapping.toml'}: " in str(caught.value)
    assert message in str(caught.value).replace("an identifier", "a identifier")


def test_a_mapping_from_a_column_that_is_not_there_is_a_finding(tmp_path):
    path = written(people(), tmp_path, ".csv")
    text = '[columns.age]\nfrom = "agee"'
    ((row, column, problem),) = lines(check_records(path, mapping=mapping(tmp_path, text)))
    assert (row, column) == (None, "age")
    assert problem.startswith("is mapped from a column that is not in the file: 'agee' is unknown")
    assert problem.endswith("did you mean 'age'?")


SECRETS = ("SECRET-QXZ", "Dr Undisclosed", "987654.321", "SECRET-SITE", "31/12/1999")


def secretive(folder, suffix=".csv"):
    """Records whose every fault holds a secret."""
    frame = texts(people())
    frame.loc[:, "person"] = [f"{SECRETS[0]}-{row // 2}" for row in range(SIZE)]
    frame.loc[:, "specialist"] = SECRETS[1]
    frame.loc[0, ["age", "condition_pain", "first_session_days", "baseline_eq5d"]] = SECRETS[2]
    frame.loc[1, ["site", "arm", "group"]] = SECRETS[3]
    frame.loc[2, "randomised"] = SECRETS[4]
    frame.loc[4, "specialist"] = f"{SECRETS[1]}\n{SECRETS[0]}"
    return written(frame, folder, suffix)


def files_with_secrets(folder):
    """Files that cannot be read or are full of faults, each by what is wrong with it."""
    faults = secretive(folder)
    content = faults.read_bytes()
    made = {"faults": content, "quote": content + b'"', "latin": content + SECRETS[1].encode() + b"\xff"}
    made["ragged"] = content + f"{SECRETS[0]},{SECRETS[1]}\n".encode()
    made["headless"] = content.split(b"\n", 1)[1]
    made["zero"] = content.replace(b"P", b"\0")
    paths = {}
    for name, given in made.items():
        paths[name] = folder / f"{name}.csv"
        paths[name].write_bytes(given)
    paths["parquet"] = secretive(folder, ".parquet")
    for suffix in (".parquet", ".dta"):
        paths[f"not {suffix}"] = folder / f"not{suffix}"
        paths[f"not {suffix}"].write_bytes(content)
    lists = people().assign(specialist=[[SECRETS[1], SECRETS[0]]] * SIZE)
    paths["lists"] = folder / "lists.parquet"
    lists.to_parquet(paths["lists"])
    return paths


def everything_said(error):
    """All that an error says, chained errors and the values of the variables in its frames included."""
    said, known = [], set()
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in known:
            continue
        known.add(id(one))
        whole = traceback.TracebackException.from_exception(one, capture_locals=True)
        said += [str(one), repr(one), repr(one.args), repr(vars(one)), *whole.format()]
        waiting += [one.__cause__, one.__context__]
    return "\n".join(said)


def secrets_in(text):
    """Secrets, and what is left of them when they are cut, anywhere but in addresses: those have digits by chance."""
    text = re.sub(r"\b0x[0-9a-f]+", "", text)
    return [secret for secret in (*SECRETS, "SECRET", "QXZ", "Undisclosed", "987654") if secret in text]


@pytest.fixture(scope="module")
def secret_files(tmp_path_factory):
    return files_with_secrets(tmp_path_factory.mktemp("records"))


FILES = [
    "faults",
    "quote",
    "latin",
    "ragged",
    "headless",
    "zero",
    "parquet",
    "not .parquet",
    "not .dta",
    "lists",
]
SLOW = ("ragged", "zero", "parquet", "lists")


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.ci) if one in SLOW else one for one in FILES])
def test_nothing_of_a_record_is_ever_said(secret_files, name, caplog, capfd):
    assert set(secret_files) == set(FILES)
    caplog.set_level(logging.DEBUG)
    path = secret_files[name]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises(RecordsError) as caught:
            load_records(path)
        results = [invoked("records", "check", path, *more) for more in ([], ["--csv"])]
        results.append(invoked("records", "describe", path))
    said = [everything_said(caught.value), caplog.text, *(str(one.message) for one in warned), *capfd.readouterr()]
    if isinstance(caught.value, RecordFindings):
        said += [caught.value.findings.to_csv(), repr(caught.value.findings), check_records(path).to_string()]
    for result in results:
        assert result.exit_code == 2
        said += [result.output, result.stderr, everything_said(result.exception)]
    assert secrets_in("\n".join(said)) == []
    assert caught.value.__context__ is None
    assert caught.value.__cause__ is None


def test_records_in_memory_say_nothing_either(tmp_path):
    frame = pd.read_csv(secretive(tmp_path), dtype=str)
    try:
        records_of_frame(frame)
    except RecordFindings as error:
        # The frame that was given is of this function, not of ours.
        error.__traceback__ = error.__traceback__.tb_next.tb_next
        said = everything_said(error) + error.findings.to_csv()
    assert secrets_in(said) == []
    records = records_of_frame(people().assign(person=[f"SECRET-{row}" for row in range(SIZE)]))
    assert f"{records!r} {records}" == "Records of 20 people Records of 20 people"
    with pytest.raises(RecordsError) as caught:
        records.columns(["age", "gender"])
    assert secrets_in(str(caught.value)) == []


def test_an_error_that_nobody_thought_of_says_nothing_of_a_record(secret_files, monkeypatch):
    def fail(frame, known):
        raise ValueError(f"{frame.iloc[0].tolist()} {len(known)}")

    monkeypatch.setattr("hlt_bayes.ipd.data.load.rule_findings", fail)
    with pytest.raises(RecordsError, match="ValueError in fail, line") as caught:
        load_records(secret_files["faults"])
    assert secrets_in(everything_said(caught.value)) == []


@pytest.mark.parametrize("where", ["problem", "cause", "context"])
def test_the_test_of_the_promise_can_fail(secret_files, monkeypatch, where):
    """Sabotage: a finding that quotes its value, an error that is chained to one, an error raised while handling it."""
    from hlt_bayes.ipd.data import load

    honest = load.raise_for

    def talkative(findings, *, where_):
        if where == "problem":
            honest(findings.assign(problem=f"{SECRETS[3]!r} is not allowed"), where=where_)
        try:
            float(SECRETS[3])
        except ValueError as error:
            if where == "cause":
                raise RecordsError("quiet") from error
            raise RecordsError("quiet") from None

    monkeypatch.setattr(load, "raise_for", lambda findings, where: talkative(findings, where_=where))
    with pytest.raises(RecordsError) as caught:
        load_records(secret_files["faults"])
    assert "SECRET-SITE" in secrets_in(everything_said(caught.value))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"x", "suffix '.xlsx' is unknown; allowed: .csv, .parquet, .dta"),
        ("a.csv", b"", "is empty; the first line must name the columns"),
        ("a.csv", b"person,site\n", "has no records; one row per person is needed"),
        ("a.csv", b"person\n\xff\n", "byte 7 is not UTF-8"),
        ("a.csv", b'person\n"A\n', "a quotation mark is not closed"),
        ("a.csv", b"name,place\nA,B\n", "required columns are missing: person, site, group, arm, randomised; the"),
        ("a.parquet", b"no", "cannot be read (ArrowInvalid in "),
        ("b.csv", None, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordsError) as caught:
        load_records(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def test_check_on_the_command_line_prints_findings(tmp_path):
    good = invoked("records", "check", written(people(), tmp_path, ".csv"))
    assert good.exit_code == 0, good.output
    assert "0 findings" in good.output
    bad = written(texts(people()).assign(arm="neither"), tmp_path, ".csv")
    result = invoked("records", "check", bad)
    assert result.exit_code == 2
    assert f"{SIZE} findings" in result.output
    assert "allowed: treatment, control" in result.output
    result = invoked("records", "check", bad, "--csv")
    assert result.exit_code == 2
    assert result.output.splitlines()[:2] == ["row,column,problem", '1,arm,"allowed: treatment, control"']
    assert len(result.output.splitlines()) == SIZE + 1
    mapped = invoked("records", "check", bad, "--mapping", mapping(tmp_path, "x = 1"), "--csv")
    assert mapped.exit_code == 2
    assert "key 'x': 'x' is unknown" in mapped.stderr


def test_the_listing_is_the_schema():
    listing = schema_table().set_index("name")
    assert list(listing.index) == list(COLUMNS)
    assert list(listing.index[listing["required"]]) == ["person", "site", "group", "arm", "randomised"]
    assert listing.loc["age", "allowed"] == "<30; 30-39; 40-49; 50+"
    assert listing.loc["months_employed", "allowed"] == "0 to 12"
    assert listing.loc["earnings", "allowed"] == "0 to 1,000,000"
    assert listing.loc["caseload", "people"] == "treatment"
    result = invoked("records", "columns")
    assert result.exit_code == 0
    assert all(name in result.output for name in COLUMNS)
