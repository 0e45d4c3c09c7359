"""What a reader asks of a report: which tables agree with it, and whether its interval can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.evidence.counts.parse import Effect, PeopleGiven, effect_bounds, size_bounds
from hlt_bayes.evidence.counts.search import agreeing_tables, arm_of, tables_to_try
from hlt_bayes.evidence.counts.wald import EFFECT_IN_ARM, Ints, comparison_of, z_of

MOST_TABLES = 50_000_000
"""A search of more tables than this is refused: bounds so loose seldom leave an answer worth waiting for."""


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
    """Find every 2x2 table that agrees with what a trial report prints.

    The search is exhaustive within the sizes given, so one table found is the only one there is within
    them. ``recovery_verdict`` puts the finding in a word.

    Parameters
    ----------
    n_treatment, n_control
        People analysed in each arm: a number, or (smallest, largest), such as from a half to all of those
        randomised. Arms have at least one person.
    total
        People analysed in both arms, likewise. It bounds an arm whose size is not given.
    percent_treatment, percent_control
        People with the event, in % of the arm, as printed: ``"42.4"``. Quoted, because the digits printed
        say how far the number is rounded.
    events_treatment, events_control
        People with the event, where printed.
    odds_ratio, risk_ratio
        Of treatment to control, as printed: ``"1.28"``, or ``("1.28", "0.70", "2.35")`` with its interval.
        Where a report prints both, a table must agree with both.
    risk_difference
        Treatment less control, as a proportion from -1 to 1, likewise.
    level
        Probability that the printed intervals cover, such as 0.95.

    Returns
    -------
    DataFrame
        One row a table, by treatment size, treatment events, control size, control events.
        ``events_treatment``, ``n_treatment``, ``events_control``, ``n_control`` (people); what they imply,
        unrounded: ``percent_treatment``, ``percent_control`` (%), and ``odds_ratio``,
        ``risk_ratio``, ``risk_difference``, each with ``_lower`` and ``_upper`` (missing where a ratio is
        undefined). ``attrs["searched"]`` holds the bounds of the search, (smallest, largest), of
        ``n_treatment``, ``n_control`` and ``total``, and ``tables``, how many tables had the right
        percentages and events and were tried.

    Raises
    ------
    EvidenceError
        A number is malformed, impossible or contradicts another; nothing bounds an arm; nothing is printed
        to search by; the search or its result is too large.
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
        raise EvidenceError("nothing is printed to search by: give a percentage, events or an effect")
    sizes, totals = size_bounds({"treatment": n_treatment, "control": n_control}, total, events)
    arms = {arm: arm_of(arm, sizes[arm], percents[arm], events[arm]) for arm in sizes}
    tried = tables_to_try(arms["treatment"], arms["control"], totals)
    held = max(tried, float(arms["control"].counts.sum()))
    if held > MOST_TABLES:
        raise EvidenceError(
            f"{held:,.0f} tables would have to be tried, and at most {MOST_TABLES:,} are: "
            f"{_what_would_narrow(sizes, percents, events)}"
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
    """Say whether the tables of ``recover_counts`` are one, several or none.

    A function rather than a mark on the frame, so that it stays true of a frame narrowed by hand.
    """
    return "none" if tables.empty else "unique" if len(tables) == 1 else "a set"


def interval_can_be_symmetric(
    estimate: str, ci_lower: str, ci_upper: str, *, scale: Literal["log", "linear"] = "log"
) -> bool:
    """Say whether a printed interval can be symmetric about its printed estimate, all three being rounded.

    A Wald interval is: of a ratio on the log scale, of a difference on the linear one. An interval of a ratio
    that cannot be is a misprint or was made otherwise, such as by an exact method.

    Parameters
    ----------
    estimate, ci_lower, ci_upper
        As printed: ``"2.81"``, ``"1.98"``, ``"7.37"``.
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


def _what_would_narrow(
    sizes: Mapping[str, tuple[int, int]], percents: Mapping[str, str | None], events: Mapping[str, int | None]
) -> str:
    hints = [f"percent_{arm}" for arm in sizes if percents[arm] is None and events[arm] is None]
    hints += [f"a narrower n_{arm} than {n}" for arm, n in sizes.items() if n[0] < n[1]]
    return f"give {' or '.join(hints)}"


def _described(counts: Ints, level: float) -> pd.DataFrame:
    """Tables {column, table} with the percentages, effects and intervals that they imply."""
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
        reach = z_of(level) * np.sqrt(variance_treatment + variance_control)
        for suffix, value in (("", effect), ("_lower", effect - reach), ("_upper", effect + reach)):
            columns[name + suffix] = value if name == "risk_difference" else np.exp(value)
    return pd.DataFrame(columns)
