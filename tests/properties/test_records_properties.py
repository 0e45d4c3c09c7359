"""Records of others, whatever they hold: read or refused, and no message says what a record holds."""

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import NUMERALS, as_csv, damaged, mutated, mutated_table, toml
from properties import finds_out, folder, result_or_error, take

import hlt_bayes as hb
from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data import load, mapping

PLANTED = "Jane Q. Canary, 1 Cage Lane"
OURS_TO_BLAME = ("KeyError", "TypeError", "IndexError", "AttributeError", "AssertionError", "Warning", "RecursionError")
MAPPING = {
    "missing": ["-9", "refused"],
    "drop_others": True,
    "columns": {
        "person": {"from": "id"},
        "site": {"from": "area", "codes": {"1": "SCR", "2": "WMCA"}},
        "arm": {"from": "t", "codes": {"0": "control", "1": "treatment"}},
        "group": {"from": "group"},
        "randomised": {"from": "day", "date_format": "%d/%m/%Y"},
    },
}
COLUMNS = ["person", "site", "group", "arm", "randomised", "provider", "specialist", "synthetic", "age", "limitation"]
COLUMNS += ["baseline_eq5d", "employed_13_weeks", "months_employed", "earnings", "eq5d", "answered", "survey_weight"]
COLUMNS += ["contacts_brief", "caseload"]
heads = st.one_of(st.sampled_from([*NUMERALS, "", "arm", "age", "Arm", "person "]), st.text(max_size=4))
fields = st.one_of(
    st.sampled_from(
        [
            PLANTED,
            f"\x00{PLANTED}",
            f'{PLANTED}"',
            f"{PLANTED}\n2019-01-01",
            "",
            "2019-02-30",
            "2262-04-12",
            "9999-99-99",
        ]
    ),
    st.sampled_from(NUMERALS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
)


@pytest.fixture(scope="module")
def few():
    """Rows of text of some synthetic people, header first."""
    frame = hb.make_twin(seed=1, n=100).records.frame.head(12)[COLUMNS]
    return list(csv.reader(io.StringIO(frame.to_csv(index=False))))


def says_nothing_of_a_record(work, place, *, planted=PLANTED[:12]):
    """Do the work; an error must not quote what was planted, nor come of a slip of ours."""
    told = []

    def listened():
        try:
            return work()
        except RecordsError as error:
            told.append(str(error))
            raise

    result = result_or_error(listened, names=["thrown"], inside=place)
    for message in told:
        assert planted not in message
        assert not any(name in message for name in OURS_TO_BLAME), message[:400]
    return result


def records_hold(content, suffix=".csv"):
    with folder() as place:
        path = place / f"thrown{suffix}"
        path.write_bytes(content)
        # A name of a column may be shown, even where a record was put in its place.
        planted = PLANTED[:12] if PLANTED[:12].encode() not in (content.splitlines() or [b""])[0] else "nothing"
        records = says_nothing_of_a_record(lambda: hb.load_records(path), place, planted=planted)
        if records is not None:
            assert PLANTED not in repr(records)
            assert len(hb.describe_records(records))


@pytest.fixture(scope="module")
def thrown(few):
    return damaged(mutated_table([few], values=fields, heads=heads).map(as_csv))


@take("records")
@given(data=st.data())
def test_records_are_read_or_refused(thrown, data):
    records_hold(data.draw(thrown))


def test_a_message_that_quotes_a_record_is_found_out(monkeypatch, thrown):
    def quoted(name, known):
        raise RecordsError(f"thrown {name!r} {known}")

    monkeypatch.setattr(load, "raise_for", lambda findings, **_: quoted(PLANTED, findings) if len(findings) else None)
    finds_out(thrown, records_hold, "records")


@take("records in Parquet")
@given(data=st.data())
def test_a_parquet_file_is_read_or_refused(few, data):
    rows = data.draw(mutated_table([few], values=fields, heads=heads))
    frame = _frame(rows)
    content = b"" if frame is None else frame.to_parquet()
    records_hold(data.draw(damaged([content])), ".parquet")


def _frame(rows):
    import pandas as pd

    whole = [row for row in rows if len(row) == len(rows[0])] if rows else []
    if not whole or len(set(whole[0])) < len(whole[0]):
        return None
    return pd.DataFrame(whole[1:], columns=whole[0])


def test_a_damaged_parquet_file_that_is_not_refused_is_found_out(monkeypatch):
    monkeypatch.setattr(load, "_without_disclosure", lambda work, _: work())
    finds_out(damaged([b"PAR1 and no more"]), lambda content: records_hold(content, ".parquet"), "records in Parquet")


mappings = damaged(mutated([MAPPING]).map(lambda table: toml(table).encode()))


def mapping_holds(content, few):
    with folder() as place:
        (place / "thrown.toml").write_bytes(content)
        (place / "thrown.csv").write_bytes(as_csv(few))
        says_nothing_of_a_record(lambda: hb.load_records(place / "thrown.csv", mapping=place / "thrown.toml"), place)


@take("mapping")
@given(content=mappings)
@example(content=b'[columns.randomised]\nfrom = "randomised"\ndate_format = "%"\n')
@example(content=b'[columns.randomised]\nfrom = "randomised"\ndate_format = "%Y%Y"\n')
def test_a_mapping_is_read_or_refused(few, content):
    mapping_holds(content, few)


def test_a_mapping_that_is_not_checked_is_found_out(monkeypatch, few):
    monkeypatch.setattr(mapping, "read_strict", lambda path, table, _: table.model_construct(columns=path.read_text()))
    finds_out(mappings, lambda content: mapping_holds(content, few), "mapping")
