"""The waist takes one labelled array and refuses any other."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hlt_bayes.analysis import analyse
from hlt_bayes.checks.run_checks import run_checks
from hlt_bayes.core.errors import ImpactError
from hlt_bayes.impacts import draws as draws_module
from hlt_bayes.impacts.draws import admit, impact_draws, impact_summary, pooling_matrix, summary, with_pooled_groups
from hlt_bayes.report.explorer import explorer
from hlt_bayes.results.export import FORMATS
from hlt_bayes.results.write import write_result


def test_a_tree_or_an_array_in_any_order_of_dims_is_taken(drawn):
    impact = drawn["posterior"]["impact"]
    turned = impact.transpose("group", "outcome", "draw", "chain")
    xr.testing.assert_identical(impact_draws(drawn), impact_draws(turned))
    labelled = impact.assign_coords(site=("group", ["SCR", "SCR", "WMCA"]))
    xr.testing.assert_identical(impact_draws(drawn), impact_draws(labelled))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda a: a.rename(group="site"), "it must have"),
        (lambda a: a.drop_vars("group"), "no labels along 'group'"),
        (lambda a: a.assign_coords(group=["WMCA", "WMCA", "SCR IW"]), "duplicate labels along 'group'"),
        (lambda a: a.assign_coords(outcome=["employment", "earnings", "helth", "wellbeing"]), "did you mean 'health'"),
        (lambda a: a.where(a.draw != 7), "not finite"),
        (lambda a: a.assign_attrs(unit=json.dumps({"employment": "ppt"})), "is in 'ppt'; it must be in 'proportion'"),
        (lambda a: a.assign_attrs(unit="proportion"), r"is 'proportion'; it must be JSON such as"),
        (lambda a: a.assign_attrs(unit='"proportion"'), r"it must be JSON such as"),
        (lambda a: 100 * a, "'employment' exceeds 1: it must be a proportion"),
        (lambda a: a.astype(str), "not finite numbers"),
    ],
)
def test_anything_else_is_refused(drawn, damage, message):
    with pytest.raises(ImpactError, match=message):
        impact_draws(damage(drawn["posterior"]["impact"]))


def test_a_tree_without_impacts_is_refused():
    with pytest.raises(ImpactError, match=r"no posterior\['impact'\]"):
        impact_draws(xr.DataTree.from_dict({"posterior": xr.Dataset({"theta": 1.0})}))


def test_pooled_rows_are_weighted_means_draw_for_draw(drawn):
    impact = drawn["posterior"]["impact"]
    pooled = with_pooled_groups(impact, pd.Series({"SCR IW": 1.0, "SCR OOW": 3.0, "WMCA": 1.0}))
    assert list(pooled["group"].to_numpy()) == ["SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW"]
    expected = (impact.sel(group="SCR IW") + 3 * impact.sel(group="SCR OOW")) / 4
    np.testing.assert_allclose(pooled.sel(group="All SCR"), expected)
    assert pooled.dims == impact.dims
    only = with_pooled_groups(impact.sel(group=["SCR IW", "WMCA"]), pd.Series({"SCR IW": 1.0, "WMCA": 1.0}))
    assert list(only["group"].to_numpy()) == ["SCR IW", "WMCA"]


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("order", [("outcome", "group", "draw"), ("group", "draw", "outcome")])
def test_pooled_rows_are_those_of_xarray_where_values_are_missing(missing, order):
    rng = np.random.default_rng(5)
    names = ["SCR IW", "SCR OOW", "WMCA"]
    values = xr.DataArray(rng.normal(size=(4, 3, 500)), dims=("outcome", "group", "draw"), coords={"group": names})
    values = values.where(rng.random(values.shape) >= missing).transpose(*order)
    weights = pd.Series({"SCR IW": 1260.0, "SCR OOW": 1799.0, "WMCA": 1837.0})
    pooled = with_pooled_groups(values, weights)

    def mean_of(parts, weights):
        weighted = values.sel(group=parts).weighted(xr.DataArray(weights[parts].to_numpy(), coords={"group": parts}))
        return weighted.mean("group")

    for row, parts in (("All SCR", names[:2]), ("All OOW", names[1:])):
        xr.testing.assert_allclose(pooled.sel(group=row, drop=True), mean_of(parts, weights), rtol=1e-12)
        # Weights exchanged, as a mistake in the order of groups would have them.
        wrong = mean_of(parts, pd.Series(weights[parts].to_numpy()[::-1], index=parts))
        assert not np.allclose(pooled.sel(group=row, drop=True), wrong, rtol=1e-3, equal_nan=True)


def test_intervals_are_equal_tailed_and_probabilities_count_draws():
    rng = np.random.default_rng(11)
    draws = xr.DataArray(
        rng.exponential(size=(4, 50_000, 1)), dims=("chain", "draw", "group"), coords={"group": ["WMCA"]}
    )
    row = summary(draws, above=1.0).iloc[0]
    error = 4 / np.sqrt(draws.size)
    # On a skewed distribution a highest-density interval would start at zero.
    for name, probability in {"lower_89": 0.055, "upper_89": 0.945, "lower_95": 0.025, "upper_95": 0.975}.items():
        assert abs((draws.to_numpy() < row[name]).mean() - probability) < 1e-4
        assert abs(1 - np.exp(-row[name]) - probability) < error
    assert row["prob_above"] == (draws.to_numpy() > 1.0).mean()
    assert row["sd"] == pytest.approx(draws.to_numpy().std(ddof=1))


def test_swapped_arms_change_every_sign(drawn):
    ours = impact_summary(drawn["posterior"]["impact"])
    swapped = impact_summary(-drawn["posterior"]["impact"])
    np.testing.assert_allclose(swapped["mean"], -ours["mean"])
    np.testing.assert_allclose(swapped["lower_95"], -ours["upper_95"])
    np.testing.assert_allclose(swapped["prob_positive"], 1 - ours["prob_positive"])


def test_the_pooling_matrix_gives_the_pooled_rows(drawn, evidence):
    impact = drawn["posterior"]["impact"].sel(outcome="health", drop=True)
    rows = with_pooled_groups(impact, evidence.treated)
    matrix = pooling_matrix(evidence.groups, evidence.treated)
    assert list(matrix["row"].to_numpy()) == list(rows["group"].to_numpy())
    np.testing.assert_allclose(rows, impact.to_numpy() @ matrix.to_numpy().T)
    alone = pooling_matrix(["A", "WMCA"], evidence.treated)
    np.testing.assert_array_equal(alone, [[0, 1], [1, 0]])


@pytest.mark.ci
def test_draws_are_checked_once_at_the_door(drawn, evidence, primary, published, components, monkeypatch, tmp_path):
    checked = []
    check = draws_module._checked
    monkeypatch.setattr(draws_module, "_checked", lambda source: checked.append(1) or check(source))
    monkeypatch.setattr("hlt_bayes.checks.run_checks.shipped_specs", lambda _: ["primary", "no-pooling"])
    analysis = analyse(drawn, evidence, primary, published, seed=1, components=components)
    assert len(checked) == 1
    write_result(analysis, tmp_path / "result")
    explorer(analysis)
    run_checks(analysis)
    exporting = [form.files(analysis) for name, form in FORMATS.items() if name in ("csv", "summary")]
    assert all(exporting)
    # The draws of the other spec that the checks fit come through the door as well.
    assert len(checked) == 2


def test_a_copy_of_an_analysis_with_other_draws_asks_those(analysis):
    other = analysis.draws.copy(deep=True)
    other["posterior"]["impact"] = other["posterior"]["impact"] + 0.01
    moved = dataclasses.replace(analysis, draws=other)
    np.testing.assert_allclose(moved.admitted.impact, analysis.admitted.impact + 0.01)
    other["posterior"]["impact"][0, 0, 0, 0] = np.nan
    with pytest.raises(ImpactError, match="not finite"):
        dataclasses.replace(analysis, draws=other)


def test_what_was_let_in_passes_and_a_stranger_does_not(drawn):
    admitted = admit(drawn)
    assert admit(admitted) is admitted
    assert impact_draws(admitted) is admitted.impact
    with pytest.raises(ImpactError, match="dims"):
        admit(drawn["posterior"]["impact"].isel(draw=0))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (lambda impact: impact.isel(group=0, outcome=0, drop=True), "must have chain, draw and outcome"),
        (lambda impact: impact.isel(group=0, drop=True).where(impact["draw"].isel(draw=0) > 0), "not finite"),
    ],
)
def test_a_prediction_that_does_not_fit_is_refused_at_the_door(drawn, new, message):
    impact = drawn["posterior"]["impact"]
    with pytest.raises(ImpactError, match=message):
        admit(xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact, "impact_new": new(impact)})}))
