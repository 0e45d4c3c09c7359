"""Parses the text of a printed cell: its number, decimal places and stars."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"(?P<sign>-?)\s*£?\s*(?P<number>[0-9][0-9,]*(?:\.(?P<decimals>[0-9]+))?|\.(?P<bare>[0-9]+))")
_WORDS = (
    *("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORD = re.compile(rf"\b({'|'.join(sorted(_WORDS, key=len, reverse=True))})\b", flags=re.IGNORECASE)
_STARS = re.compile(r"\*{1,3}(?!\*)\s*$")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = re.compile(rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\s+(?P<year>\d{{4}})", flags=re.IGNORECASE)

MONTH = "month"
"""Unit of a date: months since year 0, so that May 2018 is 12 x 2018 + 5."""


@dataclass(frozen=True)
class Printed:
    """Number, decimal places and stars of one printed cell."""

    value: float
    decimals: int
    stars: str

    @property
    def half_unit(self) -> float:
        """Half a unit of the last printed digit."""
        return 0.5 * 10.0**-self.decimals


def parse_printed(text: str, unit: str = "") -> Printed | None:
    """Parse a cell such as ``"0.10 sd *"``, ``"-£233"``, ``"1,260"`` or ``"six"``; ``None`` if there is no number.

    If ``unit`` is ``MONTH``, the text is a date, such as ``"12 June 2019"``.
    """
    if unit == MONTH:
        month = _MONTH.search(text)
        if month is None:
            return None
        number = 1 + _MONTHS.index(month["name"].lower())
        return Printed(value=12.0 * int(month["year"]) + number, decimals=0, stars="")
    number_found = _NUMBER.search(text)
    if number_found is None:
        word = _WORD.search(text)
        return Printed(value=1.0 + _WORDS.index(word[0].lower()), decimals=0, stars="") if word else None
    value = float(number_found["number"].replace(",", ""))
    stars = _STARS.search(text)
    return Printed(
        value=-value if number_found["sign"] else value,
        decimals=len(number_found["decimals"] or number_found["bare"] or ""),
        stars=stars.group().strip() if stars else "",
    )


def month_words(value: float) -> str:
    """Format a date in the unit ``MONTH`` as ``May 2018``."""
    year, month = divmod(int(value) - 1, 12)
    return f"{_MONTHS[month].capitalize()} {year}"
