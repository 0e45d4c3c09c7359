"""What a reader should take away, in sentences made from the numbers."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.report.tables import percent, pounds


def significance_filter(returns: pd.DataFrame, comparison: pd.DataFrame) -> list[str]:
    """Sentences on each printed return of £0 that came from an impact without a star.

    Parameters
    ----------
    returns, comparison
        Tables of ``return_summary`` and ``compare``.
    """
    economic = returns[(returns["perspective"] == "economic") & (returns["published"] == 0)]
    health = comparison[comparison["outcome"] == "health"].set_index("group")
    sentences = []
    for _, row in economic.iterrows():
        group = row["group"]
        if health.loc[group, "stars"]:
            continue
        sentences.append(
            f"{group}'s published economic return of £0 is not an estimate of nothing: its printed health impact of "
            f"{health.loc[group, 'text']} had no star and was therefore set to zero before it was valued. At the price "
            f"that the other groups' returns imply, the same printed impact returns {pounds(row['unfiltered'])}; the "
            f"posterior mean is {pounds(row['mean'])} for each £1 (89% interval {pounds(row['lower_89'])} to "
            f"{pounds(row['upper_89'])}), with a probability of {percent(row['prob_above_one'])} that £1 returns more "
            "than £1."
        )
    return sentences


def headline(returns: pd.DataFrame, impacts: pd.DataFrame, groups: list[str]) -> list[str]:
    """Say of each trial group which outcomes the service raised, and what each £1 returned."""
    economic = returns[returns["perspective"] == "economic"]
    by_cell = impacts.set_index(["group", "outcome"])
    sentences = []
    for group in groups:
        raised = ", ".join(
            f"{outcome} {percent(by_cell.loc[(group, outcome), 'prob_positive'])}"
            for outcome in dict.fromkeys(impacts["outcome"])
        )
        row = economic[economic["group"] == group].iloc[0]
        sentences.append(
            f"{group}: probability that the service raised {raised}. Each £1 returned {pounds(row['mean'])} in health "
            f"benefits on average (89% interval {pounds(row['lower_89'])} to {pounds(row['upper_89'])}), and more than "
            f"£1 with probability {percent(row['prob_above_one'])}."
        )
    return sentences


LIMITS = (
    "The report prints no standard errors: they are recovered from rounding, stars and sample sizes, under a stated "
    "prior.",
    "Three trial groups say little about how far impacts differ between groups: the prior of that spread matters.",
    "Health and wellbeing were seen only in those who answered the 12-month survey; returns apply them to everybody "
    "randomised, as the published evaluation did.",
    "Prices are those that the published returns imply, not prices of ours: how long a gain lasts and what a QALY is "
    "worth are inside them and cannot be told apart here.",
    "Outcomes are independent in this model, and the uncertainty of costs is not in it.",
)
"""What the evidence and this model cannot tell."""
