"""What verbs print: help on one screen, JSON for machines, quiet, colours, completion, and exit codes."""

import json
import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from helpers import invoked

from hlt_bayes.audit import audit_evidence
from hlt_bayes.cli import app
from hlt_bayes.cli.app import VERBS
from hlt_bayes.cli.output import Output, records
from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.specs import shipped_specs

COMMAND = str(Path(sys.executable).with_name("hlt-bayes"))
ESCAPE = "\x1b"

FAST = [
    ["models"],
    ["models", "show", "published"],
    ["evidence"],
    ["evidence", "--measure", "caseload"],
    ["evidence", "show", "Table 2.1"],
    ["audit"],
    ["records", "columns"],
    ["check", "calibration", "--spec", "primary"],
    ["export"],
]


def names(value):
    return " ".join(value) if isinstance(value, list) else ""


def piped(*arguments, **environment):
    kept = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    return subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, check=False, env={**kept, **environment}
    )


def commands(group=None, path=()):
    """Every verb that does something, by the words that call it."""
    group = group or typer.main.get_command(app)
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield (*path, name), {option for parameter in one.params for option in parameter.opts}


def same(found, frame):
    """Say whether records of JSON are a frame, value by value, nothing rounded."""

    def alike(value, one):
        if pd.isna(one):
            return value is None
        if isinstance(one, float | np.floating) and math.isinf(one):
            return value == ("Infinity" if one > 0 else "-Infinity")
        if isinstance(one, bool | np.bool_):
            return value is bool(one)
        return value == one

    return len(found) == len(frame) and all(
        list(row) == list(frame.columns) and all(map(alike, row.values(), line))
        for row, line in zip(found, frame.itertuples(index=False, name=None), strict=True)
    )


@pytest.fixture
def shown(monkeypatch):
    """The tables that verbs were told to show."""
    tables, show = [], Output.table

    def spy(self, table, **options):
        tables.append(table)
        show(self, table, **options)

    monkeypatch.setattr(Output, "table", spy)
    return tables


def test_help_fits_a_screen_and_names_verbs_and_exit_codes():
    result = piped("--help", COLUMNS="80", LINES="24")
    lines = result.stdout.splitlines()
    assert result.returncode == 0
    # The line below it is the prompt's.
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    told = [line.split()[0] for line in lines if line.startswith("  ")]
    assert told == list(VERBS)
    assert "Exit codes: 0 done, 2 bad input, 3 the sampler did not converge, 130 interrupted" in lines
    assert not [line for line in lines if line.endswith("...")]


@pytest.mark.parametrize("verb", VERBS)
def test_the_short_line_of_a_verb_is_the_first_of_its_help(verb):
    listed = next(line for line in invoked("--help").stdout.splitlines() if line.startswith(f"  {verb} "))
    assert " ".join(listed.split()[1:]) in " ".join(invoked(verb, "--help", COLUMNS="120").stdout.split())


def test_every_verb_takes_quiet_and_all_that_print_tables_json():
    known = dict(commands())
    assert {path[0] for path in known} == set(VERBS)
    without = {path for path, options in known.items() if "--json" not in options}
    assert without == {("evidence", "template")}
    assert all({"--quiet", "-q"} <= options for options in known.values())


