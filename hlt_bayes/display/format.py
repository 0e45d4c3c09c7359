"""Numbers, prices and intervals as every table writes them."""

from __future__ import annotations

import math

import pandas as pd

from hlt_bayes.core.vocabulary import OUTCOMES

NOT_CALCULATED = "n/c"


def price_in_words(row: pd.Series) -> str:
    """Say at which price a row of ``hlt_bayes.economics.price_table`` values its outcome."""
    return f"{price_range(row['lower_gbp'], row['upper_gbp'])} {row['unit'].removeprefix('GBP ')}"


def price_range(lower: float, upper: float) -> str:
    """Say between which whole £ a price lies."""
    return f"£{lower:,.0f} to £{upper:,.0f}"


def as_printed(text: str) -> str:
    """Write a printed cell with the units as they stand in our tables."""
    return text.replace("sd", "SD").replace(" ppt", "ppt").replace("ppt", " ppt")


def percent(probability: float) -> str:
    """Say a probability in whole per cent, never as certain."""
    if probability >= 0.995:
        return ">99%"
    if probability < 0.005:
        return "<1%"
    return f"{probability:.0%}"


def per_pound(amount: float, perspective: str) -> str:
    """Say a benefit per £1: to the penny, but financial ones, which are of a few pence, to a tenth of one."""
    return f"{_figure(amount, perspective)}p" if perspective == "financial" else pounds(amount)


def _interval_per_pound(lower: float, upper: float, perspective: str) -> str:
    unit = "p" if perspective == "financial" else ""
    return f"{_figure(lower, perspective)} to {_figure(upper, perspective)}{unit}"


def _figure(amount: float, perspective: str) -> str:
    """Write a benefit per £1 without its unit: pence for financial ones, else £."""
    return _fixed(100 * amount, 1) if perspective == "financial" else _fixed(amount, 2)


def pounds(amount: float) -> str:
    """Say an amount to the penny, ``n/c`` where it is missing."""
    if math.isnan(amount):
        return NOT_CALCULATED
    text = _fixed(amount, 2)
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def _fixed(amount: float, decimals: int) -> str:
    """Write a number to so many decimals, and zero without a sign."""
    text = f"{amount:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def number(value: float, outcome: str) -> str:
    """Write an impact in the display unit of its outcome; empty where it is missing."""
    if math.isnan(value):
        return ""
    return _fixed(value * OUTCOMES[outcome].display_scale, OUTCOMES[outcome].decimals)


def with_unit(value: float, outcome: str) -> str:
    """Write an impact with the display unit of its outcome: 1.7 ppt, -£50."""
    known, text = OUTCOMES[outcome], number(value, outcome)
    if known.display_unit != "£":
        return f"{text} {known.display_unit}"
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def mean_and_sd(row: pd.Series, outcome: str) -> str:
    """Write ``mean`` and ``sd`` of an impact in the display unit of its outcome."""
    return f"{number(row['mean'], outcome)} ({number(row['sd'], outcome)})"


def interval(lower: float, upper: float, outcome: str) -> str:
    """Write an interval of impacts in the display unit of their outcome."""
    return f"{number(lower, outcome)} to {number(upper, outcome)}"
