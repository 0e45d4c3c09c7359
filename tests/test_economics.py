"""Prices that the print implies, and returns draw for draw, against arithmetic done here by hand."""

import numpy as np
import pytest
import xarray as xr
from helpers import edited_spec

from hlt_bayes.core.errors import ImpactError, SpecError
from hlt_bayes.economics import appraise, cost_per_head, implied_price_bounds, implied_price_interval, return_summary
from hlt_bayes.specs import load_economic_spec


@pytest.fixture
def economics(drawn, published, evidence):
    return appraise(drawn, published, evidence, seed=7)


def test_the_price_of_health_is_what_three_rounded_returns_allow(evidence, published):
    bounds = implied_price_bounds(evidence, "economic", published.benefits["health"]).set_index("group")
    assert bounds.loc["SCR IW", "lower_gbp"] == pytest.approx(2.315 * 2115.5 / 0.105)
    assert bounds.loc["SCR IW", "upper_gbp"] == pytest.approx(2.325 * 2116.5 / 0.095)
    assert bounds.loc["All OOW", "upper_gbp"] == pytest.approx(1.225 * 3162.5 / 0.075)
    interval = implied_price_interval(evidence, "economic", published.benefits["health"])
    assert interval == pytest.approx((2.315 * 2115.5 / 0.105, 2.025 * 2416.5 / 0.095))
    assert interval == pytest.approx((46_650, 51_500), abs=20)


def test_the_price_of_employment_is_what_two_rounded_returns_allow(evidence, published):
    interval = implied_price_interval(evidence, "financial", published.benefits["work"])
    assert interval == pytest.approx((0.015 * 2115.5 / 0.035, 0.015 * 3893.5 / 0.035))


def test_pooled_costs_are_the_printed_ones(evidence):
    cost = cost_per_head(evidence).to_series()
    printed = evidence.costs.set_index("group")["cost_per_head_gbp"]
    assert cost.round().to_dict() == printed.to_dict()
    assert (cost.round()["All SCR"], cost.round()["All OOW"]) == (2292, 3162)


def test_each_return_comes_from_its_own_draw(drawn, economics, evidence):
    impact = drawn["posterior"]["impact"].sel(outcome="health")
    price = economics["price"].sel(benefit="health")
    ratio = economics["benefit_cost_ratio"].sel(perspective="economic")
    weight = evidence.treated
    for group, cost in (("SCR IW", 2116.0), ("WMCA", 3893.0)):
        np.testing.assert_allclose(ratio.sel(group=group), impact.sel(group=group) * price / cost, rtol=1e-12)
    parts = [weight["SCR OOW"], weight["WMCA"]]
    benefit = (parts[0] * impact.sel(group="SCR OOW") + parts[1] * impact.sel(group="WMCA")) * price
    np.testing.assert_allclose(
        ratio.sel(group="All OOW"), benefit / (parts[0] * 2416.0 + parts[1] * 3893.0), rtol=1e-12
    )


def test_shuffled_impacts_and_a_cost_per_participant_are_found_out(drawn, economics, evidence):
    impact = drawn["posterior"]["impact"].sel(outcome="health", group="WMCA")
    price = economics["price"].sel(benefit="health")
    ratio = economics["benefit_cost_ratio"].sel(perspective="economic", group="WMCA")
    shuffled = impact.copy(data=np.random.default_rng(1).permutation(impact.to_numpy().ravel()).reshape(impact.shape))
    participants = evidence.samples.query("measure == 'management information sample'").set_index("group")["people"]
    per_participant = 3893.0 * evidence.treated["WMCA"] / participants["WMCA"]
    assert np.isclose(ratio, impact * price / 3893.0, rtol=1e-12).all()
    for wrong in (shuffled * price / 3893.0, impact * price / per_participant):
        assert not np.isclose(ratio, wrong, rtol=0.01).all()


def test_a_group_that_the_evidence_does_not_have_is_refused(drawn, published, evidence):
    impact = drawn["posterior"]["impact"]
    extra = xr.concat([impact, impact.sel(group=["WMCA"]).assign_coords(group=["X"])], dim="group")
    with pytest.raises(ImpactError, match="has the groups SCR IW, SCR OOW, WMCA, X"):
        appraise(extra, published, evidence, seed=1)


def test_read_as_net_of_cost_the_financial_returns_have_no_price_in_common(evidence, published):
    """The reason that the spec gives for reading returns as gross, and its figures."""
    bounds = {}
    for group, impact, printed in (("SCR IW", 0.03, 0.02), ("WMCA", 0.04, 0.01)):
        cost = evidence.costs.set_index("group").loc[group, "cost_per_head_gbp"]
        lower = (1 + printed - 0.005) * (cost - 0.5) / (impact + 0.005)
        upper = (1 + printed + 0.005) * (cost + 0.5) / (impact - 0.005)
        bounds[group] = lower, upper
        assert f"GBP {lower:,.0f} to {upper:,.0f}" in published.gross_or_net.why
    assert bounds["SCR IW"][1] < bounds["WMCA"][0]


