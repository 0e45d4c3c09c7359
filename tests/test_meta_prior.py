"""The robust prior of the Health-led impacts: numbers against closed forms and against a simulation."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.evidence.ips_trials import load_ips_trials
from hlt_bayes.meta import briefing_ratio, ips_prior, prior_data_conflict

CONTROL_RATES = {"SCR IW": 0.75, "SCR OOW": 0.27, "WMCA": 0.18}
OBSERVED = {"SCR OOW": -0.02, "WMCA": 0.04}
SE = {"SCR OOW": 0.016, "WMCA": 0.013}


@pytest.fixture(scope="module")
def wide(ips_spec):
    return ips_spec.wide


@pytest.fixture(scope="module")
def briefing():
    return {reading: briefing_ratio(load_ips_trials(), reading=reading) for reading in ("odds ratio", "risk ratio")}


@pytest.fixture(scope="module")
def prior(briefing, wide):
    return ips_prior(briefing["odds ratio"], CONTROL_RATES, wide, hlt_counted_twice="as a sensitivity")


def drawn(values, reading="odds ratio"):
    return xr.DataArray(
        np.asarray(values, float),
        dims="draw",
        attrs={"source": "trials", "reading": reading, "adjusted_for_size": "no", "contains_hlt": "no"},
    )


def test_a_ratio_is_carried_to_each_control_rate_by_its_reading(wide):
    # By hand: odds ratio 1.32 at 0.18: odds 0.2195 x 1.32 = 0.2898, rate 0.2247; risk ratio 1.32: 0.2376.
    ratios = np.log([1.32, 1.32]) + np.array([-1e-6, 1e-6])
    by_odds = ips_prior(drawn(ratios), CONTROL_RATES, wide)["mean"].sel(component="ips")
    by_risk = ips_prior(drawn(ratios, "risk ratio"), CONTROL_RATES, wide)
    np.testing.assert_allclose(by_odds, [0.0484, 0.0581, 0.0447], atol=5e-5)
    np.testing.assert_allclose(by_risk["mean"].sel(component="ips"), [0.24, 0.0864, 0.0576], atol=1e-9)
    assert (by_risk["capped"] == 0).all()
    above_one = ips_prior(drawn(np.log([1.3, 1.5]), "risk ratio"), CONTROL_RATES, wide)
    assert above_one["capped"].to_series().to_dict() == {"SCR IW": 0.5, "SCR OOW": 0.0, "WMCA": 0.0}
    assert above_one["mean"].sel(group="SCR IW", component="ips").item() == pytest.approx((0.225 + 0.25) / 2)


def test_no_effect_is_no_impact(wide):
    prior = ips_prior(drawn([-1e-9, 0, 1e-9]), CONTROL_RATES, wide)
    np.testing.assert_allclose(prior["mean"], 0.0, atol=1e-8)
    np.testing.assert_allclose(prior["sd"].sel(component="ips"), 0.0, atol=1e-8)


def test_the_normal_has_the_moments_of_the_draws_and_quantiles_show_where_it_departs(wide):
    draws = np.random.default_rng(1).normal(0.4, 0.6, 20000)
    prior = ips_prior(drawn(draws), {"WMCA": 0.18}, wide)
    odds = 0.18 / 0.82 * np.exp(draws)
    impact = odds / (1 + odds) - 0.18
    ips = prior.sel(component="ips", group="WMCA")
    np.testing.assert_allclose([ips["mean"], ips["sd"]], [impact.mean(), impact.std(ddof=1)])
    quantile = prior["quantile"].sel(group="WMCA")
    np.testing.assert_allclose(
        quantile.sel(kind="predictive", probability=[0.025, 0.975]), np.quantile(impact, [0.025, 0.975])
    )
    np.testing.assert_allclose(
        quantile.sel(kind="ips"), norm.ppf(quantile["probability"], impact.mean(), impact.std(ddof=1)), atol=1e-5
    )
    assert quantile.sel(kind="predictive", probability=0.025) > quantile.sel(kind="ips", probability=0.025) + 0.01
    mixture = quantile.sel(kind="mixture").to_numpy()
    below = 0.8 * norm.cdf(mixture, ips["mean"], ips["sd"]) + 0.2 * norm.cdf(mixture, 0.0, 0.25)
    np.testing.assert_allclose(below, quantile["probability"], atol=1e-5)


def test_the_briefing_is_a_normal_with_the_printed_interval(briefing):
    values = briefing["odds ratio"]
    np.testing.assert_allclose(np.exp(values.median()), 1.32)
    # 1.20 and 1.46 are rounded: their geometric mean is 1.3236, not 1.32.
    np.testing.assert_allclose(np.exp(np.quantile(values, [0.025, 0.975])), [1.20, 1.46], atol=0.005)
    assert values.attrs["contains_hlt"] == "yes"


def test_a_source_that_counts_the_health_led_trials_twice_is_refused(briefing, wide):
    with pytest.raises(
        EvidenceError, match=r"source 'briefing': .* counts them twice; use ratio_of_new_trial"
    ) as error:
        ips_prior(briefing["odds ratio"], CONTROL_RATES, wide)
    assert "hlt_counted_twice='as a sensitivity'" in str(error.value)


def test_a_ratio_that_does_not_say_where_it_comes_from_is_refused(wide):
    with pytest.raises(EvidenceError, match="ratio: attrs lack source, reading, contains_hlt; use ratio_of_new_trial"):
        ips_prior(drawn([0.1, 0.2]).drop_attrs(), CONTROL_RATES, wide)


def test_the_prior_says_what_it_is(prior, wide):
    assert prior["weight"].dims == ("group", "component")
    np.testing.assert_allclose(prior["weight"].sel(group="WMCA"), [0.8, 0.2])
    np.testing.assert_allclose(prior.sel(component="wide")["sd"], 0.25)
    assert prior.attrs["unit"] == "proportion"
    assert (prior.attrs["source"], prior.attrs["reading"]) == ("briefing", "odds ratio")
    assert "twice" in prior.attrs["why"]
    assert prior.attrs["why_wide"] == wide.why


def test_it_is_a_normal_mixture_of_pymc(prior):
    import pymc as pm

    weight, mean, sd = (prior[name].to_numpy() for name in ("weight", "mean", "sd"))
    with pm.Model(coords={"group": prior["group"].to_numpy()}):
        impact = pm.NormalMixture("impact", w=weight, mu=mean, sigma=sd, dims="group")
        found = pm.logp(impact, np.array([0.03, -0.02, 0.04])).eval(mode="FAST_COMPILE")
    expected = prior["weight"] * norm.pdf(np.array([[0.03], [-0.02], [0.04]]), prior["mean"], prior["sd"])
    np.testing.assert_allclose(found, np.log(expected.sum("component")))


@pytest.mark.parametrize("rate", [0.0, 1.0, 27.0, np.nan])
def test_a_rate_that_is_no_proportion_is_refused(wide, rate):
    with pytest.raises(EvidenceError, match=r"control_rates: WMCA .* given; allowed: proportions above 0 and below 1"):
        ips_prior(drawn([0.1, 0.2]), {"WMCA": rate}, wide)


def test_conflict_is_what_a_simulation_of_the_prior_finds(prior):
    table = prior_data_conflict(prior, OBSERVED, SE)
    rng = np.random.default_rng(2)
    for group, row in table.iterrows():
        weight, mean, sd = (prior[name].sel(group=group).to_numpy() for name in ("weight", "mean", "sd"))
        spread = np.hypot(sd, SE[group])
        component = rng.choice(2, 400_000, p=weight)
        seen = rng.normal(mean[component], spread[component])

        def density(y, weight=weight, mean=mean, spread=spread):
            return norm.pdf(np.asarray(y)[..., None], mean, spread) @ weight

        rarer = density(seen) <= density(OBSERVED[group])
        assert abs(rarer.mean() - row["p_box"]) < 4 * rarer.std() / np.sqrt(rarer.size)
        assert abs(seen.mean() - row["prior_mean"]) < 4 * row["predictive_sd"] / np.sqrt(seen.size)
        near = abs(seen - OBSERVED[group]) < 0.002
        share = component[near].mean()
        assert abs(share - row["wide_weight_posterior"]) < 4 * np.sqrt(share * (1 - share) / near.sum()) + 0.01


def test_a_normal_prior_gives_the_usual_two_sided_p(wide):
    alone = wide.model_copy(update={"weight": 1e-12})
    prior = ips_prior(drawn(np.random.default_rng(3).normal(0.4, 0.3, 5000)), CONTROL_RATES, alone)
    table = prior_data_conflict(prior, OBSERVED, SE)
    # Cells of 0.0024 SDs hold up to 0.001 each; two lie across the bound.
    np.testing.assert_allclose(table["p_box"], table["p_ips"], atol=0.002)


def test_the_briefing_conflicts_with_scr_oow_and_not_with_wmca(prior):
    table = prior_data_conflict(prior, OBSERVED, SE)
    assert table.loc["SCR OOW", "p_ips"] < 1e-3
    assert table.loc["SCR OOW", "wide_weight_posterior"] > 0.9
    assert table.loc["WMCA", "wide_weight_posterior"] < 0.05


def test_an_unknown_group_and_a_missing_se_are_refused(prior):
    with pytest.raises(EvidenceError, match=r"group 'WMC' is unknown; .* did you mean 'WMCA'"):
        prior_data_conflict(prior, {"WMC": 0.1}, {"WMC": 0.1})
    with pytest.raises(EvidenceError, match="group 'WMCA': se None given"):
        prior_data_conflict(prior, {"WMCA": 0.1}, {})
