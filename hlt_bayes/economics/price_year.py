"""Money knows the year of its prices: sums of two years are not added."""

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
    """An ``amount`` in £ of the prices of ``price_year``: a number, or an array of any dims.

    Sums, differences and ratios of money are of one price year; a ratio is a plain number.

    Raises
    ------
    PriceYearError
        Two price years meet, or a year has no index.
    """

    amount: Amounts
    price_year: str

    def __add__(self, other: Money) -> Money:
        """Sum of two amounts."""
        return Money(self.amount + self._same_year(other, "added").amount, self.price_year)

    def __sub__(self, other: Money) -> Money:
        """Difference of two amounts."""
        return Money(self.amount - self._same_year(other, "subtracted").amount, self.price_year)

    def __mul__(self, factor: Amounts) -> Money:
        """So many times the amount."""
        return Money(self.amount * factor, self.price_year)

    def __truediv__(self, other: Money) -> Amounts:
        """How many times the other amount it is."""
        return self.amount / self._same_year(other, "divided").amount

    def at(self, price_year: str, index: Mapping[str, float]) -> Money:
        """Carry the amount to the prices of another year, by a price index of both."""
        if price_year == self.price_year:
            return self
        for year in (self.price_year, price_year):
            if year not in index:
                raise PriceYearError(f"price year {unknown_name(year, index)} (years of the deflator)")
        return Money(self.amount * (index[price_year] / index[self.price_year]), price_year)

    def _same_year(self, other: Money, done: str) -> Money:
        if other.price_year != self.price_year:
            raise PriceYearError(
                f"money in prices of {self.price_year} and of {other.price_year} cannot be {done}; bring both to one "
                "year with .at(year, index)"
            )
        return other


def sum_of(amounts: Sequence[Money]) -> Money:
    """Sum of one amount or more, all of one price year."""
    return reduce(add, amounts)
