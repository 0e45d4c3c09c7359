"""Whoever compares two results is told of every number that moved, and of nothing else."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr
from compare_results import differences, main
from helpers import edit

from hlt_bayes.results.write import write_result


@pytest.fixture
def before(written_once):
    return written_once


@pytest.fixture
def after(before, tmp_path):
    return shutil.copytree(before, tmp_path / "after")


def test_a_result_written_again_is_the_same(before, analysis, tmp_path, capsys):
    again = write_result(analysis, tmp_path / "again", seconds=lambda: {"Sampling": 1.0})
    assert list(differences(before, again)) == []
    assert main(str(before), str(again)) == 0
    assert "every number as in" in capsys.readouterr().out


def moved_cell(folder):
    lines = (folder / "impacts.csv").read_text(encoding="utf-8").splitlines()
    cells = lines[2].split(",")
    cells[3] = str(float(cells[3]) * (1 + 1e-12))
    lines[2] = ",".join(cells)
    (folder / "impacts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def moved_draw(folder):
    tree = xr.load_datatree(folder / "posterior.nc", engine="h5netcdf")
    values = tree["posterior"]["impact"].to_numpy().copy()
    values[0, 0, 0, 0] = np.nextafter(values[0, 0, 0, 0], 1.0)
    tree["posterior"]["impact"] = tree["posterior"]["impact"].copy(data=values)
    tree.to_netcdf(folder / "posterior.nc", engine="h5netcdf")


def renamed_group(folder):
    tree = xr.load_datatree(folder / "posterior.nc", engine="h5netcdf")
    dataset = tree["posterior"].dataset
    tree["posterior"] = xr.DataTree(dataset.assign_coords(group=["SCR IW", "SCR OOW", "other"]))
    tree.to_netcdf(folder / "posterior.nc", engine="h5netcdf")


def other_seed(folder):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps({**manifest, "seed": 2}), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (moved_cell, r"impacts.csv: row 2, mean"),
        (moved_draw, r"posterior.nc: /posterior/impact: differs by up to"),
        (renamed_group, r"posterior.nc: /posterior/group: differs"),
        (other_seed, r"manifest.json: seed: 1; then 2"),
        (lambda folder: (folder / "returns.csv").unlink(), "returns.csv: only before"),
        (lambda folder: (folder / "more.csv").write_text("a\n1\n"), "more.csv: only after"),
        (lambda folder: edit(folder / "returns.csv", "perspective", "view"), "returns.csv: 10 rows of"),
        (lambda folder: edit(folder / "specs.json", '"pooled"', '"sites"'), "specs.json: impact.structure: pooled"),
    ],
    ids=["cell", "draw", "label", "seed", "gone", "new", "column", "spec"],
)
def test_what_differs_is_told(before, after, change, told):
    change(after)
    (line,) = differences(before, after)
    assert line.startswith(told), line
    assert main(str(before), str(after)) == 1
