"""Counts of few people are left out, and so is what they could be worked out from."""

import itertools

import numpy as np
import pandas as pd
import pytest

from hlt_bayes.display.records import description_table
from hlt_bayes.ipd.data import describe_records, records_of_frame, suppressed


def left_out(counts):
    return suppressed(pd.Series(counts)).isna().tolist()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([0, 10, 500], [False, False, False]),
        ([9, 50, 20], [True, False, True]),
        ([5, 6, 50], [True, True, False]),
        ([1, 1, 50], [True, True, True]),
        ([9, 1, 50], [True, True, False]),
        ([1, 0, 50], [True, False, True]),
        ([3, 0, 0], [True, True, True]),
        ([3], [True]),
        ([12], [False]),
    ],
    ids=["none", "next smallest", "two", "two of few", "two of ten", "zero stays", "zeros go", "one", "alone"],
)
def test_of_a_line_with_a_total_a_small_count_never_goes_alone(counts, expected):
    assert left_out(counts) == expected


def test_what_is_shown_is_the_count_itself():
    counts = pd.Series([9, 50, 20, 0], index=list("abcd"), name="people")
    shown = suppressed(counts)
    assert shown.name == "people"
    assert shown.dropna().to_dict() == {"b": 50, "d": 0}
    assert suppressed(counts, smallest=5).tolist() == counts.tolist()


def ways(line, total):
    """Values that the counts left out of a line may have, to one who knows its total and the shown counts."""
    missing = [place for place, value in enumerate(line) if pd.isna(value)]
    rest = total - sum(int(value) for value in line if not pd.isna(value))
    for values in itertools.product(range(rest + 1), repeat=len(missing) - 1):
        if sum(values) <= rest:
            yield (*values, rest - sum(values))


def test_no_count_that_was_left_out_can_be_worked_out_from_totals():
    rng = np.random.default_rng(8)
    seen = 0
    for _ in range(60):
        table = pd.DataFrame(rng.choice([0, 2, 7, 9, 11, 15], (3, 3)))
        shown = suppressed(table)
        rows = zip(shown.to_numpy(), table.to_numpy(), strict=True)
        columns = zip(shown.to_numpy().T, table.to_numpy().T, strict=True)
        for line, given in [*rows, *columns]:
            assert all(pd.isna(value) or value == 0 or value >= 10 for value in line)
            hidden = [place for place, value in enumerate(line) if pd.isna(value)]
            if not hidden or given.sum() < 10:
                continue
            seen += 1
            # Every one of them may have been at least two values.
            for place in range(len(hidden)):
                assert len({way[place] for way in ways(line, given.sum())}) > 1
    assert seen > 60


def test_the_helper_sees_a_count_that_can_be_worked_out():
    assert list(ways([pd.NA, 50, 20], 79)) == [(9,)]
    assert len(list(ways([pd.NA, 50, pd.NA], 79))) > 1


def of_age(counts, **columns):
    """People of one group and arm, so many of each age, and 60 of each other group and arm."""
    ages = [age for age, count in counts.items() for _ in range(count)]
    others = [("SCR OOW", "SCR", "treatment"), ("WMCA", "WMCA", "treatment")]
    others += [("SCR IW", "SCR", "control"), ("SCR OOW", "SCR", "control"), ("WMCA", "WMCA", "control")]
    rows = [("SCR IW", "SCR", "treatment", age) for age in ages]
    rows += [(*other, "50+") for other in others for _ in range(60)]
    frame = pd.DataFrame(rows, columns=["group", "site", "arm", "age"])
    frame["age"] = frame["age"].where(frame["age"] != "unknown")
    made = {"person": [f"P{row}" for row in range(len(frame))], "randomised": pd.Timestamp("2018-05-11")}
    return records_of_frame(frame.assign(**made, **columns), sha256="")


def described(records, column, **cell):
    table = describe_records(records)
    cell = {"group": "SCR IW", "arm": "treatment"} | cell
    chosen = (table["column"] == column) & (table["group"] == cell["group"]) & (table["arm"] == cell["arm"])
    return table[chosen].set_index("value")


def test_a_description_leaves_out_small_counts_and_their_per_cent():
    records = of_age({"<30": 9, "30-39": 20, "40-49": 30, "50+": 40, "unknown": 1})
    ages = described(records, "age")
    assert described(records, "people").loc["", "count"] == 100
    assert ages["count"].dropna().to_dict() == {"30-39": 20, "40-49": 30, "50+": 40}
    assert ages["percent"].dropna().to_dict() == {"30-39": 20.0, "40-49": 30.0, "50+": 40.0}
    assert described(records, "age", arm="control").loc["50+", "percent"] == 100.0


def test_a_description_of_too_few_people_says_nothing_of_them():
    records = of_age({"<30": 4, "50+": 5}, earnings=100.0, condition_pain=True)
    for column in ("people", "age", "earnings", "condition_pain", "randomised"):
        found = described(records, column)
        assert len(found) > 0
        assert found[["count", "percent", "mean", "sd"]].isna().all(axis=None), column
    assert described(records, "earnings", group="WMCA").loc["present", "mean"] == 100.0


@pytest.mark.parametrize(("present", "shown"), [(9, False), (10, True)])
def test_means_are_of_ten_or_more(present, shown):
    values = np.full(360, np.nan)
    values[:present] = np.arange(present)
    found = described(of_age({"50+": 60}, baseline_jsse=values + 9), "baseline_jsse")
    assert list(found.index) == ["present", "missing"]
    assert found["count"].notna().all() == shown
    if shown:
        assert found.loc["present", "mean"] == pytest.approx(np.arange(10).mean() + 9, rel=5e-3)
        assert found.loc["present", "sd"] == pytest.approx(np.arange(10).std(ddof=1), rel=5e-3)
    else:
        assert found[["mean", "sd"]].isna().all(axis=None)


def test_flags_dates_and_identifiers_are_described_each_in_its_way():
    records = of_age({"50+": 60}, condition_pain=np.resize([True, False, None], 360), specialist="S")
    assert described(records, "condition_pain")["count"].to_dict() == {"yes": 20, "no": 20, "missing": 20}
    assert described(records, "randomised").loc["present", "mean"] == 10.0
    assert not set(describe_records(records)["column"]) & {"person", "specialist", "site", "group", "arm"}


def test_a_reader_cannot_tell_why_a_count_is_left_out():
    records = of_age({"<30": 9, "30-39": 20, "40-49": 30})
    table = description_table(describe_records(records))
    place = table.columns.index("SCR IW, treatment")
    cells = {row[1]: row[place] for row in table.rows if row[0] == "age"}
    assert cells == {"<30": "*", "30-39": "*", "40-49": "30 (50.8%)", "50+": "0 (0.0%)", "missing": "0 (0.0%)"}
