"""A netCDF file is read as xarray reads it, or refused in a line; no other file is opened, and nothing runs on."""

import contextlib
import io
import json
import os
import subprocess
import sys

import h5py
import hdf5_files
import numpy as np
import pytest
import xarray as xr
from hdf5_files import draws_file
from scipy.io import netcdf_file

from hlt_bayes.core.errors import ImpactError
from hlt_bayes.impacts import external_files, netcdf_reader
from hlt_bayes.impacts.external import from_posterior
from hlt_bayes.impacts.external_files import read_netcdf
from hlt_bayes.results.netcdf import netcdf_bytes

here = pytest.mark.usefixtures("netcdf_read_here")
UNITS = {"employment": "proportion", "earnings": "GBP", "health": "SD", "wellbeing": "SD"}


def taken(path):
    return from_posterior(path, units=UNITS)["posterior"]["impact"]


def refusal(path):
    """Why a file is refused."""
    with pytest.raises(ImpactError) as error:
        taken(path)
    assert str(path) in str(error.value)
    return str(error.value)


def test_what_this_package_writes_is_read_as_xarray_reads_it(with_components):
    content = netcdf_bytes(with_components.draws)
    mine = read_netcdf(content, "", name="posterior.nc")
    theirs = xr.load_datatree(io.BytesIO(content), engine="h5netcdf")
    xr.testing.assert_identical(mine, theirs)
    assert set(mine["posterior"].dataset.coords) == {"chain", "draw", "outcome", "group"}


@here
@pytest.mark.parametrize("encoding", [{}, {"zlib": True, "shuffle": True, "fletcher32": True, "complevel": 4}])
def test_missing_values_scales_and_compression_are_decoded(tmp_path, encoding):
    array = xr.DataArray(hdf5_files.values(), dims=hdf5_files.DIMS, coords=dict(hdf5_files.LABELS), name="impact")
    array[0, 0, 0, 0] = np.nan
    packed = {"dtype": "int32", "scale_factor": 1e-6, "add_offset": 0.5, "_FillValue": -9, **encoding}
    path = tmp_path / "draws.nc"
    array.to_dataset().to_netcdf(path, engine="h5netcdf", encoding={"impact": packed})
    mine = read_netcdf(path, "", groups=["posterior"], variable="impact")["impact"]
    xr.testing.assert_identical(mine, xr.load_dataset(path, engine="h5netcdf")["impact"])


@here
@pytest.mark.parametrize("kind", [">f8", "f4", "i2", "u1", "?"])
def test_every_type_of_number_is_read(tmp_path, kind):
    numbers = np.arange(6).reshape(2, 3).astype(kind)
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["a"] = numbers
        for place, name in enumerate("xy"):
            file[name] = np.arange(numbers.shape[place])
            file[name].make_scale(name)
            file["a"].dims[place].attach_scale(file[name])
    found = read_netcdf(tmp_path / "a.nc", "", groups=[], variable="a")["a"]
    np.testing.assert_array_equal(found, numbers)
    assert found.dtype.kind == numbers.dtype.kind


@here
def test_groups_that_form_a_cycle_or_lie_deep_are_not_entered(tmp_path):
    for more in (hdf5_files.cycle, hdf5_files.nested):
        path = draws_file(tmp_path / f"{more.__name__}.nc", more=more)
        np.testing.assert_array_equal(taken(path), hdf5_files.values())
        tree = read_netcdf(path, "")
        np.testing.assert_array_equal(tree["posterior"]["impact"], hdf5_files.values())


@here
def test_more_entries_than_draws_have_are_refused(tmp_path):
    said = refusal(draws_file(tmp_path / "a.nc", more=hdf5_files.many_arrays))
    assert "group '/posterior' has 1,105 entries; at most 1,000 are allowed" in said


@here
@pytest.mark.ci
def test_twenty_thousand_groups_are_refused(tmp_path):
    assert "group '/' has 20,001 entries" in refusal(draws_file(tmp_path / "a.nc", more=hdf5_files.many_groups))


def test_nothing_of_another_file_becomes_draws(tmp_path):
    other, secret = draws_file(tmp_path / "other.nc"), tmp_path / "secret.bin"
    secret.write_bytes(np.full(120, 0.5).tobytes())
    soft, hard = h5py.SoftLink("/elsewhere"), h5py.ExternalLink("other.nc", "/posterior")
    cases = {
        "its values in another file": {"impact": hdf5_files.raw_bytes(secret)},
        "a virtual data set": {"impact": hdf5_files.virtual(other)},
        "'posterior' is a soft link": {"more": hdf5_files.linked(posterior=soft)},
        "'posterior' is a link to another file": {"more": hdf5_files.linked(posterior=hard)},
        "'impact' is a link to another file": {
            "more": hdf5_files.linked(impact=h5py.ExternalLink("other.nc", "/posterior/impact"))
        },
    }
    for number, (words, how) in enumerate(cases.items()):
        said = refusal(draws_file(tmp_path / f"case{number}.nc", **how))
        assert words in said
        assert said.endswith("store the array itself")


