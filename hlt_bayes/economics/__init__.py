"""From impact draws to money: prices, costs, returns."""

from hlt_bayes.economics.prices import implied_price_bounds, implied_price_interval
from hlt_bayes.economics.returns import appraise, check_appraisal, return_summary

__all__ = ["appraise", "check_appraisal", "implied_price_bounds", "implied_price_interval", "return_summary"]
