"""What more evidence is worth: its laws, and exact answers where everything is linear and normal."""

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, stats

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.vocabulary import OF_ALL_RANDOMISED
from hlt_bayes.economics import (
    appraise,
    decision_population,
    evpi,
    evppi,
    new_trial,
    tornado,
    value_of_unprinted,
    variance_shares,
)
from hlt_bayes.economics.conditional_mean import expected_given, share_explained
from hlt_bayes.economics.drivers import assumptions, known_quantities, quantity_label
from hlt_bayes.economics.parameters import parameters_of
from hlt_bayes.economics.value_of_information import error_variances, expected_gain, parts_to_learn, share_resolved
from hlt_bayes.inference.exact import exact_posterior_of_rows
from hlt_bayes.likelihood import recovered_se, reported_results
from hlt_bayes.specs.priors import prior

DRAWS = 2**17
"""Of quasi-random normals, where an exact answer is to be met to 1 %: so many random ones would miss it by as much."""


@pytest.fixture(scope="module")
def economics(drawn, components, evidence):
    return appraise(drawn, components, evidence, seed=7)


def unit_normal_gain(mean, sd):
    """E max(0, X) - max(0, E X) of X ~ Normal(mean, sd)."""
    return sd * stats.norm.pdf(mean / sd) + mean * stats.norm.cdf(mean / sd) - max(0.0, mean)


def arrays(**values):
    return {name: xr.DataArray(one.reshape(4, -1), dims=("chain", "draw")) for name, one in values.items()}


def quasi_normals(dims, seed):
    """Independent standard normals {dim, sample} that fill space evenly."""
    return stats.qmc.MultivariateNormalQMC(np.zeros(dims), seed=seed).random(DRAWS).T


@pytest.fixture(scope="module")
def linear():
    """Net benefit 3 a + 2 b - 1, with a and b standard normal and independent."""
    a, b = quasi_normals(2, 11)
    return arrays(a=a, b=b, net=3 * a + 2 * b - 1.0)


def test_perfect_information_is_the_unit_normal_loss(linear):
    exact = unit_normal_gain(-1.0, np.sqrt(13))
    assert expected_gain(linear["net"]).item() == pytest.approx(exact, rel=0.01)
    # The twin that takes the variance for the SD.
    assert unit_normal_gain(-1.0, 13.0) != pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize(("names", "slopes"), [(("a",), (3,)), (("b",), (2,)), (("a", "b"), (3, 2))])
def test_partial_information_is_exact_where_all_is_linear_and_normal(linear, names, slopes):
    fitted = expected_given(linear["net"], [linear[name] for name in names])
    exact = unit_normal_gain(-1.0, np.hypot.reduce(np.array(slopes, dtype=float)))
    assert expected_gain(fitted).item() == pytest.approx(exact, rel=0.01)
    assert share_explained(linear["net"], [linear[name] for name in names]).item() == pytest.approx(
        sum(s * s for s in slopes) / 13, abs=0.005
    )


def test_a_conditional_mean_of_products_and_curves_is_found():
    rng = np.random.default_rng(2)
    a, b, noise = rng.standard_normal((3, DRAWS))
    bent = 1 / (1 + np.exp(2 * a)) + a * b
    known = arrays(a=a, b=b, y=bent + noise)
    fitted = expected_given(known["y"], [known["a"], known["b"]]).to_numpy().ravel()
    assert np.sqrt(np.mean((fitted - bent) ** 2)) < 0.03 * bent.std()
    alone = expected_given(known["y"], [known["a"]]).to_numpy().ravel()
    assert np.sqrt(np.mean((alone - 1 / (1 + np.exp(2 * a))) ** 2)) < 0.03


