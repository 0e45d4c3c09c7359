"""The command line, whatever is typed: exit code 0, 2 or 3, no trace, nothing left behind; nothing is sampled."""

import contextlib
import json

import pymc  # noqa: F401 - it raises the recursion limit, which must not happen within an example
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import NUMERALS, WORDS
from properties import finds_out, folder, listing, take
from typer.testing import CliRunner

from hlt_bayes.cli import app, options
from hlt_bayes.core.errors import ConvergenceError, SpecError
from hlt_bayes.inference import fit

VERBS = [
    ["models"],
    ["models", "show", "primary"],
    ["models", "show", "green-book", "--kind", "economic"],
    ["evidence", "--outcome", "health", "--group", "WMCA"],
    ["evidence", "show", "Table 2.1"],
    ["evidence", "template"],
    ["audit", "--severity", "error", "--used"],
    ["records", "columns"],
    ["records", "check", "mine.csv", "--mapping", "mine.toml"],
    ["records", "describe", "mine.csv"],
    ["run", "--spec", "primary", "--out", "result", "--smallest", "employment=0.02", "--engine", "exact"],
    ["run", "--records", "mine.csv", "--mapping", "mine.toml", "--engine", "laplace"],
    ["fit", "--spec", "pooled-rows", "--out", "draws.nc", "--seed", "3"],
    ["appraise", "--posterior", "mine.nc", "--economics", "green-book", "--volume", "planned"],
    ["voi", "--posterior", "mine.nc", "--perspective", "economic", "--group", "WMCA"],
    ["assumptions", "--posterior", "mine.nc", "--perspective", "economic"],
    ["check", "prior", "--spec", "mine.toml"],
    ["check", "specs", "--spec", "primary", "--smallest", "health=0.1"],
    ["check", "calibration"],
    ["compare", "--outcome", "health"],
    ["report", "result", "--evidence", "mine.csv"],
    ["verify", "result", "--recompute"],
    ["compare", "result", "other"],
    ["fit", "--out", "/proc/mine.nc"],
    ["run", "--out", "/", "--evidence", "mine.csv"],
    ["check", "calibration", "--journal", "mine.nc"],
    ["export", "result", "--to", "all", "--out", "exports"],
    ["twin", "--n", "100", "--out", "twin.csv"],
]
PLACES = ["/", ".", "..", "/proc/x", "/dev/null", "/dev/full", "/dev/zero", "a/../..", "~", "result", "mine.nc"]
PLACES += ["\x1b[31m"]
FLAGS = ["--json", "--quiet", "-q", "--csv", "--help", "--overwrite", "--evidence", "--spec", "--out", "--seed", "--"]
junk_words = st.one_of(
    st.sampled_from([*NUMERALS, *FLAGS, "health=nan", "health=inf", "health", "=", "helth=1", "mine.csv", "mine.toml"]),
    st.sampled_from([word for word in WORDS if "\x00" not in word]),
    st.sampled_from(PLACES),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8),
    st.just("\udcff"),
)
WRITES = {"twin"}
"""Verbs that write without being told where to, and are not stopped by what is sabotaged here."""


@st.composite
def arguments(draw):
    typed = list(draw(st.sampled_from(VERBS)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(1, len(typed)))
        change = draw(st.sampled_from(["replace", "replace", "insert", "flag", "drop", "double"]))
        if change == "replace" and place < len(typed):
            typed[place] = draw(junk_words)
        elif change == "insert":
            typed.insert(place, draw(junk_words))
        elif change == "flag":
            typed.append(draw(st.sampled_from(FLAGS)))
        elif change == "drop" and place < len(typed):
            del typed[place]
        elif change == "double" and place < len(typed):
            typed[place:place] = typed[place - 1 : place + 1]
    return typed


def _not_now(*_args, **_named):
    raise ConvergenceError("nothing is sampled here")


@pytest.fixture(scope="module", autouse=True)
def nothing_is_sampled():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("sample_model", "_exactly", "_by_chains", "exact_posterior"):
            patch.setattr(fit, name, _not_now)
        yield


def command_holds(typed):
    with folder() as place:
        (place / "mine.csv").write_text(
            "outcome,group,estimate,unit,n_treatment,n_control\nhealth,A,0.10,SD,640,541\n", "utf-8"
        )
        (place / "mine.toml").write_text('based_on = "primary"\nname = "mine"\n', "utf-8")
        (place / "mine.nc").write_bytes(b"\x89HDF\r\n\x1a\nno more")
        (place / "result").mkdir()
        (place / "result/manifest.json").write_text('{"format": "hlt-bayes result 2", "outputs": {"../a": 1}}', "utf-8")
        before = listing(place)
        with contextlib.chdir(place):
            found = CliRunner().invoke(app, typed)
        assert isinstance(found.exception, SystemExit | None), repr(found.exception)
        assert found.exit_code in (0, 2, 3), found.exit_code
        assert "Traceback" not in found.output
        if found.exit_code:
            assert found.output.strip()
        if typed[0] not in WRITES or found.exit_code:
            assert listing(place) == before, "something was left behind"
        if found.exit_code == 0 and "--json" in typed and "--help" not in typed and found.stdout.startswith("{"):
            json.loads(found.stdout, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@take("arguments")
@given(typed=arguments())
@example(typed=["records", "check", "mine.csv", "--mapping", "mine.toml"])
@example(typed=["run", "--smallest", "health=nan"])
@example(typed=["run", "--smallest", "helth=1"])
@example(typed=["models", "show", "\udcff.toml"])
def test_whatever_is_typed_ends_well_or_is_refused(typed):
    command_holds(typed)


def test_a_command_line_that_lets_errors_through_is_found_out(monkeypatch):
    monkeypatch.setattr(options, "HltBayesError", ZeroDivisionError)
    finds_out(arguments(), command_holds, "arguments")


def test_an_error_does_not_steer_the_terminal(tmp_path):
    (tmp_path / "mine.toml").write_text('based_on = "primary"\n"\\u001b[31m" = 1\n', "utf-8")
    found = CliRunner().invoke(app, ["check", "prior", "--spec", str(tmp_path / "mine.toml")], color=True)
    assert found.exit_code == 2
    assert "\x1b" not in found.stderr
    assert r"\x1b[31m" in found.stderr


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "", "x"])
def test_a_smallest_effect_is_a_finite_number(number):
    with pytest.raises(SpecError, match=r"--smallest 'health=.* write it as employment=0.02"):
        options.smallest_effects([f"health={number}"])
