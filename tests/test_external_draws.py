"""Posteriors made elsewhere become the same draws, whatever they came in, or are refused with what is allowed."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hlt_bayes.analysis import analyse
from hlt_bayes.core.errors import ImpactError
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.economics import appraise
from hlt_bayes.impacts.external import from_posterior

OURS = {"employment": "proportion", "earnings": "GBP in the 12 months", "health": "SD", "wellbeing": "SD"}
PRINTED = {"employment": "ppt", "earnings": "GBP", "health": "SD", "wellbeing": "SD"}
RESPONSES = {"employment": "work13", "earnings": "paye", "health": "eq5d", "wellbeing": "swemwbs"}
ARMS = {"SCR IW": "scr_iw", "SCR OOW": "scr_oow", "WMCA": "wm"}
COLUMNS = {
    f"b_{response}_treat:{arm}": (outcome, group)
    for outcome, response in RESPONSES.items()
    for group, arm in ARMS.items()
}
EMPLOYMENT = {"b": ("employment", "WMCA")}
FEW = 20
"""Draws of a chain where what matters is the form."""


@pytest.fixture(scope="module")
def impact(drawn):
    return drawn["posterior"]["impact"]


@pytest.fixture(scope="module")
def few(impact):
    return impact.isel(draw=slice(FEW))


def in_ppt(impact):
    return impact * xr.DataArray([100.0, 1.0, 1.0, 1.0], coords={"outcome": list(OUTCOMES)})


def theirs(array):
    """As a posterior of Bambi looks: names of its own, dims in another order, and other variables."""
    array = array.transpose("group", "chain", "outcome", "draw")
    array = array.assign_coords(outcome=list(RESPONSES.values()), group=list(ARMS.values()))
    array = array.assign_coords(site=("group", ["S", "S", "W"]))
    array = array.rename(group="treat:arm_dim", outcome="response").isel({"response": [3, 1, 0, 2]})
    return xr.Dataset({"sigma": array.isel({"treat:arm_dim": 0, "response": 0}, drop=True), "treat:arm": array})


THEIR_NAMES = {
    "variable": "treat:arm",
    "dims": {"outcome": "response", "group": "treat:arm_dim"},
    "outcomes": RESPONSES,
    "groups": ARMS,
}


def in_columns(impact):
    """As R's posterior writes draws: a row a draw, its chain and number beside it; employment in ppt."""
    array = in_ppt(impact)
    chain, draw = (axis.ravel() for axis in np.indices((impact.sizes["chain"], impact.sizes["draw"])))
    values = {
        name: array.sel(outcome=outcome, group=group).to_numpy().ravel() for name, (outcome, group) in COLUMNS.items()
    }
    number = {".chain": chain + 1, ".iteration": draw + 1, ".draw": np.arange(chain.size) + 1}
    return pd.DataFrame({"lp__": -1.0, **values, **number})


def cmdstan(impact, folder):
    """CSV files as CmdStan writes them, one a chain; the array of Stan is ``impact[outcome, group]``."""
    names = [f"impact.{i}.{j}" for i in range(1, 5) for j in range(1, 4)]
    paths = []
    for number, chain in enumerate(in_ppt(impact).transpose("chain", "draw", "outcome", "group").to_numpy(), start=1):
        lines = ["# stan_version_major = 2", "# model = hlt_model", "#     num_warmup = 1000 (Default)"]
        lines += ["#     save_warmup = false (Default)", f"# id = {number}"]
        lines += [",".join(["lp__", "accept_stat__", *names])]
        lines += [
            "# Adaptation terminated",
            "# Step size = 0.8",
            "# Diagonal elements of inverse mass matrix:",
            "# 1, 1",
        ]
        lines += [",".join(map(repr, [-7.1, 0.9, *map(float, draw.ravel())])) for draw in chain]
        lines += ["# ", "#  Elapsed Time: 0.05 seconds (Warm-up)", "#                0.04 seconds (Sampling)", "# "]
        paths.append(folder / f"hlt-{number}.csv")
        paths[-1].write_text("\n".join(lines) + "\n", encoding="utf-8")
    columns = dict(zip(names, [(outcome, group) for outcome in OUTCOMES for group in GROUPS], strict=True))
    return paths, columns