@here
def test_values_that_were_never_written_are_no_draws(tmp_path):
    for make in (hdf5_files.reserved, hdf5_files.reserved_in_chunks):
        assert "'impact' was never written, or only in part" in refusal(draws_file(tmp_path / "a.nc", impact=make))


@here
def test_code_of_others_is_not_loaded_to_unpack_values(tmp_path):
    path = draws_file(
        tmp_path / "a.nc",
        impact=lambda group: group.create_dataset("impact", data=hdf5_files.values(), compression="lzf"),
    )
    assert "compressed by HDF5 filter 32000; allowed: deflate, shuffle, fletcher32" in refusal(path)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path):
    draws = 50_000
    path = draws_file(
        tmp_path / "a.nc",
        impact=lambda group: group.create_dataset("impact", data=np.zeros((2, draws, 4, 3)), compression="gzip"),
        labels=hdf5_files.LABELS | {"draw": range(draws)},
    )
    with path.open("rb") as file, pytest.raises(netcdf_reader.RefusedError, match=r"'impact' is too large: at most"):
        netcdf_reader.read(file, groups=["posterior"], variable="impact", largest=1_000_000)
    assert taken(path).sizes["draw"] == draws


@here
@pytest.mark.parametrize("labels", ["long", "fixed", "many"])
def test_labels_that_would_take_all_memory_are_refused(tmp_path, labels):
    """Every label takes the room of the longest."""
    count = 300_000 if labels == "many" else 60_000
    text = h5py.string_dtype("utf-8", None) if labels == "long" else "S4000000" if labels == "fixed" else "S2"
    with h5py.File(tmp_path / "a.nc", "w") as file:
        group = file.create_group("posterior")
        group.create_dataset("impact", data=np.zeros(count), compression="gzip")
        names = group.create_dataset("draw", shape=(count,), dtype=text, chunks=(1000,), compression="gzip")
        if labels != "fixed":
            names[:] = ["a"] * count
        if labels == "long":
            names[0] = "x" * 1000
        names.make_scale("draw")
        group["impact"].dims[0].attach_scale(names)
    expected = {"long": "too many long labels", "fixed": "never written|too large", "many": "'draw' is too large"}
    with pytest.raises(ImpactError, match=expected[labels]):
        read_netcdf(tmp_path / "a.nc", "", groups=["posterior"], variable="impact")


@here
@pytest.mark.parametrize("attribute", ["coordinates", "grid_mapping", "bounds", "dtype", "_FillValue", "scale_factor"])
def test_attributes_that_are_obeyed_may_have_any_type(tmp_path, attribute):
    for number, value in enumerate((1.0, "x", [1, 2])):
        path = draws_file(
            tmp_path / f"{number}.nc", more=lambda _, group, value=value: group["impact"].attrs.create(attribute, value)
        )
        with contextlib.suppress(ImpactError):
            assert np.isfinite(taken(path)).all()


@here
def test_attributes_have_a_limit_in_all(tmp_path):
    path = tmp_path / "a.nc"
    draws_file(path)
    with h5py.File(path, "r+", libver="latest") as file:
        more = file.create_group("more")
        for number in range(23):
            more.attrs[f"a{number}"] = np.zeros(90_000)
    assert np.isfinite(taken(path)).all()
    with pytest.raises(ImpactError, match="it has attributes of more than 2,000,000 numbers or characters"):
        read_netcdf(path, "")


@here
def test_a_dim_that_occurs_twice_is_refused_in_both_formats(tmp_path):
    path = tmp_path / "three.nc"
    with netcdf_file(path, "w") as file:
        file.createDimension("draw", 3)
        file.createVariable("impact", "d", ("draw", "draw"))[:] = 0.1
    assert "'impact' has the same dim twice: draw, draw" in refusal(path)
    four = tmp_path / "four.nc"
    with h5py.File(four, "w") as file:
        file["impact"], file["draw"] = np.zeros((3, 3)), range(3)
        file["draw"].make_scale("draw")
        for axis in (0, 1):
            file["impact"].dims[axis].attach_scale(file["draw"])
    assert "'impact' has the same dim twice: draw, draw" in refusal(four)


