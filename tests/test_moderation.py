"""What moderators tell is arithmetic on draws; here on draws so few that it can be done by hand."""

import numpy as np
import pytest
import xarray as xr

from hlt_bayes.core.errors import ImpactError
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.impacts.moderation import (
    contraction,
    counterfactual,
    counterfactuals,
    effective_contrasts,
    moderation_summary,
    slope_correlation,
    slopes,
    with_one_moderator,
)
from hlt_bayes.specs import load_impact_spec

NAMES = ("caseload", "short_meetings", "contacts")
TWO = np.array([[1.0, -1.0, 0.0], [1.0, 1.0, -2.0]])
"""Two contrasts of three groups, each other's complement but not of one size."""


@pytest.fixture(scope="module")
def whole():
    return load_impact_spec("moderators")


def with_moderators(spec, *names):
    return spec.model_copy(update={"moderators": {name: spec.moderators[name] for name in names}})


@pytest.fixture(scope="module")
def spec(whole):
    return with_moderators(whole, *NAMES)


def in_natural_units(spec, steps):
    """Delivery {moderator, group} that lies ``steps`` of ``per`` from the reference."""
    stated = list(spec.moderators.values())
    return np.array([[one.reference + one.per * step for step in row] for one, row in zip(stated, steps, strict=True)])


def tree_of(spec, *, delivery=None, slope=None, prior_slope=None, groups=GROUPS, outcomes=("employment", "health")):
    """A posterior of 2 chains of 4 draws, and a prior of 1 chain of 8; the impact is a draw of its own."""
    names, shape = list(spec.moderators), (2, 4)
    rng = np.random.default_rng(3)
    impact = 0.1 * rng.normal(size=(*shape, len(outcomes), len(groups)))
    slope = 0.1 * rng.normal(size=(*shape, len(names), len(outcomes))) if slope is None else slope
    if delivery is None:
        steps = rng.normal(size=(len(names), len(groups)))
        steps[:, 1] = steps[:, 0]
        delivery = in_natural_units(spec, steps)
    posterior = xr.Dataset(
        {
            "impact": (("chain", "draw", "outcome", "group"), impact),
            "impact_new": (("chain", "draw", "outcome"), 0.1 * rng.normal(size=(*shape, len(outcomes)))),
            "slope": (("chain", "draw", "moderator", "outcome"), slope),
            "delivery": (
                ("chain", "draw", "moderator", "group"),
                np.broadcast_to(delivery, (*shape, len(names), len(groups))).copy(),
            ),
        },
        coords={"outcome": list(outcomes), "group": list(groups), "moderator": names, "chain": [0, 1]},
    )
    prior_slope = rng.normal(size=(1, 8, len(names), len(outcomes))) if prior_slope is None else prior_slope
    prior = xr.Dataset(
        {"slope": (("chain", "draw", "moderator", "outcome"), prior_slope)},
        coords={"outcome": list(outcomes), "moderator": names},
    )
    return xr.DataTree.from_dict({"posterior": posterior, "prior": prior})


@pytest.fixture(scope="module")
def tree(spec):
    """SCR IW and SCR OOW share a delivery, WMCA has its own."""
    return tree_of(spec)


def spread(sd, *shape):
    """Eight draws of mean 0 and this SD, in a shape whose other dims are of size 1."""
    return sd * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0]).reshape(shape)


def test_contraction_is_one_less_the_ratio_of_variances():
    def dataset(mu, tau, chains):
        return xr.Dataset(
            {
                "mu": (("chain", "draw", "outcome"), np.concatenate([spread(sd, chains, -1, 1) for sd in mu], axis=-1)),
                "tau": (("chain", "draw"), spread(tau, chains, -1)),
                "estimate": (("chain", "draw"), spread(1.0, chains, -1)),
            },
            coords={"outcome": list(OUTCOMES)},
        )

    prior, posterior = dataset([2.0, 2.0, 2.0, 2.0], 4.0, 1), dataset([2.0, 1.0, 0.0, 4.0], 1.0, 2)
    # Only in the prior, only in the posterior: there is nothing to compare.
    prior["impact_new"], posterior["slope_sd"] = prior["mu"], posterior["mu"]
    table = contraction(xr.DataTree.from_dict({"prior": prior, "posterior": posterior})).set_index("parameter")
    assert list(table.index) == [*(f"mu[{outcome}]" for outcome in OUTCOMES), "tau[]"]
    assert table["prior_sd"].tolist() == [2.0, 2.0, 2.0, 2.0, 4.0]
    assert table["posterior_sd"].tolist() == [2.0, 1.0, 0.0, 4.0, 1.0]
    # Nothing learnt, some, all, and less than nothing.
    assert table["contraction"].tolist() == [0.0, 0.75, 1.0, -3.0, 1 - 1 / 16]


