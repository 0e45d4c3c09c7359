"""Recovers 2x2 tables from published results, and checks whether a published interval can be symmetric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.evidence.counts.parse import Effect, PeopleGiven, effect_bounds, size_bounds
from hlt_bayes.evidence.counts.search import agreeing_tables, arm_of, tables_to_try
from hlt_bayes.evidence.counts.wald import EFFECT_IN_ARM, Ints, comparison_of, z_of

MAX_TABLES = 50_000_000
"""Largest search allowed: looser bounds rarely give a useful answer."""


def recover_counts(
    *,
    n_treatment: PeopleGiven | None = None,
    n_control: PeopleGiven | None = None,
    total: PeopleGiven | None = None,
    percent_treatment: str | None = None,
    percent_control: str | None = None,
    events_treatment: int | None = None,
    events_control: int | None = None,
    odds_ratio: Effect | None = None,
    risk_ratio: Effect | None = None,
    risk_difference: Effect | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Find every 2x2 table that agrees with the published results of a trial.

    The search is exhaustive within the sizes given, so a single table is unique within them. ``recovery_verdict``
    classifies the result.

    Parameters
    ----------
    n_treatment, n_control
        People analysed in each arm: a number, or (smallest, largest), such as half to all of those randomised. Arms
        have at least one person.
    total
        People analysed in both arms together, likewise. Bounds an arm whose size is not given.
    percent_treatment, percent_control
        Percentage of the arm with the event, as published: ``"42.4"``. Text, because its digits
        show how it was rounded.
    events_treatment, events_control
        People with the event, if published.
    odds_ratio, risk_ratio
        Treatment relative to control, as published: ``"1.28"``, or ``("1.28", "0.70", "2.35")`` with its confidence
        limits. If both are given, a table must agree with both.
    risk_difference
        Treatment minus control, as a proportion from -1 to 1, likewise.
    level
        Confidence level of the published intervals, such as 0.95.

    Returns
    -------
    DataFrame
        One row per table, sorted by treatment size, treatment events, control size, control events.
        ``events_treatment``, ``n_treatment``, ``events_control``, ``n_control`` (people); the implied unrounded
        ``percent_treatment``, ``percent_control`` (%), and ``odds_ratio``, ``risk_ratio``, ``risk_difference``, each
        with ``_lower`` and ``_upper`` (missing where a ratio is undefined). ``attrs["searched"]`` holds the bounds of
        the search, (smallest, largest), of ``n_treatment``, ``n_control`` and ``total``, and ``tables``, the number of
        tables tried: those with the right percentages and events.

    Raises
    ------
    EvidenceError
        A number is malformed, impossible or contradicts another; the size of an arm is not bounded; no published result
        is given; the search or its result is too large.
    """
    if not 0 < level < 1:
        raise EvidenceError(f"level is {level!r}; it must lie between 0 and 1, such as 0.95")
    comparisons = [
        comparison_of(name, effect, level)
        for name, effect in [
            ("odds_ratio", odds_ratio),
            ("risk_ratio", risk_ratio),
            ("risk_difference", risk_difference),
        ]
        if effect is not None
    ]
    percents = {"treatment": percent_treatment, "control": percent_control}
    events = {"treatment": events_treatment, "control": events_control}
    if not comparisons and all(value is None for value in (*percents.values(), *events.values())):
        raise EvidenceError("no published result given: give a percentage, events or an effect")
    sizes, totals = size_bounds({"treatment": n_treatment, "control": n_control}, total, events)
    arms = {arm: arm_of(arm, sizes[arm], percents[arm], events[arm]) for arm in sizes}
    tried = tables_to_try(arms["treatment"], arms["control"], totals)
    held = max(tried, float(arms["control"].counts.sum()))
    if held > MAX_TABLES:
        raise EvidenceError(
            f"{held:,.0f} 2x2 tables to try, but at most {MAX_TABLES:,} are allowed; "
            f"{_narrowing_hint(sizes, percents, events)}"
        )
    tables = _described(agreeing_tables(arms["treatment"], arms["control"], totals, comparisons), level)
    tables.attrs["searched"] = {
        "n_treatment": sizes["treatment"],
        "n_control": sizes["control"],
        "total": totals,
        "tables": int(tried),
    }
    return tables


def recovery_verdict(tables: pd.DataFrame) -> Literal["unique", "a set", "none"]:
    """Return whether ``recover_counts`` found one table, several or none.

    A function rather than an attribute of the frame, so that it stays true of a filtered frame.
    """
    return "none" if tables.empty else "unique" if len(tables) == 1 else "a set"


def interval_can_be_symmetric(
    estimate: str, ci_lower: str, ci_upper: str, *, scale: Literal["log", "linear"] = "log"
) -> bool:
    """Return True if a published interval can be symmetric about its estimate, given the rounding of all three.

    A Wald interval is symmetric: for a ratio on the log scale, for a difference on the linear scale. If the interval of
    a ratio cannot be, it is a misprint or comes from another method, such as an exact one.

    Parameters
    ----------
    estimate, ci_lower, ci_upper
        As published: ``"2.81"``, ``"1.98"``, ``"7.37"``.
    scale
        ``"log"`` or ``"linear"``.

    Raises
    ------
    EvidenceError
        A number is malformed, negative on the log scale, or contradicts another; the scale is unknown.
    """
    if scale not in ("log", "linear"):
        raise EvidenceError(f"scale: {unknown_name(scale, ['log', 'linear'])}")
    centre, lower, upper = effect_bounds("interval", (estimate, ci_lower, ci_upper), ratio=scale == "log")
    if scale == "linear":
        middle = (lower[0] + upper[0]) / 2, (lower[1] + upper[1]) / 2
    else:
        middle = (max(lower[0], 0) * upper[0]) ** 0.5, (lower[1] * upper[1]) ** 0.5
    return middle[0] <= centre[1] and centre[0] <= middle[1]


def _narrowing_hint(
    sizes: Mapping[str, tuple[int, int]], percents: Mapping[str, str | None], events: Mapping[str, int | None]
) -> str:
    hints = [f"percent_{arm}" for arm in sizes if percents[arm] is None and events[arm] is None]
    hints += [f"a narrower n_{arm} than {n}" for arm, n in sizes.items() if n[0] < n[1]]
    return f"give {' or '.join(hints)}"


def _described(counts: Ints, level: float) -> pd.DataFrame:
    """Tables {column, table} with their implied percentages, effects and intervals."""
    events_treatment, n_treatment, events_control, n_control = counts
    columns = {
        "events_treatment": events_treatment,
        "n_treatment": n_treatment,
        "events_control": events_control,
        "n_control": n_control,
        "percent_treatment": 100 * events_treatment / n_treatment,
        "percent_control": 100 * events_control / n_control,
    }
    for name, effect_in_arm in EFFECT_IN_ARM.items():
        value_treatment, variance_treatment = effect_in_arm(events_treatment, n_treatment)
        value_control, variance_control = effect_in_arm(events_control, n_control)
        effect = value_treatment - value_control
        margin = z_of(level) * np.sqrt(variance_treatment + variance_control)
        for suffix, value in (("", effect), ("_lower", effect - margin), ("_upper", effect + margin)):
            columns[name + suffix] = value if name == "risk_difference" else np.exp(value)
    return pd.DataFrame(columns)
