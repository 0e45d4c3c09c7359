"""What is asked of the impacts is arithmetic on their draws, redone here by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from hlt_bayes.core.errors import ImpactError
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.impacts.estimands import estimand_draws, estimand_summary

KINDS = {
    "SCR IW": "group",
    "SCR OOW": "group",
    "All SCR": "pooled",
    "WMCA": "group",
    "All OOW": "pooled",
    "average": "average",
    "SCR IW - SCR OOW": "difference",
    "SCR IW - WMCA": "difference",
    "SCR OOW - WMCA": "difference",
}


@pytest.fixture(scope="module")
def by_group(drawn):
    """Draws {chain, draw, outcome} of each group, as plain arrays."""
    impact = drawn["posterior"]["impact"]
    return {group: impact.sel(group=group).to_numpy() for group in GROUPS}


@pytest.fixture(scope="module")
def estimands(drawn, evidence):
    return estimand_draws(drawn, evidence.treated)


@pytest.fixture(scope="module")
def smallest():
    """The smallest effects of interest; none is stated for earnings."""
    return {"employment": 0.02, "health": 0.1, "wellbeing": -0.01}


@pytest.fixture(scope="module")
def table(drawn, evidence, smallest):
    return estimand_summary(drawn, evidence.treated, smallest=smallest)


@pytest.fixture(scope="module")
def with_new_group(drawn):
    """The same draws with those of a new group, their dims in another order."""
    rng = np.random.default_rng(7)
    new = 0.1 * rng.normal(size=(len(OUTCOMES), 4, 1000))
    posterior = drawn["posterior"].dataset.assign(impact_new=(("outcome", "chain", "draw"), new))
    return xr.DataTree.from_dict({"posterior": posterior}), new


def impacts(values, groups=GROUPS):
    """Draws {chain, draw} of employment, the same for every group but where ``values`` has {group}."""
    shape = (*np.shape(values)[:2], 1, len(groups))
    values = np.asarray(values)[:, :, None, None] if np.ndim(values) == 2 else np.asarray(values)[:, :, None, :]
    return xr.DataArray(
        np.broadcast_to(values, shape),
        dims=("chain", "draw", "outcome", "group"),
        coords={"outcome": ["employment"], "group": list(groups)},
    )


def cell(table, outcome, estimand):
    return table.set_index(["outcome", "estimand"]).loc[(outcome, estimand)]


def test_each_estimand_has_its_kind_and_the_order_of_the_reports(estimands):
    names = [str(name) for name in estimands["estimand"].to_numpy()]
    assert dict(zip(names, estimands["kind"].to_numpy(), strict=True)) == KINDS
    assert names == list(KINDS)
    assert estimands.dims == ("chain", "draw", "outcome", "estimand")


def test_groups_are_their_own_estimands(estimands, by_group):
    for name, values in by_group.items():
        np.testing.assert_array_equal(estimands.sel(estimand=name), values)


def test_pooled_rows_and_the_average_weigh_by_recruits_to_treatment(estimands, by_group, evidence):
    weight = {group: float(evidence.treated[group]) for group in GROUPS}
    assert len(set(weight.values())) == 3
    parts = {"All SCR": ("SCR IW", "SCR OOW"), "All OOW": ("SCR OOW", "WMCA"), "average": GROUPS}
    for name, groups in parts.items():
        expected = sum(weight[group] * by_group[group] for group in groups) / sum(weight[group] for group in groups)
        np.testing.assert_allclose(estimands.sel(estimand=name), expected, rtol=1e-12)
        alike = sum(by_group[group] for group in groups) / len(groups)
        assert not np.allclose(estimands.sel(estimand=name), alike, rtol=1e-3)


def test_weights_go_by_name(drawn, estimands, evidence):
    xr.testing.assert_identical(estimand_draws(drawn, evidence.treated[::-1]), estimands)
    swapped = evidence.treated.rename({"SCR IW": "WMCA", "WMCA": "SCR IW"})
    other = estimand_draws(drawn, swapped).sel(estimand="average")
    assert not np.allclose(other, estimands.sel(estimand="average"), rtol=1e-3)


def test_a_difference_is_the_first_less_the_second(estimands, by_group):
    for name in (name for name, kind in KINDS.items() if kind == "difference"):
        first, second = name.split(" - ")
        np.testing.assert_array_equal(estimands.sel(estimand=name), by_group[first] - by_group[second])


def test_a_group_of_unknown_weight_makes_the_average_weigh_all_alike(drawn, by_group, evidence):
    known = evidence.treated.drop("WMCA")
    for weights in (known, known.reindex([*known.index, "WMCA"])):
        found = estimand_draws(drawn, weights)
        assert "All OOW" not in found["estimand"]
        assert "All SCR" in found["estimand"]
        np.testing.assert_allclose(found.sel(estimand="average"), sum(by_group.values()) / 3, rtol=1e-12)


def test_one_group_is_its_own_average_and_has_no_difference(drawn, evidence):
    found = estimand_draws(drawn["posterior"]["impact"].sel(group=["WMCA"]), evidence.treated)
    assert list(found["estimand"].to_numpy()) == ["WMCA", "average"]
    np.testing.assert_allclose(found.sel(estimand="average"), found.sel(estimand="WMCA"))


def test_a_new_group_is_taken_from_the_posterior(with_new_group, evidence, estimands):
    tree, new = with_new_group
    found = estimand_draws(tree, evidence.treated)
    np.testing.assert_array_equal(found.sel(estimand="new group").transpose("outcome", "chain", "draw"), new)
    assert found.sel(estimand="new group")["kind"] == "new"
    np.testing.assert_array_equal(found.sel(estimand=list(KINDS)), estimands)
    # An array has no other variable beside it.
    assert "new group" not in estimand_draws(tree["posterior"]["impact"], evidence.treated)["estimand"]


def test_a_new_group_follows_the_outcomes_in_any_order(with_new_group, evidence):
    tree, new = with_new_group
    turned = xr.DataTree.from_dict({"posterior": tree["posterior"].dataset.isel(outcome=[2, 0, 3, 1])})
    found = estimand_draws(turned, evidence.treated).sel(estimand="new group")
    np.testing.assert_array_equal(found.sel(outcome="earnings"), new[list(OUTCOMES).index("earnings")])


def test_every_estimand_is_summarised_in_the_unit_of_its_outcome(table, estimands):
    assert len(table) == len(OUTCOMES) * len(KINDS)
    for row in table.itertuples():
        draws = estimands.sel(outcome=row.outcome, estimand=row.estimand).to_numpy().ravel()
        assert (row.kind, row.unit) == (KINDS[row.estimand], OUTCOMES[row.outcome].unit)
        assert row.mean == pytest.approx(draws.mean(), rel=1e-9, abs=1e-12)
        assert row.sd == pytest.approx(draws.std(ddof=1))
        expected = np.quantile(draws, [0.055, 0.945, 0.025, 0.975])
        np.testing.assert_allclose([row.lower_89, row.upper_89, row.lower_95, row.upper_95], expected)
        assert row.prob_positive == (draws > 0).mean()


def test_the_smallest_effect_is_counted_over_and_missing_where_none_is_stated(table, estimands, smallest):
    for row in table.itertuples():
        draws = estimands.sel(outcome=row.outcome, estimand=row.estimand).to_numpy()
        if row.outcome in smallest:
            assert row.prob_above_smallest == (draws > smallest[row.outcome]).mean()
        else:
            assert np.isnan(row.prob_above_smallest)
    assert (table.query("outcome == 'employment'")["prob_above_smallest"] < table["prob_positive"][:9]).all()
    assert (table.query("outcome == 'wellbeing'")["prob_above_smallest"].to_numpy() > table["prob_positive"][27:]).all()


def test_without_a_smallest_effect_none_is_counted_over(drawn, evidence, table):
    without = estimand_summary(drawn, evidence.treated)
    assert without["prob_above_smallest"].isna().all()
    pd.testing.assert_frame_equal(
        without.drop(columns="prob_above_smallest"), table.drop(columns="prob_above_smallest")
    )


def test_the_smallest_effect_is_in_the_unit_of_the_outcome(drawn, evidence, table):
    """Two ppt are 0.02; 2, as if in ppt, is more than any impact."""
    found = cell(table, "employment", "SCR IW")["prob_above_smallest"]
    assert 0.2 < found < 0.8
    as_ppt = estimand_summary(drawn, evidence.treated, smallest={"employment": 2.0})
    assert cell(as_ppt, "employment", "SCR IW")["prob_above_smallest"] == 0.0


def test_a_wrong_sign_is_not_that_of_the_mean(table, estimands):
    signs = set()
    for row in table.itertuples():
        draws = estimands.sel(outcome=row.outcome, estimand=row.estimand).to_numpy()
        assert row.prob_wrong_sign == (np.sign(draws) != np.sign(draws.mean())).mean()
        assert row.prob_wrong_sign == pytest.approx(min(row.prob_positive, 1 - row.prob_positive), abs=0.2)
        signs.add(np.sign(row.mean))
    assert signs == {-1, 1}


def wrong_sign(values, evidence):
    return cell(estimand_summary(impacts(values), evidence.treated), "employment", "WMCA")["prob_wrong_sign"]


@pytest.mark.parametrize("mean", [0.05, -0.05])
def test_a_wrong_sign_is_as_probable_as_theory_says(mean, evidence):
    rng = np.random.default_rng(5)
    draws = rng.normal(mean, 0.1, size=(4, 25_000))
    expected = norm.cdf(-abs(mean) / 0.1)
    error = np.sqrt(expected * (1 - expected) / draws.size)
    assert abs(wrong_sign(draws, evidence) - expected) < 4 * error
    # Of draws about another mean it is not; nor is it the probability of the sign of the mean.
    assert abs(wrong_sign(draws + 0.1 * np.sign(mean), evidence) - expected) > 4 * error
    assert abs((1 - wrong_sign(draws, evidence)) - expected) > 4 * error


def test_a_wrong_sign_does_not_depend_on_which_way_is_up(evidence):
    """No effect at all, as of a spike at zero, has not the sign of the mean, be that above or below zero."""
    draws = np.repeat([[0.2, 0.0, 0.0, -0.05]], 4, axis=0)
    assert wrong_sign(draws, evidence) == 0.75
    assert wrong_sign(-draws, evidence) == 0.75


def test_groups_that_never_differ_have_no_sign_to_be_wrong(evidence):
    table = estimand_summary(impacts(np.full((4, 5), 0.1)), evidence.treated)
    row = cell(table, "employment", "SCR IW - WMCA")
    assert row[["mean", "sd", "prob_positive", "prob_wrong_sign"]].tolist() == [0.0, 0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("smallest", "message"),
    [
        ({"helth": 0.1}, r"outcome 'helth' is unknown; allowed: 'employment', .*did you mean 'health'"),
        ({"health": float("nan")}, r"of health: nan given; must be a finite number"),
        ({"health": float("inf")}, r"of health: inf given; must be a finite number"),
    ],
)
def test_a_smallest_effect_that_is_none_is_refused(drawn, evidence, smallest, message):
    with pytest.raises(ImpactError, match=message):
        estimand_summary(drawn, evidence.treated, smallest=smallest)


def test_a_smallest_effect_of_an_outcome_that_was_not_estimated_is_refused(drawn, evidence):
    only = drawn["posterior"]["impact"].sel(outcome=["health"])
    with pytest.raises(ImpactError, match=r"'employment' is unknown; allowed: 'health'"):
        estimand_summary(only, evidence.treated, smallest={"employment": 0.02})


def test_what_are_not_impacts_is_refused(drawn, evidence):
    impact = drawn["posterior"]["impact"]
    with pytest.raises(ImpactError, match="no posterior"):
        estimand_draws(xr.DataTree.from_dict({"prior": impact.to_dataset(name="impact")}), evidence.treated)
    with pytest.raises(ImpactError, match="exceeds 1"):
        estimand_draws(100 * impact, evidence.treated)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda new: new.where(new.draw != 7), "impact_new.*not finite"),
        (lambda new: new.isel(outcome=0, drop=True), "impact_new.*outcome"),
        (lambda new: new.expand_dims(place=["York"]), "impact_new.*dims"),
    ],
    ids=["not finite", "no outcome", "a dim too many"],
)
def test_draws_of_a_new_group_that_are_none_are_refused(with_new_group, evidence, damage, message):
    posterior = with_new_group[0]["posterior"].dataset
    damaged = xr.Dataset({"impact": posterior["impact"], "impact_new": damage(posterior["impact_new"])})
    with pytest.raises(ImpactError, match=message):
        estimand_summary(xr.DataTree.from_dict({"posterior": damaged}), evidence.treated)


@pytest.mark.parametrize("name", ["average", "new group", "All SCR"])
def test_a_group_may_not_have_the_name_of_another_estimand(name, with_new_group, evidence):
    """Or its draws would be lost without a word."""
    posterior = with_new_group[0]["posterior"].dataset
    one = posterior.sel(group=["SCR IW"]).assign_coords(group=[name])
    tree = xr.DataTree.from_dict({"posterior": xr.concat([posterior, one], "group", data_vars="minimal")})
    with pytest.raises(ImpactError, match=name):
        estimand_draws(tree, pd.concat([evidence.treated, pd.Series({name: 100.0})]))
