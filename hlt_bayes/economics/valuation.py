"""Arithmetic of an appraisal on blocks of draws: value per unit of impact, benefits and costs.

Arrays have the dims {sample} or {group, sample}, so that the draws of a group are contiguous.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hlt_bayes.core.vocabulary import SURVEY_OUTCOMES
from hlt_bayes.economics.costs import at_volume
from hlt_bayes.economics.persistence import present_value_years
from hlt_bayes.economics.price_year import Money, sum_of
from hlt_bayes.specs import EconomicSpec, ImpliedPrice

Array = np.ndarray


class Setting(NamedTuple):
    """Inputs to valuation that do not vary over draws.

    ``cost`` {group} in £ per head of ``cost_year``; ``response`` {group}, the survey response rate in the treatment
    arm, if non-respondents are modelled separately; ``volume`` {group}, people treated as a share of those planned, if
    costs are at planned volume; ``pooling`` {row, group}, weights that map trial groups to reported rows.
    """

    spec: EconomicSpec
    groups: tuple[str, ...]
    rows: tuple[str, ...]
    cost: Array
    cost_year: str
    base_year: str
    response: Array | None
    volume: Array | None
    pooling: Array


def in_base_year(money: Money, setting: Setting) -> Money:
    """Convert money to the spec's base price year."""
    prices = setting.spec.prices
    return money if prices is None else money.at(setting.base_year, prices.deflator.index)


def price_year_of(name: str, setting: Setting) -> str:
    """Return the price year of a benefit's price; an implied price has that of the costs."""
    price = setting.spec.benefits[name].price
    return setting.cost_year if isinstance(price, ImpliedPrice) else price.price_year


def prices(drawn: Mapping[str, Array], setting: Setting) -> dict[str, Money]:
    """Return the price {sample} of each benefit, £ per unit, in the base year."""
    return {
        name: in_base_year(Money(drawn[f"benefits.{name}.price"], price_year_of(name, setting)), setting)
        for name in setting.spec.counted
    }


def units_per_impact(drawn: Mapping[str, Array], setting: Setting) -> dict[str, Array]:
    """Return discounted priced units {sample} per unit of impact, by benefit."""
    spec = setting.spec
    years: dict[tuple[str, str], Array] = {}
    found = {}
    for name, benefit in spec.counted.items():
        units = np.ones(1)
        if benefit.persistence is not None and spec.discounting is not None:
            key = benefit.persistence, benefit.discount
            if key not in years:
                parts = {part: f"persistence.{key[0]}.{part}" for part in ("decay", "first_year", "rise")}
                years[key] = present_value_years(
                    **{part: drawn[at] for part, at in parts.items() if at in drawn},
                    horizon=spec.persistence[key[0]].horizon.value,
                    rate=getattr(spec.discounting, benefit.discount).value,
                )
            units = years[key]
        if benefit.conversion is not None:
            units = units * drawn[f"conversions.{benefit.conversion}"]
        for part in ("additional", "undisplaced"):
            if getattr(benefit, part) is not None:
                units = units * drawn[f"benefits.{name}.{part}"]
        found[name] = units
    return found


def coverage(drawn: Mapping[str, Array], setting: Setting) -> Array:
    """Return the mean impact on everyone randomised as a share {group, sample} of that on survey respondents."""
    if setting.response is None:
        return np.ones((len(setting.groups), 1))
    response = setting.response[:, None]
    return np.asarray(response + (1 - response) * drawn["nonresponse.share"])


def drawn_cost(drawn: Mapping[str, Array], setting: Setting) -> Array:
    """Return the cost {group, sample} per head, £ of the base year."""
    money = in_base_year(Money(setting.cost[:, None], setting.cost_year), setting)
    if "costs.uncertainty" in drawn:
        money = money * drawn["costs.uncertainty"]
    if setting.volume is not None:
        money = money * at_volume(setting.volume[:, None], drawn["costs.fixed_share"])
    return np.asarray(money.amount)


def benefit_of_groups(
    perspective: str, impact: Mapping[str, Array], worth: Mapping[str, Money], covered: Array, setting: Setting
) -> Money:
    """Return the benefit {group, sample} per head of one perspective: sum over outcomes of impact x value per unit."""
    by_outcome: dict[str, Money] = {}
    for name in setting.spec.perspectives[perspective].benefits:  # type: ignore[index]
        outcome = setting.spec.benefits[name].outcome
        by_outcome[outcome] = by_outcome[outcome] + worth[name] if outcome in by_outcome else worth[name]
    return sum_of(
        [
            money * (impact[outcome] * covered if outcome in SURVEY_OUTCOMES else impact[outcome])
            for outcome, money in by_outcome.items()
        ]
    )


def rows_of(per_group: Array, setting: Setting) -> Array:
    """Return rows {row, sample}: trial groups, and pooled rows as means weighted by recruits to treatment."""
    # Not a BLAS matrix product: its threads would compete with those over blocks.
    return np.asarray(np.einsum("rg,gs->rs", setting.pooling, per_group))


def value(
    impact: Mapping[str, Array], drawn: Mapping[str, Array], setting: Setting, *, totals: bool = False
) -> dict[str, Array]:
    """Value a block of draws: impacts {group, sample} by outcome, and draws {sample} of the quantities.

    Returns
    -------
    dict of ndarray
        ``benefit_per_head`` {perspective, row, sample} and ``cost_per_head`` {row, sample}; unless ``totals``,
        also ``coverage`` {row, sample}, ``price`` and ``units`` {benefit, sample}. Rows are trial groups, and pooled
        rows as means weighted by recruits to treatment.
    """
    size = len(next(iter(drawn.values())))
    price, units = prices(drawn, setting), units_per_impact(drawn, setting)
    worth = {name: price[name] * units[name] for name in price}
    covered = coverage(drawn, setting)
    benefits = [
        rows_of(benefit_of_groups(name, impact, worth, covered, setting).amount, setting)
        for name in setting.spec.perspectives
    ]
    cost = np.broadcast_to(rows_of(drawn_cost(drawn, setting), setting), (len(setting.rows), size))
    found = {"benefit_per_head": np.stack(benefits), "cost_per_head": cost}
    if totals:
        return found
    return {
        **found,
        "coverage": np.broadcast_to(rows_of(covered, setting), cost.shape),
        "price": np.stack([money.amount for money in price.values()]),
        "units": np.stack([np.broadcast_to(one, size) for one in units.values()]),
    }
