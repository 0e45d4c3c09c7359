"""Which 2x2 tables of a trial agree with what its report prints, found by trying every one.

A report that prints percentages, a ratio and its interval, but no counts, often leaves a single table of
whole people that rounds to all of them. A table agrees where each number it implies lies within half a unit
of the last digit of the number printed, ends included, since sources round halves either way.

Intervals are Wald intervals: of the log for the odds ratio and the risk ratio, of the difference itself for
the risk difference. A ratio whose interval has no Wald form (no events in an arm; for the odds ratio also
nobody without one) is undefined here: such a table agrees with no printed ratio.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlt_bayes.errors import EvidenceError, unknown_name

People = int | tuple[int, int] | list[int]
"""A number of people, or the smallest and the largest that it may be."""

Effect = str | tuple[str, str, str] | list[str]
"""An effect as printed: the estimate, or the estimate with the lower and the upper end of its interval."""

MOST_TABLES = 50_000_000
"""A search of more tables than this is refused: bounds so loose seldom leave an answer worth waiting for."""

MOST_PEOPLE = 1_000_000
"""No arm and no trial is taken to be larger than this."""

MOST_AGREEING = 1_000_000
"""A result of more tables than this is refused, for the sake of memory."""

_PRINTED = re.compile(r"-?\d*\.?\d+")

# Tables tried at a time: few enough to stay in the processor's cache.
_BLOCK = 200_000

# Relative widening of rounding intervals: far above what floating point loses, far below half a unit.
_SLACK = 1e-12

_Floats = npt.NDArray[np.float64]
_Ints = npt.NDArray[np.int64]


def recover_counts(
    *,
    n_treatment: People | None = None,
    n_control: People | None = None,
    total: People | None = None,
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
        _comparison(name, effect, level)
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
    sizes, totals = _sizes({"treatment": n_treatment, "control": n_control}, total, events)
    arms = {arm: _arm(arm, sizes[arm], percents[arm], events[arm]) for arm in sizes}
    tried = _tables_to_try(arms["treatment"], arms["control"], totals)
    held = max(tried, float(arms["control"].counts.sum()))
    if held > MOST_TABLES:
        raise EvidenceError(
            f"{held:,.0f} tables would have to be tried, and at most {MOST_TABLES:,} are: "
            f"{_what_would_narrow(sizes, percents, events)}"
        )
    tables = _described(_gathered(_search(arms["treatment"], arms["control"], totals, comparisons)), level)
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
    centre, lower, upper = _effect("interval", (estimate, ci_lower, ci_upper), ratio=scale == "log")
    if scale == "linear":
        middle = (lower[0] + upper[0]) / 2, (lower[1] + upper[1]) / 2
    else:
        middle = (max(lower[0], 0) * upper[0]) ** 0.5, (lower[1] * upper[1]) ** 0.5
    return middle[0] <= centre[1] and centre[0] <= middle[1]


@dataclass(frozen=True)
class _Arm:
    """For each size ``n`` the smallest and largest number of events that agrees (``least > most``: none)."""

    n: _Ints
    least: _Ints
    most: _Ints

    @property
    def counts(self) -> _Ints:
        counts: _Ints = np.maximum(self.most - self.least + 1, 0)
        return counts


@dataclass(frozen=True)
class _Comparison:
    """A printed effect on the scale of its Wald interval: bounds of the estimate and of the interval's ends."""

    effect_in_arm: Callable[[_Ints, _Ints], tuple[_Floats, _Floats]]
    bounds: list[tuple[float, float]]
    z: float

    def agrees(self, treatment: tuple[_Floats, _Floats], control: tuple[_Floats, _Floats]) -> npt.NDArray[np.bool_]:
        difference = treatment[0] - control[0]
        agrees = _within(difference, self.bounds[0])
        if len(self.bounds) > 1 and agrees.any():
            reach = self.z * np.sqrt(treatment[1] + control[1])
            agrees &= _within(difference - reach, self.bounds[1]) & _within(difference + reach, self.bounds[2])
        return agrees


def _log_odds(events: _Ints, n: _Ints) -> tuple[_Floats, _Floats]:
    inside = np.where((events > 0) & (events < n), events, np.nan)
    return np.log(inside / (n - inside)), 1 / inside + 1 / (n - inside)


def _log_risk(events: _Ints, n: _Ints) -> tuple[_Floats, _Floats]:
    some = np.where(events > 0, events, np.nan)
    return np.log(some / n), 1 / some - 1 / n


def _risk(events: _Ints, n: _Ints) -> tuple[_Floats, _Floats]:
    risk = events / n
    return risk, risk * (1 - risk) / n


_EFFECT_IN_ARM: Mapping[str, Callable[[_Ints, _Ints], tuple[_Floats, _Floats]]] = {
    "odds_ratio": _log_odds,
    "risk_ratio": _log_risk,
    "risk_difference": _risk,
}
"""An arm's value, whose difference between the arms is the effect on its Wald scale, and its variance."""


