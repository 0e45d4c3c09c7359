"""Ours beside the published result."""

import numpy as np
import pytest

from hlt_bayes.core.vocabulary import POOLED_GROUPS
from hlt_bayes.impacts.comparison import LIKELIHOOD_WORDS, _what_changed, compare, likelihood_word
from hlt_bayes.likelihood import recovered_se, reported_results


@pytest.fixture(scope="module")
def comparison(drawn, evidence, primary):
    return compare(drawn, evidence, reported_results(evidence, primary))


def test_every_printed_cell_has_its_row(comparison, evidence):
    assert len(comparison) == len(evidence.impacts) == 20
    cell = comparison.set_index(["outcome", "group"])
    assert cell.loc[("health", "SCR IW"), ["published", "stars", "text"]].tolist() == [0.10, "*", "0.10 sd *"]
    assert "Misprint" in cell.loc[("wellbeing", "WMCA"), "correction"]


def test_ses_are_the_recovered_ones_and_pooled_rows_have_none(comparison, evidence, primary):
    recovered = recovered_se(reported_results(evidence, primary), [0.5])["quantile"].sel(quantity="se")
    row = comparison.query("outcome == 'earnings' and group == 'WMCA'").iloc[0]
    assert row["se"] == recovered.sel(cell="earnings, WMCA", probability=0.5).item()
    # By its definition: the interval of log s is the normal prior, here next to untouched by the stars.
    expected = np.exp(np.log(5200 * np.sqrt(1 / 1837 + 1 / 1838)) + 0.05 + 0.2 * np.array([-1, 1]) * 1.5982)
    np.testing.assert_allclose(row[["se_lower_89", "se_upper_89"]].to_numpy(float), expected, rtol=0.005)
    pooled = comparison["group"].isin(list(POOLED_GROUPS))
    assert comparison.loc[pooled, ["se", "shrinkage"]].isna().all(axis=None)
    assert comparison.loc[~pooled, "se"].notna().all()


def test_shrinkage_is_the_share_of_the_way_to_the_average(comparison, drawn):
    average = drawn["posterior"]["impact"].sel(outcome="employment").mean().item()
    row = comparison.query("outcome == 'employment' and group == 'SCR OOW'").iloc[0]
    assert row["shrinkage"] == pytest.approx((-0.02 - row["mean"]) / (-0.02 - average))


def test_shrinkage_is_not_given_where_the_printed_estimate_is_the_average(drawn, evidence, primary):
    impact = drawn["posterior"]["impact"]
    moved = impact - impact.mean(["chain", "draw", "group"]) + 0.13
    table = compare(moved, evidence, reported_results(evidence, primary))
    assert np.isnan(table.query("outcome == 'wellbeing' and group == 'SCR OOW'")["shrinkage"].item())


def test_words_say_what_the_numbers_say(comparison):
    pooled = comparison["group"].isin(list(POOLED_GROUPS))
    for _, row in comparison[pooled].iterrows():
        assert row["what_changed"] == f"{likelihood_word(row['prob_positive'])} positive"
    for _, row in comparison[~pooled].iterrows():
        ratio, words = row["mean"] / row["published"], row["what_changed"]
        same = abs(row["mean"] - row["published"]) <= max(row["half_unit"], 0.1 * abs(row["published"]))
        assert words.endswith(f"{likelihood_word(row['prob_positive'])} positive")
        assert ("about the same" in words) == same
        assert ("changes sign" in words) == (not same and ratio < 0)
        assert ("smaller" in words) == (not same and 0 <= ratio < 1)
        assert ("larger" in words) == (not same and ratio > 1)


def test_a_change_that_rounding_hides_is_not_called_one(comparison):
    row = comparison.query("outcome == 'employment' and group == 'SCR IW'").iloc[0]
    assert _what_changed(row.replace(row["mean"], 0.0255)).startswith("about the same")
    assert _what_changed(row.replace(row["mean"], 0.0245)).startswith("smaller by 18%")


def test_a_printed_zero_has_its_words(comparison):
    row = comparison.query("outcome == 'employment' and group == 'SCR IW'").iloc[0].copy()
    row["published"] = 0.0
    row["mean"] = 0.004
    assert _what_changed(row).startswith("about the same")
    row["mean"] = 0.012
    assert _what_changed(row).startswith("no longer zero")


@pytest.mark.parametrize(
    ("probability", "word"),
    [
        (1.0, "virtually certain"),
        (0.96, "extremely likely"),
        (0.9, "very likely"),
        (0.7, "likely"),
        (0.5, "about as likely as not"),
        (0.2, "unlikely"),
        (0.06, "very unlikely"),
        (0.02, "extremely unlikely"),
        (0.0, "exceptionally unlikely"),
    ],
)
def test_a_probability_has_its_word(probability, word):
    assert likelihood_word(probability) == word


def test_the_scale_of_words_falls_to_zero():
    lowest = [bound for bound, _ in LIKELIHOOD_WORDS]
    assert lowest == sorted(lowest, reverse=True)
    assert lowest[-1] == 0.0
