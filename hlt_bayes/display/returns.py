"""The table of returns at the prices that printed returns imply."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.display.format import (
    NOT_CALCULATED,
    _interval_per_pound,
    per_pound,
    percent,
    pounds,
    price_in_words,
)
from hlt_bayes.display.table import Table


def returns_table(returns: pd.DataFrame, prices: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.return_summary`` beside what was published.

    Parameters
    ----------
    returns, prices
        Tables of ``return_summary`` and ``price_table``.
    """
    rows = []
    for _, row in returns.sort_values("perspective", kind="stable").iterrows():
        perspective = row["perspective"]
        rows.append(
            (
                perspective,
                row["group"],
                f"£{row['cost_per_head_gbp']:,.0f}",
                pounds(row["published"]),
                per_pound(row["unfiltered"], perspective),
                per_pound(row["mean"], perspective),
                _interval_per_pound(row["lower_89"], row["upper_89"], perspective),
                percent(row["prob_above_one"]),
            )
        )
    return Table(
        title="Returns: gross benefit per £1 of cost",
        columns=("Benefit", "Group", "Cost", "Published", "No filter", "Mean", "89% interval", "P(>£1)"),
        rows=tuple(rows),
        notes=(
            *(_priced(row) for _, row in prices.iterrows()),
            "Published: an impact without a star counts as none. No filter: the printed impact at the mean price, "
            f"star or not{_BY_CONSTRUCTION if prices['implied'].all() else ''}. Mean, interval, P: this "
            "re-analysis, every posterior draw, nothing set to zero.",
            "Returns are read as gross of cost, which is a choice: the report calls the financial ones net.",
            f"{NOT_CALCULATED}: not calculated in the report. Cost: £ per person randomised to treatment.",
        ),
        frame=returns,
    )


_BY_CONSTRUCTION = "; where a return above £0 is printed the two agree by construction"


def _priced(row: pd.Series) -> str:
    where = "from printed returns" if row["implied"] else f"{row['price_year']} prices, 89% interval"
    return f"{row['perspective'].capitalize()}: {row['outcome']} at {price_in_words(row)} ({where})."
