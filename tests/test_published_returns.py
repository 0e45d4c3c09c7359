"""The published evaluation repeated, and the walk from its returns to ours, against arithmetic done here."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from hlt_bayes.core.errors import SpecError
from hlt_bayes.economics import STEPS, appraise, published_analysis, return_summary, walk, years_presupposed
from hlt_bayes.economics.published import printed_impacts
from hlt_bayes.specs import load_economic_spec

PRICE = np.mean([2.315 * 2115.5 / 0.105, 2.025 * 2416.5 / 0.095])
COST = {"SCR IW": 2116.0, "SCR OOW": 2416.0, "WMCA": 3893.0}


@pytest.fixture(scope="module")
def repeated(evidence, published, primary):
    return published_analysis(evidence, published, primary, seed=3, draws=40_000)


@pytest.fixture(scope="module")
def steps(drawn, evidence, published, components, primary):
    return walk(drawn, evidence, published, components, primary, seed=3)


def test_what_has_no_star_is_zero(repeated):
    point = repeated["point"].sel(perspective="economic").to_series()
    assert point["SCR IW"] == pytest.approx(0.10 * PRICE / 2116)
    assert point["WMCA"] == 0.0
    assert (repeated["benefit_cost_ratio"].sel(perspective="economic", group="WMCA") == 0).all()
    assert point["All OOW"] == pytest.approx(0.08 * PRICE / 3162.22, rel=1e-4)
    # The rule gives back each return that the report prints, within the rounding of impact, cost and return.
    printed = repeated["published"].sel(perspective="economic").to_series().dropna()
    np.testing.assert_allclose(point[printed.index], printed, rtol=0.06)
    financial = repeated["published"].sel(perspective="financial").to_series().dropna()
    np.testing.assert_allclose(
        repeated["point"].sel(perspective="financial").to_series()[financial.index], financial, atol=0.005
    )


def test_draws_are_normal_about_the_estimate(repeated, evidence, primary):
    se = printed_impacts(evidence, primary).loc[("health", "SCR IW"), "se"]
    ratio = repeated["benefit_cost_ratio"].sel(perspective="economic", group="SCR IW").to_numpy()
    standard = (ratio * 2116 / PRICE - 0.10) / se
    assert stats.kstest(standard, "norm").pvalue > 1e-4
    # The twin that takes a variance for a standard error.
    assert stats.kstest((ratio * 2116 / PRICE - 0.10) / se**2, "norm").pvalue < 1e-6
    assert repeated.sizes["draw"] == 40_000
    assert published_analysis(evidence, load_economic_spec("published"), primary, seed=3).sizes["draw"] == 10_000


def test_pooled_standard_errors_are_those_of_a_mean_of_parts(evidence, primary):
    table = printed_impacts(evidence, primary)
    weights = np.array([1799, 1837]) / (1799 + 1837)
    parts = table["se"][[("health", "SCR OOW"), ("health", "WMCA")]].to_numpy()
    assert table["se"][("health", "All OOW")] == pytest.approx(np.sqrt((weights**2 * parts**2).sum()))
    assert table["starred"][("health", "All OOW")]
    assert not table["starred"][("health", "WMCA")]


def test_component_prices_cannot_be_the_published_ones(evidence, components, primary):
    with pytest.raises(SpecError, match=r"'perspectives\.financial': the published analysis valued one outcome"):
        published_analysis(evidence, components, primary, seed=1)


def row(steps, step, group, perspective="economic"):
    return steps[(steps["step"] == step) & (steps["group"] == group) & (steps["perspective"] == perspective)].iloc[0]


def test_the_walk_begins_with_what_is_printed_and_ends_with_ours(steps, drawn, evidence, components):
    assert set(steps["step"]) == set(STEPS)
    assert row(steps, "published", "SCR IW")["mean"] == 2.32
    assert np.isnan(row(steps, "published", "All SCR")["mean"])
    assert row(steps, "unfiltered", "WMCA")["mean"] == pytest.approx(0.05 * PRICE / 3893)
    ours = return_summary(appraise(drawn, components, evidence, seed=3)).set_index(["perspective", "group"])
    for group in ("SCR IW", "WMCA", "All OOW"):
        last = row(steps, "all benefits", group)
        for name in ("mean", "sd", "lower_89", "prob_above_one"):
            assert last[name] == pytest.approx(ours[name][("economic", group)])


def test_each_step_changes_what_its_name_says(steps, drawn, evidence, published, components):
    impact = drawn["posterior"]["impact"].sel(outcome="health", group="WMCA")
    ours = appraise(drawn, published, evidence, seed=3)
    theirs = appraise(drawn, components, evidence, seed=3)
    price = ours["price"].sel(benefit="health")
    pooled = impact * price / 3893
    assert row(steps, "pooled", "WMCA")["mean"] == pytest.approx(pooled.mean().item())
    share = theirs["nonresponse.share"]
    everybody = 754 / 1837 + (1 - 754 / 1837) * share
    assert row(steps, "nonresponse", "WMCA")["mean"] == pytest.approx((pooled * everybody).mean().item())
    units = theirs["units"].sel(benefit="health") * 70_000
    at_prices = impact * everybody * units / theirs["cost_per_head"].sel(group="WMCA")
    assert row(steps, "components", "WMCA")["sd"] == pytest.approx(at_prices.std(ddof=1).item())
    # Shares of other draws are found out: the spread would be another one.
    other = impact * everybody.isel(draw=slice(None, None, -1)).assign_coords(draw=everybody["draw"]) * units
    assert row(steps, "components", "WMCA")["sd"] != pytest.approx(
        (other / theirs["cost_per_head"].sel(group="WMCA")).std(ddof=1).item(), rel=1e-6
    )


def test_uncertain_draws_are_those_of_the_estimate_and_pair_with_the_pooled(steps, evidence, primary):
    cells = printed_impacts(evidence, primary).loc[("health", "WMCA")]
    found = row(steps, "uncertain", "WMCA")
    per_pound = PRICE / 3893
    # 4,000 ranks are normal to their last digits; the price varies by 3 % beside.
    assert found["mean"] == pytest.approx(cells["estimate"] * per_pound, rel=0.01)
    assert found["sd"] == pytest.approx(cells["se"] * per_pound, rel=0.02)
    above = stats.norm.sf((1 / per_pound - cells["estimate"]) / cells["se"])
    assert found["prob_above_one"] == pytest.approx(above, abs=0.01)


def test_employment_has_no_step_of_the_survey(steps):
    financial = steps[steps["perspective"] == "financial"]
    assert list(dict.fromkeys(financial["step"])) == [step for step in STEPS if step != "nonresponse"]


def test_a_spec_of_one_perspective_is_walked_in_that(drawn, evidence, published, components, primary):
    economic = components.model_copy(update={"perspectives": {"economic": components.perspectives["economic"]}})
    assert set(walk(drawn, evidence, published, economic, primary, seed=3)["perspective"]) == {"economic"}


def test_a_walk_needs_a_share_of_those_who_did_not_answer(drawn, evidence, published, primary):
    with pytest.raises(SpecError, match=r"key 'nonresponse\.share' is missing; the bridge from the published return"):
        walk(drawn, evidence, published, published, primary, seed=1)


def test_years_presupposed_are_what_the_return_leaves(drawn, evidence, components):
    found = years_presupposed(drawn, evidence, components, seed=5).set_index("impact")
    # In the middle of all rounding and of the SD of the index: price per SD over what an SD is worth a year.
    a_year = 0.27 * 70_000 * 90.95 / 95.825
    discounted = 2.32 * 2116 / (0.10 * a_year)
    years = 1 + (discounted - 1) * 1.015 if discounted < 2 else np.nan
    by_sum = np.cumsum(1.015 ** -np.arange(6.0))
    whole = int(np.searchsorted(by_sum, discounted))
    years = whole + (discounted - by_sum[whole - 1]) * 1.015**whole
    assert found.loc["printed", "median"] == pytest.approx(years, rel=0.02)
    assert found.loc["printed", "prob_never"] == 0
    impact = drawn["posterior"]["impact"].sel(outcome="health", group="SCR IW").to_numpy()
    assert found.loc["posterior", "prob_never"] >= (impact <= 0).mean()
    spread = found["upper_89"] - found["lower_89"]
    assert spread["posterior"] > spread["printed"]


def test_twice_the_value_of_a_qaly_needs_about_half_the_years(drawn, evidence, components):
    health = components.benefits["health"]
    dearer = health.model_copy(update={"price": health.price.model_copy(update={"value": 140_000.0})})
    other = components.model_copy(update={"benefits": {**components.benefits, "health": dearer}})
    one, two = (
        years_presupposed(drawn, evidence, spec, seed=5).set_index("impact").loc["printed", "median"]
        for spec in (components, other)
    )
    assert one / two == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize(
    ("group", "benefit", "message"),
    [
        ("WMCA", "health", r"no economic return above £0 for 'WMCA'"),
        ("SCR IW", "helth", "must have the key 'discounting', and count benefit 'helth'"),
    ],
)
def test_years_of_a_return_that_is_not_there_are_refused(drawn, evidence, components, group, benefit, message):
    with pytest.raises(SpecError, match=message):
        years_presupposed(drawn, evidence, components, group=group, benefit=benefit, seed=1)


def test_a_walk_of_impacts_that_speak_for_all_does_not_thin_them(drawn, evidence, published, components, primary):
    from hlt_bayes.core.vocabulary import OF_ALL_RANDOMISED

    impact = drawn["posterior"]["impact"].assign_attrs(estimand=OF_ALL_RANDOMISED)
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact})})
    steps = walk(tree, evidence, published, components, primary, seed=3)
    assert row(steps, "pooled", "WMCA")["mean"] == row(steps, "nonresponse", "WMCA")["mean"]
