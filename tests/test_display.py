"""Tables on a terminal: blocks of columns that fit, words whole, rows named in every block."""

import io
import re

import pandas as pd
import pytest
from rich.console import Console

from hlt_bayes.cli.output import show
from hlt_bayes.display.comparison import changed, comparison_table, impacts_side_by_side, returns_side_by_side
from hlt_bayes.display.impacts import impacts_table
from hlt_bayes.display.returns import returns_table
from hlt_bayes.display.table import Table


def lines(table, width, **options):
    out = io.StringIO()
    show(table, Console(file=out, width=width, highlight=False, markup=False), **options)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_wide_table_names_its_rows_in_every_block():
    groups = ["SCR IW", "WMCA"]
    table = Table(
        "Wide",
        ("Outcome", "Group", *(f"column {number}" for number in range(12))),
        tuple(("Health", group, *(f"{group} {number}" for number in range(12))) for group in groups),
        (),
    )
    shown = lines(table, 60)
    heads = [line for line in shown if line.startswith("Outcome")]
    assert len(heads) > 1
    assert all("Group" in line for line in heads)
    for group in groups:
        assert sum(re.search(f"{group} +{group} [0-9]", line) is not None for line in shown) == len(heads)
    assert max(map(len, shown)) <= 60


def test_a_loose_column_breaks_between_words_alone():
    words = "a-word-of-thirty-one-characters"
    table = Table("Loose", ("Name", "Text"), (("complete-pooling", f"some text before {words} and after"),), ())
    shown = lines(table, 60, wrapped=("Text",))
    assert any(words in line for line in shown)
    assert any("complete-pooling" in line for line in shown)
    assert max(map(len, shown)) <= 60


@pytest.mark.parametrize("width", [60, 80, 120])
def test_every_cell_is_whole(analysis, width):
    for table in (impacts_table(analysis.impacts), returns_table(analysis.returns, analysis.prices)):
        shown = "\n".join(lines(table, width))
        assert max(map(len, shown.split("\n"))) <= width
        for cell in (*table.columns, *(cell for row in table.rows for cell in row)):
            assert cell in shown


def test_notes_stand_below_unless_unwanted():
    table = Table("Title", ("A", "B"), (("1", "2"),), ("A note.",))
    assert "A note." in lines(table, 80)
    assert "A note." not in lines(table, 80, notes=False)


def test_tables_show_their_frames(analysis):
    assert impacts_table(analysis.impacts).frame is analysis.impacts
    pd.testing.assert_frame_equal(comparison_table(analysis.comparison).frame, analysis.comparison)


def test_several_results_stand_side_by_side(analysis):
    other = analysis.impacts.assign(mean=analysis.impacts["mean"] + 0.01)
    table = impacts_side_by_side({"one": analysis.impacts, "two": other})
    assert table.columns == ("Outcome", "Group", "one", "two", "two less one")
    by_outcome = {row[0]: row[-1] for row in table.rows}
    assert by_outcome == {"Employment ppt": "+1.0", "Earnings £": "0", "Health SD": "+0.010", "Wellbeing SD": "+0.010"}
    differences = table.frame[table.frame["result"] == "two"]["less_first"]
    assert differences.to_numpy() == pytest.approx(0.01, rel=1e-9)
    assert len(table.frame) == 2 * len(analysis.impacts)


def test_a_row_that_one_result_lacks_is_blank(analysis):
    fewer = analysis.impacts[analysis.impacts["group"] != "WMCA"]
    first = {row[:2]: row[2:] for row in impacts_side_by_side({"one": analysis.impacts, "two": fewer}).rows}
    assert first["Health SD", "WMCA"][1:] == ("", "")
    second = {row[:2]: row[2:] for row in impacts_side_by_side({"two": fewer, "one": analysis.impacts}).rows}
    assert second["Health SD", "WMCA"][0] == ""
    assert second["Health SD", "WMCA"][1] != ""
    assert second["Health SD", "WMCA"][2] == ""


def test_returns_side_by_side(analysis):
    less = analysis.returns.assign(mean=analysis.returns["mean"] - 0.25)
    table = returns_side_by_side({"one": analysis.returns, "two": less})
    by_kind = {row[0]: row[-1] for row in table.rows}
    assert by_kind == {"financial": "-25.0p", "economic": "-£0.25"}


def test_what_changed_leaves_out_what_did_not(analysis):
    kept = changed(analysis.comparison)
    assert 0 < len(kept) < len(analysis.comparison)
    assert not set(kept["group"]) & {"All SCR", "All OOW"}
    assert not kept["what_changed"].str.startswith("about the same").any()
    left = analysis.comparison.drop(kept.index)
    assert (left["what_changed"].str.startswith("about the same") | left["group"].isin(["All SCR", "All OOW"])).all()
