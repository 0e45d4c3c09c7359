"""Consistency rules within a person's record and between records."""

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
"""Fewest months that 13 weeks of work can span: they are 91 days, and no two months have more than 62."""

ROUNDING_TOLERANCE = 1.0 + 1e-6
"""Tolerance (GBP) between a year's earnings and the sum of its months: a pound, and floating-point error."""


@dataclass(frozen=True)
class Rule:
    """A rule: if all columns in ``needs`` are present, ``breaks`` marks rows in which ``column`` contradicts them."""

    name: str
    column: str
    needs: tuple[str, ...]
    problem: str
    breaks: Callable[[pd.DataFrame], pd.Series]


def rule_findings(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Find violations of the rules, except in rows where a column they need is ``known`` to be wrong."""
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
    problem = "identifiers must be unique; this one is already used (row " + first[again].astype("str") + ")"
    return findings_at(rows[again], "person", problem)


def _contradicts(name: str, by: str, table: Mapping[str, str]) -> Callable[[pd.DataFrame], pd.Series]:
    """Mark rows in which ``name`` differs from the value of ``table`` for ``by``."""

    def breaks(frame: pd.DataFrame) -> pd.Series:
        given, expected = frame[name].astype(object), frame[by].astype(object).map(table)
        return given.notna() & expected.notna() & (given != expected)

    return breaks


def _several_providers(frame: pd.DataFrame) -> pd.Series:
    """Mark people whose specialist is with more than one provider."""
    pairs = frame[["specialist", "provider"]].dropna().drop_duplicates()["specialist"]
    return frame["specialist"].isin(pairs[pairs.duplicated()])


def _mixed(frame: pd.DataFrame) -> pd.Series:
    made_up = frame["synthetic"].fillna(value=False)
    return ~made_up if made_up.any() else made_up


def _too_few_months(frame: pd.DataFrame, months: pd.Series) -> pd.Series:
    return frame["employed_13_weeks"].fillna(value=False) & (months < LEAST_MONTHS).fillna(value=False)


def _sum(frame: pd.DataFrame, names: tuple[str, ...]) -> pd.Series:
    """Sum over months; missing if any month is."""
    return frame[list(names)].astype("Float64").sum(axis=1, skipna=False)


def _treatment_only(name: str) -> Rule:
    """Allow values in the treatment arm only; contacts of controls may be 0."""
    allowed = "blank or 0" if name in CONTACT_BANDS else "blank"

    def breaks(frame: pd.DataFrame) -> pd.Series:
        given = frame[name].fillna(0) != 0 if name in CONTACT_BANDS else frame[name].notna()
        return given & (frame["arm"].astype(object) == "control")

    return Rule(
        f"{name} of controls",
        name,
        (name, "arm"),
        f"applies to the treatment arm only; allowed in control: {allowed}",
        breaks,
    )


def _respondents_only(name: str, answered: str) -> Rule:
    return Rule(
        f"{name} without an answer",
        name,
        (name, answered),
        f"applies to survey respondents only; allowed where {answered!r} is not true: blank",
        lambda frame: frame[name].notna() & ~frame[answered].fillna(value=False),
    )


def _not_always_in_work_only(name: str) -> Rule:
    return Rule(
        f"{name} of people always in work",
        name,
        (name, "work_history"),
        f"applies to people not always in work only; allowed where 'work_history' is {ALWAYS_IN_WORK!r}: blank",
        lambda frame: frame[name].notna() & (frame["work_history"].astype(object) == ALWAYS_IN_WORK),
    )


def _of_people(name: str) -> Rule | None:
    """Restrict a column to the people who may have a value; ``None`` if everyone may."""
    match COLUMNS[name].people:
        case "treatment":
            return _treatment_only(name)
        case "respondents":
            return _respondents_only(name, "answered")
        case "4-month respondents":
            return _respondents_only(name, "answered_4_months")
        case "not always in work":
            return _not_always_in_work_only(name)
        case "everyone":
            return None


RULES = (
    Rule(
        "site of group",
        "group",
        ("group", "site"),
        "does not belong to the site in 'site'",
        _contradicts("site", "group", SITES),
    ),
    Rule(
        "site of provider",
        "provider",
        ("provider", "site"),
        "does not belong to the site in 'site'",
        _contradicts("site", "provider", PROVIDERS),
    ),
    Rule(
        "one provider",
        "specialist",
        ("specialist", "provider"),
        "has more than one provider; allowed: one per specialist",
        _several_providers,
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
        "blank; every survey respondent needs a weight",
        lambda frame: frame["survey_weight"].isna() & frame["answered"].fillna(value=False),
    ),
    Rule(
        "13 weeks in months",
        "employed_13_weeks",
        ("employed_13_weeks", "months_employed"),
        f"true with fewer than {LEAST_MONTHS} months employed, but 13 weeks span at least {LEAST_MONTHS}",
        lambda frame: _too_few_months(frame, frame["months_employed"]),
    ),
    Rule(
        "13 weeks month by month",
        "employed_13_weeks",
        ("employed_13_weeks", *EMPLOYED_MONTHS),
        f"true with fewer than {LEAST_MONTHS} months employed, but 13 weeks span at least {LEAST_MONTHS}",
        lambda frame: _too_few_months(frame, _sum(frame, EMPLOYED_MONTHS)),
    ),
    Rule(
        "months employed",
        "months_employed",
        ("months_employed", *EMPLOYED_MONTHS),
        "differs from the number of months employed in 'employed_month_1' to 'employed_month_12'",
        lambda frame: frame["months_employed"].astype("Float64") != _sum(frame, EMPLOYED_MONTHS),
    ),
    Rule(
        "earnings of the year",
        "earnings",
        ("earnings", *EARNINGS_MONTHS),
        "differs by more than a pound from the sum of 'earnings_month_1' to 'earnings_month_12'",
        lambda frame: (frame["earnings"].astype("Float64") - _sum(frame, EARNINGS_MONTHS)).abs() > ROUNDING_TOLERANCE,
    ),
)
"""All rules. Earnings in a month without employment are allowed: pay may arrive late."""