def taken(*arguments, **options):
    return from_posterior(*arguments, **options)["posterior"]["impact"]


def same(found, expected):
    """Whether the draws are the same, draw for draw; dims and labels in any order, by name."""
    found = found.transpose("chain", "draw", "outcome", "group")
    assert set(found["outcome"].to_numpy()) == set(expected["outcome"].to_numpy())
    assert set(found["group"].to_numpy()) == set(expected["group"].to_numpy())
    found = found.sel(outcome=expected["outcome"], group=expected["group"])
    return found.shape == expected.shape and np.allclose(found, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda array: array,
        lambda array: array.to_dataset(name="impact"),
        lambda array: xr.DataTree.from_dict({"posterior": array.to_dataset(name="impact")}),
        lambda array: xr.DataTree(array.to_dataset(name="impact")),
        lambda array: xr.DataTree.from_dict(
            {"posterior": array.to_dataset(name="impact"), "prior": (array + 1).to_dataset(name="impact")}
        ),
    ],
    ids=["DataArray", "Dataset", "DataTree", "DataTree without groups", "DataTree with a prior"],
)
def test_an_array_with_our_names_is_taken_as_it_is(few, wrap):
    assert same(taken(wrap(few), units=OURS), few)
    assert same(taken(wrap(in_ppt(few)), units=PRINTED), few)


def test_a_unit_is_what_is_said_not_what_is_guessed(few):
    """Proportions said to be ppt are divided, ppt said to be proportions are not: neither is the same."""
    assert not same(taken(few, units=PRINTED), few)
    np.testing.assert_allclose(taken(few, units=PRINTED).sel(outcome="employment") * 100, few.sel(outcome="employment"))
    small = few / 1000
    assert not same(taken(in_ppt(small), units=OURS), small)
    with pytest.raises(ImpactError, match="'employment' exceeds 1"):
        from_posterior(in_ppt(few), units=OURS)


@pytest.mark.parametrize(
    "wrap",
    [lambda found: found, lambda found: xr.DataTree.from_dict({"posterior": found})],
    ids=["Dataset", "DataTree"],
)
def test_names_and_dims_of_others_become_ours(few, wrap):
    found = taken(wrap(theirs(in_ppt(few))), units=PRINTED, **THEIR_NAMES)
    assert same(found, few)
    assert list(found["outcome"].to_numpy()) == list(OUTCOMES)
    assert list(found["group"].to_numpy()) == list(GROUPS)
    assert set(found.coords) == {"chain", "draw", "outcome", "group"}
    swapped = {"SCR IW": "wm", "SCR OOW": "scr_oow", "WMCA": "scr_iw"}
    assert not same(taken(wrap(theirs(in_ppt(few))), units=PRINTED, **(THEIR_NAMES | {"groups": swapped})), few)


def test_dims_come_in_the_order_of_ours(few):
    assert taken(theirs(in_ppt(few)), units=PRINTED, **THEIR_NAMES).dims == ("chain", "draw", "outcome", "group")


def test_chains_and_draws_may_have_other_names(few):
    named = few.rename(chain="kette", draw="zug")
    assert same(taken(named, units=OURS, dims={"chain": "kette", "draw": "zug"}), few)


def test_dims_that_are_swapped_are_swapped_back(few):
    swapped = few.rename(outcome="group", group="outcome")
    assert same(taken(swapped, units=OURS, dims={"outcome": "group", "group": "outcome"}), few)


def test_only_what_is_named_is_taken(few):
    found = taken(few, units=OURS, outcomes={"health": "health"}, groups={"WMCA": "WMCA", "SCR IW": "SCR IW"})
    assert same(found, few.sel(outcome=["health"], group=["SCR IW", "WMCA"]))


