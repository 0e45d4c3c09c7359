"""Table of returns beside the published returns."""

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
    """Show ``hlt_bayes.return_summary`` beside the published returns.

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
        columns=("Perspective", "Group", "Cost", "Published", "No filter", "Mean", "89% interval", "P(>£1)"),
        rows=tuple(rows),
        notes=(
            *(_priced(row) for _, row in prices.iterrows()),
            "Published: impacts without a significance star count as zero. No filter: the published impact at the mean "
            f"price, significant or not{_BY_CONSTRUCTION if prices['implied'].all() else ''}. Mean, interval, P: this "
            "re-analysis, over all posterior draws, none set to zero.",
            "Returns are taken as gross of cost; this is a choice, as the report calls the financial returns net.",
            f"{NOT_CALCULATED}: not calculated in the report. Cost: £ per person randomised to treatment.",
        ),
        frame=returns,
    )


_BY_CONSTRUCTION = "; where the published return is above £0 the two agree by construction"


def _priced(row: pd.Series) -> str:
    where = "implied by the published returns" if row["implied"] else f"{row['price_year']} prices, 89% interval"
    return f"{row['perspective'].capitalize()}: {row['outcome']} at {price_in_words(row)} ({where})."