def test_contraction_goes_by_label_not_by_place(tree):
    expected = contraction(tree)
    turned = tree["posterior"].dataset.isel(outcome=[1, 0], moderator=[2, 0, 1]).transpose("draw", "chain", ...)
    moved = xr.DataTree.from_dict({"posterior": turned, "prior": tree["prior"].dataset})
    np.testing.assert_allclose(contraction(moved)["contraction"], expected["contraction"])
    swapped = tree["posterior"].dataset.transpose("chain", "draw", "outcome", "moderator", ...)
    moved = xr.DataTree.from_dict({"posterior": swapped, "prior": tree["prior"].dataset})
    np.testing.assert_allclose(contraction(moved)["contraction"], expected["contraction"])


def test_slopes_are_correlated_as_their_draws_are(spec):
    first, second = np.array([1.0, -1.0, 1.0, -1.0] * 2), np.array([1.0, 1.0, -1.0, -1.0] * 2)
    draws = {"employment": [first, -3 * first + 5, second], "health": [first, second, first + second]}
    slope = np.stack([np.stack(rows) for rows in draws.values()], axis=-1)
    found = slope_correlation(tree_of(spec, slope=slope.transpose(1, 0, 2).reshape(2, 4, 3, 2)))
    half = np.sqrt(0.5)
    expected = {
        "employment": [[1, -1, 0], [-1, 1, 0], [0, 0, 1]],
        "health": [[1, 0, half], [0, 1, half], [half, half, 1]],
    }
    assert found.dims == ("outcome", "moderator", "other_moderator")
    for outcome, matrix in expected.items():
        np.testing.assert_allclose(found.sel(outcome=outcome), matrix, atol=1e-12)
    assert found.sel(outcome="health", moderator="contacts", other_moderator="caseload") == pytest.approx(half)


def test_the_slope_of_one_moderator_is_correlated_with_itself(whole):
    one = with_one_moderator(whole, "caseload")
    np.testing.assert_allclose(slope_correlation(tree_of(one)), np.ones((2, 1, 1)))


def contrasts(spec, steps):
    found = effective_contrasts(tree_of(spec, delivery=in_natural_units(spec, steps)), spec)
    assert found["effective_contrasts"].dims == ("chain", "draw")
    value = found["effective_contrasts"].to_numpy()
    assert np.ptp(value) == 0
    return value[0, 0]


def test_moderators_in_proportion_make_one_contrast(spec):
    """However many they are, whatever their units, signs and sizes, and wherever their references lie."""
    contrast = np.array([0.5, -1.0, 2.0])
    assert contrasts(spec, [contrast, -0.1 * contrast, 7 * contrast + 3]) == pytest.approx(1.0)
    assert contrasts(spec, [contrast, contrast, contrast[::-1]]) > 1.1


@pytest.mark.parametrize("factor", [1.0, 2.0, 0.3])
def test_two_contrasts_count_as_far_as_they_are_of_one_size(whole, factor):
    """Over three groups; a contrast of another size counts for less: (1 + k^2)^2 / (1 + k^4)."""
    spec = with_moderators(whole, "caseload", "short_meetings")
    steps = TWO / np.linalg.norm(TWO, axis=1, keepdims=True) * np.array([[1.0], [factor]])
    expected = (1 + factor**2) ** 2 / (1 + factor**4)
    assert contrasts(spec, steps) == pytest.approx(expected)
    assert (expected == 2.0) == (factor == 1.0)


def test_a_level_that_all_groups_share_is_no_contrast(whole):
    spec = with_moderators(whole, "caseload", "short_meetings")
    steps = TWO / np.linalg.norm(TWO, axis=1, keepdims=True)
    assert contrasts(spec, steps + 50.0) == pytest.approx(2.0)


def test_a_step_is_per_so_that_units_do_not_count(whole):
    """In natural units a caseload, moved by 8, would drown a share, moved by 0.4."""
    spec = with_moderators(whole, "caseload", "short_meetings")
    steps = TWO / np.linalg.norm(TWO, axis=1, keepdims=True)
    assert contrasts(spec, steps) == pytest.approx(2.0)
    wide = spec.moderators["caseload"].model_copy(update={"per": 1.0})
    as_natural = spec.model_copy(update={"moderators": spec.moderators | {"caseload": wide}})
    found = effective_contrasts(tree_of(spec, delivery=in_natural_units(spec, steps)), as_natural)
    assert found["effective_contrasts"][0, 0] == pytest.approx((1 + 8.0**2) ** 2 / (1 + 8.0**4))