def test_a_model_of_one_outcome_gets_its_dim(few):
    alone = few.sel(outcome="employment", drop=True)
    with pytest.raises(
        ImpactError, match=r"lacks outcome: map other names in dims, or add a missing dim with expand_dims"
    ):
        from_posterior(alone, units=OURS)
    found = taken(alone.expand_dims(outcome=["employment"]), units={"employment": "proportion"})
    assert same(found, few.sel(outcome=["employment"]))


@pytest.mark.parametrize("group", ["posterior", None])
def test_a_netcdf_file_is_read(few, tmp_path, group):
    path = tmp_path / "theirs.nc"
    theirs(in_ppt(few)).to_netcdf(path, engine="h5netcdf", group=group)
    for source in (path, str(path)):
        assert same(taken(source, units=PRINTED, **THEIR_NAMES), few)


@pytest.mark.parametrize("unit", ["ppt", "percentage points", json.dumps({"employment": "ppt"})])
def test_a_unit_that_the_source_bears_does_not_stand_against_the_unit_it_is_in(few, unit):
    """Draws said to be in ppt are taken, though ours never are."""
    assert same(taken(in_ppt(few).assign_attrs(unit=unit), units=PRINTED), few)


def test_a_fit_of_ours_says_its_units_and_is_taken(few):
    said = few.assign_attrs(unit=json.dumps({name: outcome.unit for name, outcome in OUTCOMES.items()}))
    assert same(taken(said, units=OURS), few)


def test_columns_of_a_table_are_draws(few):
    table = in_columns(few)
    found = taken(table, units=PRINTED, columns=COLUMNS)
    assert same(found, few)
    swapped = {
        name: (outcome, {"WMCA": "SCR IW", "SCR IW": "WMCA"}.get(g, g)) for name, (outcome, g) in COLUMNS.items()
    }
    assert not same(taken(table, units=PRINTED, columns=swapped), few)


def test_a_table_may_hold_its_chains_in_turns(few):
    """Rows of chains interleaved; draws of a chain in their order."""
    table = in_columns(few)
    for by in ([".iteration", ".chain"], [".iteration"], [".chain", ".iteration"]):
        assert same(taken(table.sort_values(by, kind="stable"), units=PRINTED, columns=COLUMNS), few)
    # Taken as one chain, they would be other draws.
    assert not same(taken(table.drop(columns=".chain"), units=PRINTED, columns=COLUMNS), few)


@pytest.mark.parametrize("number", [".iteration", ".draw"])
def test_a_table_in_any_order_is_put_in_that_of_its_draws(few, number):
    """Rows sorted by a value would otherwise pass for chains that were sampled in that order, and be judged as such."""
    shuffled = in_columns(few).sample(frac=1.0, random_state=3)
    dropped = shuffled.drop(columns={".iteration": ".draw", ".draw": ".iteration"}[number])
    assert same(taken(dropped, units=PRINTED, columns=COLUMNS), few)


def test_a_table_without_chains_is_one_chain(few):
    table = in_columns(few.isel(chain=[2])).drop(columns=[".chain", ".iteration", ".draw"])
    assert same(taken(table, units=PRINTED, columns=COLUMNS), few.isel(chain=[2]))


def test_a_table_of_r_is_read(few, tmp_path):
    """With row names and quotes, as write.csv leaves them."""
    path = tmp_path / "draws.csv"
    table = in_columns(few)
    table.to_csv(path, quoting=2, index=True, index_label="")
    for source in (path, str(path), [path]):
        assert same(taken(source, units=PRINTED, columns=COLUMNS), few)


def test_files_of_cmdstan_are_chains(few, tmp_path):
    paths, columns = cmdstan(few, tmp_path)
    assert len(paths) == 4
    assert same(taken(paths, units=PRINTED, columns=columns), few)
    assert same(taken([str(path) for path in paths], units=PRINTED, columns=columns), few)
    assert same(taken(tuple(paths), units=PRINTED, columns=columns), few)
    assert same(taken(paths[1], units=PRINTED, columns=columns), few.isel(chain=[1]))
    assert not same(taken(paths[::-1], units=PRINTED, columns=columns), few)


