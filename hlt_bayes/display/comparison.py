"""Comparison with the published result, cell by cell, and of several results side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd

from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.format import (
    as_printed,
    mean_and_sd,
    number,
    per_pound,
    percent,
)
from hlt_bayes.display.impacts import is_health_led
from hlt_bayes.display.table import Table
from hlt_bayes.impacts.comparison import ABOUT_THE_SAME, LIKELIHOOD_WORDS


def comparison_table(comparison: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.compare``."""
    rows, notes = [], []
    for _, row in comparison.iterrows():
        outcome, printed = row["outcome"], as_printed(row["text"])
        if row["correction"]:
            printed += " †"
            notes.append(f"† {row['group']} {outcome}, corrected: {row['correction']}")
        rows.append(
            (
                OUTCOMES[outcome].label,
                row["group"],
                printed,
                number(row["se"], outcome),
                number(row["mean"], outcome),
                "" if math.isnan(row["shrinkage"]) else f"{row['shrinkage']:.0%}",
                row["what_changed"],
            )
        )
    return Table(
        title="Comparison with the published result, cell by cell",
        columns=("Outcome", "Group", "Published", "SE", "Mean", "Shrinkage", "What changed"),
        rows=tuple(rows),
        notes=(
            _standard_error_note(comparison),
            "Shrinkage: how far the mean has moved from the published estimate towards the average of the group means "
            "(0% not at all, 100% all the way); blank where the two are too close to tell.",
            *(
                ("Pooled rows: Mean is a weighted mean of the groups; Published is a separate estimate.",)
                if is_health_led(comparison)
                else ()
            ),
            f"About the same: within {ABOUT_THE_SAME:.0%} or within rounding. {_likelihood_scale()}",
            *notes,
        ),
        frame=comparison,
    )


def _standard_error_note(comparison: pd.DataFrame) -> str:
    if not is_health_led(comparison):
        return "SE: median given the published information, sample sizes and the spec's priors."
    return (
        "Significance stars: * 90%, ** 95%, *** 99%. SE: not published; median given rounding, stars, sample sizes and "
        "the spec's priors. For earnings it rests in effect on an assumed SD of earnings, and for employment in SCR IW "
        "on an assumed rate."
    )


def _likelihood_scale() -> str:
    """Describe the lowest probability of each likelihood word."""
    likely = [f"{word} from {lowest:.0%}" for lowest, word in LIKELIHOOD_WORDS if lowest >= 0.33]
    return f"IPCC likelihood scale: {', '.join(likely)}."


SAME = "about the same"
"""Prefix of ``what_changed`` where the mean is about the same as the published estimate."""


def changed(comparison: pd.DataFrame) -> pd.DataFrame:
    """Keep the cells of ``hlt_bayes.compare`` that changed.

    Pooled rows are left out: their change is not assessed.
    """
    words = comparison["what_changed"]
    return comparison[words.str.contains(";") & ~words.str.startswith(SAME)]


def impacts_side_by_side(impacts: Mapping[str, pd.DataFrame]) -> Table:
    """Show ``impact_summary`` of several results, with differences from the first: one row per impact."""

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
    """Show ``return_summary`` of several results, with differences from the first: one row per return."""

    def cells(row: pd.Series, first: float, *, later: bool) -> tuple[str, ...]:
        kind, moved = row["perspective"], row["mean"] - first
        said = f"{per_pound(row['mean'], kind)}, {percent(row['prob_above_one'])}"
        return (said, *((_signed("" if math.isnan(moved) else per_pound(moved, kind), moved),) if later else ()))

    return _side_by_side(
        returns,
        keys=("perspective", "group"),
        cells=cells,
        title="Returns: mean gross benefit per £1, P(>£1)",
        heads=("Perspective", "Group"),
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
    """Lay out the rows of all results side by side, with the difference in means from the first result."""
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
        notes=(f"Less {first}: difference in means.",),
        frame=whole[["result", *(name for name in whole.columns if name != "result")]],
    )


def _signed(text: str, moved: float) -> str:
    """Prefix a plus sign to a difference that is above 0 as displayed."""
    return f"+{text}" if moved > 0 and text.strip("£p0.") else text
