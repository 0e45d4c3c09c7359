"""Prices, £ per unit of impact, implied by the published returns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import SpecError
from hlt_bayes.evidence import Evidence
from hlt_bayes.specs import Benefit, EconomicSpec, ImpliedPrice


def printed_returns(evidence: Evidence, perspectives: Iterable[str], rows: Iterable[str]) -> np.ndarray:
    """Return the published benefit per £1 {perspective, row}, £ per £; missing where not calculated."""
    table = evidence.returns.pivot(index="perspective", columns="group", values="benefit_cost_ratio")
    return table.reindex(index=list(perspectives), columns=list(rows)).to_numpy(float)


def implied_price_bounds(evidence: Evidence, perspective: str, benefit: Benefit) -> pd.DataFrame:
    """Return bounds of the price at which the published impact gives the published return: return x cost / impact.

    Return, cost and impact are all published rounded, so each group allows an interval of prices.

    Returns
    -------
    DataFrame
        A row per group with ``lower_gbp`` and ``upper_gbp``, £ per unit of impact.

    Raises
    ------
    SpecError
        The price is not implied, or a group's published return or impact is missing or may be zero.
    """
    if not isinstance(benefit.price, ImpliedPrice):
        raise SpecError(f"price of {benefit.label}: family {benefit.price.family!r} given; must be 'implied'")
    cells = {
        "return": evidence.returns.query("perspective == @perspective").rename(columns={"benefit_cost_ratio": "value"}),
        "cost": evidence.costs.rename(columns={"cost_per_head_gbp": "value"}),
        "impact": evidence.impacts.query("outcome == @benefit.outcome").rename(columns={"estimate": "value"}),
    }
    rows = []
    for group in benefit.price.groups:
        for name, frame in cells.items():
            if group not in frame["group"].to_numpy():
                raise SpecError(
                    f"price of {benefit.label}: {evidence.path} gives no {name} for {group!r}; leave the group out"
                )
        at = {name: frame.set_index("group").loc[group] for name, frame in cells.items()}
        low = {name: cell["value"] - cell["half_unit"] for name, cell in at.items()}
        high = {name: cell["value"] + cell["half_unit"] for name, cell in at.items()}
        if not (low["return"] > 0 and low["impact"] > 0):
            raise SpecError(
                f"price of {benefit.label}, groups: {group!r} implies no price, because its published {perspective} "
                f"return {at['return']['text']!r} or {benefit.outcome} impact {at['impact']['text']!r} is missing or "
                "may be zero; leave the group out"
            )
        lower = low["return"] * low["cost"] / high["impact"]
        upper = high["return"] * high["cost"] / low["impact"]
        rows.append({"group": group, "lower_gbp": lower, "upper_gbp": upper})
    return pd.DataFrame(rows)


def implied_price_interval(evidence: Evidence, perspective: str, benefit: Benefit) -> tuple[float, float]:
    """Return the interval of prices, £ per unit of impact, allowed by all groups of ``implied_price_bounds``.

    Raises
    ------
    SpecError
        No price is allowed by all groups.
    """
    bounds = implied_price_bounds(evidence, perspective, benefit)
    lower, upper = float(bounds["lower_gbp"].max()), float(bounds["upper_gbp"].min())
    if lower >= upper:
        found = "; ".join(f"{row.group} £{row.lower_gbp:,.0f} to £{row.upper_gbp:,.0f}" for row in bounds.itertuples())
        raise SpecError(
            f"price of {benefit.label}: no price is consistent with all groups ({found}); leave a group out"
        )
    return lower, upper


def implied_prices(spec: EconomicSpec, evidence: Evidence) -> dict[str, tuple[float, float]]:
    """Return the interval of each implied price of a spec, £ per unit of impact, by benefit.

    Raises
    ------
    SpecError
        A price cannot be derived, or two perspectives imply a price for the same benefit.
    """
    found: dict[str, tuple[float, float]] = {}
    for perspective, one in spec.perspectives.items():
        for name in one.benefits:
            benefit = spec.benefits[name]
            if not isinstance(benefit.price, ImpliedPrice):
                continue
            if name in found:
                raise SpecError(
                    f"benefit {name!r}: two perspectives imply its price; state a separate benefit for each"
                )
            found[name] = implied_price_interval(evidence, perspective, benefit)
    return found