def test_draws_of_the_warm_up_are_refused(few, tmp_path):
    """CmdStan writes them before its line on adaptation, where it was told to save them."""
    paths, columns = cmdstan(few, tmp_path)
    for path in paths:
        lines = (
            path.read_text(encoding="utf-8").replace("save_warmup = false (Default)", "save_warmup = true").split("\n")
        )
        header = next(number for number, line in enumerate(lines) if line.startswith("lp__"))
        warm_up = ",".join(["-9.0", "0.1", *["0.5"] * 12])
        path.write_text("\n".join([*lines[: header + 1], warm_up, warm_up, *lines[header + 1 :]]), encoding="utf-8")
    with pytest.raises(ImpactError, match="warm"):
        from_posterior(paths, units=PRINTED, columns=columns)


def table_of(**columns):
    return pd.DataFrame({name.replace("dot", "."): values for name, values in columns.items()})


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda a: a.to_dataset(name="impacts"), {}, "variable 'impact' is unknown; allowed: 'impacts'"),
        (lambda a: a, {"dims": {"group": "grp"}}, "dims, 'group': 'grp' is unknown; allowed: 'chain', 'draw', 'outc"),
        (
            lambda a: a.rename(group="arm"),
            {},
            "dims chain, draw, outcome, arm and lacks group: map other names in dims",
        ),
        (lambda a: a.isel(chain=0, group=0), {}, "lacks chain, group"),
        (lambda a: a.expand_dims(place=["York"]), {}, r"place.*it must have"),
        (lambda a: a, {"outcomes": {"health": "eq5d"}}, "outcomes, 'health': outcome 'eq5d' is unknown; allowed: 'em"),
        (lambda a: a, {"groups": {"WMCA": "wmca"}}, "groups, 'WMCA': group 'wmca' is unknown; allowed: 'SCR IW', 'S"),
        (lambda a: a, {"units": OURS | {"employment": "%"}}, r"employment'.*'%' is unknown; allowed: 'proportion', 'p"),
        (lambda a: a, {"units": OURS | {"earnings": "USD"}}, "'USD' is unknown; allowed: 'GBP in the 12 months', 'GB"),
        (lambda a: a, {"units": OURS | {"health": "QALY"}}, "'QALY' is unknown; allowed: 'SD of EQ-5D-5L', 'SD'"),
        (
            lambda a: a,
            {"units": {"employment": "ppt"}},
            r"none given for outcome .*earnings'.*'GBP in the 12 months' or 'G",
        ),
        (lambda a: a.where(a["draw"] != 3), {}, "not finite numbers"),
        (lambda a: a.drop_vars("group"), {}, "no labels along 'group'"),
        (lambda a: a, {"columns": COLUMNS}, "the source is an array: use outcomes, groups and dims"),
        (lambda a: a.to_dataset(name="impact"), {"columns": COLUMNS}, "the source is an array"),
        (lambda a: in_columns(a), {}, "a DataFrame given: for a table of draws, give the outcome and group"),
        (lambda _: ["a.csv"], {}, "a list given: for a table of draws, give the outcome and group"),
    ],
)
def test_an_array_that_cannot_be_taken_is_refused_with_what_is_allowed(few, change, options, message):
    with pytest.raises(ImpactError, match=message):
        from_posterior(change(few), **({"units": OURS} | options))


