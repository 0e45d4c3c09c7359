"""From impact draws to money: prices, costs, returns."""

from hlt_bayes.economics.prices import implied_price_bounds, implied_price_interval
from hlt_bayes.economics.returns import RETURN_COLUMNS, appraise, price_intervals, return_summary

__all__ = [
    "RETURN_COLUMNS",
    "appraise",
    "implied_price_bounds",
    "implied_price_interval",
    "price_intervals",
    "return_summary",
]
