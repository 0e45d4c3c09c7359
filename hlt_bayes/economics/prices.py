"""£ per unit of impact, as the printed returns imply it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.errors import SpecError
from hlt_bayes.evidence import Evidence
from hlt_bayes.specs import Perspective


def implied_price_bounds(evidence: Evidence, perspective: str, valued: Perspective) -> pd.DataFrame:
    """Bounds of the price at which a printed impact gives a printed return: return x cost / impact.

    Return, cost and impact are each printed rounded, so each group leaves an interval of prices.

    Returns
    -------
    DataFrame
        A row a group with ``lower_gbp`` and ``upper_gbp``, £ per unit of impact.

    Raises
    ------
    SpecError
        A group has no printed return above zero, or an impact that rounding lets be zero.
    """
    cells = {
        "return": evidence.returns.query("perspective == @perspective").rename(columns={"benefit_cost_ratio": "value"}),
        "cost": evidence.costs.rename(columns={"cost_per_head_gbp": "value"}),
        "impact": evidence.impacts.query("outcome == @valued.outcome").rename(columns={"estimate": "value"}),
    }
    rows = []
    for group in valued.price.groups:
        at = {name: frame.set_index("group").loc[group] for name, frame in cells.items()}
        low = {name: cell["value"] - cell["half_unit"] for name, cell in at.items()}
        high = {name: cell["value"] + cell["half_unit"] for name, cell in at.items()}
        if not (low["return"] > 0 and low["impact"] > 0):
            raise SpecError(
                f"perspectives.{perspective}.price.groups: {group!r} implies no price, because its printed return "
                f"{at['return']['text']!r} or its {valued.outcome} impact {at['impact']['text']!r} may be zero"
            )
        lower = low["return"] * low["cost"] / high["impact"]
        upper = high["return"] * high["cost"] / low["impact"]
        rows.append({"group": group, "lower_gbp": lower, "upper_gbp": upper})
    return pd.DataFrame(rows)


def implied_price_interval(evidence: Evidence, perspective: str, valued: Perspective) -> tuple[float, float]:
    """Prices, £ per unit of impact, that every group of ``implied_price_bounds`` allows.

    Raises
    ------
    SpecError
        The groups have no price in common.
    """
    bounds = implied_price_bounds(evidence, perspective, valued)
    lower, upper = float(bounds["lower_gbp"].max()), float(bounds["upper_gbp"].min())
    if lower >= upper:
        found = "; ".join(f"{row.group} £{row.lower_gbp:,.0f} to £{row.upper_gbp:,.0f}" for row in bounds.itertuples())
        raise SpecError(f"perspectives.{perspective}.price.groups: no price suits all of them ({found}); leave one out")
    return lower, upper


def price_draws(interval: tuple[float, float], like: xr.DataArray, *, seed: int) -> xr.DataArray:
    """Draw a price {chain, draw} uniform on ``interval`` for each draw of ``like``."""
    draws = np.random.default_rng(seed).uniform(*interval, size=(like.sizes["chain"], like.sizes["draw"]))
    return xr.DataArray(draws, coords={"chain": like["chain"], "draw": like["draw"]})
