"""Draws from elsewhere, whatever they are: arrays, netCDF, tables; what is taken can be valued."""

import math
import pickle

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import answer_here
from hypothesis import example, given
from hypothesis import strategies as st
from mutations import as_csv, damaged, mutated_table
from properties import finds_out, folder, refuse_nan, result_or_error, take

import hlt_bayes as hb
from hlt_bayes.core.errors import HltBayesError, ImpactError
from hlt_bayes.impacts import external, external_files, netcdf_reader

EVIDENCE = hb.load_evidence()
PUBLISHED = hb.load_economic_spec("published")
OURS = ("chain", "draw", "outcome", "group")
OUTCOMES, GROUPS = ["employment", "earnings", "health", "wellbeing"], ["SCR IW", "SCR OOW", "WMCA"]
UNITS = {"employment": "proportion", "earnings": "GBP", "health": "SD", "wellbeing": "SD"}
SCALE = np.array([0.02, 200, 0.1, 0.1])
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e308, -1e308, 1e-320, 1.5, -2.0]
ATTRS = [
    {},
    {"unit": "SD"},
    {"unit": "{"},
    {"unit": 3},
    {"units": "days since 0000-00-00"},
    {"units": "days since 2000-01-01"},
]
ATTRS += [
    {"units": "seconds"},
    {"_FillValue": 0.0},
    {"scale_factor": 1e300},
    {"unit": '{"health": 1}'},
    {"unit": "null"},
]


@st.composite
def arrays(draw):
    """Impact draws, in which something may be otherwise than ours: dims, labels, values, types, attributes."""
    if draw(st.booleans()):
        values = draw(st.integers(0, 99).map(np.random.default_rng)).normal(size=(2, 7, 4, 3)) * SCALE[:, None]
        values[..., 0, 0] = draw(st.sampled_from([0.0, -1.0, 1.0, 1e-320, 0.5, math.nan]))
        values[..., 1, 1] = draw(st.sampled_from([0.0, 1e12, -1e12, 1e308, 1e-300, 1e200]))
        array = xr.DataArray(values, dims=OURS, coords={"outcome": OUTCOMES, "group": GROUPS})
        return array.transpose(*draw(st.permutations(OURS)))
    chains, draws = draw(st.sampled_from([1, 2, 4])), draw(st.sampled_from([0, 1, 2, 7]))
    outcomes = draw(
        st.one_of(st.just(OUTCOMES), st.lists(st.sampled_from([*OUTCOMES, "helth", "", 3, math.nan]), max_size=4))
    )
    groups = draw(
        st.one_of(st.just(GROUPS), st.lists(st.sampled_from([*GROUPS, "All SCR", "x/y", "", 7, None]), max_size=4))
    )
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    scale = SCALE[[OUTCOMES.index(name) if name in OUTCOMES else 2 for name in outcomes]] if outcomes else np.ones(0)
    values = rng.normal(size=(chains, draws, len(outcomes), len(groups))) * scale[:, None]
    if values.size and draw(st.booleans()):
        values[..., -1, -1] = draw(st.sampled_from(SPECIAL))
    kind = draw(
        st.sampled_from(["float64"] * 4 + ["float32", "int64", "object", "bool", "str", "complex128", "datetime64[ns]"])
    )
    with np.errstate(all="ignore"):
        values = (
            np.nan_to_num(values).astype("int64").astype(kind) if kind.startswith(("d", "i")) else _cast(values, kind)
        )
    coords = {"outcome": np.array(outcomes, dtype=object), "group": np.array(groups, dtype=object)}
    coords |= draw(st.sampled_from([{}, {"chain": np.zeros(chains)}, {"draw": np.full(draws, math.nan)}]))
    array = xr.DataArray(values, dims=OURS, coords=coords, attrs=draw(st.sampled_from(ATTRS)))
    match draw(
        st.sampled_from(["as it is"] * 3 + ["order", "rename", "drop", "more", "unlabelled", "scalar", "multi"])
    ):
        case "order":
            array = array.transpose(*draw(st.permutations(OURS)))
        case "rename":
            array = array.rename(group=draw(st.sampled_from(["site", "outcome "])))
        case "drop":
            array = array.isel({draw(st.sampled_from(OURS)): 0}) if array.size else array
        case "more":
            array = array.expand_dims(extra=draw(st.integers(0, 2)))
        case "unlabelled":
            array = array.drop_vars(draw(st.sampled_from(["outcome", "group"])))
        case "scalar":
            array = array.assign_coords(height=3.0)
        case "multi":
            array = array.stack(sample=("chain", "draw")) if array.size else array
    return array