def test_what_says_nothing_explains_nothing():
    rng = np.random.default_rng(3)
    known = arrays(x=rng.standard_normal(8000), y=rng.standard_normal(8000), constant=np.ones(8000))
    assert share_explained(known["y"], [known["x"]]).item() < 0.002
    # Many that say nothing: without the adjustment their fit has the variance of its terms, one 8,000th each; with it
    # what is left is the chance of a chi-square, of which four SDs are allowed.
    noise = list(arrays(**{f"x{at}": rng.standard_normal(8000) for at in range(12)}).values())
    found = expected_gain(expected_given(known["y"], noise)).item()
    terms = 12 * 6 + 66
    assert found < unit_normal_gain(0.0, np.sqrt(4 * np.sqrt(2 * terms) / 8000))
    assert unit_normal_gain(0.0, np.sqrt(terms / 8000)) > unit_normal_gain(0.0, np.sqrt(4 * np.sqrt(2 * terms) / 8000))
    assert share_explained(known["y"], [known["constant"]]).item() == 0
    np.testing.assert_allclose(expected_given(known["y"], [known["constant"]]), known["y"].mean())


def test_the_laws_of_information_hold(economics, drawn, components, evidence):
    perfect = evpi(economics)
    assert (perfect >= 0).all()
    keys = list(known_quantities(economics, drawn, components, evidence))
    order = ["impact.health", "persistence.health.decay", "nonresponse.share", "conversions.qalys", "impact.employment"]
    chain = {f"first {n}": order[:n] for n in range(1, len(order) + 1)}
    values = evppi(economics, drawn, components, evidence, parts={**chain, **parts_to_learn(components, keys)})
    # A regression on 4,000 draws is true to some per cent of the value of perfect information.
    within = values.merge(perfect.to_series().rename("perfect").reset_index())
    assert (within["value_gbp"] >= -1e-9).all()
    assert (within["value_gbp"] <= within["perfect"] + 1e-9).all()
    growing = values[values["learnt"].isin(list(chain))].pivot(
        index=["perspective", "group"], columns="learnt", values="value_gbp"
    )[list(chain)]
    slack = 0.01 * growing.max(axis=1) + 1e-9
    assert (growing.diff(axis=1).iloc[:, 1:].ge(-slack, axis=0)).all().all()
    financial = values[values["perspective"] == "financial"]
    assert financial["value_gbp"].max() < 1.0


def test_parts_name_every_quantity_once(economics, drawn, components, evidence):
    keys = list(known_quantities(economics, drawn, components, evidence))
    parts = parts_to_learn(components, keys)
    together = {name: parts.pop(name) for name in ("All impacts", "All but the impacts")}
    assert sorted(key for one in parts.values() for key in one) == sorted(keys)
    assert sorted(key for one in together.values() for key in one) == sorted(keys)
    values = evppi(economics, drawn, components, evidence, parts={"QALY": parts["Value of a QALY"]})
    assert values["fixed"].all()
    assert (values["value_gbp"] < 1e-9).all()
    with pytest.raises(SpecError, match=r"quantity 'impact\.helth' is unknown.*did you mean 'impact\.health'"):
        evppi(economics, drawn, components, evidence, parts={"x": ["impact.helth"]})


def test_partial_information_on_products_is_that_of_nested_means(economics, drawn, components, evidence):
    """Quantities are independent but for the learnt decay: the mean net benefit given one is a sum of mean products."""
    at = {"perspective": "economic", "group": "WMCA"}
    net = economics["net_present_value"].sel(at)
    share = economics["nonresponse.share"]
    base = parameters_of(components, evidence)
    keys = list(base)
    low, high = (
        appraise(
            drawn,
            components,
            evidence,
            seed=7,
            parameters=economics[keys].assign({"nonresponse.share": xr.full_like(share, value)}),
        )["net_present_value"]
        .sel(at)
        .mean()
        .item()
        for value in (0.0, 1.0)
    )
    exact = low + (high - low) * share.to_numpy().ravel()
    gain = np.maximum(exact, 0).mean() - max(0.0, exact.mean())
    found = evppi(economics, drawn, components, evidence, parts={"share": ["nonresponse.share"]})
    value = found[(found["perspective"] == "economic") & (found["group"] == "WMCA")]["value_gbp"].item()
    error = net.std().item() / np.sqrt(net.size)
    assert value == pytest.approx(gain, abs=3 * error)