@pytest.mark.parametrize("arguments", FAST, ids=names)
def test_json_holds_the_frames_behind_the_tables(arguments, shown):
    result = invoked(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert list(document) == ["verb", "tables", "messages"]
    assert arguments[: len(document["verb"].split())] == document["verb"].split()
    assert len(document["tables"]) == len(shown) > 0
    for table, told in zip(shown, document["tables"], strict=True):
        assert len(table.frame) > 0
        assert (told["title"], told["notes"]) == (table.title, list(table.notes))
        assert told["columns"] == list(table.frame.columns)
        assert same(told["records"], table.frame)
        assert not same(told["records"][:-1], table.frame)


def test_json_is_of_the_numbers_not_of_their_texts(shown):
    found = json.loads(invoked("check", "calibration", "--json").stdout)["tables"][0]["records"]
    assert same(found, shown[0].frame)
    assert not same(found, shown[0].frame.round(2))


def test_json_has_neither_nan_nor_infinity():
    frame = pd.DataFrame(
        {
            "x": [1 / 3, np.nan, np.inf, -np.inf],
            "n": pd.array([1, None, 3, 4], dtype="Int64"),
            "b": [True, False, True, False],
            "s": ["a", None, "c", "d"],
            "t": pd.to_datetime(["2020-01-01", None, "2020-01-03", "2020-01-04"]),
        }
    )
    first, second, third, fourth = json.loads(json.dumps(records(frame), allow_nan=False))
    assert first == {"x": 1 / 3, "n": 1, "b": True, "s": "a", "t": "2020-01-01 00:00:00"}
    assert second == {"x": None, "n": None, "b": False, "s": None, "t": None}
    assert (third["x"], fourth["x"]) == ("Infinity", "-Infinity")


def test_findings_of_an_audit_are_those_of_python():
    found = json.loads(invoked("audit", "--json").stdout)["tables"][0]["records"]
    assert found == audit_evidence().to_dict("records")


def test_an_option_before_the_name_of_a_verb_holds_as_well():
    after = invoked("evidence", "show", "Table 2.1", "--json")
    before = invoked("evidence", "--json", "show", "Table 2.1")
    assert before.stdout == after.stdout
    assert json.loads(before.stdout)["verb"] == "evidence show"


@pytest.mark.parametrize("arguments", FAST, ids=names)
def test_quiet_leaves_the_tables_alone(arguments, shown):
    loud, quiet = (invoked(*arguments, *more) for more in ([], ["--quiet"]))
    assert quiet.exit_code == 0
    assert quiet.stderr == ""
    for table in shown:
        assert table.title in quiet.stdout
        for note in table.notes:
            assert note in loud.stdout
            assert note not in quiet.stdout


def test_one_call_leaves_nothing_to_the_next():
    assert invoked("models", "--json").stdout.startswith("{")
    assert invoked("models", "-q").stdout.startswith("23 specs")
    assert "hlt-bayes models show NAME" in invoked("models").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit", "--severity", "eror"], "'eror' is unknown"),
        (["audit", "--csv"], "--json and --csv cannot be combined"),
        (["models", "show", "primry"], "spec: 'primry' is unknown"),
        (["models", "show", "mine.toml"], "mine.toml: a path needs its kind; add --kind"),
        (["models", "show", "records", "--pymc"], "--pymc is only for impact specs"),
        (["fit", "--out", "draws.csv"], "'.csv' given; allowed suffix: .nc"),
        (["fit", "--mapping", "mine.toml"], "give the file of records as well"),
        (["compare", "one", "two", "--changed"], "--changed compares one result"),
        (["compare", "nowhere"], "nowhere: not an hlt-bayes result"),
    ],
    ids=names,
)
def test_bad_input_is_told_on_standard_error_alone(arguments, message):
    result = invoked(*arguments, "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "hlt-bayes:" in result.stderr


@pytest.mark.parametrize(("raised", "code"), [(ConvergenceError("R-hat"), 3), (KeyboardInterrupt(), 130)])
def test_exit_codes(monkeypatch, raised, code):
    def fit(*_, **__):
        raise raised

    monkeypatch.setattr("hlt_bayes.inference.fit.fit", fit)
    result = invoked("fit", "--json")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr.startswith("hlt-bayes: ")


def test_findings_in_records_come_as_json_with_exit_code_2(tmp_path):
    (tmp_path / "records.csv").write_text(
        "person,site,group,arm,randomised\n1,nowhere,WMCA,control,2018-06-01\n", encoding="utf-8"
    )
    result = invoked("records", "check", tmp_path / "records.csv", "--json")
    assert result.exit_code == 2
    (table,) = json.loads(result.stdout)["tables"]
    assert table["columns"] == ["row", "column", "problem"]
    assert len(table["records"]) > 0


def test_what_is_piped_has_no_escape_codes():
    for arguments in (["models"], ["audit", "--severity", "error"], ["compare", "--outcome", "health"]):
        result = invoked(*arguments, TERM="xterm-256color")
        assert result.exit_code == 0
        assert ESCAPE not in result.stdout + result.stderr
        assert "primary" in result.stdout or "─" in result.stdout
    assert ESCAPE not in piped("models", TERM="xterm-256color").stdout


def on_a_terminal(*arguments, **environment):
    """Output of a command whose every stream is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
    ) as process:
        os.close(theirs)
        found = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            if not part:
                break
            found += part
    os.close(ours)
    assert process.returncode == 0
    return found.decode()


@pytest.mark.ci
def test_colours_and_progress_are_for_a_terminal_that_wants_them(tmp_path):
    colour, clock = re.compile(r"\x1b\[[0-9;]*3[0-9;]*m"), re.compile(r"\d:\d\d:\d\d")

    def twin(*options, **environment):
        out = tmp_path / f"twin{len(list(tmp_path.iterdir()))}.csv"
        return on_a_terminal("twin", "--n", "300", "--out", str(out), *options, **environment)

    assert colour.search(twin())
    plain = twin("--json", NO_COLOR="1")
    assert clock.search(plain)
    assert not colour.search(plain)
    assert not clock.search(twin("--quiet"))


@pytest.mark.parametrize(
    ("quiet", "as_json", "terminal", "shown"),
    [(False, False, False, True), (False, True, False, False), (False, True, True, True), (True, True, True, False)],
)
def test_progress_is_for_people(monkeypatch, quiet, as_json, terminal, shown):
    made = []
    monkeypatch.setattr("hlt_bayes.cli.output.Stages", lambda *, shown: made.append(shown))
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    Output("verb", quiet=quiet, as_json=as_json).stages()
    assert made == [shown]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("hlt-bayes ", set(VERBS)),
        ("hlt-bayes models show pub", {"published"}),
        ("hlt-bayes appraise --economics ", set(shipped_specs("economic"))),
        ("hlt-bayes appraise --spec no-", {"no-pooling"}),
        ("hlt-bayes run --spec re", {"records"}),
        ("hlt-bayes fit --engine ", {"nuts", "pymc", "exact", "laplace"}),
        ("hlt-bayes compare --outcome e", {"employment", "earnings"}),
        ("hlt-bayes voi --group W", {"WMCA"}),
        ("hlt-bayes twin --spec ", set(shipped_specs("twin"))),
        ("hlt-bayes check specs --spec si", {"sites"}),
    ],
)
def test_names_are_completed(words, expected):
    last = len(words.split()) - (not words.endswith(" "))
    result = invoked(_HLT_BAYES_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(last))
    assert set(result.stdout.split("\n")) - {""} == expected