@pytest.mark.parametrize("units", [OURS, OURS | {"work13": "ppt", "eq5d": "SD"}], ids=["no unit of it", "a unit of it"])
def test_an_unknown_outcome_is_refused_with_those_allowed(few, units):
    """Whether or not a unit is given for it: what is wrong is the name."""
    allowed = r"is unknown; allowed: 'employment', 'earnings', 'health', 'wellbeing'"
    named = few.assign_coords(outcome=["work13", "earnings", "eq5d", "wellbeing"])
    with pytest.raises(ImpactError, match=f"'work13'.*{allowed}"):
        from_posterior(named, units=units)
    with pytest.raises(ImpactError, match=f"'work13'.*{allowed}"):
        from_posterior(few, units=units, outcomes={"work13": "employment"})
    with pytest.raises(ImpactError, match=f"'work13'.*{allowed}"):
        from_posterior(pd.DataFrame({"b": [0.1, 0.2]}), units=units, columns={"b": ("work13", "WMCA")})


def test_outcomes_without_labels_are_refused_with_what_to_do(few):
    with pytest.raises(ImpactError, match=r"no labels along 'outcome'|'employment', 'earnings', 'health', 'wellbeing'"):
        from_posterior(few.drop_vars("outcome"), units=OURS)


@pytest.mark.parametrize("units", [{}, OURS | {"employment": "%"}])
def test_a_name_is_shown_as_it_is_written(few, units):
    """Not as NumPy shows it."""
    with pytest.raises(ImpactError, match="'employment'") as found:
        from_posterior(few, units=units)
    assert "np." not in str(found.value)


def test_a_tree_without_a_posterior_is_refused_with_the_groups_it_has(few):
    tree = xr.DataTree.from_dict({"prior": few.to_dataset(name="impact"), "sample_stats": xr.Dataset({"lp": 0.0})})
    with pytest.raises(ImpactError, match=r"posterior.*prior"):
        from_posterior(tree, units=OURS)


def test_a_dim_may_not_take_the_name_of_another(few):
    with pytest.raises(ImpactError, match="group"):
        from_posterior(few.rename(group="arm").expand_dims(group=["x"]), units=OURS, dims={"group": "arm"})


@pytest.mark.parametrize("name", ["sample", "draw_of_chain"])
def test_chains_and_draws_in_one_dim_are_split(few, name):
    stacked = few.stack({name: ("chain", "draw")})
    assert same(taken(stacked, units=OURS), few)
    shuffled = stacked.isel({name: np.random.default_rng(1).permutation(stacked.sizes[name])})
    assert same(taken(shuffled, units=OURS), few)


def test_chains_in_one_dim_that_are_not_equally_long_are_refused(few):
    stacked = few.stack(sample=("chain", "draw"))
    with pytest.raises(ImpactError, match="'sample' lacks some combinations of chain and draw: all chains must have"):
        taken(stacked.isel(sample=slice(3, None)), units=OURS)
    with pytest.raises(ImpactError, match="'sample' has the same labels twice; each chain and draw must occur once"):
        taken(stacked.isel(sample=[0, 0, 1]), units=OURS)


def test_a_coordinate_with_the_name_of_a_dim_of_ours_is_its_labels_or_dropped(few):
    labels = few["group"].to_numpy()
    bare = few.rename(group="site").drop_vars("site")
    assert same(taken(bare.assign_coords(group=("site", labels)), units=OURS, dims={"group": "site"}), few)
    assert same(taken(few.rename(group="site").assign_coords(group=3.0), units=OURS, dims={"group": "site"}), few)
    both = few.rename(group="site").assign_coords(group=("site", list("abc")))
    with pytest.raises(ImpactError, match="'site' has labels of its own and a coordinate 'group'; drop one"):
        taken(both, units=OURS, dims={"group": "site"})


def test_a_coordinate_of_that_name_along_another_dim_is_refused(few):
    astray = few.drop_vars("outcome").assign_coords(outcome=("chain", list(OUTCOMES)[: few.sizes["chain"]]))
    with pytest.raises(ImpactError, match=r"the coordinate 'outcome' labels \('chain',\), not the dim 'outcome'"):
        from_posterior(astray.to_dataset(name="impact"), units=OURS)