def _cast(values, kind):
    return values.astype(kind) if kind != "complex128" else values + 1j


def taken_is_whole(tree):
    """Value what was taken: every number of it is there."""
    impact = hb.impact_draws(tree)
    assert impact.dims == OURS
    assert np.isfinite(impact.to_numpy()).all()
    economics = result_or_error(lambda: hb.appraise(tree, PUBLISHED, EVIDENCE, seed=1), names=["spec", "groups"])
    if economics is not None:
        refuse_nan(economics, missing=("published",))
    analysis = hb.analyse(tree, EVIDENCE, hb.load_impact_spec("primary"), PUBLISHED, seed=1)
    assert np.isfinite(analysis.impacts["mean"]).all()


def array_holds(array):
    for source in (
        array,
        array.to_dataset(name="impact"),
        xr.DataTree.from_dict({"posterior": array.to_dataset(name="impact")}),
    ):
        tree = result_or_error(lambda source=source: hb.from_posterior(source, units=UNITS))
        result_or_error(lambda source=source: hb.impact_draws(source) if not isinstance(source, xr.Dataset) else None)
    if tree is not None:
        hb.impact_draws(tree)
        result_or_error(lambda: taken_is_whole(tree))


@take("draws")
@given(arrays())
def test_draws_are_taken_or_refused(array):
    array_holds(array)


def test_draws_that_are_not_checked_are_found_out(monkeypatch):
    monkeypatch.setattr(external, "impact_draws", lambda array: array)
    finds_out(arrays(), array_holds, "draws")


@pytest.fixture(scope="module")
def netcdf(tmp_path_factory):
    """A netCDF file of draws."""
    path = tmp_path_factory.mktemp("draws") / "posterior.nc"
    values = np.random.default_rng(1).normal(size=(2, 5, 4, 3)) * SCALE[:, None]
    array = xr.DataArray(values, dims=OURS, coords={"outcome": OUTCOMES, "group": GROUPS}, name="impact")
    xr.DataTree.from_dict({"posterior": array.to_dataset()}).to_netcdf(path, engine="h5netcdf")
    return path


def netcdf_holds(whole, damage):
    content = whole.read_bytes()
    start, stop, put = damage
    at = int(start * len(content))
    content = content[:at] + put + content[at + stop :]
    with folder() as place:
        path = place / "thrown.nc"
        path.write_bytes(content)
        tree = result_or_error(lambda: hb.from_posterior(path, units=UNITS), inside=place)
        if tree is not None:
            assert np.isfinite(tree["posterior"]["impact"].to_numpy()).all()


damages = st.tuples(st.floats(0, 1), st.sampled_from([0, 1, 2, 8, 10**6]), st.binary(max_size=8))


@take("netCDF")
@given(damage=damages)
def test_a_damaged_file_is_read_or_refused(netcdf, damage):
    netcdf_holds(netcdf, damage)


def test_a_damaged_file_that_is_not_refused_is_found_out(monkeypatch, netcdf):
    monkeypatch.setattr(external_files, "_answer", answer_here)
    trusting = lambda file, request: netcdf_reader._found(netcdf_reader.read(file, **request))  # noqa: E731
    monkeypatch.setattr(netcdf_reader, "answer", trusting)
    finds_out(damages, lambda damage: netcdf_holds(netcdf, damage), "netCDF")


@pytest.mark.parametrize("attrs", ATTRS)
def test_attributes_of_a_file_do_no_harm(tmp_path, attrs):
    values = np.random.default_rng(1).normal(size=(2, 5, 4, 3)) * SCALE[:, None]
    with h5py.File(tmp_path / "thrown.nc", "w") as file:
        file["posterior/impact"] = values
        for place, (dim, labels) in enumerate(
            {"chain": [0, 1], "draw": range(5), "outcome": OUTCOMES, "group": GROUPS}.items()
        ):
            file[f"posterior/{dim}"] = list(labels)
            file[f"posterior/{dim}"].make_scale(dim)
            file["posterior/impact"].dims[place].attach_scale(file[f"posterior/{dim}"])
        file["posterior/impact"].attrs.update(attrs)
    tree = result_or_error(
        lambda: hb.from_posterior(tmp_path / "thrown.nc", units=UNITS), names=["thrown.nc", "impact", "array"]
    )
    if tree is not None:
        assert np.isfinite(tree["posterior"]["impact"].to_numpy()).all()