def normal_case(evidence, components, *, mean, sd):
    """Impacts that are independent normals, and an appraisal by prices that are known."""
    standard = quasi_normals(12, 5).T.reshape(4, DRAWS // 4, 4, 3)
    impact = xr.DataArray(
        np.array(mean)[:, None] + np.array(sd)[:, None] * standard,
        dims=("chain", "draw", "outcome", "group"),
        coords={"outcome": ["employment", "earnings", "health", "wellbeing"], "group": ["SCR IW", "SCR OOW", "WMCA"]},
    )
    fixed = {key: quantity.expectation for key, quantity in parameters_of(components, evidence).items()}
    like = xr.zeros_like(impact.isel(outcome=0, group=0, drop=True))
    parameters = xr.Dataset({key: like + value for key, value in fixed.items()})
    return impact, appraise(impact, components, evidence, seed=1, parameters=parameters)


@pytest.fixture(scope="module")
def normal(evidence, components):
    return normal_case(evidence, components, mean=[0.03, 100.0, 0.07, 0.11], sd=[0.013, 170.0, 0.045, 0.05])


def test_a_new_trial_is_exact_where_all_is_linear_and_normal(normal, evidence, components, primary):
    impact, economics = normal
    sizes = [100, 1000, 10_000, 1_000_000_000]
    trials = new_trial(economics, impact, components, primary, evidence, group="WMCA", sizes=sizes)
    rows = trials[trials["perspective"] == "economic"].set_index("per_arm")
    net = economics["net_present_value"].sel(perspective="economic", group="WMCA")
    means, sds = np.array([0.03, 100.0, 0.07, 0.11]), np.array([0.013, 170.0, 0.045, 0.05])
    worth = slopes_of(economics)
    cost = economics["cost_per_head"].sel(group="WMCA").mean().item()
    centre = float(worth @ means) - cost
    assert net.mean().item() == pytest.approx(centre, abs=4 * net.std().item() / np.sqrt(net.size))
    variance = error_variances(evidence, primary, "WMCA", ["employment", "earnings", "health", "wellbeing"])
    for per_arm in sizes:
        settled = (worth * sds) ** 2 * sds**2 / (sds**2 + variance / per_arm)
        exact = unit_normal_gain(centre, np.sqrt(settled.sum()))
        assert rows.loc[per_arm, "value_gbp"] == pytest.approx(exact, rel=0.01, abs=0.01), per_arm
    assert (rows["value_gbp"].diff().dropna() > 0).all()
    assert rows.loc[1_000_000_000, "value_gbp"] == pytest.approx(rows["limit_gbp"].iloc[0], rel=1e-3)
    assert rows["limit_gbp"].iloc[0] == pytest.approx(
        unit_normal_gain(centre, np.sqrt(((worth * sds) ** 2).sum())), rel=0.01
    )
    # The twin that takes the standard error of this trial as it is, whatever the size of the new one.
    wrong = (worth * sds) ** 2 * sds**2 / (sds**2 + variance / 1837.5)
    assert rows.loc[10_000, "value_gbp"] != pytest.approx(unit_normal_gain(centre, np.sqrt(wrong.sum())), rel=0.05)


def slopes_of(economics):
    """£ per unit of each impact of WMCA in the economic perspective, in the order of the outcomes."""
    at = economics.isel(chain=0, draw=0)
    worth = dict.fromkeys(("employment", "earnings", "health", "wellbeing"), 0.0)
    for name in economics["benefit"].to_numpy():
        if economics["counted"].sel(perspective="economic", benefit=name):
            outcome = economics["outcome"].sel(benefit=name).item()
            share = at["coverage"].sel(group="WMCA").item() if outcome in ("health", "wellbeing") else 1.0
            worth[outcome] += (at["price"] * at["units"]).sel(benefit=name).item() * share
    return np.array(list(worth.values()))


def test_what_a_trial_settles_is_what_exact_updating_by_a_new_row_settles():
    """One group without pooling: the exact engine's posterior, with and without the row of the new trial."""
    mu = prior({"family": "normal", "mean": 0.0, "sd": 0.1})
    before = exact_posterior_of_rows({"A": 0.05}, {"A": 0.055}, mu=mu, tau=None)
    variance = before["sd"].sel(quantity="impact[A]").item() ** 2
    for error in (0.02, 0.05, 0.2):
        joint = 1 / (1 / 0.055**2 + 1 / error**2)
        after = exact_posterior_of_rows({"A": 0.05}, {"A": np.sqrt(joint)}, mu=mu, tau=None)
        left = after["sd"].sel(quantity="impact[A]").item() ** 2
        found = share_resolved(np.array([2.0]), np.array([[variance]]), np.array([error**2]))
        assert found == pytest.approx(1 - left / variance, rel=1e-9)
        assert share_resolved(np.array([2.0]), np.array([[variance]]), np.array([error])) != pytest.approx(
            found, rel=0.05
        )


def test_what_estimates_of_correlated_impacts_settle_is_that_of_the_joint_normal():
    covariance = np.array([[1.0, 0.6], [0.6, 2.0]])
    slopes, errors = np.array([1.0, -0.5]), np.array([0.5, np.inf])
    # One outcome alone is measured: the regression of the sum on it.
    weighted = covariance @ slopes
    exact = weighted[0] ** 2 / (covariance[0, 0] + 0.5) / (slopes @ weighted)
    assert share_resolved(slopes, covariance, errors) == pytest.approx(exact)
    assert share_resolved(slopes, covariance, np.array([1e-12, 1e-12])) == pytest.approx(1.0)
    assert share_resolved(slopes, covariance, np.array([np.inf, np.inf])) == 0.0


def test_a_trial_of_this_size_has_the_errors_of_this_one(evidence, primary):
    variance = error_variances(evidence, primary, "WMCA", ["health", "nothing"])
    cells = recovered_se(reported_results(evidence, primary), [0.5]).sel(quantity="se")
    se = cells["quantile"].isel(cell=np.flatnonzero((cells["outcome"] == "health") & (cells["group"] == "WMCA"))).item()
    assert np.sqrt(variance[0] / (2 / (1 / 1837 + 1 / 1838))) == pytest.approx(se)
    assert np.isinf(variance[1])


def test_people_are_discounted_over_the_years_of_the_decision(components):
    assert decision_population(components) == pytest.approx(2000 * sum(1.035**-year for year in range(5)))
    half = components.decision.model_copy(update={"years": components.decision.years.model_copy(update={"value": 0.5})})
    assert decision_population(components.model_copy(update={"decision": half})) == pytest.approx(1000)
    with pytest.raises(SpecError, match="the key 'decision' is missing"):
        decision_population(components.model_copy(update={"decision": None}))


def test_costs_of_a_trial_are_added_up(economics, drawn, components, primary, evidence):
    trials = new_trial(economics, drawn, components, primary, evidence, group="WMCA", sizes=[100, 400])
    net = economics["net_present_value"].sel(group="WMCA").mean(("chain", "draw")).to_series()
    loss = (-trials["perspective"].map(net)).clip(lower=0)
    np.testing.assert_allclose(trials["cost_gbp"], 500_000 + (2 * 500 + loss) * trials["per_arm"])
    later = decision_population(components, after=3.0)
    assert later == pytest.approx(2000 * (1.035**-3 + 1.035**-4))
    np.testing.assert_allclose(trials["net_gbp"], trials["value_gbp"] * later - trials["cost_gbp"])
    with pytest.raises(SpecError, match="sizes: 0 people per arm given; must be 1 or more"):
        new_trial(economics, drawn, components, primary, evidence, group="WMCA", sizes=[0])
    paid = trials["people_to_break_even"] * trials["value_gbp"]
    np.testing.assert_allclose(paid[np.isfinite(paid)], trials["cost_gbp"][np.isfinite(paid)])
    with pytest.raises(SpecError, match=r"group 'All OOW' is unknown; allowed: 'SCR IW', 'SCR OOW', 'WMCA'"):
        new_trial(economics, drawn, components, primary, evidence, group="All OOW")


def test_shares_of_variance_are_those_of_a_sum(normal, evidence, components):
    impact, economics = normal
    shares = variance_shares(economics, impact, components, evidence)
    of_wmca = shares[(shares["perspective"] == "economic") & (shares["group"] == "WMCA")].set_index("quantity")["share"]
    parts = (slopes_of(economics) * np.array([0.013, 170.0, 0.045, 0.05])) ** 2
    for name, part in zip(("employment", "earnings", "health", "wellbeing"), parts, strict=True):
        assert of_wmca[f"impact.{name}"] == pytest.approx(part / parts.sum(), abs=0.005)
    assert of_wmca.drop([name for name in of_wmca.index if name.startswith("impact.")]).max() == 0


def test_a_tornado_moves_one_quantity_at_a_time(drawn, components, evidence, economics):
    moved = tornado(drawn, components, evidence, seed=7).set_index(["quantity", "perspective", "group"])
    at = ("economic", "WMCA")
    base = economics["benefit_cost_ratio"].sel(perspective="economic", group="WMCA").mean().item()
    np.testing.assert_allclose(moved["base"].xs(at, level=("perspective", "group")), base)
    keys = list(parameters_of(components, evidence))
    high = components.persistence["health"].decay.quantile(0.945)
    parameters = economics[keys].assign(
        {"persistence.health.decay": xr.full_like(economics["costs.uncertainty"], high)}
    )
    by_hand = appraise(drawn, components, evidence, seed=7, parameters=parameters)["benefit_cost_ratio"].sel(
        perspective="economic", group="WMCA"
    )
    assert moved["high"][("persistence.health.decay", *at)] == pytest.approx(by_hand.mean().item())
    impact = drawn["posterior"]["impact"]
    value = impact.sel(outcome="health", group="WMCA").quantile(0.055).item()
    lowered = impact.where((impact["outcome"] != "health") | (impact["group"] != "WMCA"), value)
    by_hand = appraise(lowered, components, evidence, seed=7, parameters=economics[keys])["benefit_cost_ratio"].sel(
        perspective="economic", group="WMCA"
    )
    assert moved["low"][("impact.health", *at)] == pytest.approx(by_hand.mean().item())
    variants = moved.loc[("benefits.health.price", *at)]
    assert variants["low_value"] == 60_000
    assert variants["high_value"] == 70_000
    assert "benefits.earnings.price" not in moved.index.get_level_values(0)


def test_assumptions_are_listed_by_what_they_explain(economics, drawn, components, evidence):
    listed = assumptions(economics, drawn, components, evidence)
    shares = listed["share"].dropna().to_numpy()
    assert (np.diff(shares) <= 0).all()
    assert listed["share"].isna().to_numpy()[len(shares) :].all()
    assert listed["key"].is_unique
    assert "benefits.health.price" not in set(listed["key"])
    assert listed.set_index("key")["settled_by"]["persistence.health.decay"].startswith("the published economic report")
    by_variance = variance_shares(economics, drawn, components, evidence)
    of_groups = by_variance[(by_variance["perspective"] == "economic") & by_variance["group"].isin(evidence.groups)]
    first = listed.iloc[0]
    assert first["share"] == of_groups[of_groups["quantity"] == first["key"]]["share"].max()
    assert all(quantity_label(key, components) for key in known_quantities(economics, drawn, components, evidence))


def test_a_trial_of_what_no_survey_measures_is_refused(economics, drawn, components, primary, evidence):
    impact = drawn["posterior"]["impact"].assign_attrs(estimand=OF_ALL_RANDOMISED)
    with pytest.raises(SpecError, match="whom no survey measures"):
        new_trial(economics, impact, components, primary, evidence, group="WMCA")


def test_what_was_not_printed_is_ranked(economics, drawn, components, primary, evidence):
    ranked = value_of_unprinted(economics, drawn, components, primary, evidence, group="WMCA", seed=1)
    assert (ranked["share"].diff().dropna() <= 0).all()
    assert set(ranked["what"]) == {key for key, one in components.quantities().items() if one.settled_by}
    np.testing.assert_allclose(ranked["sd_then"], ranked["sd_now"] * np.sqrt(1 - ranked["share"]))
    shares = variance_shares(economics, drawn, components, evidence)
    own = shares[(shares["perspective"] == "economic") & (shares["group"] == "WMCA")].set_index("quantity")["share"]
    np.testing.assert_allclose(ranked.set_index("what")["share"], own[ranked["what"]], rtol=1e-9)


def test_information_of_a_density_is_that_of_quadrature():
    """EVPPI through a curved conditional mean: one standard normal quantity x, net benefit exp(x) - 1.5 and noise."""
    rng = np.random.default_rng(9)
    x, noise = rng.standard_normal((2, DRAWS))
    known = arrays(x=x, net=np.exp(x) - 1.5 + 2 * noise)
    exact = integrate.quad(lambda at: max(np.exp(at) - 1.5, 0) * stats.norm.pdf(at), -8, 8)[0] - max(
        0, np.exp(0.5) - 1.5
    )
    assert expected_gain(expected_given(known["net"], [known["x"]])).item() == pytest.approx(exact, rel=0.03)


def test_numbers_of_cells_are_ranked_by_what_the_return_hangs_on(economics, drawn, components, primary, evidence):
    """Draws of cells made to explain all, about half, or nothing of the return's variance."""
    ratio = economics["benefit_cost_ratio"].sel(perspective="economic", group="WMCA", drop=True)
    standard = (ratio - ratio.mean()) / ratio.std()
    noise = ratio.copy(data=np.random.default_rng(4).standard_normal(ratio.shape))
    half = np.sqrt(0.5) * (standard + noise)
    cells = reported_results(evidence, primary)
    at = next(i for i in range(cells.sizes["cell"]) if cells["outcome"][i] == "health" and cells["group"][i] == "WMCA")
    se = xr.concat([np.exp(half) if i == at else np.exp(noise) for i in range(cells.sizes["cell"])], dim="cell")
    outcomes = list(drawn["posterior"]["impact"]["outcome"].to_numpy())
    labels = {"outcome": outcomes, "other_outcome": outcomes}
    posterior = {
        "impact": drawn["posterior"]["impact"],
        "se": se,
        "estimate": xr.zeros_like(se),
        "error_correlation": standard.expand_dims(labels),
    }
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(posterior), "reported": cells})
    ranked = value_of_unprinted(economics, tree, components, primary, evidence, group="WMCA", seed=1).set_index("what")[
        "share"
    ]
    assert ranked["error correlation of employment and health"] > 0.99
    # By bins of equal counts, less what their finite size adds.
    binned = ratio.to_numpy().ravel()[np.argsort(half.to_numpy().ravel())].reshape(40, 100)
    between = binned.mean(axis=1).var(ddof=1) - binned.var(axis=1, ddof=1).mean() / 100
    exact = between / ratio.var().item()
    assert ranked["standard error of health, WMCA"] == pytest.approx(exact, abs=0.03)
    assert exact > 0.4
    assert ranked["standard error of health, SCR IW"] < 0.02
    assert ranked["further digits of health, WMCA"] == 0
    assert ranked["control rate of employment, SCR IW"] < 0.02