@pytest.mark.parametrize("header", ['"a","b"', "a,b", "a,b,c,d"])
def test_a_line_with_more_or_fewer_fields_than_the_header_is_refused(tmp_path, header):
    """R's write.table has no field for row names in the header: its numbers would be read as impacts."""
    path = tmp_path / "draws.csv"
    path.write_text(f'# made by R, 4.5\n{header}\n"1",0.1,0.3\n"2",0.2,0.4\n', encoding="utf-8")
    columns = {"a": ("health", "A"), "b": ("health", "B")}
    with pytest.raises(ImpactError, match=r"line 3 has 3 fields, the header \d; .*write\.csv\(draws, row\.names"):
        from_posterior(path, units={"health": "SD"}, columns=columns)
    path.write_text('# made by R, 4.5\n"","a","b"\n"1",0.1,0.3 # warm\n\n"2, b",0.2,0.4\n', encoding="utf-8")
    found = taken(path, units={"health": "SD"}, columns=columns)
    np.testing.assert_array_equal(found.squeeze(), [[0.1, 0.3], [0.2, 0.4]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('"7",0.9,0.8#', r"line 2 has 3 fields, the header 2"),
        ('"0.1"5,0.2', r"cannot be read as CSV"),
        ('"0.1,0.2', r"cannot be read as CSV"),
        ("True,0.2", r"column 'a' holds True or False; draws must be numbers"),
        ("0.1,0.2\n" + "#\n" * 100_001, r"more than 100,000 comments and empty lines"),
        ("\n" * 100_001 + "0.1,0.2", r"more than 100,000 comments and empty lines"),
    ],
)
def test_rows_that_readers_take_differently_are_refused(tmp_path, rows, message):
    path = tmp_path / "draws.csv"
    path.write_text(f"a,b\n{rows}\n", encoding="utf-8")
    columns = {"a": ("health", "A"), "b": ("health", "B")}
    with pytest.raises(ImpactError, match=message):
        from_posterior(path, units={"health": "SD"}, columns=columns)


def test_labels_in_bytes_are_decoded(few):
    padded = np.array([name.ljust(12).encode() for name in few["group"].to_numpy()], dtype=object)
    assert same(taken(few.assign_coords(group=padded), units=OURS), few)


@pytest.mark.parametrize("label", ["A\x1b[31m", "A\u202e", "NA", "1e5"])
def test_a_label_that_does_not_print_or_come_back_is_refused(few, label):
    with pytest.raises(ImpactError, match="impact, label along 'group': "):
        taken(few.assign_coords(group=["SCR IW", "SCR OOW", label]), units=OURS)


def test_a_label_has_one_spelling(few):
    (name,) = set(taken(few.isel(group=[0]).assign_coords(group=["Zu\u0308rich"]), units=OURS)["group"].to_numpy())
    assert name == "Zürich"


def test_an_array_of_words_is_refused(few):
    with pytest.raises(ImpactError, match="number"):
        from_posterior(few.astype(str).where(few > 0, "none"), units=OURS)