def test_nothing_is_set_to_zero_and_both_are_shown(economics):
    published, unfiltered = (economics[name].to_series().unstack("perspective") for name in ("published", "unfiltered"))
    assert published.loc["WMCA", "economic"] == 0.0
    price = np.mean([2.315 * 2115.5 / 0.105, 2.025 * 2416.5 / 0.095])
    assert unfiltered.loc["WMCA", "economic"] == pytest.approx(0.05 * price / 3893)
    assert (economics["benefit_cost_ratio"].sel(perspective="economic", group="WMCA") != 0).all()
    assert np.isnan(published.loc["All SCR", "economic"])


def test_the_printed_starred_returns_come_back_from_the_printed_impacts(economics):
    table = return_summary(economics)
    starred = table[table["published"] > 0]
    assert len(starred) == 5
    # Within what rounding leaves: 5 % of an impact of 0.10 SD, a sixth of one of 3 ppt, half a penny of the return.
    economic = starred[starred["perspective"] == "economic"]
    np.testing.assert_allclose(economic["unfiltered"], economic["published"], rtol=0.06)
    financial = starred[starred["perspective"] == "financial"]
    np.testing.assert_allclose(financial["unfiltered"], financial["published"], atol=0.005)


def test_swapped_arms_swap_every_return(drawn, published, evidence, economics):
    swapped = appraise(-drawn["posterior"]["impact"], published, evidence, seed=7)
    np.testing.assert_allclose(swapped["benefit_cost_ratio"], -economics["benefit_cost_ratio"])


def test_the_same_seed_draws_the_same_prices_and_another_does_not(drawn, published, evidence, economics):
    again = appraise(drawn, published, evidence, seed=7)
    xr.testing.assert_identical(again, economics)
    other = appraise(drawn, published, evidence, seed=8)
    assert not np.array_equal(other["price"], economics["price"])
    prices = economics["price"].stack(sample=("chain", "draw"))
    assert abs(np.corrcoef(prices.to_numpy())[0, 1]) < 0.1


def test_prices_are_uniform_on_their_interval(economics, evidence, published):
    draws = economics["price"].sel(benefit="health").to_numpy()
    low, high = implied_price_interval(evidence, "economic", published.benefits["health"])
    assert (draws.min() >= low, draws.max() <= high) == (True, True)
    error = (high - low) / np.sqrt(12 * draws.size)
    assert abs(draws.mean() - (low + high) / 2) < 4 * error


def test_draws_that_do_not_line_up_are_an_error(drawn, published, evidence, economics):
    few = economics[["benefits.work.price", "benefits.health.price"]].isel(draw=slice(0, 500))
    with pytest.raises(ImpactError, match="with as many chains and draws as the impacts"):
        appraise(drawn, published, evidence, seed=1, parameters=few)
    with pytest.raises(ImpactError, match=r"must have benefits\.work\.price, benefits\.health\.price, with as many"):
        appraise(drawn, published, evidence, seed=1, parameters=economics[["benefits.work.price"]])


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"group": ["SCR IW", "WMCA"]}, "has the groups SCR IW, WMCA; it must have SCR IW, SCR OOW, WMCA"),
        ({"outcome": ["employment"]}, "'health' is valued, but the impacts are on employment"),
    ],
)
def test_a_missing_group_or_outcome_is_named(drawn, published, evidence, selection, message):
    with pytest.raises((ImpactError, SpecError), match=message):
        appraise(drawn["posterior"]["impact"].sel(selection), published, evidence, seed=1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"SCR OOW", "All OOW"]', '"WMCA"]', r"'WMCA' implies no price, because its published economic return '£0'"),
        (
            '"SCR OOW", "All OOW"]',
            '"All SCR"]',
            r"'All SCR' implies no price, because its published economic return 'n/c'",
        ),
        ('outcome = "health"', 'outcome = "wellbeing"', r"no price is consistent with all groups \(SCR IW £"),
    ],
)
def test_prices_that_cannot_be_are_refused(tmp_path, evidence, old, new, message):
    path = edited_spec(tmp_path, "published", "economic", (old, new))
    with pytest.raises(SpecError, match=message):
        implied_price_interval(evidence, "economic", load_economic_spec(path).benefits["health"])


def test_the_summary_counts_draws_above_one(economics):
    row = return_summary(economics).set_index(["perspective", "group"]).loc[("economic", "WMCA")]
    draws = economics["benefit_cost_ratio"].sel(perspective="economic", group="WMCA").to_numpy()
    assert row["prob_above_one"] == (draws > 1).mean()
    assert row["cost_per_head_gbp"] == 3893
