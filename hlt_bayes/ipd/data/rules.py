"""What must agree between columns of one person's record, or between people's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from hlt_bayes.core.vocabulary import SITES
from hlt_bayes.ipd.data.findings import findings_at, together
from hlt_bayes.ipd.data.schema import COLUMNS, CONTACT_BANDS, MONTHS, PROVIDERS

ALWAYS_IN_WORK = COLUMNS["work_history"].codes[0]

EMPLOYED_MONTHS = tuple(f"employed_month_{month}" for month in MONTHS)
EARNINGS_MONTHS = tuple(f"earnings_month_{month}" for month in MONTHS)

LEAST_MONTHS = 3
"""Months that 13 weeks of work touch at least: they are 91 days, and no two months have more than 62."""

SAME_POUND = 1.0 + 1e-6
"""How far a year's earnings may be from the sum of its months: rounding to a pound, and of floats."""


@dataclass(frozen=True)
class Rule:
    """A rule: where its ``needs`` are all there, ``breaks`` marks the rows in which ``column`` contradicts them."""

    name: str
    column: str
    needs: tuple[str, ...]
    problem: str
    breaks: Callable[[pd.DataFrame], pd.Series]


def rule_findings(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Find what contradicts the rules, but for cells that follow from others ``known`` to be wrong."""
    wrong = {str(name): rows["row"].to_numpy() for name, rows in known.groupby("column")}
    found = [_repeated(frame)] if "person" in frame else []
    for rule in RULES:
        if not set(rule.needs) <= set(frame):
            continue
        broken = rule.breaks(frame).astype("boolean").fillna(value=False).to_numpy(bool)
        for name in rule.needs if broken.any() else ():
            broken &= ~frame.index.isin(wrong.get(name, ()))
        if broken.any():
            found.append(findings_at(frame.index[broken], rule.column, rule.problem))
    return together(found)


def _repeated(frame: pd.DataFrame) -> pd.DataFrame:
    people = frame["person"].dropna()
    people = people[people.duplicated(keep=False)]
    rows = people.index.to_series()
    first = rows.groupby(people).transform("min")
    again = rows != first
    problem = "an identifier may stand once; this one stands before (row " + first[again].astype("str") + ")"
    return findings_at(rows[again], "person", problem)


def _contradicts(name: str, by: str, table: Mapping[str, str]) -> Callable[[pd.DataFrame], pd.Series]:
    """Mark rows in which ``name`` is not what ``table`` gives for ``by``."""

    def breaks(frame: pd.DataFrame) -> pd.Series:
        given, expected = frame[name].astype(object), frame[by].astype(object).map(table)
        return given.notna() & expected.notna() & (given != expected)

    return breaks


def _moves(frame: pd.DataFrame) -> pd.Series:
    """Mark the people of specialists who are with more than one provider."""
    pairs = frame[["specialist", "provider"]].dropna().drop_duplicates()["specialist"]
    return frame["specialist"].isin(pairs[pairs.duplicated()])


def _mixed(frame: pd.DataFrame) -> pd.Series:
    made_up = frame["synthetic"].fillna(value=False)
    return ~made_up if made_up.any() else made_up


def _too_few_months(frame: pd.DataFrame, months: pd.Series) -> pd.Series:
    return frame["employed_13_weeks"].fillna(value=False) & (months < LEAST_MONTHS).fillna(value=False)


def _sum(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    """Sum over months; missing where a month is."""
    return frame[list(names)].astype("Float64").sum(axis=1, skipna=False)


def _of_the_treated(name: str) -> Rule:
    """Only those in the treatment arm may have a value; no contacts with the others may be written as 0."""
    allowed = "blank or 0" if name in CONTACT_BANDS else "blank"

    def breaks(frame: pd.DataFrame) -> pd.Series:
        given = frame[name].fillna(0) != 0 if name in CONTACT_BANDS else frame[name].notna()
        return given & (frame["arm"].astype(object) == "control")

    return Rule(
        f"{name} of controls", name, (name, "arm"), f"of the treatment arm alone; allowed in control: {allowed}", breaks
    )


def _of_those_who_answered(name: str, answered: str) -> Rule:
    return Rule(
        f"{name} without an answer",
        name,
        (name, answered),
        f"of those who answered alone; allowed where {answered!r} is not true: blank",
        lambda frame: frame[name].notna() & ~frame[answered].fillna(value=False),
    )


def _of_those_not_always_in_work(name: str) -> Rule:
    return Rule(
        f"{name} of those in work",
        name,
        (name, "work_history"),
        f"of those not always in work; allowed where 'work_history' is {ALWAYS_IN_WORK!r}: blank",
        lambda frame: frame[name].notna() & (frame["work_history"].astype(object) == ALWAYS_IN_WORK),
    )


def _of_people(name: str) -> Rule | None:
    """Hold a column to the only ones who may have a value."""
    match COLUMNS[name].people:
        case "treatment":
            return _of_the_treated(name)
        case "respondents":
            return _of_those_who_answered(name, "answered")
        case "4-month respondents":
            return _of_those_who_answered(name, "answered_4_months")
        case "not always in work":
            return _of_those_not_always_in_work(name)
        case "everyone":
            return None


RULES = (
    Rule("site of group", "group", ("group", "site"), "contradicts 'site'", _contradicts("site", "group", SITES)),
    Rule(
        "site of provider",
        "provider",
        ("provider", "site"),
        "contradicts 'site'",
        _contradicts("site", "provider", PROVIDERS),
    ),
    Rule(
        "one provider",
        "specialist",
        ("specialist", "provider"),
        "stands with more than one provider; allowed: one for each specialist",
        _moves,
    ),
    Rule(
        "synthetic throughout",
        "synthetic",
        ("synthetic",),
        "not true here but true elsewhere; allowed: true in all rows or in none",
        _mixed,
    ),
    *(rule for name in COLUMNS if (rule := _of_people(name)) is not None),
    Rule(
        "weights of all who answered",
        "survey_weight",
        ("survey_weight", "answered"),
        "blank; everyone who answered needs a weight",
        lambda frame: frame["survey_weight"].isna() & frame["answered"].fillna(value=False),
    ),
    Rule(
        "13 weeks in months",
        "employed_13_weeks",
        ("employed_13_weeks", "months_employed"),
        f"true with fewer than {LEAST_MONTHS} months employed, but 13 weeks touch at least {LEAST_MONTHS}",
        lambda frame: _too_few_months(frame, frame["months_employed"]),
    ),
    Rule(
        "13 weeks month by month",
        "employed_13_weeks",
        ("employed_13_weeks", *EMPLOYED_MONTHS),
        f"true with fewer than {LEAST_MONTHS} months employed, but 13 weeks touch at least {LEAST_MONTHS}",
        lambda frame: _too_few_months(frame, _sum(frame, EMPLOYED_MONTHS)),
    ),
    Rule(
        "months employed",
        "months_employed",
        ("months_employed", *EMPLOYED_MONTHS),
        "is not the number of months employed by 'employed_month_1' to 'employed_month_12'",
        lambda frame: frame["months_employed"].astype("Float64") != _sum(frame, EMPLOYED_MONTHS),
    ),
    Rule(
        "earnings of the year",
        "earnings",
        ("earnings", *EARNINGS_MONTHS),
        "is not the sum of 'earnings_month_1' to 'earnings_month_12' to within a pound",
        lambda frame: (frame["earnings"].astype("Float64") - _sum(frame, EARNINGS_MONTHS)).abs() > SAME_POUND,
    ),
)
"""All rules. Earnings in a month without employment break none: pay may come late."""
