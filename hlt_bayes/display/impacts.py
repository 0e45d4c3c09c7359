"""Tables of impacts, and of what else is asked of them: one definition for terminal, page, notebook and README."""

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
    """Show ``hlt_bayes.impact_summary``; ``whose`` impacts on survey outcomes are."""
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
        notes=_notes_of_ours(whose) if is_of_ours(impacts) else ("Positive is better. Intervals are equal-tailed.",),
        frame=impacts,
    )


def is_of_ours(table: pd.DataFrame) -> bool:
    """Say whether a table is of the Health-led Trials, not of somebody's own."""
    return set(table["group"]) <= set(REPORTED_GROUPS)


def _notes_of_ours(whose: Whose) -> tuple[str, ...]:
    said = {
        "assumed": "All impacts are per person randomised, those who did not answer the survey by assumption.",
        "like them": "All impacts are per person randomised; those who did not answer the survey are taken to have "
        "gained as those like them who did.",
        "respondents": "Employment and earnings are per person randomised, health and wellbeing per person who "
        "answered the survey.",
    }
    return (
        f"Positive is better. {'; '.join(f'{known.label}: {known.measure}' for known in OUTCOMES.values())}.",
        f"{said[whose]} Intervals are equal-tailed. All SCR and All OOW are means of their groups weighted by "
        "recruits to treatment.",
    )


def estimands_table(estimands: pd.DataFrame) -> Table:
    """Show what ``hlt_bayes.estimand_summary`` says beyond groups and pooled rows."""
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
        title="The average, a new trial group, and differences between groups",
        columns=("Outcome", "Impact", "Mean", "SD", "89% interval", "P(>0)", *smallest, "Wrong sign"),
        rows=tuple(rows),
        notes=(
            "Average: of the trial groups, weighted by recruits to treatment where their numbers are known. New group: "
            "what another trial group like these would see. Wrong sign: probability that the sign is not that of the "
            "mean.",
        ),
        frame=shown,
    )
