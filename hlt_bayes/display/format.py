"""Formatting of numbers, prices and intervals in tables and sentences."""

from __future__ import annotations

import math

import pandas as pd

from hlt_bayes.core.vocabulary import OUTCOMES

NOT_CALCULATED = "n/c"


def price_in_words(row: pd.Series) -> str:
    """Format the price of a row of ``hlt_bayes.economics.price_table``."""
    return f"{price_range(row['lower_gbp'], row['upper_gbp'])} {row['unit'].removeprefix('GBP ')}"


def price_range(lower: float, upper: float) -> str:
    """Format a price range in whole £."""
    return f"£{lower:,.0f} to £{upper:,.0f}"


def as_printed(text: str) -> str:
    """Format a published cell with the units used in the tables."""
    return text.replace("sd", "SD").replace(" ppt", "ppt").replace("ppt", " ppt")


def percent(probability: float) -> str:
    """Format a probability in whole per cent, never as 0% or 100%."""
    if probability >= 0.995:
        return ">99%"
    if probability < 0.005:
        return "<1%"
    return f"{probability:.0%}"


def per_pound(amount: float, perspective: str) -> str:
    """Format a benefit per £1: to the penny, or to a tenth of a penny for the small financial benefits."""
    return f"{_figure(amount, perspective)}p" if perspective == "financial" else pounds(amount)


def _interval_per_pound(lower: float, upper: float, perspective: str) -> str:
    unit = "p" if perspective == "financial" else ""
    return f"{_figure(lower, perspective)} to {_figure(upper, perspective)}{unit}"


def _figure(amount: float, perspective: str) -> str:
    """Format a benefit per £1 without its unit: pence for financial benefits, else £."""
    return _fixed(100 * amount, 1) if perspective == "financial" else _fixed(amount, 2)


def pounds(amount: float) -> str:
    """Format an amount to the penny; ``n/c`` if missing."""
    if math.isnan(amount):
        return NOT_CALCULATED
    text = _fixed(amount, 2)
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def _fixed(amount: float, decimals: int) -> str:
    """Format a number with fixed decimals, and zero without a sign."""
    text = f"{amount:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def number(value: float, outcome: str) -> str:
    """Format an impact in the display unit of its outcome; empty if missing."""
    if math.isnan(value):
        return ""
    return _fixed(value * OUTCOMES[outcome].display_scale, OUTCOMES[outcome].decimals)


def with_unit(value: float, outcome: str) -> str:
    """Format an impact with the display unit of its outcome: 1.7 ppt, -£50."""
    known, text = OUTCOMES[outcome], number(value, outcome)
    if known.display_unit != "£":
        return f"{text} {known.display_unit}"
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def mean_and_sd(row: pd.Series, outcome: str) -> str:
    """Format ``mean`` and ``sd`` of an impact in the display unit of its outcome."""
    return f"{number(row['mean'], outcome)} ({number(row['sd'], outcome)})"


def interval(lower: float, upper: float, outcome: str) -> str:
    """Format an interval of impacts in the display unit of their outcome."""
    return f"{number(lower, outcome)} to {number(upper, outcome)}"
