"""The main job on individual records: the folder is that of print, and nothing of a record comes out."""

import hashlib
import json
import os
import struct
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import invoked, made_once

from hlt_bayes.ipd.data import load_records
from hlt_bayes.ipd.synthetic import make_twin

PERSON, SPECIALIST, EARNINGS, INDEX = "SECRET-PERSON-7", "SECRET-SPECIALIST", 98765.4321, 0.12345678


def marks():
    """Text and bytes that stand in the records and may stand nowhere else."""
    numbers = [form(value) for value in (EARNINGS, INDEX) for form in (repr, "{:.2f}".format, "{:,.2f}".format)]
    text = [PERSON, SPECIALIST, *numbers[:3], numbers[3]]
    # Of double precision: four bytes are met by chance among millions, about once in a hundred folders.
    binary = [struct.pack(f"{order}d", value) for value in (EARNINGS, INDEX) for order in "<>"]
    return [one.encode() for one in text] + binary


def found_in(content):
    return [mark for mark in marks() if mark in content]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """A twin in which one person and one specialist have unmistakable values; and somebody alone in a cell."""
    folder = tmp_path_factory.mktemp("records")
    frame = make_twin(n=3000, seed=5).records.frame
    who = frame.index[(frame["arm"] == "treatment") & frame["answered"]][0]
    frame["specialist"] = frame["specialist"].str.replace("S", SPECIALIST + "-")
    frame.loc[who, "person"] = PERSON
    frame.loc[who, "eq5d"] = INDEX
    months = [f"earnings_month_{month}" for month in range(1, 13)]
    frame.loc[who, months] = 0.0
    frame.loc[who, [f"employed_month_{month}" for month in range(1, 13)]] = [True] * 4 + [False] * 8
    frame.loc[who, "months_employed"] = 4
    frame.loc[who, "employed_13_weeks"] = True
    frame.loc[who, months[0]] = EARNINGS
    frame.loc[who, "earnings"] = EARNINGS
    path = folder / "people.csv"
    frame.to_csv(path, index=False, date_format="%Y-%m-%d")
    assert found_in(path.read_bytes())
    return path


@pytest.fixture(scope="module", params=["laplace", "nuts"])
def result(records, request, tmp_path_factory):
    """What the run printed, and its folder with the report."""
    place = tmp_path_factory.mktemp("result")

    def make():
        out = place / request.param
        done = invoked("run", "--records", records, "--engine", request.param, "--out", out, cwd=place)
        assert done.exit_code == 0, done.stderr
        page = invoked("report", out, cwd=place)
        assert page.exit_code == 0, page.stderr
        assert found_in(page.stdout.encode() + page.stderr.encode()) == []
        return done.stdout, done.stderr, out

    return made_once(tmp_path_factory, f"records by {request.param}", make)


@pytest.mark.ci
def test_the_folder_is_that_of_the_main_job(result):
    shown, _, out = result
    assert "Impacts: treatment minus control" in shown
    assert "gained as much as similar respondents" in " ".join(shown.split())
    names = {path.name for path in out.iterdir()}
    tables = {"impacts.csv", "returns.csv", "appraisal.csv", "comparison.csv", "disclosure.csv"}
    assert tables | {"posterior.nc", "specs.json"} <= names
    assert set(pd.read_csv(out / "disclosure.csv")["output"]) >= names - {"manifest.json"}
    manifest = json.loads((out / "manifest.json").read_text())
    # Neither a hash of the records nor, without a key, an HMAC.
    assert manifest["inputs"]["records"] == {}
    assert manifest["inputs"]["individual spec"]["name"] == "records"
    page = (out / "report.html").read_text()
    assert "3,000 synthetic people" in page
    assert "carry no information about real people" in page


