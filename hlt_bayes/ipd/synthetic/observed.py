"""Observed outcomes: one potential outcome per person, by month, and surveys with non-response."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from hlt_bayes.core.vocabulary import ARMS
from hlt_bayes.ipd.data.schema import COLUMNS, MONTHS
from hlt_bayes.ipd.synthetic.arrays import (
    Flags,
    Floats,
    Integers,
    Values,
    column_of,
    figures,
    group_means,
    standardised,
    stream,
)
from hlt_bayes.ipd.synthetic.baseline import Recruits
from hlt_bayes.ipd.synthetic.outcomes import SCALE_OF, Potential
from hlt_bayes.ipd.synthetic.targets import Published
from hlt_bayes.specs import TwinSpec

WEEKS_PER_MONTH = 52 / 12


def tax_records(people: Recruits, potential: Potential, spec: TwinSpec) -> tuple[dict[str, Values], Integers, Integers]:
    """Employment, earnings and benefits, complete; also the first month and the number of months of employment."""
    n = len(people.group)
    rng = stream(people.seed, "employment")
    employed = rng.random(n) < _seen(people, potential.employment)
    short = figures(spec.earnings.short_jobs)[people.group]
    briefly = ~employed & (rng.random(n) < short)
    length, start = (figures(table)[people.group] for table in (spec.months.length, spec.months.start))
    months = np.where(employed, 3 + np.floor(10.0 * rng.random(n) ** (1.0 / length)).clip(max=9), 0).astype(np.int64)
    months[briefly] = np.where(rng.random(briefly.sum()) < spec.months.one_month.value, 1, 2)
    first = np.floor((13 - months) * rng.random(n) ** start).clip(max=12 - months.clip(min=1)).astype(np.int64)
    shape = spec.earnings.shape.value
    drawn = stream(people.seed, "earnings").standard_gamma(shape, n) / shape * _seen(people, potential.earnings)
    pence = np.where(months > 0, np.maximum(np.rint(100.0 * drawn), 100.0), 0.0).astype(np.int64)
    claims = stream(people.seed, "benefits").random(n) < figures(spec.months.benefits)[people.group]
    columns: dict[str, Values] = {
        "employed_13_weeks": column_of("employed_13_weeks", employed),
        "months_employed": column_of("months_employed", months),
        "earnings": pence / 100.0,
    }
    each, over = np.divmod(pence, months.clip(min=1))
    monthly: dict[str, dict[str, Values]] = {"employed": {}, "earnings": {}, "benefits": {}}
    for month in MONTHS:
        position = month - 1 - first
        working = (position >= 0) & (position < months)
        monthly["employed"][f"employed_month_{month}"] = column_of(f"employed_month_{month}", working)
        monthly["earnings"][f"earnings_month_{month}"] = np.where(working, each + (position < over), 0) / 100.0
        monthly["benefits"][f"benefits_month_{month}"] = column_of(f"benefits_month_{month}", claims & ~working)
    return columns | monthly["employed"] | monthly["earnings"] | monthly["benefits"], first, months


def response(people: Recruits, known: Published, spec: TwinSpec) -> tuple[Flags, Flags, Floats]:
    """Draw who answers at 4 and at 12 months, with the non-response weights at 12.

    Response depends on arm and covariates and, given these, not on outcomes (missing at random).
    """
    n = len(people.group)
    score = people.score(spec.response.covariates)
    cell = people.group.astype(int) * len(ARMS) + np.where(
        people.treated, ARMS.index("treatment"), ARMS.index("control")
    )
    rates = [(sample / known.recruits).ravel() for sample in (known.answered_4_months, known.answered)]
    early, late = (_probabilities(score, cell, rate) for rate in rates)
    rng = stream(people.seed, "response")
    first, second = rng.standard_normal(n), rng.standard_normal(n)
    correlation = spec.response.correlation.value
    second = correlation * first + np.sqrt(1.0 - correlation**2) * second
    answered_4_months, answered = ndtr(first) < early, ndtr(second) < late
    weight = np.where(answered, 1.0 / late, 0.0)
    share = group_means(answered.astype(float), cell, len(rates[0]))
    mean = group_means(weight, cell, len(rates[0])) / np.where(share > 0, share, 1.0)
    return answered_4_months, answered, weight / np.where(mean > 0, mean, 1.0)[cell]


def surveys(
    people: Recruits,
    potential: Potential,
    spec: TwinSpec,
    answered: dict[str, Flags],
    work: tuple[Integers, Integers],
) -> dict[str, Values]:
    """Answer both surveys; ``answered`` is by column suffix, ``work`` as from ``tax_records``."""
    seen = {}
    for outcome, scale in potential.scales.items():
        mean = _seen(people, (scale.control, scale.treatment))
        noise = stream(people.seed, outcome).standard_normal(len(mean))
        seen[SCALE_OF[outcome]] = (mean + scale.residual * noise).clip(scale.lower, scale.upper)
    columns: dict[str, Values] = {}
    for ending, respondents in answered.items():
        asked = seen if not ending else _earlier(people, potential, spec, seen)
        values: dict[str, npt.NDArray[Any]] = dict(asked)
        values |= _self_reported_work(people, spec, work, ending)
        values |= _secondary(people, spec, asked, ending)
        names = (name for name in values if f"{name}{ending}" in COLUMNS)
        columns |= {f"{name}{ending}": column_of(f"{name}{ending}", values[name], ~respondents) for name in names}
    return columns


def _seen(people: Recruits, both: tuple[Floats, Floats]) -> Floats:
    return np.where(people.treated, both[1], both[0])


def _probabilities(score: Floats, cell: Integers, rates: Floats) -> Floats:
    """Probabilities, logistic in ``score``, with the given mean in each group and arm."""
    found = np.empty(len(score))
    for position, rate in enumerate(rates):
        here = np.flatnonzero(cell == position)
        if len(here):
            base = score[here]
            level = brentq(lambda level, base=base, rate=rate: expit(base + level).mean() - rate, -30.0, 30.0)
            found[here] = expit(base + level)
    return found


def _earlier(people: Recruits, potential: Potential, spec: TwinSpec, seen: dict[str, Floats]) -> dict[str, Floats]:
    """Health and wellbeing at 4 months: between baseline and 12 months, without modelling an impact at that time."""
    correlation, found = spec.later_answers.value, {}
    for outcome, scale in potential.scales.items():
        name = SCALE_OF[outcome]
        between = standardised(standardised(people.scales[f"baseline_{name}"]) + standardised(seen[name]))
        noise = stream(people.seed, f"{name} at 4 months").standard_normal(len(between))
        moved = correlation * between + np.sqrt(1.0 - correlation**2) * noise
        found[name] = (seen[name].mean() + scale.sd * moved).clip(scale.lower, scale.upper)
    return found


def _self_reported_work(
    people: Recruits, spec: TwinSpec, work: tuple[Integers, Integers], ending: str
) -> dict[str, npt.NDArray[Any]]:
    """Report work as in the tax records, except for people whose answers differ."""
    first, months = work
    last = 4 if ending else 12
    rng = stream(people.seed, f"told{ending}")
    until = (np.minimum(first + months, last) - first).clip(min=0)
    recorded = (months > 0) & (first < last) & (first + months >= last)
    working = recorded ^ (rng.random(len(first)) < spec.told.differs.value)
    many_hours = rng.random(len(first)) < spec.told.works_16_hours.value
    weeks = np.maximum(np.rint(until * WEEKS_PER_MONTH), working)
    of_16_hours = weeks * many_hours
    return {
        "working": working,
        "working_16_hours": working & many_hours,
        "weeks_working": weeks,
        "weeks_16_hours": of_16_hours,
        "weeks_16_hours_unbroken": of_16_hours,
    }


def _secondary(people: Recruits, spec: TwinSpec, asked: dict[str, Floats], ending: str) -> dict[str, npt.NDArray[Any]]:
    health, wellbeing = (standardised(asked[name]) for name in SCALE_OF.values())
    common = float((health * wellbeing).mean())
    found: dict[str, npt.NDArray[Any]] = {}
    for name, table in spec.secondary.items():
        known = table.health**2 + table.wellbeing**2 + 2.0 * common * table.health * table.wellbeing
        noise = stream(people.seed, f"{name}{ending}").standard_normal(len(health))
        mixed = table.health * health + table.wellbeing * wellbeing + np.sqrt(max(1.0 - known, 0.0)) * noise
        points = table.mean + table.sd * mixed
        column = COLUMNS[name]
        found[name] = points > 0 if column.kind == "flag" else np.rint(points).clip(column.lower, column.upper)
    return found
