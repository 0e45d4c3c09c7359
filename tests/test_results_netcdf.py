"""Draws in a file of their own: whole or not at all, and only over draws of ours."""

import numpy as np
import pytest
import xarray as xr

from hlt_bayes.core.errors import ImpactError, ResultFolderError
from hlt_bayes.impacts.external import from_posterior
from hlt_bayes.impacts.external_files import read_result
from hlt_bayes.inference.fit import impact_attrs
from hlt_bayes.results.netcdf import write_draws_file

UNITS = {"employment": "proportion", "earnings": "GBP", "health": "SD", "wellbeing": "SD"}


@pytest.fixture
def ours(drawn, primary):
    impact = drawn["posterior"]["impact"].copy()
    impact.attrs.update(impact_attrs(primary, estimand="as drawn", made_of={}, engine="exact", seed=1))
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact})})


def test_what_is_written_is_read_again(ours, primary, tmp_path):
    path = write_draws_file(ours, tmp_path / "new/draws.nc")
    for tree in (read_result(path, primary), from_posterior(path, units=UNITS)):
        np.testing.assert_array_equal(tree["posterior"]["impact"], ours["posterior"]["impact"])
    assert [one.name for one in path.parent.iterdir()] == ["draws.nc"]


def test_a_file_is_replaced_only_when_told_and_only_draws_of_ours(ours, drawn, tmp_path):
    path = write_draws_file(ours, tmp_path / "draws.nc")
    before = path.read_bytes()
    with pytest.raises(ResultFolderError, match=r"already exists; replace it \(--overwrite\)"):
        write_draws_file(ours, path)
    assert path.read_bytes() == before
    write_draws_file(ours, path, overwrite=True)
    drawn.to_netcdf(tmp_path / "theirs.nc", engine="h5netcdf")
    (tmp_path / "text.nc").write_text("a thesis", encoding="utf-8")
    (tmp_path / "link.nc").symlink_to(path)
    for name in ("theirs.nc", "text.nc", "link.nc"):
        with pytest.raises(ResultFolderError, match="contains no hlt-bayes draws, and was left unchanged"):
            write_draws_file(ours, tmp_path / name, overwrite=True)
    assert (tmp_path / "text.nc").read_text(encoding="utf-8") == "a thesis"


def test_another_ending_is_refused(ours, tmp_path):
    with pytest.raises(ResultFolderError, match=r"'.csv' given; allowed suffix: .nc"):
        write_draws_file(ours, tmp_path / "draws.csv")


def test_what_fails_half_way_leaves_what_was_there(ours, tmp_path, monkeypatch):
    path = write_draws_file(ours, tmp_path / "draws.nc")
    before = path.read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(ResultFolderError, match="No space left on device"):
        write_draws_file(ours, path, overwrite=True)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["draws.nc"]


def test_draws_of_another_spec_are_refused(ours, primary, tmp_path):
    path = write_draws_file(ours, tmp_path / "draws.nc")
    with pytest.raises(ImpactError, match="not by the current 'other'"):
        read_result(path, primary.model_copy(update={"name": "other"}))
