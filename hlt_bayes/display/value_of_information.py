"""What more evidence is worth, as a reader sees it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from hlt_bayes.display.appraisal import AT_LEAST, explained, whole
from hlt_bayes.display.table import Table

EVERYTHING = "Everything"
"""What is learnt by perfect information."""


def evppi_table(values: pd.DataFrame, perfect: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.evppi`` of one perspective, below the value of perfect information.

    Parameters
    ----------
    values
        Rows of one perspective.
    perfect
        ``hlt_bayes.evpi`` of that perspective as a frame: ``group``, ``value_gbp``.
    """
    groups = list(dict.fromkeys(values["group"]))
    of_all = perfect.set_index("group")["value_gbp"]
    everything = perfect.assign(
        perspective=values["perspective"].iloc[0],
        learnt=EVERYTHING,
        share=perfect["value_gbp"] / perfect["value_gbp"],
        fixed=False,
    )
    rows = [(EVERYTHING, *(whole(of_all[name]) for name in groups))]
    order = values.groupby("learnt", sort=False)["value_gbp"].max().sort_values(ascending=False, kind="stable")
    for learnt in order.index:
        part = values[values["learnt"] == learnt].set_index("group")
        cells = ["fixed" if part["fixed"].all() else whole(part["value_gbp"][name]) for name in groups]
        rows.append((str(learnt), *cells))
    return Table(
        title="What it is worth to know more before deciding: £ per person the decision is for",
        columns=("Learnt", *groups),
        rows=tuple(rows),
        notes=(
            "The decision: to fund the service for that group where benefits are expected to exceed costs. Fixed: a "
            "choice of the spec, of which there is nothing to learn.",
        ),
        frame=pd.concat([everything, values], ignore_index=True)[list(values.columns)],
    )


def new_trial_table(trials: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.new_trial`` of one perspective."""
    rows = tuple(
        (
            f"{row['per_arm']:,}",
            whole(row["value_gbp"]),
            millions(row["value_of_decision_gbp"]),
            millions(row["cost_gbp"]),
            millions(row["net_gbp"]),
            "never" if math.isinf(row["people_to_break_even"]) else f"{row['people_to_break_even']:,.0f}",
        )
        for _, row in trials.iterrows()
    )
    best = trials.iloc[int(trials["net_gbp"].argmax())]
    found = (
        f"The best size is {best['per_arm']:,} per arm, worth {millions(best['net_gbp'])} more than it costs."
        if best["net_gbp"] > 0
        else "No size is worth its cost for as many people as the spec says the decision is for."
    )
    return Table(
        title=f"What another trial in {trials['group'].iloc[0]} would be worth",
        columns=("Per arm", "Per person", "To the decision", "Cost", "Net", "Breaks even for"),
        rows=rows,
        notes=(
            f"{found} Knowing the impacts perfectly is worth {whole(trials['limit_gbp'].iloc[0])} per person. Breaks "
            "even for: people whom the decision must be for, discounted, from when the trial reports.",
        ),
        frame=trials,
    )


def unprinted_table(ranked: pd.DataFrame, labels: Mapping[str, str], *, group: str, most: int = 12) -> Table:
    """Show ``hlt_bayes.value_of_unprinted``: the first few of those told from nothing."""
    told = ranked[ranked["share"] >= AT_LEAST]
    shown = told.head(most)
    rest = len(ranked) - len(shown)
    now = ranked["sd_now"].iloc[0] if len(ranked) else float("nan")
    return Table(
        title=f"What was not printed, by how much it would narrow the return of {group}",
        columns=("Not printed", "Where", "Explains", "SD then"),
        rows=tuple(
            (labels.get(row["what"], row["what"]), row["where"], explained(row["share"]), f"£{row['sd_then']:.3f}")
            for _, row in shown.iterrows()
        ),
        notes=(
            f"SD now: £{now:.3f} per £1. Explains: share of the variance that is expected to go once it is known. Of "
            f"{rest} others it is smaller, or below {AT_LEAST:.1%}, which so many draws cannot tell from nothing.",
        ),
        frame=ranked.assign(label=[labels.get(name, name) for name in ranked["what"]]),
    )


def millions(amount: float) -> str:
    """Say an amount in millions of pounds."""
    text = f"{amount / 1e6:,.1f}"
    text = "0.0" if text == "-0.0" else text
    return f"-£{text[1:]}m" if text.startswith("-") else f"£{text}m"