def test_contrasts_are_counted_beside_what_bounds_them(spec, tree):
    found = effective_contrasts(tree, spec)
    assert (found["moderators"], found["most"]) == (3, 2)
    assert (found["effective_contrasts"] >= 1).all()
    assert (found["effective_contrasts"] <= found["most"]).all()


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_with_its_own_delivery_has_its_own_impact(tree, spec, group):
    impact = tree["posterior"]["impact"].sel(group=group)
    for delivery in ({}, {"caseload": group}, dict.fromkeys(NAMES, group)):
        np.testing.assert_array_equal(counterfactual(tree, spec, group, delivery=delivery), impact)
    value = tree["posterior"]["delivery"].sel(group=group, moderator="contacts")[0, 0].item()
    np.testing.assert_array_equal(counterfactual(tree, spec, group, delivery={"contacts": value}), impact)


def by_hand(tree, start, moves):
    """Add slope times steps for each moderator, without labels."""
    slope = tree["posterior"]["slope"].to_numpy()
    return start + sum(slope[:, :, NAMES.index(name), :] * step for name, step in moves.items())


def test_the_delivery_of_another_group_moves_the_impact_by_the_slopes(tree, spec):
    posterior = tree["posterior"]
    steps = {
        name: (
            posterior["delivery"].sel(moderator=name, group="WMCA")[0, 0].item()
            - posterior["delivery"].sel(moderator=name, group="SCR OOW")[0, 0].item()
        )
        / spec.moderators[name].per
        for name in NAMES
    }
    start = posterior["impact"].sel(group="SCR OOW").to_numpy()
    for names in (["contacts"], ["caseload", "short_meetings"], list(NAMES)):
        found = counterfactual(tree, spec, "SCR OOW", delivery=dict.fromkeys(names, "WMCA"))
        np.testing.assert_allclose(found, by_hand(tree, start, {name: steps[name] for name in names}))
        assert found.dims == ("chain", "draw", "outcome")
        back = counterfactual(tree, spec, "WMCA", delivery=dict.fromkeys(names, "SCR OOW"))
        moved = found - start + (back - posterior["impact"].sel(group="WMCA"))
        np.testing.assert_allclose(moved, 0.0, atol=1e-12)
        # Nothing moves where the two groups share a delivery.
        same = counterfactual(tree, spec, "SCR OOW", delivery=dict.fromkeys(names, "SCR IW"))
        np.testing.assert_array_equal(same, start)
        assert not np.allclose(found, start)


def test_a_value_in_natural_units_moves_the_impact_from_the_groups_own(tree, spec):
    posterior = tree["posterior"]
    own = posterior["delivery"].sel(moderator="caseload", group="WMCA")[0, 0].item()
    start = posterior["impact"].sel(group="WMCA").to_numpy()
    found = counterfactual(tree, spec, "WMCA", delivery={"caseload": 12, "contacts": "SCR IW"})
    contacts = posterior["delivery"].sel(moderator="contacts")[0, 0]
    moves = {"caseload": (12 - own) / 8.0, "contacts": (contacts[0].item() - contacts[2].item()) / 4.0}
    np.testing.assert_allclose(found, by_hand(tree, start, moves))


def test_a_new_group_starts_from_the_reference(tree, spec):
    new = tree["posterior"]["impact_new"]
    at_reference = {name: spec.moderators[name].reference for name in NAMES}
    np.testing.assert_array_equal(counterfactual(tree, spec, "new group", delivery=at_reference), new)
    np.testing.assert_array_equal(counterfactual(tree, spec, "new group", delivery={}), new)
    found = counterfactual(tree, spec, "new group", delivery={"caseload": 26.0, "short_meetings": 0.0})
    np.testing.assert_allclose(found, by_hand(tree, new.to_numpy(), {"caseload": 1.0, "short_meetings": -0.5}))
    wmca = tree["posterior"]["delivery"].sel(moderator="contacts", group="WMCA")[0, 0].item()
    found = counterfactual(tree, spec, "new group", delivery={"contacts": "WMCA"})
    np.testing.assert_allclose(found, by_hand(tree, new.to_numpy(), {"contacts": (wmca - 12.0) / 4.0}))