@pytest.mark.parametrize(
    "change", [lambda a: a.isel(draw=slice(0)), lambda a: a.isel(chain=slice(0))], ids=["draw", "chain"]
)
def test_no_draws_are_refused(few, change):
    with pytest.raises(ImpactError, match="draws"):
        from_posterior(change(few), units=OURS)


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (table_of(c=[0.1, 0.2]), EMPLOYMENT, r"columns: 'b' is unknown; allowed: 'c'"),
        (table_of(b=[0.1, np.nan]), EMPLOYMENT, "not finite numbers"),
        (table_of(b=[0.1, np.inf]), EMPLOYMENT, "not finite numbers"),
        (table_of(b=[10.1, 20.0]), EMPLOYMENT, "'employment' exceeds 1: it must be a proportion"),
        (table_of(b=[0.1, 0.2, 0.3], dotchain=[1, 1, 2]), EMPLOYMENT, "chains of unequal length: 2, 1 draws"),
        (table_of(b=[0.1, 0.2, 0.3], dotchain=[1, 2, np.nan]), EMPLOYMENT, r"\.chain"),
        (table_of(b=["0,1", "0,2"]), EMPLOYMENT, r"'b'.*number"),
        (table_of(b=[]), EMPLOYMENT, "the table has no rows"),
        (table_of(b=[], dotchain=[]), EMPLOYMENT, "the table has no rows"),
        (table_of(b=[0.1, 0.2]), {}, "columns"),
        (pd.DataFrame([[0.1, 0.2]], columns=["b", "b"]), EMPLOYMENT, r"'b'.*more than once"),
        (
            table_of(b=[0.1], c=[0.2]),
            {"b": ("employment", "WMCA"), "c": ("employment", "WMCA")},
            "columns: 2 given for employment of WMCA; each outcome of each group needs exactly one",
        ),
        (
            table_of(b=[0.1], c=[0.2]),
            {"b": ("employment", "WMCA"), "c": ("health", "SCR IW")},
            "columns: 0 given for employment of SCR IW; each outcome of each group needs exactly one",
        ),
    ],
    ids=[
        "a missing column",
        "not a number",
        "infinite",
        "ppt as proportions",
        "unequal chains",
        "rows of no chain",
        "decimal commas",
        "no rows",
        "no rows of any chain",
        "no columns",
        "a column twice",
        "a cell twice",
        "a cell missing",
    ],
)
def test_a_table_that_cannot_be_taken_is_refused(table, columns, message):
    with pytest.raises(ImpactError, match=message):
        from_posterior(table, units=OURS, columns=columns)


def test_files_that_cannot_be_read_are_refused_by_name(few, tmp_path):
    csv, netcdf, absent = tmp_path / "draws.csv", tmp_path / "draws.nc", tmp_path / "absent.csv"
    in_columns(few).to_csv(csv, index=False)
    few.to_dataset(name="impact").to_netcdf(netcdf, engine="h5netcdf")
    with pytest.raises(ImpactError, match=r"draws\.csv: cannot be read as netCDF.*for a CSV file, give columns"):
        from_posterior(csv, units=PRINTED)
    with pytest.raises(ImpactError, match=r"draws\.nc: cannot be read as CSV"):
        from_posterior(netcdf, units=OURS, columns=COLUMNS)
    with pytest.raises(ImpactError, match=r"absent\.csv: cannot be read \(No such file"):
        from_posterior([csv, absent], units=PRINTED, columns=COLUMNS)
    with pytest.raises(ImpactError, match=r"absent\.csv: cannot be read \(No such file"):
        from_posterior(absent, units=OURS)


def test_files_of_chains_must_be_some_and_equally_long(few, tmp_path):
    paths, columns = cmdstan(few, tmp_path)
    short = paths[1].read_text(encoding="utf-8").split("\n")
    paths[1].write_text("\n".join(short[:-6]), encoding="utf-8")
    with pytest.raises(ImpactError, match=r"chains of unequal length: 20, 19, 20, 20 draws"):
        from_posterior(paths, units=PRINTED, columns=columns)
    with pytest.raises(ImpactError, match=r"no .*file"):
        from_posterior([], units=PRINTED, columns=columns)


def test_one_file_a_chain_is_a_chain_even_where_each_calls_itself_the_first(few, tmp_path):
    """As R writes the draws of four fits of one chain each."""
    paths = []
    for chain in range(4):
        paths.append(tmp_path / f"{chain}.csv")
        in_columns(few.isel(chain=[chain])).to_csv(paths[-1], index=False)
    assert same(taken(paths, units=PRINTED, columns=COLUMNS), few)


