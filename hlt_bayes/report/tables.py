"""The three tables as a reader sees them: one definition for terminal, HTML page and README."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from hlt_bayes.vocabulary import OUTCOMES

MISSING = "n/c"


@dataclass(frozen=True)
class Table:
    """A table of formatted cells: the first column heads its rows, ``notes`` stand below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def impacts_table(impacts: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.impacts.impact_summary``."""
    rows = []
    for _, row in impacts.iterrows():
        outcome = row["outcome"]
        rows.append(
            (
                f"{OUTCOMES[outcome].label} {OUTCOMES[outcome].display_unit}",
                row["group"],
                _number(row["mean"], outcome),
                _number(row["sd"], outcome),
                _interval(row["lower_89"], row["upper_89"], outcome),
                _interval(row["lower_95"], row["upper_95"], outcome),
                percent(row["prob_positive"]),
            )
        )
    return Table(
        title="Impacts: treatment minus control, per person randomised",
        columns=("Outcome", "Group", "Mean", "SD", "89% interval", "95% interval", "P(>0)"),
        rows=tuple(rows),
        notes=(
            "Positive is better. Intervals are equal-tailed. All SCR and All OOW are derived: means of their groups "
            "weighted by recruits to treatment.",
            "Health and wellbeing are those of the people who answered the 12-month survey.",
        ),
    )


def returns_table(returns: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.economics.return_summary``."""
    rows = []
    for _, row in returns.sort_values("perspective", kind="stable").iterrows():
        rows.append(
            (
                row["perspective"],
                row["group"],
                f"£{row['cost_per_head_gbp']:,.0f}",
                pounds(row["published"]),
                pounds(row["unfiltered"]),
                pounds(row["mean"]),
                f"{_pence(row['lower_89'])} to {_pence(row['upper_89'])}",
                percent(row["prob_above_one"]),
            )
        )
    return Table(
        title="Returns: gross benefit per £1 of cost",
        columns=("Benefit", "Group", "Cost", "Published", "No filter", "Mean", "89% interval", "P(>£1)"),
        rows=tuple(rows),
        notes=(
            "Economic: health at £ per SD. Financial: people in sustained work at £ per person.",
            "Published: an impact without a star counts as none. No filter: the printed impact at the mean price, star "
            "or not. Mean, interval, P: this re-analysis, every posterior draw, nothing set to zero.",
            "Returns are read as gross of cost, which is a choice: the report calls the financial ones net.",
            f"{MISSING}: not calculated in the report. Cost: £ per person randomised to treatment.",
        ),
    )


def comparison_table(comparison: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.comparison.compare``."""
    rows, notes = [], []
    for _, row in comparison.iterrows():
        outcome, printed = row["outcome"], row["text"].replace("sd", "SD").replace("ppt", " ppt")
        if row["correction"]:
            printed += " †"
            notes.append(f"† {row['group']} {outcome}, corrected: {row['correction']}")
        rows.append(
            (
                OUTCOMES[outcome].label,
                row["group"],
                printed,
                _number(row["se"], outcome),
                _number(row["mean"], outcome),
                "" if math.isnan(row["shrinkage"]) else f"{row['shrinkage']:.0%}",
                row["what_changed"],
            )
        )
    return Table(
        title="Comparison with the published result, cell by cell",
        columns=("Outcome", "Group", "Published", "SE", "Mean", "Shrunk", "What changed"),
        rows=tuple(rows),
        notes=(
            "Stars: * 90%, ** 95%, *** 99%. SE: not printed; median recovered from rounding, stars and sample sizes.",
            "Shrunk: share of the way from the printed estimate to the average of the groups, where rounding leaves it "
            "to be told. Pooled rows were not fitted, so they have neither; they are shown for comparison.",
            *notes,
        ),
    )


def percent(probability: float) -> str:
    """Say a probability in whole per cent, never as certain."""
    if probability >= 0.995:
        return ">99%"
    if probability < 0.005:
        return "<1%"
    return f"{probability:.0%}"


def pounds(amount: float) -> str:
    """Say an amount to the penny, ``n/c`` where it is missing."""
    if math.isnan(amount):
        return MISSING
    text = _pence(amount)
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def _pence(amount: float) -> str:
    text = f"{amount:.2f}"
    return text if float(text) else "0.00"


def _number(value: float, outcome: str) -> str:
    if math.isnan(value):
        return ""
    known = OUTCOMES[outcome]
    text = f"{value * known.display_scale:,.{known.decimals}f}"
    return text if float(text.replace(",", "")) else text.removeprefix("-")


def _interval(lower: float, upper: float, outcome: str) -> str:
    return f"{_number(lower, outcome)} to {_number(upper, outcome)}"
