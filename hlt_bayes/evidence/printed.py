"""What a printed cell says: its number, its digits, its stars."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBER = re.compile(r"(?P<sign>-?)\s*£?\s*(?P<number>\d[\d,]*(?:\.(?P<decimals>\d+))?)")
_STARS = re.compile(r"\*{1,3}(?!\*)\s*$")


@dataclass(frozen=True)
class Printed:
    """Number, digits after the point, and stars of one printed cell."""

    value: float
    decimals: int
    stars: str


def parse_printed(text: str) -> Printed | None:
    """Read a cell such as ``"0.10 sd *"``, ``"-£233"`` or ``"1,260"``; ``None`` where no number is printed."""
    number = _NUMBER.search(text)
    if number is None:
        return None
    value = float(number["number"].replace(",", ""))
    stars = _STARS.search(text)
    return Printed(
        value=-value if number["sign"] else value,
        decimals=len(number["decimals"] or ""),
        stars=stars.group().strip() if stars else "",
    )
