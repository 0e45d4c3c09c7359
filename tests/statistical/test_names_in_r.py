"""Names of trials as people give them, commas and all, are read by R from every file, and come back from R's netCDF."""

import json
import subprocess

import numpy as np
import pytest
import xarray as xr
from helpers import REFERENCE

import hlt_bayes as hb
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.results.export import export
from hlt_bayes.results.export.content import index_labels

pytestmark = pytest.mark.ci

NAMES = ["Smith, 2001", "Smith; 2001", "O'Brien [pilot], a=b", 'The "X" trial #1', "Zürich & <b>", "a\\b/c%d$e{f}", "1"]


@pytest.fixture(scope="module")
def impact():
    values = np.random.default_rng(1).normal(size=(4, 500, 1, len(NAMES))) * 0.02 + np.linspace(-0.1, 0.1, len(NAMES))
    return xr.DataArray(
        values,
        dims=("chain", "draw", "outcome", "group"),
        coords={"chain": range(4), "draw": range(500), "outcome": ["employment"], "group": NAMES},
    )


@pytest.fixture(scope="module")
def folder(impact, primary, tmp_path_factory):
    fields = {"outcome": "employment", "estimate": "5.0", "unit": "ppt", "se": "2.0"}
    mine = evidence_of_rows([{**fields, "group": name} for name in NAMES], name="mine.csv")
    tree = xr.DataTree.from_dict({"posterior": impact.to_dataset(name="impact")})
    out = tmp_path_factory.mktemp("names")
    export(hb.analyse(tree, mine, primary, None, seed=1), to=["csv", "cmdstan", "netcdf", "metafor"], out=out)
    return out


@pytest.fixture(scope="module")
def in_r(rscript, folder):
    script = [rscript, REFERENCE / "names_in_r.R", folder, folder / "found.json"]
    subprocess.run(script, check=True, capture_output=True, text=True)
    return json.loads((folder / "found.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("reader", ["base", "readr"])
def test_posterior_has_one_entry_a_trial(in_r, impact, reader):
    index = index_labels(NAMES)
    found = in_r[reader]
    assert found["dim"] == [1, len(NAMES)]
    assert sorted(found["names"]) == sorted(index.values())
    means = dict(zip(found["names"], found["means"], strict=True))
    for name in NAMES:
        assert means[index[name]] == pytest.approx(float(impact.sel(group=name).mean()), rel=1e-12)


@pytest.mark.parametrize("file", ["cmdstan", "netcdf", "metafor"])
def test_names_come_back_as_they_are(in_r, file):
    assert [str(name) for name in in_r[file]] == NAMES


@pytest.mark.parametrize("file", ["from-r-3.nc", "from-r-4.nc"])
def test_netcdf_of_r_comes_back(in_r, folder, impact, file):
    assert in_r
    found = hb.from_posterior(folder / file, units={"employment": "proportion"})["posterior"]["impact"]
    assert found["group"].to_numpy().tolist() == NAMES
    np.testing.assert_allclose(found, impact, rtol=1e-14)
