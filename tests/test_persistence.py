"""Discounted years against sums written out here; a decay learnt from a star against rejection sampling."""

import numpy as np
import pytest
from scipy import stats

from hlt_bayes.economics.persistence import decay_given_impact, learn_decay, present_value_years
from hlt_bayes.economics.published import years_from_present_value
from hlt_bayes.specs import FollowUp, load_economic_spec
from hlt_bayes.specs.priors.quantities import BetaQuantity, FixedQuantity

STATED = {"unit": "u", "why": "w", "source": "s"}
PRIOR = BetaQuantity(family="beta", alpha=2.0, beta=4.0, **STATED)


def written_out(decay, horizon, rate, first_year=1.0, rise=1.0):
    """Year by year: the first as it is, the others less what is lost and discounted, the last one in part."""
    total = first_year
    for year in range(2, int(np.ceil(horizon)) + 1):
        part = min(1.0, horizon - (year - 1))
        total += part * rise * (1 - decay) ** (year - 1) / (1 + rate) ** (year - 1)
    return total


@pytest.mark.parametrize("decay", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("horizon", [1.0, 1.75, 2.0, 5.0, 9.5])
@pytest.mark.parametrize("rate", [0.0, 0.015, 0.035])
def test_years_are_the_sum_over_years(decay, horizon, rate):
    found = present_value_years(decay, horizon=horizon, rate=rate, first_year=0.7, rise=1.3)
    assert found == pytest.approx(written_out(decay, horizon, rate, first_year=0.7, rise=1.3), rel=1e-12)


def test_without_decay_and_discount_years_are_the_horizon():
    assert present_value_years(0.0, horizon=4.5, rate=0.0) == pytest.approx(4.5)
    # The twin that discounts the first year too is found out.
    assert present_value_years(0.0, horizon=4.5, rate=0.035) != pytest.approx(
        written_out(0.0, 4.5, 0.035) / 1.035, rel=1e-3
    )


def test_years_rise_with_the_horizon_and_fall_with_decay_and_rate():
    decays = np.linspace(0, 1, 11)
    assert (np.diff(present_value_years(decays, horizon=5.0, rate=0.03)) < 0).all()
    by_horizon = [present_value_years(0.2, horizon=h, rate=0.03) for h in (1.0, 1.5, 2.0, 7.0)]
    assert (np.diff(by_horizon) > 0).all()
    assert present_value_years(0.2, horizon=5.0, rate=0.015) > present_value_years(0.2, horizon=5.0, rate=0.035)


@pytest.mark.parametrize("rate", [0.0, 0.015, 0.035])
def test_years_from_present_value_undoes_discounting(rate):
    years = np.array([0.4, 1.0, 1.5, 2.77, 10.0])
    discounted = np.array([present_value_years(0.0, horizon=year, rate=rate) if year >= 1 else year for year in years])
    np.testing.assert_allclose(years_from_present_value(discounted, rate=rate), years, rtol=1e-9)


def test_no_number_of_years_is_worth_more_than_a_perpetuity():
    perpetuity = 1.015 / 0.015
    assert np.isinf(years_from_present_value(np.array([perpetuity + 1e-6, np.inf]), rate=0.015)).all()
    assert np.isfinite(years_from_present_value(np.array([perpetuity - 1.0]), rate=0.015)).all()


def follow_up(**changes):
    stated = {
        "group": "WMCA",
        "outcome": "employment",
        "month": 21,
        "confidence": 95,
        "se": 0.0132,
        "error_correlation": 0.5,
        **STATED,
    }
    return FollowUp(**{**stated, **changes})


def by_rejection(theta, found, printed, rng, *, years=1, z=1.959964):
    """Decay, and an estimate later made by it; kept where the estimate has its star."""
    decay = rng.beta(PRIOR.alpha, PRIOR.beta, size=theta.shape)
    correlated = found.error_correlation * (printed - theta)
    spread = found.se * np.sqrt(1 - found.error_correlation**2)
    later = (1 - decay) ** years * theta + correlated + spread * rng.standard_normal(theta.shape)
    return decay[later > z * found.se]


@pytest.mark.parametrize("value", [0.015, 0.034, 0.06])
def test_a_decay_given_its_star_is_that_of_rejection_sampling(value):
    rng, found = np.random.default_rng(7), follow_up()
    theta = np.full(400_000, value)
    spread = np.append(theta, [value - 0.02, value + 0.02])
    drawn = decay_given_impact(learn_decay(PRIOR, found, spread, printed=0.04), theta, rng)
    kept = by_rejection(theta, found, 0.04, rng)
    error = np.sqrt(kept.var() / kept.size + drawn.var() / drawn.size)
    assert abs(drawn.mean() - kept.mean()) < 4 * error
    for probability in (0.055, 0.5, 0.945):
        share = (drawn < np.quantile(kept, probability)).mean()
        assert abs(share - probability) < 5 * np.sqrt(
            probability * (1 - probability) * (1 / kept.size + 1 / drawn.size)
        )
    # The twins: a star ignored, and one of 90 % in its place.
    assert abs(drawn.mean() - PRIOR.expectation) > 10 * error
    assert abs(drawn.mean() - by_rejection(theta, found, 0.04, rng, z=1.644854).mean()) > 4 * error


def test_later_months_lose_more_years():
    theta = np.linspace(0.0, 0.08, 1000)
    drawn = {}
    for month in (21, 30):
        learnt = learn_decay(PRIOR, follow_up(month=month), theta, printed=0.04)
        drawn[month] = decay_given_impact(learnt, np.full(200_000, 0.034), np.random.default_rng(3))
    kept = by_rejection(np.full(2_000_000, 0.034), follow_up(), 0.04, np.random.default_rng(4), years=2)
    assert drawn[30].mean() == pytest.approx(kept.mean(), abs=5 * kept.std() / np.sqrt(2e5))
    assert drawn[30].mean() < drawn[21].mean()


def test_an_impact_that_does_not_vary_is_tabulated_too():
    theta = np.full(50_000, 0.03)
    drawn = decay_given_impact(learn_decay(PRIOR, follow_up(), theta, printed=0.04), theta, np.random.default_rng(1))
    assert np.isfinite(drawn).all()
    assert drawn.std() > 0.05


def test_a_known_decay_stays_known():
    known = FixedQuantity(family="fixed", value=0.25, **STATED)
    theta = np.linspace(0.0, 0.06, 100)
    drawn = decay_given_impact(learn_decay(known, follow_up(), theta, printed=0.04), theta, np.random.default_rng(1))
    np.testing.assert_allclose(drawn, 0.25)


def test_the_follow_up_is_what_the_report_prints(evidence):
    found = load_economic_spec("green-book").persistence["work"].follow_up
    ledger = evidence.ledger
    month = ledger[(ledger["measure"] == "follow-up") & (ledger["category"] == "employment effect")]
    level = ledger[(ledger["measure"] == "significance") & (ledger["category"] == "21 months")]
    assert set(month["value"]) == {found.month}
    assert set(level["value"]) == {found.confidence}
    assert set(month["group"]) == set(level["group"]) == {found.group}
    rates, arms = (frame.loc[found.group] for frame in (evidence.employment_rates, evidence.arm_sizes("recruits")))
    variance = sum(rates[arm] * (1 - rates[arm]) / arms[arm] for arm in ("treatment", "control"))
    assert found.se == pytest.approx(np.sqrt(variance), abs=5e-5)


def test_the_table_follows_bayes_where_that_is_a_formula():
    """A star that any decay gives says nothing; one that only a small decay gives cuts it off."""
    theta = np.linspace(0.9, 1.1, 50)
    sure = follow_up(se=1e-3, error_correlation=0.0)
    learnt = learn_decay(PRIOR, sure, theta, printed=1.0)
    drawn = decay_given_impact(learnt, np.full(100_000, 1.0), np.random.default_rng(5))
    assert stats.kstest(drawn, stats.beta(2, 4).cdf).statistic < 0.01
    half = follow_up(se=0.5 / stats.norm.ppf(0.975), error_correlation=0.99)
    learnt = learn_decay(PRIOR, half, np.linspace(0.99, 1.01, 50), printed=1.0)
    cut = decay_given_impact(learnt, np.full(100_000, 1.0), np.random.default_rng(5))
    assert (cut > 0.6).mean() < 0.01 < (drawn > 0.6).mean()
