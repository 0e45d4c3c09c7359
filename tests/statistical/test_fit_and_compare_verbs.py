"""The verbs fit and compare on real draws, and JSON of the verbs that draw."""

import json
from functools import partial

import helpers
import numpy as np
import pytest
import xarray as xr
from test_cli_output import same

from hlt_bayes.analysis import analyse
from hlt_bayes.cli.output import Output
from hlt_bayes.impacts.external import from_posterior
from hlt_bayes.inference.fit import fit
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_impact_spec

UNITS = {"employment": "proportion", "earnings": "GBP", "health": "SD", "wellbeing": "SD"}


invoked, said = (partial(function, COLUMNS="200") for function in (helpers.invoked, helpers.said))


@pytest.fixture(scope="module")
def draws(tmp_path_factory, few_draws):
    path = tmp_path_factory.mktemp("fit") / "draws.nc"
    shown = said("fit", "--engine", "exact", "--spec", few_draws, "--out", path)
    for words in ("Impacts: treatment minus control", "new group", "tau[health]", f"Written: {path}"):
        assert words in shown
    assert "Returns" not in shown
    return path


@pytest.mark.ci
def test_draws_of_fit_are_taken_where_draws_are_taken(draws, few_draws):
    tree = from_posterior(draws, units=UNITS)
    with xr.open_datatree(draws, engine="h5netcdf") as written:
        np.testing.assert_array_equal(tree["posterior"]["impact"], written["posterior"]["impact"])
        assert {"prior", "posterior", "reported"} <= set(written.children)
    appraised = ("appraise", "--spec", few_draws)
    assert table_of(*appraised, "--posterior", draws) == table_of(*appraised)
    assert invoked("fit", "--engine", "exact", "--out", draws).exit_code == 2


@pytest.fixture(scope="module")
def results(tmp_path_factory, evidence, exactly_fitted, primary, published):
    """Results of two specs, written as the verb run does."""
    folder = tmp_path_factory.mktemp("results")
    no_pooling = load_impact_spec("no-pooling")
    for spec, tree in ((primary, exactly_fitted), (no_pooling, fit(no_pooling, evidence, engine="exact"))):
        write_result(analyse(tree, evidence, spec, published, seed=1), folder / spec.name)
    return folder


def table_of(*arguments):
    return json.loads(said(*arguments, "--json"))["tables"]


@pytest.mark.ci
def test_a_result_stands_beside_the_published_one(results):
    (fresh,), (read) = table_of("compare"), table_of("compare", results / "primary")
    assert read == [fresh]
    (changed,) = table_of("compare", results / "primary", "--changed")
    assert 0 < len(changed["records"]) < len(fresh["records"])
    (health,) = table_of("compare", results / "primary", "--outcome", "health", "--group", "WMCA")
    assert [(row["outcome"], row["group"]) for row in health["records"]] == [("health", "WMCA")]
    (other,) = table_of("compare", results / "no-pooling")
    assert other["records"] != fresh["records"]


@pytest.mark.ci
def test_results_stand_beside_each_other(results):
    impacts, returns = table_of("compare", results / "primary", results / "no-pooling")
    for table in (impacts, returns):
        means = {}
        for row in table["records"]:
            key = (row.get("outcome") or row["perspective"], row["group"])
            means.setdefault(key, {})[row["result"]] = (row["mean"], row["less_first"])
        assert len(means) == len(table["records"]) / 2
        for one in means.values():
            assert one["primary"][1] == 0
            assert one["no-pooling"][1] == pytest.approx(one["no-pooling"][0] - one["primary"][0], abs=1e-12)
    result = invoked("compare", results / "primary", results / "primary")
    assert result.exit_code == 2
    assert "a result is given twice" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["voi", "--spec", "FEW"],
        ["assumptions", "--spec", "FEW"],
        ["appraise", "--volume", "planned", "--spec", "FEW"],
        ["check", "prior", "--spec", "FEW"],
        ["check", "posterior", "--spec", "FEW"],
        ["check", "sensitivity", "--spec", "FEW"],
        ["check", "contraction", "--spec", "FEW"],
        ["check", "specs", "--spec", "FEW", "--spec", "no-pooling"],
        ["check", "held-out", "--spec", "no-pooling"],
        ["check", "grid", "--factors", "1", "--workers", "1", "--spec", "FEW"],
        ["fit", "--engine", "exact", "--spec", "FEW"],
        ["compare"],
        pytest.param(["ips"], marks=pytest.mark.ci),
        pytest.param(["check", "moderators", "--new-site", "caseload=12"], marks=pytest.mark.deep),
        pytest.param(["run", "--engine", "exact"], marks=pytest.mark.deep),
    ],
    ids=" ".join,
)
def test_json_of_a_verb_that_draws_holds_its_frames(arguments, monkeypatch, tmp_path, few_draws, request):
    monkeypatch.chdir(tmp_path)
    arguments = [str(few_draws) if one == "FEW" else one for one in arguments]
    if arguments == ["ips"]:
        fitted = request.getfixturevalue("ips_fit")
        monkeypatch.setattr(
            "hlt_bayes.meta.summary.fit_trials",
            lambda *_, reading, adjust_for_size, **__: fitted(reading, adjusted=adjust_for_size),
        )
    tables, show = [], Output.table

    def spy(self, table, **options):
        tables.append(table)
        show(self, table, **options)

    monkeypatch.setattr(Output, "table", spy)
    result = invoked(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    found = json.loads(result.stdout)["tables"]
    assert len(found) == len(tables) > 0
    for table, told in zip(tables, found, strict=True):
        assert len(table.frame) > 0, table.title
        assert same(told["records"], table.frame), table.title
    assert not same(found[0]["records"], tables[0].frame.round(1))


@pytest.mark.ci
def test_a_twin_is_told_as_json(tmp_path):
    document = json.loads(said("twin", "--n", "500", "--out", tmp_path / "twin.csv", "--json"))
    (table,) = document["tables"]
    assert {"outcome", "group", "impact", "control_mean"} <= set(table["columns"])
    assert str(tmp_path / "twin.csv") in document["messages"][0]
    (described,) = table_of("records", "describe", tmp_path / "twin.csv")
    assert len(described["records"]) > 100
    (findings,) = table_of("records", "check", tmp_path / "twin.csv")
    assert findings["records"] == []
