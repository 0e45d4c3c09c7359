"""Several results side by side, and how well the draws of one have converged, as a reader sees them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd

from hlt_bayes.report.table import Table
from hlt_bayes.report.tables import mean_and_sd, number, per_pound, percent
from hlt_bayes.vocabulary import OUTCOMES

SAME = "about the same"
"""How the words of a cell begin where its mean is about the printed estimate."""


def changed(comparison: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells of ``hlt_bayes.comparison.compare`` whose words say that they changed.

    Of pooled rows nothing is said of what changed, so that they are left out.
    """
    words = comparison["what_changed"]
    return comparison[words.str.contains(";") & ~words.str.startswith(SAME)]


def impacts_side_by_side(impacts: Mapping[str, pd.DataFrame]) -> Table:
    """Show ``impact_summary`` of several results, each beside the first: a row an impact."""

    def cells(row: pd.Series, first: float, *, later: bool) -> tuple[str, ...]:
        outcome = row["outcome"]
        return (
            mean_and_sd(row, outcome),
            *((_signed(number(row["mean"] - first, outcome), row["mean"] - first),) if later else ()),
        )

    return _side_by_side(
        impacts,
        keys=("outcome", "group"),
        cells=cells,
        title="Impacts: posterior mean (SD)",
        heads=("Outcome", "Group"),
        named=lambda outcome: OUTCOMES[outcome].heading,
    )


def returns_side_by_side(returns: Mapping[str, pd.DataFrame]) -> Table:
    """Show ``return_summary`` of several results, each beside the first: a row a return."""

    def cells(row: pd.Series, first: float, *, later: bool) -> tuple[str, ...]:
        kind, moved = row["perspective"], row["mean"] - first
        said = f"{per_pound(row['mean'], kind)}, {percent(row['prob_above_one'])}"
        return (said, *((_signed("" if math.isnan(moved) else per_pound(moved, kind), moved),) if later else ()))

    return _side_by_side(
        returns,
        keys=("perspective", "group"),
        cells=cells,
        title="Returns: mean gross benefit per £1, P(>£1)",
        heads=("Benefit", "Group"),
        named=str,
    )


def _side_by_side(
    frames: Mapping[str, pd.DataFrame],
    *,
    keys: tuple[str, str],
    cells: Callable[..., tuple[str, ...]],
    title: str,
    heads: tuple[str, str],
    named: Callable[[str], str],
) -> Table:
    """Lay out one frame a result; all that any has is a row, and the means of later ones less the first's a column."""
    whole = pd.concat([frame.assign(result=name) for name, frame in frames.items()], ignore_index=True)
    first, *later = frames
    means = whole[whole["result"] == first].set_index(list(keys))["mean"]
    whole["less_first"] = whole["mean"] - means.reindex(pd.MultiIndex.from_frame(whole[list(keys)])).to_numpy()
    rows = []
    for place, part in whole.groupby(list(keys), sort=False):
        by_result = part.set_index("result")
        row: list[str] = [named(str(place[0])), str(place[1])]
        for name in frames:
            width = 1 if name == first else 2
            there = name in by_result.index
            row += (
                cells(by_result.loc[name], means.get(place, math.nan), later=name != first) if there else [""] * width
            )
        rows.append(tuple(row))
    return Table(
        title=title,
        columns=(*heads, first, *(head for name in later for head in (name, f"{name} less {first}"))),
        rows=tuple(rows),
        notes=(f"Less {first}: difference of the means.",),
        frame=whole[["result", *(name for name in whole.columns if name != "result")]],
    )


def _signed(text: str, moved: float) -> str:
    """Write a difference above 0, as far as it is shown, with its sign."""
    return f"+{text}" if moved > 0 and text.strip("£p0.") else text