def _within(values: _Floats, bounds: tuple[float, float]) -> npt.NDArray[np.bool_]:
    return (bounds[0] <= values) & (values <= bounds[1])


def _rounded(name: str, text: object) -> tuple[float, float]:
    """Bounds of the number that was rounded to ``text``, wider by what floating point may lose.

    Stricter than ``evidence.printed.parse_printed``, which finds the first number in a cell of any text.
    """
    if not isinstance(text, str):
        raise EvidenceError(
            f"{name} is {text!r}, which is no text; quote the number as printed, such as '42.40', because its digits "
            "say how far it is rounded"
        )
    if not _PRINTED.fullmatch(text):
        raise EvidenceError(
            f"{name} is {text!r}; it must be a plain number as printed, such as '42.4', '-0.12' or '.5'"
        )
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    half_unit = Decimal(5).scaleb(int(exponent) - 1)
    slack = _SLACK * max(1.0, abs(float(value)))
    return float(value - half_unit) - slack, float(value + half_unit) + slack


def _effect(name: str, effect: object, *, ratio: bool) -> list[tuple[float, float]]:
    """Bounds of the printed estimate and, where printed, of the ends of its interval."""
    texts = effect if isinstance(effect, tuple | list) else [effect]
    if len(texts) not in (1, 3):
        raise EvidenceError(f"{name} is {effect!r}; give the estimate, or (estimate, lower end, upper end)")
    bounds = []
    for part, text in zip(("estimate", "lower end", "upper end"), texts, strict=False):
        bounds.append(_rounded(f"{name}, {part},", text))
        if ratio and bounds[-1][1] <= 0:
            raise EvidenceError(f"{name}, {part}, is {text}; a ratio is above 0, so check the sign or the measure")
    if len(bounds) == 3:
        centre, lower, upper = bounds
        if lower[0] > upper[1]:
            raise EvidenceError(f"{name}: lower end {texts[1]} is above upper end {texts[2]}; give the lower one first")
        if lower[0] > centre[1] or centre[0] > upper[1]:
            raise EvidenceError(
                f"{name}: estimate {texts[0]} lies outside its interval, {texts[1]} to {texts[2]}; check all three"
            )
    return bounds


def _comparison(name: str, effect: Effect, level: float) -> _Comparison:
    ratio = name != "risk_difference"
    bounds = _effect(name, effect, ratio=ratio)
    if not ratio and (bounds[0][0] > 1 or bounds[0][1] < -1):
        raise EvidenceError(
            f"{name} is {effect!r}; allowed is a proportion from -1 to 1, so move the point of a difference in "
            "percentage points two places: '6.9' is '0.069'"
        )
    if ratio:
        bounds = [(_log(lowest), _log(highest)) for lowest, highest in bounds]
    return _Comparison(_EFFECT_IN_ARM[name], bounds, _z(level))


def _log(value: float) -> float:
    return float(np.log(value)) if value > 0 else -np.inf


def _z(level: float) -> float:
    return NormalDist().inv_cdf((1 + level) / 2)


