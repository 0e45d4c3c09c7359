"""What a reader should take away, in sentences made from the numbers."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.report.tables import percent, pounds


def significance_filter(returns: pd.DataFrame, comparison: pd.DataFrame) -> list[str]:
    """Sentences on each printed economic return of £0 whose health impact had no star.

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
            f"{health.loc[group, 'text']} had no star, and the report counts an impact without a star as none. At the "
            f"price that the other groups' returns imply, the same printed impact returns {pounds(row['unfiltered'])}. "
            f"Pooled with the other groups, its posterior mean is {pounds(row['mean'])} for each £1 (89% interval "
            f"{pounds(row['lower_89'])} to {pounds(row['upper_89'])}), with a probability of "
            f"{percent(row['prob_above_one'])} that £1 returns more than £1."
        )
    return sentences


def headline(returns: pd.DataFrame, impacts: pd.DataFrame, groups: list[str]) -> list[str]:
    """Say of each trial group how likely the service raised each outcome, and what each £1 returned."""
    by_cell = impacts.set_index(["group", "outcome"])
    sentences = []
    for group in groups:
        raised = ", ".join(
            f"{outcome} {percent(by_cell.loc[(group, outcome), 'prob_positive'])}"
            for outcome in dict.fromkeys(impacts["outcome"])
        )
        sentence = f"{group}: probability that the service raised {raised}."
        for _, row in returns[returns["group"] == group].iterrows():
            sentence += (
                f" {row['perspective'].capitalize()} benefit of each £1: posterior mean {pounds(row['mean'])} (89% "
                f"interval {pounds(row['lower_89'])} to {pounds(row['upper_89'])}), above £1 with probability "
                f"{percent(row['prob_above_one'])}."
            )
        sentences.append(sentence)
    return sentences


LIMITS = (
    "The report prints no standard errors: they are recovered from rounding, stars and sample sizes, under a stated "
    "prior.",
    "Three trial groups say little about how far impacts differ between groups: the prior of that spread matters, most "
    "of all for a group that lies apart.",
    "The stars of the pooled rows (All SCR, All OOW) are information that this model does not use.",
    "Health and wellbeing were seen only in those who answered the 12-month survey; returns apply them to everybody "
    "randomised.",
    "Prices are those that the published returns imply, not prices of ours: how long a gain lasts and what a QALY is "
    "worth are inside them and cannot be told apart here. They are drawn independently of the impacts.",
    "The printed returns are read as gross of cost. The report calls the financial ones net; read so, the two groups "
    "that have one imply no price in common, so this is a choice that the full economic report would settle.",
    "The published evaluation drew its own distribution of the returns (10,000 Monte Carlo draws) and warned that a "
    "re-run might not give the same results; it is not printed, so only its point values stand beside ours.",
    "Outcomes are independent in this model, and the uncertainty of costs is not in it.",
)
"""What the evidence and this model cannot tell."""
