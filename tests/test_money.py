"""Money knows its price year, and sums of two years are refused."""

import numpy as np
import pytest
import xarray as xr

from hlt_bayes.core.errors import PriceYearError
from hlt_bayes.economics import Money
from hlt_bayes.economics.price_year import sum_of

INDEX = {"2014": 83.0, "2019": 90.3, "2020/21": 95.825}


def test_sums_and_differences_are_of_one_price_year():
    one, two = Money(3.0, "2019"), Money(4.0, "2019")
    assert one + two == Money(7.0, "2019")
    assert two - one == Money(1.0, "2019")
    assert sum_of([one, two, one]) == Money(10.0, "2019")
    assert one * 2 == Money(6.0, "2019")
    assert two / one == pytest.approx(4 / 3)


@pytest.mark.parametrize("operation", ["__add__", "__sub__", "__truediv__"])
def test_two_price_years_are_refused(operation):
    with pytest.raises(PriceYearError, match=r"in 2019 prices and 2014 prices cannot be .*\.at\(year, index\)"):
        getattr(Money(1.0, "2019"), operation)(Money(1.0, "2014"))


def test_another_year_is_reached_by_the_index_and_back():
    then = Money(60_000.0, "2014").at("2020/21", INDEX)
    assert then.amount == pytest.approx(60_000 * 95.825 / 83.0)
    assert then.price_year == "2020/21"
    assert then.at("2014", INDEX).amount == pytest.approx(60_000)
    assert Money(1.0, "2019").at("2019", {}) == Money(1.0, "2019")


@pytest.mark.parametrize(("have", "want"), [("2015", "2019"), ("2019", "2015")])
def test_a_year_without_an_index_is_named(have, want):
    with pytest.raises(PriceYearError, match=r"price year '2015' is unknown; allowed: '2014', '2019', '2020/21'"):
        Money(1.0, have).at(want, INDEX)


def test_arrays_are_money_too():
    drawn = Money(xr.DataArray(np.array([1.0, 2.0]), dims="draw"), "2019")
    total = drawn + drawn * 2
    np.testing.assert_array_equal(total.amount, [3.0, 6.0])
    np.testing.assert_array_equal(total / drawn, [3.0, 3.0])