def _whole(name: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= MOST_PEOPLE:
        raise EvidenceError(f"{name} is {value!r}; it must be a whole number of people, {least} to {MOST_PEOPLE:,}")
    return int(value)


def _range(name: str, value: People, *, least: int) -> tuple[int, int]:
    if not isinstance(value, tuple | list):
        return (_whole(name, value, least=least),) * 2
    if len(value) != 2:
        raise EvidenceError(f"{name} is {value!r}; give one number, or (smallest, largest)")
    lowest, highest = (_whole(name, end, least=least) for end in value)
    if lowest > highest:
        raise EvidenceError(f"{name} is {value!r}; give the smallest first")
    return lowest, highest


def _sizes(
    given: Mapping[str, People | None], total: People | None, events: Mapping[str, int | None]
) -> tuple[dict[str, tuple[int, int]], tuple[int, int]]:
    """Bounds of the size of each arm and of both together, each as narrow as the others make it."""
    least, most = {}, {}
    for arm, size in given.items():
        if size is None and total is None:
            raise EvidenceError(
                f"nothing bounds n_{arm}; give it, as a number or as (smallest, largest), or give total"
            )
        least[arm], most[arm] = (1, MOST_PEOPLE) if size is None else _range(f"n_{arm}", size, least=1)
        count = events[arm]
        if count is not None:
            if _whole(f"events_{arm}", count, least=0) > most[arm]:
                raise EvidenceError(f"events_{arm} is {count}, but n_{arm} is at most {most[arm]}; check both")
            least[arm] = max(least[arm], count)
    together = sum(least.values()), sum(most.values())
    lowest, highest = together if total is None else _range("total", total, least=2)
    if highest < together[0] or lowest > together[1]:
        raise EvidenceError(
            f"total is {total!r}, but sizes and events make it {together[0]} to {together[1]}; check all three"
        )
    lowest, highest = max(lowest, together[0]), min(highest, together[1])
    sizes = {
        arm: (max(least[arm], lowest - most[other]), min(most[arm], highest - least[other]))
        for arm, other in (("treatment", "control"), ("control", "treatment"))
    }
    return sizes, (lowest, highest)


def _arm(name: str, size: tuple[int, int], percent: str | None, events: int | None) -> _Arm:
    n = np.arange(size[0], size[1] + 1)
    least, most = np.zeros_like(n), n.copy()
    if percent is not None:
        lowest, highest = _rounded(f"percent_{name}", percent)
        if not 0 <= float(percent) <= 100:
            raise EvidenceError(f"percent_{name} is {percent}; it must be from 0 to 100")
        least = np.maximum(least, np.ceil(n * (lowest / 100)).astype(n.dtype))
        most = np.minimum(most, np.floor(n * (highest / 100)).astype(n.dtype))
    if events is not None:
        least, most = np.maximum(least, events), np.minimum(most, events)
    return _Arm(n, least, most)


def _partners(n: _Ints, control: _Arm, totals: tuple[int, int]) -> tuple[_Ints, _Ints]:
    """First and one past the last of the control sizes that the total allows beside treatment sizes ``n``."""
    return np.searchsorted(control.n, totals[0] - n), np.searchsorted(control.n, totals[1] - n, side="right")


def _tables_to_try(treatment: _Arm, control: _Arm, totals: tuple[int, int]) -> float:
    before = np.concatenate([[0.0], np.cumsum(control.counts, dtype=float)])
    start, stop = _partners(treatment.n, control, totals)
    return float(treatment.counts @ (before[stop] - before[start]))


def _what_would_narrow(
    sizes: Mapping[str, tuple[int, int]], percents: Mapping[str, str | None], events: Mapping[str, int | None]
) -> str:
    hints = [f"percent_{arm}" for arm in sizes if percents[arm] is None and events[arm] is None]
    hints += [f"a narrower n_{arm} than {n}" for arm, n in sizes.items() if n[0] < n[1]]
    return f"give {' or '.join(hints)}"


def _search(treatment: _Arm, control: _Arm, totals: tuple[int, int], comparisons: list[_Comparison]) -> Iterator[_Ints]:
    """Agreeing tables {column, table}, block by block, in the order of sizes and events, treatment first."""
    ends = np.concatenate([[0], np.cumsum(control.counts)])
    n_control = np.repeat(control.n, control.counts)
    events_control = np.arange(ends[-1]) + np.repeat(control.least - ends[:-1], control.counts)
    in_control = [comparison.effect_in_arm(events_control, n_control) for comparison in comparisons]
    start, stop = (ends[at] for at in _partners(treatment.n, control, totals))
    for i in np.flatnonzero((treatment.counts > 0) & (start < stop)):
        beside = slice(start[i], stop[i])
        rows = max(1, _BLOCK // int(stop[i] - start[i]))
        for first in range(treatment.least[i], treatment.most[i] + 1, rows):
            events = np.arange(first, min(first + rows, treatment.most[i] + 1))[:, None]
            n = np.full_like(events, treatment.n[i])
            agrees = np.ones((events.size, stop[i] - start[i]), dtype=bool)
            for comparison, (value, variance) in zip(comparisons, in_control, strict=True):
                agrees &= comparison.agrees(comparison.effect_in_arm(events, n), (value[beside], variance[beside]))
            row, column = np.nonzero(agrees)
            yield np.stack([events[row, 0], n[row, 0], events_control[beside][column], n_control[beside][column]])


def _gathered(blocks: Iterator[_Ints]) -> _Ints:
    """Tables {column, table}, refused before they fill the memory."""
    found = [np.empty((4, 0), dtype=np.int64)]
    agreeing = 0
    for block in blocks:
        agreeing += block.shape[1]
        if agreeing > MOST_AGREEING:
            raise EvidenceError(
                f"more than {MOST_AGREEING:,} tables agree with what is printed; give more of what is printed"
            )
        found.append(block)
    return np.concatenate(found, axis=1)


def _described(counts: _Ints, level: float) -> pd.DataFrame:
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
    for name, effect_in_arm in _EFFECT_IN_ARM.items():
        value_treatment, variance_treatment = effect_in_arm(events_treatment, n_treatment)
        value_control, variance_control = effect_in_arm(events_control, n_control)
        effect = value_treatment - value_control
        reach = _z(level) * np.sqrt(variance_treatment + variance_control)
        for suffix, value in (("", effect), ("_lower", effect - reach), ("_upper", effect + reach)):
            columns[name + suffix] = value if name == "risk_difference" else np.exp(value)
    return pd.DataFrame(columns)