@here
@pytest.mark.parametrize("kind", ["complex", "reference", "compound", "opaque"])
def test_values_that_are_no_numbers_are_refused(tmp_path, kind):
    def impact(group):
        if kind == "complex":
            return group.create_dataset("impact", data=hdf5_files.values() + 1j)
        if kind == "reference":
            return group.create_dataset("impact", shape=hdf5_files.SHAPE, dtype=h5py.ref_dtype)
        if kind == "compound":
            return group.create_dataset("impact", shape=hdf5_files.SHAPE, dtype=[("a", "f8"), ("b", "i4")])
        return group.create_dataset("impact", data=np.full(hdf5_files.SHAPE, np.void(b"abc")))

    assert "allowed: numbers and text" in refusal(draws_file(tmp_path / "a.nc", impact=impact))


@here
def test_netcdf_of_r_is_read_with_its_labels_in_both_formats(tmp_path):
    four = taken(hdf5_files.as_r_writes(tmp_path / "four.nc"))
    array = xr.DataArray(hdf5_files.values(), dims=hdf5_files.DIMS, coords=dict(hdf5_files.LABELS), name="impact")
    array.to_dataset().to_netcdf(tmp_path / "three.nc", engine="scipy", format="NETCDF3_CLASSIC")
    assert (tmp_path / "three.nc").read_bytes()[:4] == b"CDF\x01"
    three = taken(tmp_path / "three.nc")
    for found in (three, four):
        np.testing.assert_array_equal(found, array)
        for dim in ("outcome", "group"):
            assert found[dim].to_numpy().tolist() == hdf5_files.LABELS[dim]


def test_a_format_that_is_not_read_says_how_to_write_one_that_is(tmp_path):
    (tmp_path / "five.nc").write_bytes(b"CDF\x05" + bytes(60))
    assert "in R: nc_create(..., force_v4 = TRUE)" in refusal(tmp_path / "five.nc")


def test_what_is_not_a_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    for path, what in ((tmp_path / "pipe.nc", "a pipe"), (tmp_path, "a folder"), ("/dev/zero", "a device")):
        assert f"it is {what}, not a file" in refusal(path)


def test_a_reader_that_never_ends_or_dies_is_said(tmp_path, monkeypatch):
    path = draws_file(tmp_path / "a.nc")
    script = tmp_path / "never.py"
    monkeypatch.setattr(external_files.netcdf_reader, "__file__", str(script))
    monkeypatch.setattr(external_files, "PATIENCE", 0.2)
    script.write_text("while True: pass", encoding="utf-8")
    assert "cannot be read in 0.2 seconds, so it is damaged" in refusal(path)
    monkeypatch.setattr(external_files, "PATIENCE", 60)
    script.write_text("import os; os.abort()", encoding="utf-8")
    assert "the reader stopped, so it is damaged" in refusal(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_the_reader_can_neither_write_nor_run_on_nor_take_all_memory():
    script = """
import resource, sys
sys.argv = ["", "{}"]
from hlt_bayes.impacts import netcdf_reader as reader
reader._limit(2**20)
used = resource.getrusage(resource.RUSAGE_SELF)
reader._allow_seconds(used.ru_utime + used.ru_stime + 1)
try:
    bytearray(3 * 2**30)
except MemoryError:
    print("memory", flush=True)
print(resource.getrlimit(resource.RLIMIT_FSIZE), flush=True)
while True: pass
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["memory", "(0, 0)"]
    assert done.returncode < 0


def test_damage_anywhere_is_an_error_of_ours(tmp_path):
    content = draws_file(tmp_path / "whole.nc").read_bytes()
    refused = 0
    for at in np.linspace(0, len(content) - 8, 6).astype(int):
        (tmp_path / "a.nc").write_bytes(content[:at] + b"\xff" * 8 + content[at + 8 :])
        try:
            assert np.isfinite(taken(tmp_path / "a.nc")).all()
        except ImpactError:
            refused += 1
    assert 0 < refused < 6


def test_an_unknown_variable_is_named_with_those_that_are_there(tmp_path):
    with pytest.raises(ImpactError, match=r"variable 'imapct' is unknown; allowed: .*did you mean 'impact'"):
        from_posterior(draws_file(tmp_path / "a.nc"), units=UNITS, variable="imapct")


def test_the_answer_of_the_reader_is_json_and_bytes(tmp_path):
    with draws_file(tmp_path / "a.nc").open("rb") as file:
        head, *arrays = netcdf_reader.answer(file, {})
    (root, posterior) = json.loads(head)["groups"]
    assert (root["name"], posterior["name"]) == ("", "posterior")
    sizes = [
        np.dtype(one["dtype"]).itemsize * int(np.prod(one["shape"]))
        for one in posterior["variables"].values()
        if "dtype" in one
    ]
    assert [len(array) for array in arrays] == sizes
