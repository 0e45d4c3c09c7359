"""The appraisal by components, draw for draw, against the same sums written out by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from economics_by_hand import PARTS, TREATED, green_book, pooled
from helpers import edit, edited_spec

import hlt_bayes.economics.appraisal
from hlt_bayes.core.errors import EvidenceError, ImpactError, SpecError
from hlt_bayes.core.vocabulary import OF_ALL_RANDOMISED
from hlt_bayes.economics import (
    acceptability,
    acceptability_of_price,
    appraise,
    benefit_summary,
    cost_effectiveness,
    effects_per_head,
    price_table,
    return_summary,
    stream_returns,
    volume_curve,
)
from hlt_bayes.economics.parameters import parameters_of
from hlt_bayes.evidence import load_evidence
from hlt_bayes.specs import load_economic_spec, shipped_specs

GROUPS = ("SCR IW", "SCR OOW", "WMCA")


@pytest.fixture(scope="module")
def economics(drawn, components, evidence):
    return appraise(drawn, components, evidence, seed=7)


def by_hand(drawn, economics, evidence, components, **options):
    """Cost and benefits of every row, from the draws that the appraisal used."""
    impact = drawn["posterior"]["impact"]
    quantities = {key: economics[key].to_numpy() for key in parameters_of(components, evidence)}
    outcomes = [str(name) for name in impact["outcome"].to_numpy()]
    found = {
        group: green_book(
            {name: impact.sel(outcome=name, group=group).to_numpy() for name in outcomes}, quantities, group, **options
        )
        for group in GROUPS
    }
    rows = {
        group: {"cost": one["cost"], **{p: sum(one[p].values()) for p in ("financial", "economic")}}
        for group, one in found.items()
    }
    for row in PARTS:
        rows[row] = {
            key: pooled({group: rows[group][key] for group in GROUPS}, row) for key in ("cost", "financial", "economic")
        }
    return rows, found


@pytest.mark.parametrize("volume", ["actual", "planned"])
def test_every_draw_is_that_of_the_sums_by_hand(drawn, components, evidence, volume):
    economics = appraise(drawn, components, evidence, seed=7, volume=volume)
    rows, _ = by_hand(drawn, economics, evidence, components, planned=volume == "planned")
    for row, expected in rows.items():
        np.testing.assert_allclose(economics["cost_per_head"].sel(group=row), expected["cost"], rtol=1e-12)
        for perspective in ("financial", "economic"):
            at = economics.sel(group=row, perspective=perspective)
            np.testing.assert_allclose(at["benefit_per_head"], expected[perspective], rtol=1e-10)
            net = expected[perspective] - expected["cost"]
            np.testing.assert_allclose(at["net_present_value"], net, rtol=1e-10, atol=1e-8)
            np.testing.assert_allclose(at["benefit_cost_ratio"], expected[perspective] / expected["cost"], rtol=1e-10)


def test_shuffled_draws_and_wrong_units_are_found_out(drawn, economics, components, evidence):
    """The sabotaged twins: impacts of other draws, ppt for a proportion, health discounted as money, no uprating."""
    impact = drawn["posterior"]["impact"]
    wrong = [impact.isel(draw=slice(None, None, -1)).assign_coords(draw=impact["draw"])]
    wrong.append(impact.where(impact["outcome"] != "employment", impact * 100))
    for one in wrong:
        tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": one})})
        rows, _ = by_hand(tree, economics, evidence, components)
        assert not np.allclose(
            economics["benefit_per_head"].sel(group="WMCA", perspective="economic"), rows["WMCA"]["economic"], rtol=0.01
        )
    at_money = components.model_copy(
        update={
            "benefits": {
                name: one.model_copy(update={"discount": "standard"}) for name, one in components.benefits.items()
            }
        }
    )
    same_year = components.prices.model_copy(
        update={
            "deflator": components.prices.deflator.model_copy(
                update={"index": dict.fromkeys(components.prices.deflator.index, 1.0)}
            )
        }
    )
    for other in (at_money, components.model_copy(update={"prices": same_year})):
        found = appraise(drawn, other, evidence, seed=7)
        assert not np.allclose(found["benefit_cost_ratio"], economics["benefit_cost_ratio"], rtol=1e-3)


def test_benefits_by_component_add_up_and_are_those_by_hand(drawn, economics, components, evidence):
    table = benefit_summary(economics, drawn, components, evidence)
    _, found = by_hand(drawn, economics, evidence, components)
    for _, row in table[table["group"].isin(GROUPS)].iterrows():
        draws = found[row["group"]][row["perspective"]][row["benefit"]]
        assert row["mean"] == pytest.approx(draws.mean(), rel=1e-9)
        assert row["sd"] == pytest.approx(draws.std(ddof=1), rel=1e-9)
    totals = table.groupby(["perspective", "group"])["mean"].sum()
    of_all = return_summary(economics).set_index(["perspective", "group"])["benefit_per_head_gbp"]
    pd.testing.assert_series_equal(totals, of_all.sort_index(), check_names=False, rtol=1e-10)


def test_swapped_arms_turn_every_impact_and_benefit(drawn, economics, components, evidence):
    parameters = economics[list(parameters_of(components, evidence))]
    impact = drawn["posterior"]["impact"]
    swapped = appraise(-impact, components, evidence, seed=7, parameters=parameters)
    np.testing.assert_allclose(swapped["benefit_per_head"], -economics["benefit_per_head"])
    np.testing.assert_allclose(swapped["benefit_cost_ratio"], -economics["benefit_cost_ratio"])
    np.testing.assert_allclose(
        swapped["net_present_value"], -economics["benefit_per_head"] - economics["cost_per_head"]
    )
    assert "treatment minus control" in economics.attrs["orientation"]
    assert "benefit minus cost" in economics.attrs["orientation"]


def test_a_quantity_has_the_same_draws_in_every_spec_and_seeds_differ(drawn, economics, evidence, components):
    cautious = appraise(drawn, load_economic_spec("cautious"), evidence, seed=7)
    for key in ("costs.uncertainty", "conversions.qalys", "persistence.health.decay", "persistence.work.decay"):
        np.testing.assert_array_equal(cautious[key], economics[key])
    assert (cautious["nonresponse.share"] == 0).all()
    other = appraise(drawn, components, evidence, seed=8)
    assert not np.array_equal(other["conversions.qalys"], economics["conversions.qalys"])
    names = [key for key in parameters_of(components, evidence) if economics[key].std() > 0]
    correlations = np.corrcoef([economics[key].to_numpy().ravel() for key in names])
    # 4,000 independent draws: the greatest of some 150 correlations lies below 4.5 standard errors.
    assert np.abs(correlations - np.eye(len(names))).max() < 4.5 / np.sqrt(4000)


def test_quantities_are_distributed_as_stated(economics, components, evidence):
    for key, quantity in parameters_of(components, evidence).items():
        if key == "persistence.work.decay":
            continue
        draws = economics[key].to_numpy().ravel()
        if quantity.family == "fixed":
            assert (draws == quantity.value).all()
            continue
        assert abs(draws.mean() - quantity.expectation) <= 4 * draws.std() / np.sqrt(draws.size), key
        for probability in (0.055, 0.5, 0.945):
            below = (draws < quantity.quantile(probability)).mean()
            assert abs(below - probability) < 5 * np.sqrt(probability * (1 - probability) / draws.size), key


def test_blocks_change_nothing_but_their_draws(drawn, components, evidence, economics, monkeypatch):
    parameters = economics[list(parameters_of(components, evidence))]
    monkeypatch.setattr(hlt_bayes.economics.appraisal, "BLOCK", 600)
    again = appraise(drawn, components, evidence, seed=7, parameters=parameters)
    xr.testing.assert_allclose(again["benefit_cost_ratio"], economics["benefit_cost_ratio"], rtol=1e-12)
    first, second = (appraise(drawn, components, evidence, seed=7) for _ in range(2))
    xr.testing.assert_identical(first, second)
    price = first["benefits.output.price"].to_numpy().ravel()
    assert len(np.unique(price)) == price.size


def test_streamed_returns_are_those_that_are_kept(drawn, components, evidence, monkeypatch):
    monkeypatch.setattr(hlt_bayes.economics.appraisal, "BLOCK", 600)
    economics = appraise(drawn, components, evidence, seed=7)
    kept = return_summary(economics)
    streamed = stream_returns(drawn, components, evidence, seed=7)
    assert streamed[["perspective", "group"]].equals(kept[["perspective", "group"]])
    for name in ("mean", "sd", "prob_above_one"):
        np.testing.assert_allclose(streamed[name], kept[name], rtol=1e-9)
    for name, probability in {"lower_89": 0.055, "upper_89": 0.945, "lower_95": 0.025, "upper_95": 0.975}.items():
        exact = economics["benefit_cost_ratio"].quantile(probability, ("chain", "draw"), method="inverted_cdf")
        np.testing.assert_allclose(streamed[name], exact.to_numpy().ravel(), atol=0.0005)


def test_planned_volume_is_what_the_arithmetic_says(drawn, components, evidence):
    curve = volume_curve(drawn, components, evidence, seed=7, fixed_shares=[0.0, 0.5, 1.0])
    uprate = 95.825 / 90.95 * np.exp(0.05**2 / 2)
    wmca = curve.query("perspective == 'economic' and group == 'WMCA'").set_index("fixed_share")["cost_per_head_gbp"]
    np.testing.assert_allclose(wmca / uprate, [3893, (3893 + 2167.1) / 2, 2167.1], rtol=3e-3)
    assert pytest.approx(2167.1, abs=0.05) == 3893 * 1837 / 3300
    scr = curve.query("perspective == 'economic' and group == 'SCR IW'").set_index("fixed_share")["cost_per_head_gbp"]
    np.testing.assert_allclose(scr[1.0] / scr[0.0], 3059 / 3750)
    actual = return_summary(appraise(drawn, components, evidence, seed=7)).set_index(["perspective", "group"])
    at_none = curve[curve["fixed_share"] == 0].set_index(["perspective", "group"])
    np.testing.assert_allclose(at_none["mean"], actual["mean"], rtol=1e-12)
    assert (
        curve.query("fixed_share == 1").set_index(["perspective", "group"])["mean"].abs() >= at_none["mean"].abs()
    ).all()
    with pytest.raises(SpecError, match=r"fixed share 1\.5: give a share between 0 and 1"):
        volume_curve(drawn, components, evidence, seed=7, fixed_shares=[1.5])


def test_impacts_that_speak_for_all_are_not_thinned_again(drawn, components, evidence, economics):
    impact = drawn["posterior"]["impact"].assign_attrs(estimand=OF_ALL_RANDOMISED)
    parameters = economics[list(parameters_of(components, evidence))]
    whole = appraise(impact, components, evidence, seed=7, parameters=parameters)
    assert (whole["coverage"] == 1).all()
    at = {"perspective": "economic", "group": "WMCA"}
    assert (whole["benefit_per_head"].sel(at) > economics["benefit_per_head"].sel(at)).mean() > 0.9
    xr.testing.assert_identical(
        whole["benefit_per_head"].sel(perspective="financial"),
        economics["benefit_per_head"].sel(perspective="financial"),
    )


def test_returns_are_summarised_by_their_definitions(economics):
    table = return_summary(economics).set_index(["perspective", "group"])
    for (perspective, group), row in table.iterrows():
        at = economics.sel(perspective=perspective, group=group)
        net, ratio = at["net_present_value"].to_numpy(), at["benefit_cost_ratio"].to_numpy()
        assert row["ratio_of_means"] == pytest.approx(
            at["benefit_per_head"].mean().item() / at["cost_per_head"].mean().item()
        )
        assert row["mean"] == pytest.approx(ratio.mean())
        assert row["prob_above_one"] == (net > 0).mean() == (ratio > 1).mean()
        assert row["loss_if_funded_gbp"] == pytest.approx(np.maximum(-net, 0).mean())
        assert row["loss_if_not_gbp"] == pytest.approx(np.maximum(net, 0).mean())
        # What not funding loses less what funding loses is the mean net benefit.
        difference = row["loss_if_not_gbp"] - row["loss_if_funded_gbp"]
        assert difference == pytest.approx(row["net_present_value_gbp"])
    # On a skewed distribution the ratio of means is not the mean of the ratio.
    assert (table["ratio_of_means"] - table["mean"]).abs().max() > 1e-4


def test_acceptability_counts_draws(economics):
    curve = acceptability(economics, [0.5, 1.0, 2.0])
    ratio = economics["benefit_cost_ratio"]
    for _, row in curve.iterrows():
        draws = ratio.sel(perspective=row["perspective"], group=row["group"])
        assert row["probability"] == (draws > row["threshold"]).mean()
    by_group = curve[curve["perspective"] == "economic"].pivot(index="threshold", columns="group", values="probability")
    assert (by_group.diff().dropna() <= 0).all().all()


def test_acceptability_of_a_price_is_an_appraisal_at_that_price(economics, drawn, components, evidence):
    curve = acceptability_of_price(economics, drawn, evidence, "health", [20_000.0, 70_000.0])
    assert set(curve["perspective"]) == {"economic"}
    parameters = economics[list(parameters_of(components, evidence))]
    for price, rows in curve.groupby("price"):
        moved = parameters.assign({"benefits.health.price": xr.full_like(parameters["benefits.health.price"], price)})
        net = appraise(drawn, components, evidence, seed=7, parameters=moved)["net_present_value"].sel(
            perspective="economic"
        )
        expected = (net > 0).mean(("chain", "draw")).to_series()
        np.testing.assert_allclose(rows.set_index("group")["probability"], expected[rows["group"]], atol=1e-12)
    with pytest.raises(SpecError, match=r"benefit 'helth' is unknown.*did you mean 'health'"):
        acceptability_of_price(economics, drawn, evidence, "helth", [1.0])


def test_a_ratio_whose_denominator_changes_sign_is_undefined(economics, drawn, components, evidence):
    table = cost_effectiveness(economics, drawn, components, evidence).set_index(["effect", "group"])
    impact = drawn["posterior"]["impact"].sel(outcome="employment")
    row = table.loc[("sustained job", "WMCA")]
    assert row["prob_effect_positive"] == (impact.sel(group="WMCA") > 0).mean()
    assert np.isnan(row["cost_per_unit_gbp"])
    assert "not in all" in row["why_undefined"]
    assert set(table.index.get_level_values(0)) == {"sustained job", "QALY", "WELLBY"}
    qalys = effects_per_head(economics, drawn, components, evidence)["QALY"]
    _, found = by_hand(drawn, economics, evidence, components)
    np.testing.assert_allclose(qalys.sel(group="SCR IW") * 70_000, found["SCR IW"]["economic"]["health"], rtol=1e-9)
    sure = drawn["posterior"]["impact"] * 0.01 + 0.05
    defined = cost_effectiveness(appraise(sure, components, evidence, seed=7), sure, components, evidence).set_index(
        ["effect", "group"]
    )
    row = defined.loc[("sustained job", "WMCA")]
    assert row["cost_per_unit_gbp"] == pytest.approx(
        row["cost_per_head_gbp"] / sure.sel(outcome="employment", group="WMCA").mean().item()
    )
    assert not row["why_undefined"]


def test_prices_are_named_with_their_year(components, published, evidence):
    table = price_table(components, evidence).set_index(["perspective", "benefit"])
    assert table.loc[("economic", "health"), ["lower_gbp", "upper_gbp"]].tolist() == [70_000, 70_000]
    assert table.loc[("economic", "wellbeing"), "price_year"] == "2019"
    assert not table["implied"].any()
    assert price_table(published, evidence)["implied"].all()


@pytest.mark.parametrize("name", shipped_specs("economic"))
def test_every_shipped_spec_values_the_impacts(drawn, evidence, name):
    economics = appraise(drawn, load_economic_spec(name), evidence, seed=1)
    assert np.isfinite(economics["benefit_cost_ratio"]).all()
    assert list(economics["group"].to_numpy()) == ["SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW"]


def test_scenarios_are_ordered(drawn, evidence):
    means = {
        name: return_summary(appraise(drawn, load_economic_spec(name), evidence, seed=1))
        .query("perspective == 'economic'")["mean"]
        .to_numpy()
        for name in ("pessimistic", "cautious", "green-book", "optimistic")
    }
    assert (means["pessimistic"] < means["green-book"]).all()
    assert (means["cautious"] < means["green-book"]).all()
    assert (means["green-book"] < means["optimistic"]).all()


def test_without_non_response_only_those_who_answered_gain(drawn, evidence):
    economics = appraise(drawn, load_economic_spec("cautious"), evidence, seed=1)
    answered = {"SCR IW": 640 / 1260, "SCR OOW": 762 / 1799, "WMCA": 754 / 1837}
    for group, share in answered.items():
        np.testing.assert_allclose(economics["coverage"].sel(group=group), share)
    weights = [TREATED[name] for name in ("SCR IW", "SCR OOW")]
    np.testing.assert_allclose(
        economics["coverage"].sel(group="All SCR"), np.average([640 / 1260, 762 / 1799], weights=weights)
    )


def mine(tmp_path, name, *edits):
    return load_economic_spec(edited_spec(tmp_path, name, "economic", *edits))


FIGURE = 'unit = "GBP"\nwhy = "w"\nsource = "s"\n'


def test_a_stated_cost_takes_the_place_of_the_printed_one(tmp_path, drawn, evidence, economics):
    stated = mine(
        tmp_path,
        "green-book",
        ("[costs.uncertainty]", f'[costs.per_head."WMCA"]\nvalue = 2000.0\n{FIGURE}[costs.uncertainty]'),
    )
    found = appraise(drawn, stated, evidence, seed=7)["cost_per_head"] / economics["cost_per_head"]
    np.testing.assert_allclose(found.sel(group="WMCA"), 2000 / 3893)
    np.testing.assert_allclose(found.sel(group="SCR IW"), 1.0)
    unknown = mine(
        tmp_path,
        "green-book",
        ("[costs.uncertainty]", f'[costs.per_head."WMC"]\nvalue = 2000.0\n{FIGURE}[costs.uncertainty]'),
    )
    with pytest.raises(SpecError, match=r"costs\.per_head\.WMC': no such trial group; allowed: SCR IW, SCR OOW, WMCA"):
        appraise(drawn, unknown, evidence, seed=7)


def test_a_printed_cost_of_nothing_is_refused(evidence_folder):
    edit(evidence_folder / "tables/synthesis_table_2_2.csv", '"£3,893",3893', "£0,0")
    with pytest.raises(EvidenceError, match="£0 given; a cost per head must be above £0"):
        load_evidence(evidence_folder)


def test_a_volume_that_is_not_known_is_refused(drawn, published, components, evidence):
    with pytest.raises(SpecError, match=r"needs the key 'costs\.fixed_share'"):
        appraise(drawn, published, evidence, seed=1, volume="planned")
    with pytest.raises(SpecError, match=r"volume 'planed' is unknown; allowed: 'actual', 'planned'"):
        appraise(drawn, components, evidence, seed=1, volume="planed")


def test_a_follow_up_of_nobody_is_refused(tmp_path, drawn, evidence):
    wrong = mine(
        tmp_path, "green-book", ('group = "WMCA"\noutcome = "employment"', 'group = "WMC"\noutcome = "employment"')
    )
    with pytest.raises(SpecError, match=r"persistence\.work\.follow_up': .* gives no impact on employment in WMC"):
        appraise(drawn, wrong, evidence, seed=1)


def test_own_trials_are_valued_at_stated_costs(tmp_path):
    (tmp_path / "mine.csv").write_text(
        "outcome,group,estimate,unit,se,n_treatment,n_control\nhealth,A,0.1,SD,0.05,500,500\nhealth,B,0.2,SD,0.08,300,300\n",
        encoding="utf-8",
    )
    own = load_evidence(tmp_path / "mine.csv")
    path = tmp_path / "prices.toml"
    costs = "".join(f'[costs.per_head."{name}"]\nvalue = 2000.0\n{FIGURE}' for name in ("A", "B"))
    path.write_text(
        'based_on = "green-book"\nwithout = ["nonresponse", "persistence.work.follow_up", "perspectives.financial"]\n'
        f'name = "mine"\ntitle = "Mine"\n[perspectives.economic]\nbenefits = ["health"]\n{costs}',
        encoding="utf-8",
    )
    impact = xr.DataArray(
        np.random.default_rng(1).normal(0.1, 0.05, (2, 500, 1, 2)),
        dims=("chain", "draw", "outcome", "group"),
        coords={"outcome": ["health"], "group": ["A", "B"]},
    )
    economics = appraise(impact, load_economic_spec(path), own, seed=1)
    assert list(economics["group"].to_numpy()) == ["A", "B"]
    assert np.isfinite(economics["benefit_cost_ratio"]).all()
    assert np.isnan(economics["published"]).all()
    with pytest.raises(SpecError, match="has no costs for A, B, so nothing can be valued; state them in"):
        appraise(impact, mine(tmp_path, path, (costs, "")), own, seed=1)


def test_impacts_of_other_groups_are_refused(drawn, components, evidence):
    with pytest.raises(ImpactError, match="it must have SCR IW, SCR OOW, WMCA"):
        appraise(drawn["posterior"]["impact"].sel(group=["WMCA"]), components, evidence, seed=1)
