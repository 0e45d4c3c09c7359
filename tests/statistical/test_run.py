"""The command as a newcomer runs it: whole results, or none with the right exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from helpers import edited_spec

from hlt_bayes.display.comparison import comparison_table
from hlt_bayes.display.impacts import impacts_table
from hlt_bayes.display.returns import returns_table
from hlt_bayes.results.manifest import file_sha256

pytestmark = pytest.mark.ci

COMMAND = [str(Path(sys.executable).with_name("hlt-bayes")), "run"]

INTERRUPT = """
import ctypes, os, signal, sys
from hlt_bayes.cli import main
from hlt_bayes.cli.stages import Stages

enter, stop_at = Stages.enter, sys.argv.pop(1)

def interrupting(self, stage, done=0, total=0):
    enter(self, stage, done, total)
    if stage == stop_at.removesuffix(", lost") and not getattr(self, "sent", False):
        self.sent = True
        if stop_at.endswith("lost"):
            # The compiler calls back from C, where an exception is printed and dropped.
            ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()
        else:
            os.kill(os.getpid(), signal.SIGINT)

Stages.enter = interrupting
main()
"""


def run(*arguments, cwd, command=COMMAND, environment=None):
    return subprocess.run(
        [*command, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        check=False,
    )


def spec_with(folder, old, new):
    return edited_spec(folder, "primary", "impact", (old, new))


def test_a_cold_run_prints_its_tables_and_a_later_one_writes_the_same_files(tmp_path, fitted, reanalysis):
    cache = tmp_path / "cache"
    cold = {"PYTENSOR_FLAGS": f"base_compiledir={cache}", "NUMBA_CACHE_DIR": str(cache / "numba"), "COLUMNS": "80"}
    hashes, compiled = [], []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        result = run(cwd=tmp_path / name, environment=cold)
        assert result.returncode == 0, result.stderr
        compiled.append({path: path.stat().st_mtime_ns for path in cache.rglob("*.nb[ic]")})
        folder = tmp_path / name / "results/primary"
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        assert {"Compiling the model", "Sampling", "Valuing and comparing", "Writing the result"} <= set(
            manifest["seconds"]
        )
        hashes.append(manifest["outputs"])
        assert all(file_sha256(folder / file) == digest for file, digest in manifest["outputs"].items())
    assert hashes[0] == hashes[1]
    other = run("--seed", "1", cwd=tmp_path, environment=cold)
    assert other.returncode == 0, other.stderr
    manifest = json.loads((tmp_path / "results/primary/manifest.json").read_text(encoding="utf-8"))
    assert manifest["outputs"]["posterior.nc"] != hashes[0]["posterior.nc"]
    # The first run compiles, a later one finds all of that and compiles nothing more.
    assert len(compiled[0]) > 100
    assert compiled[1] == compiled[0]
    assert all(len(line) <= 80 for line in result.stdout.splitlines())
    for table in (
        impacts_table(reanalysis.impacts),
        returns_table(reanalysis.returns, reanalysis.prices),
        comparison_table(reanalysis.comparison),
    ):
        assert table.title in result.stdout
        for row in table.rows:
            assert all(cell in result.stdout for cell in row[:-1])
    with xr.open_datatree(folder / "posterior.nc", engine="h5netcdf") as tree:
        assert {"prior", "posterior", "sample_stats", "reported", "economics"} <= set(tree.children)
        # Another process, another state of the compile cache: the same seed gives the same bits.
        np.testing.assert_array_equal(tree["posterior"]["impact"], fitted["posterior"]["impact"])
        np.testing.assert_array_equal(tree["prior"]["impact"], fitted["prior"]["impact"])
        np.testing.assert_array_equal(
            tree["economics"]["benefit_cost_ratio"], reanalysis.draws["economics"]["benefit_cost_ratio"]
        )


def test_draws_that_did_not_converge_are_refused(tmp_path):
    spec = spec_with(tmp_path, "draws = 2000", "draws = 50")
    result = run("--spec", spec, "--out", tmp_path / "out", cwd=tmp_path)
    assert result.returncode == 3
    assert "did not converge" in result.stderr
    assert "impact[employment, SCR OOW]: R-hat" in result.stderr
    assert "What to try" in result.stderr
    assert (result.stdout, (tmp_path / "out").exists()) == ("", False)


@pytest.mark.parametrize(
    "stage",
    [
        "Sampling",
        pytest.param("Compiling the model", marks=pytest.mark.deep),
        pytest.param("Compiling the model, lost", marks=pytest.mark.deep),
        pytest.param("Writing the result", marks=pytest.mark.deep),
    ],
)
def test_interrupted_it_leaves_nothing(tmp_path, stage):
    arguments = ["--out", tmp_path / "out"]
    if stage == "Sampling":
        arguments += ["--spec", spec_with(tmp_path, "draws = 2000", "draws = 1000000")]
    before = sorted(tmp_path.iterdir())
    result = run(stage, "run", *arguments, cwd=tmp_path, command=[sys.executable, "-c", INTERRUPT])
    assert result.returncode == 130, result.stderr
    assert "interrupted; nothing was written" in result.stderr
    assert ("Exception ignored" in result.stderr) == stage.endswith("lost")
    assert sorted(tmp_path.iterdir()) == before