def test_delivery_that_is_uncertain_moves_draw_for_draw(spec):
    """A step is that of its own draw, not of the mean over draws."""
    tree = tree_of(spec)
    rng = np.random.default_rng(9)
    posterior = tree["posterior"].dataset.copy(deep=True)
    posterior["delivery"] += rng.normal(size=posterior["delivery"].shape)
    uncertain = xr.DataTree.from_dict({"posterior": posterior})
    delivery, slope, start = (posterior[name].to_numpy() for name in ("delivery", "slope", "impact"))
    step = (delivery[:, :, 0, 0] - delivery[:, :, 0, 2]) / 8.0
    expected = start[..., 2] + slope[:, :, 0, :] * step[:, :, None]
    found = counterfactual(uncertain, spec, "WMCA", delivery={"caseload": "SCR IW"})
    np.testing.assert_allclose(found, expected)
    average = start[..., 2] + slope[:, :, 0, :] * step.mean()
    assert not np.allclose(found, average, rtol=1e-3)


@pytest.mark.parametrize(
    ("group", "delivery", "message"),
    [
        ("wmca", {}, r"group 'wmca' is unknown; allowed: 'SCR IW', 'SCR OOW', 'WMCA', 'new group'"),
        ("All SCR", {}, r"group 'All SCR' is unknown"),
        ("WMCA", {"case_load": 12.0}, r"moderator 'case_load' is unknown; allowed: 'caseload', .*did you mean 'casel"),
        ("WMCA", {"local_employment": 70.0}, r"moderator 'local_employment' is unknown"),
        ("WMCA", {"caseload": "SCR"}, r"delivery of 'caseload': group 'SCR' is unknown; allowed: 'SCR IW', "),
        ("WMCA", {"caseload": "new group"}, r"delivery of 'caseload': group 'new group' is unknown"),
        ("WMCA", {"caseload": float("nan")}, r"delivery of 'caseload': nan"),
        ("WMCA", {"caseload": float("inf")}, r"delivery of 'caseload': inf"),
    ],
)
def test_a_counterfactual_that_cannot_be_is_refused(tree, spec, group, delivery, message):
    with pytest.raises(ImpactError, match=message):
        counterfactual(tree, spec, group, delivery=delivery)


def test_each_group_takes_the_delivery_of_each_that_has_another(tree, spec):
    table = counterfactuals(tree, spec)
    moved = ["caseload and meeting mix", "all moderators"]
    rows = [("SCR IW", "WMCA"), ("SCR OOW", "WMCA"), ("WMCA", "SCR IW, SCR OOW")]
    expected = [(*row, one, outcome) for row in rows for one in moved for outcome in ("employment", "health")]
    assert list(zip(table["group"], table["delivery"], table["moved"], table["outcome"], strict=True)) == expected
    for row in table.itertuples():
        names = NAMES[:2] if row.moved == moved[0] else NAMES
        other = row.delivery.split(", ")[0]
        draws = counterfactual(tree, spec, row.group, delivery=dict.fromkeys(names, other)).sel(outcome=row.outcome)
        was = tree["posterior"]["impact"].sel(group=row.group, outcome=row.outcome).mean().item()
        assert (row.unit, row.as_it_was) == (OUTCOMES[row.outcome].unit, pytest.approx(was))
        assert row.mean == pytest.approx(draws.mean().item())
        assert row.sd == pytest.approx(draws.to_numpy().std(ddof=1))
        assert row.prob_positive == (draws > 0).mean()
        assert row.mean != pytest.approx(row.as_it_was, rel=1e-3)


@pytest.mark.parametrize(
    ("names", "moved"),
    [
        (("caseload", "short_meetings"), ["all moderators"]),
        (("caseload", "contacts"), ["all moderators"]),
        (("contacts",), ["all moderators"]),
        (("contacts", "short_meetings", "caseload"), ["caseload and meeting mix", "all moderators"]),
    ],
)
def test_what_is_asked_for_is_moved_alone_only_where_there_is_more(whole, names, moved):
    some = with_moderators(whole, *names)
    assert list(counterfactuals(tree_of(some), some)["moved"].unique()) == moved


def test_groups_that_all_differ_exchange_with_each_other(whole):
    one = with_one_moderator(whole, "contacts")
    table = counterfactuals(tree_of(one, delivery=[[10.0, 11.0, 14.0]]), one)
    pairs = table[["group", "delivery"]].drop_duplicates()
    assert set(pairs.itertuples(index=False, name=None)) == {(a, b) for a in GROUPS for b in GROUPS if a != b}


