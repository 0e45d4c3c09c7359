"""Tables of impacts and other estimands."""

from __future__ import annotations

import math

import pandas as pd

from hlt_bayes.analysis import Whose
from hlt_bayes.core.vocabulary import OUTCOMES, REPORTED_GROUPS
from hlt_bayes.display.format import (
    interval,
    number,
    percent,
)
from hlt_bayes.display.table import Table


def impacts_table(impacts: pd.DataFrame, *, whose: Whose = "respondents") -> Table:
    """Show ``hlt_bayes.impact_summary``; ``whose`` names the population of the impacts on survey outcomes."""
    rows = []
    for _, row in impacts.iterrows():
        outcome = row["outcome"]
        rows.append(
            (
                OUTCOMES[outcome].heading,
                row["group"],
                number(row["mean"], outcome),
                number(row["sd"], outcome),
                interval(row["lower_89"], row["upper_89"], outcome),
                interval(row["lower_95"], row["upper_95"], outcome),
                percent(row["prob_positive"]),
            )
        )
    return Table(
        title="Impacts: treatment minus control",
        columns=("Outcome", "Group", "Mean", "SD", "89% interval", "95% interval", "P(>0)"),
        rows=tuple(rows),
        notes=_health_led_notes(whose)
        if is_health_led(impacts)
        else ("Positive is better. Intervals are equal-tailed.",),
        frame=impacts,
    )


def is_health_led(table: pd.DataFrame) -> bool:
    """Whether a table is of the Health-led Trials rather than of the user's own."""
    return set(table["group"]) <= set(REPORTED_GROUPS)


def _health_led_notes(whose: Whose) -> tuple[str, ...]:
    said = {
        "assumed": "All impacts are per person randomised; those of survey non-respondents are assumed.",
        "like them": "All impacts are per person randomised; survey non-respondents are assumed to have gained as much "
        "as similar respondents.",
        "respondents": "Employment and earnings are per person randomised, health and wellbeing per person who "
        "answered the survey.",
    }
    return (
        f"Positive is better. {'; '.join(f'{known.label}: {known.measure}' for known in OUTCOMES.values())}.",
        f"{said[whose]} Intervals are equal-tailed. All SCR and All OOW are means of their groups, weighted by "
        "numbers randomised to treatment.",
    )


def estimands_table(estimands: pd.DataFrame) -> Table:
    """Show the estimands of ``hlt_bayes.estimand_summary`` other than groups and pooled rows."""
    shown = estimands[~estimands["kind"].isin(["group", "pooled"])]
    asked = bool(shown["prob_above_smallest"].notna().any())
    rows = []
    for _, row in shown.iterrows():
        outcome = row["outcome"]
        above = "" if math.isnan(row["prob_above_smallest"]) else percent(row["prob_above_smallest"])
        rows.append(
            (
                OUTCOMES[outcome].heading,
                row["estimand"],
                number(row["mean"], outcome),
                number(row["sd"], outcome),
                interval(row["lower_89"], row["upper_89"], outcome),
                percent(row["prob_positive"]),
                *((above,) if asked else ()),
                percent(row["prob_wrong_sign"]),
            )
        )
    smallest = ("P(>smallest)",) if asked else ()
    return Table(
        title="Average impact, impact in a new group, and differences between groups",
        columns=("Outcome", "Impact", "Mean", "SD", "89% interval", "P(>0)", *smallest, "Wrong sign"),
        rows=tuple(rows),
        notes=(
            "Average: over the trial groups, weighted by numbers randomised to treatment where known. New group: "
            "predicted impact in another, exchangeable trial group. Wrong sign: probability that the impact has the "
            "opposite sign to its mean.",
        ),
        frame=shown,
    )
