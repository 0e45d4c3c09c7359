"""Validates published results of a trial, and converts them to bounds on the unrounded values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from numbers import Integral

from hlt_bayes.core.errors import EvidenceError

PeopleGiven = int | tuple[int, int] | list[int]
"""A number of people, or the smallest and the largest possible."""

Effect = str | tuple[str, str, str] | list[str]
"""An effect as published: the estimate, or the estimate with its lower and upper confidence limits."""

MAX_PEOPLE = 1_000_000
"""Largest accepted size of an arm or trial."""

_PRINTED = re.compile(r"-?\d*\.?\d+")

# Relative widening of rounding intervals: far above floating-point error, far below half a unit.
_SLACK = 1e-12


def rounded(name: str, text: object) -> tuple[float, float]:
    """Bounds on the number that was rounded to ``text``, widened for floating-point error.

    Stricter than ``evidence.printed_text.parse_printed``, which finds the first number in any text.
    """
    if not isinstance(text, str):
        raise EvidenceError(
            f"{name} is {text!r}, which is not text; quote the number as published, such as '42.40', because its "
            "digits show how it was rounded"
        )
    if not _PRINTED.fullmatch(text):
        raise EvidenceError(
            f"{name} is {text!r}; it must be a plain number as published, such as '42.4', '-0.12' or '.5'"
        )
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    half_unit = Decimal(5).scaleb(int(exponent) - 1)
    slack = _SLACK * max(1.0, abs(float(value)))
    return float(value - half_unit) - slack, float(value + half_unit) + slack


def effect_bounds(name: str, effect: object, *, ratio: bool) -> list[tuple[float, float]]:
    """Bounds on the published estimate and, if published, on its confidence limits."""
    texts = effect if isinstance(effect, tuple | list) else [effect]
    if len(texts) not in (1, 3):
        raise EvidenceError(f"{name} is {effect!r}; give the estimate, or (estimate, lower limit, upper limit)")
    bounds = []
    for part, text in zip(("estimate", "lower limit", "upper limit"), texts, strict=False):
        bounds.append(rounded(f"{name}, {part},", text))
        if ratio and bounds[-1][1] <= 0:
            raise EvidenceError(f"{name}, {part}, is {text}; a ratio must be above 0: check the sign or the measure")
    if len(bounds) == 3:
        centre, lower, upper = bounds
        if lower[0] > upper[1]:
            raise EvidenceError(f"{name}: lower limit {texts[1]} is above upper limit {texts[2]}; check their order")
        if lower[0] > centre[1] or centre[0] > upper[1]:
            raise EvidenceError(
                f"{name}: estimate {texts[0]} lies outside its interval, {texts[1]} to {texts[2]}; check all three"
            )
    return bounds


def percent_bounds(name: str, text: str) -> tuple[float, float]:
    """Bounds, in %, on the percentage that was rounded to ``text``."""
    bounds = rounded(name, text)
    if not 0 <= float(text) <= 100:
        raise EvidenceError(f"{name} is {text}; it must be from 0 to 100")
    return bounds


def _whole(name: str, value: object, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= MAX_PEOPLE:
        raise EvidenceError(f"{name} is {value!r}; it must be a whole number of people, {least} to {MAX_PEOPLE:,}")
    return int(value)


def _range(name: str, value: PeopleGiven, *, least: int) -> tuple[int, int]:
    if not isinstance(value, tuple | list):
        return (_whole(name, value, least=least),) * 2
    if len(value) != 2:
        raise EvidenceError(f"{name} is {value!r}; give one number, or (smallest, largest)")
    lowest, highest = (_whole(name, end, least=least) for end in value)
    if lowest > highest:
        raise EvidenceError(f"{name} is {value!r}; give the smallest first")
    return lowest, highest


def size_bounds(
    given: Mapping[str, PeopleGiven | None], total: PeopleGiven | None, events: Mapping[str, int | None]
) -> tuple[dict[str, tuple[int, int]], tuple[int, int]]:
    """Bounds on the size of each arm and of both together, each narrowed by the others."""
    least, most = {}, {}
    for arm, size in given.items():
        if size is None and total is None:
            raise EvidenceError(
                f"n_{arm} is not bounded; give it, as a number or as (smallest, largest), or give total"
            )
        least[arm], most[arm] = (1, MAX_PEOPLE) if size is None else _range(f"n_{arm}", size, least=1)
        count = events[arm]
        if count is not None:
            if _whole(f"events_{arm}", count, least=0) > most[arm]:
                raise EvidenceError(f"events_{arm} is {count}, but n_{arm} is at most {most[arm]}; check both")
            least[arm] = max(least[arm], count)
    together = sum(least.values()), sum(most.values())
    lowest, highest = together if total is None else _range("total", total, least=2)
    if highest < together[0] or lowest > together[1]:
        raise EvidenceError(
            f"total is {total!r}, but arm sizes and events imply {together[0]} to {together[1]}; check all three"
        )
    lowest, highest = max(lowest, together[0]), min(highest, together[1])
    sizes = {
        arm: (max(least[arm], lowest - most[other]), min(most[arm], highest - least[other]))
        for arm, other in (("treatment", "control"), ("control", "treatment"))
    }
    return sizes, (lowest, highest)