def test_groups_of_one_delivery_have_nothing_to_exchange(whole):
    """As the groups of a single site have."""
    one = with_one_moderator(whole, "contacts")
    alike = tree_of(one, delivery=[[10.0, 10.0, 10.0]])
    assert counterfactuals(alike, one).empty
    assert (effective_contrasts(alike, one)["effective_contrasts"] == 0).all()


def test_a_slope_stands_beside_its_units_and_what_was_learnt_of_it(tree, spec):
    table = slopes(tree, spec)
    assert list(zip(table["moderator"], table["outcome"], strict=True)) == [
        (name, outcome) for name in NAMES for outcome in ("employment", "health")
    ]
    for row in table.itertuples():
        stated = spec.moderators[row.moderator]
        assert (row.label, row.per, row.moderator_unit) == (stated.label, stated.per, stated.unit)
        assert row.unit == OUTCOMES[row.outcome].unit
        posterior, prior = (
            tree[group]["slope"].sel(moderator=row.moderator, outcome=row.outcome).to_numpy().ravel()
            for group in ("posterior", "prior")
        )
        assert (row.mean, row.prob_positive) == (pytest.approx(posterior.mean()), (posterior > 0).mean())
        assert row.prior_sd == pytest.approx(prior.std())
        assert row.contraction == pytest.approx(1 - posterior.var() / prior.var())


def test_a_summary_holds_the_tables_and_the_greatest_correlation(tree, spec):
    found = moderation_summary(tree, spec)
    matrix = slope_correlation(tree).to_numpy()
    off = [abs(one[i, j]) for one in matrix for i in range(3) for j in range(3) if i != j]
    assert found.greatest_correlation == pytest.approx(max(off))
    assert found.greatest_correlation < 1
    assert found.effective_contrasts == pytest.approx(
        effective_contrasts(tree, spec)["effective_contrasts"].mean().item()
    )
    assert found.slopes.equals(slopes(tree, spec))
    assert found.counterfactuals.equals(counterfactuals(tree, spec))
    assert found.spec is spec
    assert found.draws is tree


def test_the_greatest_correlation_is_so_in_size(whole):
    """Slopes that stand in for each other are correlated negatively."""
    two = with_moderators(whole, "caseload", "contacts")
    first, second = spread(1.0, 8), np.array([1.0, 1.0, -1.0, -1.0] * 2)
    slope = np.stack([first, -2 * first + second]).T.reshape(2, 4, 2, 1).repeat(2, axis=-1)
    found = moderation_summary(tree_of(two, slope=slope), two)
    assert found.greatest_correlation == pytest.approx(2 / np.sqrt(5))


def test_a_summary_of_one_moderator_has_no_correlation(whole):
    one = with_one_moderator(whole, "caseload")
    found = moderation_summary(tree_of(one), one)
    assert found.greatest_correlation == 0.0
    assert found.effective_contrasts == pytest.approx(1.0)


def test_one_moderator_is_left_and_nothing_else_changes(whole):
    one = with_one_moderator(whole, "contacts")
    assert one.moderators == {"contacts": whole.moderators["contacts"]}
    assert one.name == "moderators, contacts alone"
    assert one.fingerprint != whole.fingerprint
    assert one.model_copy(update={"name": whole.name, "moderators": whole.moderators}) == whole
    assert len(whole.moderators) == 7
    with pytest.raises(ImpactError, match=r"moderator 'contact' is unknown; allowed: 'caseload', .*mean 'contacts'"):
        with_one_moderator(whole, "contact")


def test_a_spec_without_moderators_is_refused(tree, primary):
    for call in (
        lambda: with_one_moderator(primary, "caseload"),
        lambda: effective_contrasts(tree, primary),
        lambda: counterfactual(tree, primary, "WMCA", delivery={}),
        lambda: counterfactuals(tree, primary),
        lambda: slopes(tree, primary),
        lambda: moderation_summary(tree, primary),
    ):
        with pytest.raises(ImpactError, match="spec 'primary' has no moderators"):
            call()


def test_draws_without_slopes_are_refused(drawn, spec):
    for call in (
        lambda: slope_correlation(drawn),
        lambda: effective_contrasts(drawn, spec),
        lambda: counterfactual(drawn, spec, "WMCA", delivery={}),
        lambda: counterfactuals(drawn, spec),
        lambda: slopes(drawn, spec),
        lambda: moderation_summary(drawn, spec),
    ):
        with pytest.raises(ImpactError, match="the posterior has no slopes"):
            call()