@pytest.mark.ci
def test_a_run_on_real_records_leaves_some_people_out_and_has_no_hash_but_a_keyed_one(records, tmp_path):
    frame = pd.read_csv(records, low_memory=False).drop(columns="synthetic")
    frame.to_csv(tmp_path / "real.csv", index=False)
    assert invoked("records", "key", "real.csv", cwd=tmp_path).exit_code == 0
    key = (tmp_path / "real.csv.key").read_text().strip()
    done = invoked("run", "--records", "real.csv", "--engine", "laplace", "--out", "out", cwd=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert invoked("report", "out", cwd=tmp_path).exit_code == 0
    assert invoked("export", "out", "--to", "netcdf", "--out", "exported", cwd=tmp_path).exit_code == 0
    loaded = load_records(tmp_path / "real.csv")
    digest = hashlib.sha256((tmp_path / "real.csv").read_bytes()).hexdigest()
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["inputs"]["records"] == {"hmac_sha256": loaded.fingerprint}
    assert len(loaded) == 3000
    for path in [*(tmp_path / "out").iterdir(), *(tmp_path / "exported").iterdir()]:
        content = path.read_bytes()
        assert found_in(content) == [], path.name
        assert digest.encode() not in content
        assert key.encode() not in content
        assert b"3,000 people" not in content
    page = (tmp_path / "out" / "report.html").read_text()
    assert "2% of the people, drawn at random, were left out" in page
    sheet = pd.read_csv(tmp_path / "out" / "disclosure.csv")
    assert sheet["rules"].str.contains("2% of people left out at random").all()
    assert invoked("verify", "out", "--recompute", cwd=tmp_path).exit_code == 0


@pytest.mark.ci
def test_draws_go_through_the_economics_one_by_one(result):
    *_, out = result
    tree = xr.load_datatree(out / "posterior.nc", engine="h5netcdf")
    impact = tree["posterior"]["impact"]
    assert impact.dims == ("chain", "draw", "outcome", "group")
    assert tree["economics"]["benefit_cost_ratio"].sizes["draw"] == impact.sizes["draw"]
    assert np.isfinite(impact).all()


@pytest.mark.ci
def test_nothing_of_a_record_comes_out(result):
    shown, told, out = result
    assert found_in(shown.encode() + told.encode()) == []
    for path in out.iterdir():
        assert found_in(path.read_bytes()) == [], path.name
    tree = xr.load_datatree(out / "posterior.nc", engine="h5netcdf")
    for group in tree.subtree:
        assert not {"person", "specialist", "cell", "profile"} & set(group.dataset.dims)
        for array in group.dataset.variables.values():
            assert found_in(array.to_numpy().tobytes()) == []
            assert array.dtype != np.float32
        # A file with such a value in it would be found out.
    assert found_in(xr.DataArray([1.0, EARNINGS]).to_numpy().tobytes())


def test_a_description_shows_no_count_of_few(records):
    done = invoked("records", "describe", records, "--csv", cwd=records.parent)
    assert done.exit_code == 0, done.stderr
    assert found_in(done.stdout.encode()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mapping", "my.toml"], "--mapping needs --records"),
        (["--records", "people.csv", "--evidence", "mine.csv"], "give individual records or published trials"),
        (["--records", "people.csv", "--engine", "exact"], "--engine exact cannot be used with --records"),
        (["--engine", "laplace"], "--engine laplace needs --records"),
        (["--records", "nobody.csv"], "nobody.csv"),
        (["--records", "people.csv", "--spec", "primary"], "individual spec 'primary' is unknown; allowed: 'bounded'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(records, options, message):
    done = invoked("run", *options, "--out", "refused", cwd=records.parent)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (records.parent / "refused").exists()


def test_records_with_findings_are_refused_before_anything_is_fitted(records, tmp_path):
    text = records.read_text().replace(PERSON, "").replace(",treatment,", ",tretment,", 1)
    (tmp_path / "people.csv").write_text(text)
    done = invoked("run", "--records", "people.csv", "--out", "refused", cwd=tmp_path)
    assert done.exit_code == 2
    assert "'arm'" in done.stderr
    assert "tretment" not in done.stderr
    assert "Drawing" not in done.stderr
    assert not (tmp_path / "refused").exists()


COMPILE = """
import sys
import numpy as np
import nutpie
from hlt_bayes.inference.nuts import without_fastmath
from hlt_bayes.ipd.models import individual_model
from hlt_bayes.ipd.models.model import problem_with_parts
from hlt_bayes.ipd.synthetic import make_twin
from hlt_bayes.specs import load_individual_spec

records = make_twin(n=3000, seed=5).records
spec = load_individual_spec(sys.argv[1])
model = individual_model(spec, records, "health")
with without_fastmath():
    nutpie.compile_pymc_model(model, backend="numba")
problem, _, _ = problem_with_parts(spec, records, "health")
cells, profiles = problem.scale_cells, problem.people.profiles
np.savez(
    sys.argv[2],
    treated=cells.treated,
    profile=cells.profile,
    total=cells.total,
    group=profiles.group,
    people=profiles.people,
)
"""


@pytest.mark.deep
@pytest.mark.parametrize("spec", ["subgroups", "practice"])
def test_compiled_code_that_stays_on_disk_holds_nobody(spec, tmp_path):
    """In a home of its own: 64 people in a row of any array, in any width, stand nowhere in what is cached."""
    home = tmp_path / "home"
    home.mkdir()
    own = {"NUMBA_CACHE_DIR": str(home / "numba"), "PYTENSOR_FLAGS": f"base_compiledir={home / 'pytensor'}"}
    environment = {**os.environ, "HOME": str(home), **own}
    command = [sys.executable, "-c", COMPILE, spec, str(tmp_path / "arrays.npz")]
    subprocess.run(command, check=True, env=environment, capture_output=True)
    arrays = np.load(tmp_path / "arrays.npz")
    patterns = {
        (name, kind): arrays[name][200:264].astype(kind).tobytes()
        for name in arrays
        for kind in ("f8", "f4", "i8", "i4", "i2", "i1")
        if len(np.unique(arrays[name][200:264])) > 1 and np.array_equal(arrays[name].astype(kind), arrays[name])
    }
    files = [path for path in home.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) > 100_000
    assert ("treated", "f8") in patterns
    for path in files:
        content = path.read_bytes()
        assert [key for key, pattern in patterns.items() if pattern in content] == [], path.name
