"""The command line: one line an error, its exit code, nothing half-written."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import edit

from hlt_bayes.specs import spec_path

COMMAND = str(Path(sys.executable).with_name("hlt-bayes"))


def hlt(*arguments, cwd):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


def test_help_names_the_verb_and_the_exit_codes(tmp_path):
    result = hlt("--help", cwd=tmp_path)
    assert result.returncode == 0
    assert "run" in result.stdout
    assert "3 the sampler did not converge" in " ".join(result.stdout.split())


def misspelt(tmp_path):
    path = Path(shutil.copy(spec_path("primary", "impact"), tmp_path / "mine.toml"))
    edit(path, "[priors.mu.earnings]", "[priors.mu.earning]")
    return path


def foreign(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.docx").write_text("years of work", encoding="utf-8")
    return tmp_path / "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda _: ["--spec", "primry"], "impact spec 'primry' is unknown; allowed: 'pooled-rows', 'primary'"),
        (lambda _: ["--economics", "publishd"], "economic spec 'publishd' is unknown"),
        (lambda tmp: ["--spec", misspelt(tmp)], "key 'priors.mu.earning': 'earning' is unknown"),
        (lambda tmp: ["--evidence", tmp / "nowhere"], "sources.toml: evidence file cannot be read"),
        (lambda tmp: ["--out", foreign(tmp)], "holds what is not ours"),
    ],
    ids=["spec", "economics", "key", "evidence", "folder"],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, message):
    given = arguments(tmp_path)
    before = sorted(path.name for path in tmp_path.rglob("*"))
    result = hlt("run", *given, cwd=tmp_path)
    assert result.returncode == 2
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("hlt-bayes:")]
    assert message in line
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_negative_cost_is_one_line(evidence_folder, tmp_path):
    edit(evidence_folder / "tables/synthesis_table_2_2.csv", '"£2,116",2116', '"-£2,116",-2116')
    result = hlt("run", "--evidence", evidence_folder, cwd=tmp_path)
    assert result.returncode == 2
    assert "synthesis_table_2_2.csv, line 2, column 'value': £-2116 given" in result.stderr
    assert not (tmp_path / "results").exists()