@pytest.fixture(scope="module")
def ways(impact, tmp_path_factory):
    """The same draws in many forms: from_posterior's arguments by name."""
    folder = tmp_path_factory.mktemp("elsewhere")
    theirs(in_ppt(impact)).to_netcdf(folder / "theirs.nc", engine="h5netcdf", group="posterior")
    paths, stan = cmdstan(impact, folder)
    return {
        "netcdf": ((folder / "theirs.nc",), {"units": PRINTED, **THEIR_NAMES}),
        "table": ((in_columns(impact),), {"units": PRINTED, "columns": dict(reversed(COLUMNS.items()))}),
        "cmdstan": ((paths,), {"units": PRINTED, "columns": stan}),
    }


@pytest.fixture(scope="module")
def returns(drawn, evidence, published):
    return appraise(drawn, published, evidence, seed=1)["benefit_cost_ratio"]


@pytest.mark.parametrize("way", ["netcdf", "table", "cmdstan"])
def test_returns_are_those_of_the_same_draws_in_our_own_form(way, ways, returns, evidence, published):
    arguments, options = ways[way]
    found = appraise(from_posterior(*arguments, **options), published, evidence, seed=1)["benefit_cost_ratio"]
    xr.testing.assert_allclose(found, returns, rtol=1e-10)
    # Draw for draw: of other draws of the same posterior they are not the same.
    assert not np.allclose(found.isel(draw=slice(None, None, -1)), returns, rtol=1e-3)


def test_units_and_groups_mistaken_give_other_returns(impact, returns, evidence, published):
    """The sabotaged twins."""
    divided = appraise(from_posterior(impact, units=PRINTED), published, evidence, seed=1)["benefit_cost_ratio"]
    small = appraise(from_posterior(in_ppt(impact / 1000), units=OURS), published, evidence, seed=1)[
        "benefit_cost_ratio"
    ]
    ours = appraise(impact / 1000, published, evidence, seed=1)["benefit_cost_ratio"]
    swapped = {"SCR IW": "WMCA", "SCR OOW": "SCR OOW", "WMCA": "SCR IW"}
    other = appraise(from_posterior(impact, units=OURS, groups=swapped), published, evidence, seed=1)[
        "benefit_cost_ratio"
    ]
    by_employment = returns["perspective"] == "financial"
    assert by_employment.any()
    np.testing.assert_allclose(divided.where(by_employment) * 100, returns.where(by_employment))
    np.testing.assert_allclose(small.where(by_employment) / 100, ours.where(by_employment))
    for wrong, right in ((divided, returns), (small, ours), (other, returns)):
        assert not np.allclose(wrong, right, rtol=1e-3)
    unmoved = other.sel(group="SCR OOW")
    xr.testing.assert_allclose(unmoved, returns.sel(group="SCR OOW"))


def test_an_analysis_is_that_of_the_same_draws_in_our_own_form(impact, analysis, evidence, primary, published):
    found = analyse(from_posterior(theirs(impact), units=OURS, **THEIR_NAMES), evidence, primary, published, seed=1)
    for name in ("impacts", "estimands", "returns", "comparison"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(analysis, name), rtol=1e-9)
    xr.testing.assert_allclose(found.draws["economics"].dataset, analysis.draws["economics"].dataset, rtol=1e-10)
    # R-hat and ESS are of ranks, of which the last digit of a draw may move one by one.
    one_rank = 1 / (impact.sizes["chain"] * impact.sizes["draw"])
    pd.testing.assert_frame_equal(found.diagnostics, analysis.diagnostics, rtol=one_rank)


def test_draws_that_bear_their_units_are_not_taken_in_others(drawn):
    impact = drawn["posterior"]["impact"].copy()
    impact.attrs["unit"] = json.dumps({name: outcome.unit for name, outcome in OUTCOMES.items()})
    units = {"employment": "ppt", "earnings": "GBP", "health": "SD", "wellbeing": "SD"}
    with pytest.raises(
        ImpactError, match="'employment': 'ppt' given, but the array's attribute 'unit' says 'proportion'"
    ):
        from_posterior(impact, units=units)
    assert from_posterior(impact, units=units | {"employment": "proportion"})["posterior"]["impact"].equals(impact)