class Touch:
    """What would leave a file behind were it unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_is_not_loaded(tmp_path):
    mark, content = tmp_path / "mark", pickle.dumps(Touch(tmp_path / "mark"))
    for name in ("thrown.nc", "thrown.csv", "thrown.parquet", "thrown.toml"):
        (tmp_path / name).write_bytes(content)
    with h5py.File(tmp_path / "object.nc", "w") as file:
        file["posterior/impact"] = np.void(content)
    for work in (
        lambda: hb.from_posterior(tmp_path / "thrown.nc", units=UNITS),
        lambda: hb.from_posterior(tmp_path / "object.nc", units=UNITS),
        lambda: hb.from_posterior(tmp_path / "thrown.csv", units=UNITS, columns={"a": ("health", "WMCA")}),
        lambda: hb.load_evidence(tmp_path / "thrown.csv"),
        lambda: hb.load_records(tmp_path / "thrown.parquet"),
        lambda: hb.load_impact_spec(tmp_path / "thrown.toml"),
    ):
        with pytest.raises(HltBayesError):
            work()
    assert not mark.exists()


COLUMNS = {"b[1]": ("health", "SCR IW"), "b[2]": ("health", "SCR OOW"), "b[3]": ("health", "WMCA")}
NUMBERS = [[f"{0.01 * i:.3f}" for i in range(row, row + 3)] for row in range(8)]
TABLES = [
    [["b[1]", "b[2]", "b[3]"], *NUMBERS],
    [
        [".chain", ".iteration", ".draw", *COLUMNS],
        *([str(1 + i // 4), str(i % 4), str(i), *row] for i, row in enumerate(NUMBERS)),
    ],
    [["# save_warmup = 0"], ["lp__", *COLUMNS], *(["-1", *row] for row in NUMBERS)],
]
tables = damaged(mutated_table(TABLES).map(as_csv))


def table_holds(content):
    with folder() as place:
        path = place / "thrown.csv"
        path.write_bytes(content)
        for source in (path, [path, path]):
            tree = result_or_error(
                lambda source=source: hb.from_posterior(source, units=UNITS, columns=COLUMNS),
                names=["thrown.csv", "column", "chain", "draws", "impact"],
                inside=place,
            )
            if tree is not None:
                assert np.isfinite(tree["posterior"]["impact"].to_numpy()).all()


@take("draws in columns")
@given(tables)
@example(b"b[1],b[2],b[3]\n1,2,3\n1,2,3,4\n")
def test_a_table_of_draws_is_read_or_refused(content):
    table_holds(content)


def test_a_table_that_is_not_checked_is_found_out(monkeypatch):
    monkeypatch.setattr(pd.api.types, "is_numeric_dtype", lambda _: True)
    finds_out(tables, table_holds, "draws in columns")


@pytest.mark.parametrize("path", ["a\x00.nc", "\ud800.nc", "/"])
def test_a_path_that_cannot_be_one_is_refused(path):
    with pytest.raises(ImpactError, match="cannot be read"):
        hb.from_posterior(path, units=UNITS)
    with pytest.raises(ImpactError, match="cannot be read"):
        hb.from_posterior(path, units=UNITS, columns=COLUMNS)


def whole(kind=float, draws=3):
    values = np.full((1, draws, 4, 3), 0.5).astype(kind)
    return xr.DataArray(values, dims=OURS, coords={"outcome": OUTCOMES, "group": GROUPS})


@pytest.mark.parametrize("kind", ["complex128", "bool", "str", "datetime64[ns]"])
def test_draws_that_are_no_numbers_are_refused(kind):
    array = whole(int if kind.startswith("d") else float).astype(kind)
    with pytest.raises(ImpactError, match="holds values that are not numbers"):
        hb.from_posterior(array, units=UNITS)


def test_a_single_draw_has_no_summary():
    tree = hb.from_posterior(whole(draws=1), units=UNITS)
    with pytest.raises(ImpactError, match="1 draw given; a mean with its SD and intervals needs 2 or more"):
        hb.analyse(tree, EVIDENCE, hb.load_impact_spec("primary"), PUBLISHED, seed=1)


@pytest.mark.parametrize("label", [7, None, math.nan])
def test_a_label_that_is_no_text_is_refused(label):
    array = whole().assign_coords(group=np.array(["SCR IW", "SCR OOW", label], dtype=object))
    with pytest.raises(ImpactError, match="along 'group'; a label must be text"):
        hb.from_posterior(array, units=UNITS)


def test_an_impact_beyond_all_is_refused():
    array = whole()
    array[0, 0, 1, 1] = 1e308
    with pytest.raises(ImpactError, match=r"impact reaches 1e\+308; at most 1e\+09 in absolute value"):
        hb.from_posterior(array, units=UNITS)
