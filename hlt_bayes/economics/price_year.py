"""Money with a price year: amounts in different price years cannot be combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from hlt_bayes.core.errors import PriceYearError, unknown_name

Amounts = Any
"""A number, or an array of NumPy or xarray."""


@dataclass(frozen=True)
class Money:
    """An ``amount`` in £ at ``price_year`` prices: a number, or an array with any dims.

    Sums, differences and ratios need the same price year; a ratio is a plain number.

    Raises
    ------
    PriceYearError
        Two amounts have different price years, or a year is missing from the price index.
    """

    amount: Amounts
    price_year: str

    def __add__(self, other: Money) -> Money:
        """Add two amounts."""
        return Money(self.amount + self._same_year(other, "added").amount, self.price_year)

    def __sub__(self, other: Money) -> Money:
        """Subtract another amount."""
        return Money(self.amount - self._same_year(other, "subtracted").amount, self.price_year)

    def __mul__(self, factor: Amounts) -> Money:
        """Multiply the amount by a number."""
        return Money(self.amount * factor, self.price_year)

    def __truediv__(self, other: Money) -> Amounts:
        """Return the ratio to another amount, a plain number."""
        return self.amount / self._same_year(other, "divided").amount

    def at(self, price_year: str, index: Mapping[str, float]) -> Money:
        """Convert the amount to another price year by a price index."""
        if price_year == self.price_year:
            return self
        for year in (self.price_year, price_year):
            if year not in index:
                raise PriceYearError(f"price year {unknown_name(year, index)} (the years of the deflator)")
        return Money(self.amount * (index[price_year] / index[self.price_year]), price_year)

    def _same_year(self, other: Money, done: str) -> Money:
        if other.price_year != self.price_year:
            raise PriceYearError(
                f"amounts in {self.price_year} prices and {other.price_year} prices cannot be {done}; convert both "
                "to one price year with Money.at(year, index)"
            )
        return other


def sum_of(amounts: Sequence[Money]) -> Money:
    """Return the sum of one or more amounts in the same price year."""
    return reduce(add, amounts)
