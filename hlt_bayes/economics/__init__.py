"""Economic evaluation of impact draws: prices, costs, benefits, returns, their drivers, and value of information."""

from hlt_bayes.economics.appraisal import applies_to_all_randomised, appraise, check_can_be_valued
from hlt_bayes.economics.costs import Volume, cost_per_head, response_share
from hlt_bayes.economics.drivers import IMPACT, assumptions, quantity_label, tornado, variance_shares
from hlt_bayes.economics.implied_prices import implied_price_bounds, implied_price_interval, implied_prices
from hlt_bayes.economics.persistence import present_value_years
from hlt_bayes.economics.price_year import Money
from hlt_bayes.economics.published import published_analysis, years_presupposed
from hlt_bayes.economics.streaming import stream_returns
from hlt_bayes.economics.summaries import (
    PRICE_COLUMNS,
    RETURN_COLUMNS,
    SUSTAINED_JOB,
    acceptability,
    acceptability_of_price,
    benefit_summary,
    cost_effectiveness,
    effects_per_head,
    price_table,
    return_summary,
)
from hlt_bayes.economics.value_of_information import decision_population, evpi, evppi, new_trial, people_per_arm
from hlt_bayes.economics.value_of_unprinted import value_of_unprinted
from hlt_bayes.economics.volume import volume_curve
from hlt_bayes.economics.walk_from_published import STEPS, walk

__all__ = [
    "IMPACT",
    "PRICE_COLUMNS",
    "RETURN_COLUMNS",
    "STEPS",
    "SUSTAINED_JOB",
    "Money",
    "Volume",
    "acceptability",
    "acceptability_of_price",
    "applies_to_all_randomised",
    "appraise",
    "assumptions",
    "benefit_summary",
    "check_can_be_valued",
    "cost_effectiveness",
    "cost_per_head",
    "decision_population",
    "effects_per_head",
    "evpi",
    "evppi",
    "implied_price_bounds",
    "implied_price_interval",
    "implied_prices",
    "new_trial",
    "people_per_arm",
    "present_value_years",
    "price_table",
    "published_analysis",
    "quantity_label",
    "response_share",
    "return_summary",
    "stream_returns",
    "tornado",
    "value_of_unprinted",
    "variance_shares",
    "volume_curve",
    "walk",
    "years_presupposed",
]
