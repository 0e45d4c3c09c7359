"""Tables of the value of information."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from hlt_bayes.display.appraisal import AT_LEAST, explained, whole
from hlt_bayes.display.table import Table

EVERYTHING = "Everything"
"""Row label of perfect information."""


def evppi_table(values: pd.DataFrame, perfect: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.evppi`` for one perspective, below the EVPI.

    Parameters
    ----------
    values
        Rows of one perspective.
    perfect
        ``hlt_bayes.evpi`` for that perspective as a frame: ``group``, ``value_gbp``.
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
        title="Value of perfect information: £ per person affected by the decision",
        columns=("Known perfectly", *groups),
        rows=tuple(rows),
        notes=(
            "Decision: fund the service for a group if expected benefits exceed costs. Everything: EVPI; other rows: "
            "EVPPI. Fixed: set by the spec, so there is nothing to learn.",
        ),
        frame=pd.concat([everything, values], ignore_index=True)[list(values.columns)],
    )


def new_trial_table(trials: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.new_trial`` for one perspective."""
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
        f"The best size is {best['per_arm']:,} per arm, with a net value of {millions(best['net_gbp'])}."
        if best["net_gbp"] > 0
        else "No sample size has a positive net value for the number of people stated in the spec."
    )
    return Table(
        title=f"Value of another trial in {trials['group'].iloc[0]}",
        columns=("Per arm", "Per person", "To the decision", "Cost", "Net", "Breaks even for"),
        rows=rows,
        notes=(
            f"{found} Perfect information on the impacts is worth {whole(trials['limit_gbp'].iloc[0])} per person. "
            "Per person and To the decision: expected value of sample information (EVSI). Net: expected net benefit of "
            "sampling (ENBS). Breaks even for: number of people, discounted, whom the decision must affect after the "
            "trial reports.",
        ),
        frame=trials,
    )


def unpublished_table(ranked: pd.DataFrame, labels: Mapping[str, str], *, group: str, most: int = 12) -> Table:
    """Show up to ``most`` rows of ``hlt_bayes.value_of_unprinted`` whose share is at least ``AT_LEAST``."""
    detectable = ranked[ranked["share"] >= AT_LEAST]
    shown = detectable.head(most)
    rest = len(ranked) - len(shown)
    now = ranked["sd_now"].iloc[0] if len(ranked) else float("nan")
    return Table(
        title=f"Unpublished values, by expected reduction in variance of the return of {group}",
        columns=("Not published", "Where", "Explains", "SD if known"),
        rows=tuple(
            (labels.get(row["what"], row["what"]), row["where"], explained(row["share"]), f"£{row['sd_then']:.3f}")
            for _, row in shown.iterrows()
        ),
        notes=(
            f"Current SD: £{now:.3f} per £1. Explains: expected reduction in variance once the value is known. The "
            f"other {rest} explain less, or less than {AT_LEAST:.1%}, which the draws cannot distinguish from zero.",
        ),
        frame=ranked.assign(label=[labels.get(name, name) for name in ranked["what"]]),
    )


def millions(amount: float) -> str:
    """Format an amount in millions of pounds."""
    text = f"{amount / 1e6:,.1f}"
    text = "0.0" if text == "-0.0" else text
    return f"-£{text[1:]}m" if text.startswith("-") else f"£{text}m"
