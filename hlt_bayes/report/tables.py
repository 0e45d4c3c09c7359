"""The three tables as a reader sees them: one definition for terminal, HTML page and README."""

from __future__ import annotations

import math

import pandas as pd

from hlt_bayes.analysis import Whose
from hlt_bayes.comparison import ABOUT_THE_SAME, LIKELIHOOD_WORDS
from hlt_bayes.report.table import Table
from hlt_bayes.vocabulary import OUTCOMES, REPORTED_GROUPS

MISSING = "n/c"


def impacts_table(impacts: pd.DataFrame, *, whose: Whose = "respondents") -> Table:
    """Show ``hlt_bayes.impacts.impact_summary``; ``whose`` impacts on survey outcomes are."""
    rows = []
    for _, row in impacts.iterrows():
        outcome = row["outcome"]
        rows.append(
            (
                OUTCOMES[outcome].heading,
                row["group"],
                number(row["mean"], outcome),
                number(row["sd"], outcome),
                interval(row["lower_89"], row["upper_89"], outcome),
                interval(row["lower_95"], row["upper_95"], outcome),
                percent(row["prob_positive"]),
            )
        )
    return Table(
        title="Impacts: treatment minus control",
        columns=("Outcome", "Group", "Mean", "SD", "89% interval", "95% interval", "P(>0)"),
        rows=tuple(rows),
        notes=_notes_of_ours(whose) if is_of_ours(impacts) else ("Positive is better. Intervals are equal-tailed.",),
        frame=impacts,
    )


def is_of_ours(table: pd.DataFrame) -> bool:
    """Say whether a table is of the Health-led Trials, not of somebody's own."""
    return set(table["group"]) <= set(REPORTED_GROUPS)


def _notes_of_ours(whose: Whose) -> tuple[str, ...]:
    said = {
        "assumed": "All impacts are per person randomised, those who did not answer the survey by assumption.",
        "like them": "All impacts are per person randomised; those who did not answer the survey are taken to have "
        "gained as those like them who did.",
        "respondents": "Employment and earnings are per person randomised, health and wellbeing per person who "
        "answered the survey.",
    }
    return (
        f"Positive is better. {'; '.join(f'{known.label}: {known.measure}' for known in OUTCOMES.values())}.",
        f"{said[whose]} Intervals are equal-tailed. All SCR and All OOW are means of their groups weighted by "
        "recruits to treatment.",
    )


def returns_table(returns: pd.DataFrame, prices: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.economics.return_summary`` beside what was published.

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
            f"{MISSING}: not calculated in the report. Cost: £ per person randomised to treatment.",
        ),
        frame=returns,
    )


_BY_CONSTRUCTION = "; where a return above £0 is printed the two agree by construction"


def _priced(row: pd.Series) -> str:
    where = "from printed returns" if row["implied"] else f"{row['price_year']} prices, 89% interval"
    return f"{row['perspective'].capitalize()}: {row['outcome']} at {price_in_words(row)} ({where})."


def price_in_words(row: pd.Series) -> str:
    """Say at which price a row of ``hlt_bayes.economics.price_table`` values its outcome."""
    return f"{price_range(row['lower_gbp'], row['upper_gbp'])} {row['unit'].removeprefix('GBP ')}"


def price_range(lower: float, upper: float) -> str:
    """Say between which whole £ a price lies."""
    return f"£{lower:,.0f} to £{upper:,.0f}"


def as_printed(text: str) -> str:
    """Write a printed cell with the units as they stand in our tables."""
    return text.replace("sd", "SD").replace(" ppt", "ppt").replace("ppt", " ppt")


def comparison_table(comparison: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.comparison.compare``."""
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
        columns=("Outcome", "Group", "Published", "SE", "Mean", "Shrunk", "What changed"),
        rows=tuple(rows),
        notes=(
            _of_standard_errors(comparison),
            "Shrunk: how far the mean has moved from the printed estimate towards the average of the groups' means "
            "(0% not at all, 100% all the way); blank where the two lie too close for the rounding.",
            *(
                ("Pooled rows: ours are means of the groups; the printed ones are estimates of their own.",)
                if is_of_ours(comparison)
                else ()
            ),
            f"About the same: within {ABOUT_THE_SAME:.0%} or within the rounding. {_word_scale()}",
            *notes,
        ),
        frame=comparison,
    )


def _of_standard_errors(comparison: pd.DataFrame) -> str:
    if not is_of_ours(comparison):
        return "SE: median given all that is printed of it, sample sizes and the spec's priors."
    return (
        "Stars: * 90%, ** 95%, *** 99%. SE: not printed; median given rounding, stars, sample sizes and the spec's "
        "priors; for earnings it is in effect an assumed SD of earnings, and for employment of SCR IW an assumed "
        "rate."
    )


def percent(probability: float) -> str:
    """Say a probability in whole per cent, never as certain."""
    if probability >= 0.995:
        return ">99%"
    if probability < 0.005:
        return "<1%"
    return f"{probability:.0%}"


def per_pound(amount: float, perspective: str) -> str:
    """Say a benefit per £1: to the penny, but financial ones, which are of a few pence, to a tenth of one."""
    return f"{_figure(amount, perspective)}p" if perspective == "financial" else pounds(amount)


def _interval_per_pound(lower: float, upper: float, perspective: str) -> str:
    unit = "p" if perspective == "financial" else ""
    return f"{_figure(lower, perspective)} to {_figure(upper, perspective)}{unit}"


def _figure(amount: float, perspective: str) -> str:
    """Write a benefit per £1 without its unit: pence for financial ones, else £."""
    return _fixed(100 * amount, 1) if perspective == "financial" else _fixed(amount, 2)


def pounds(amount: float) -> str:
    """Say an amount to the penny, ``n/c`` where it is missing."""
    if math.isnan(amount):
        return MISSING
    text = _fixed(amount, 2)
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def _fixed(amount: float, decimals: int) -> str:
    """Write a number to so many decimals, and zero without a sign."""
    text = f"{amount:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def _word_scale() -> str:
    """Say from which probability on each word holds."""
    likely = [f"{word} from {lowest:.0%}" for lowest, word in LIKELIHOOD_WORDS if lowest >= 0.33]
    return f"Words of the IPCC scale: {', '.join(likely)}."


def number(value: float, outcome: str) -> str:
    """Write an impact in the display unit of its outcome; empty where it is missing."""
    if math.isnan(value):
        return ""
    return _fixed(value * OUTCOMES[outcome].display_scale, OUTCOMES[outcome].decimals)


def with_unit(value: float, outcome: str) -> str:
    """Write an impact with the display unit of its outcome: 1.7 ppt, -£50."""
    known, text = OUTCOMES[outcome], number(value, outcome)
    if known.display_unit != "£":
        return f"{text} {known.display_unit}"
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def mean_and_sd(row: pd.Series, outcome: str) -> str:
    """Write ``mean`` and ``sd`` of an impact in the display unit of its outcome."""
    return f"{number(row['mean'], outcome)} ({number(row['sd'], outcome)})"


def interval(lower: float, upper: float, outcome: str) -> str:
    """Write an interval of impacts in the display unit of their outcome."""
    return f"{number(lower, outcome)} to {number(upper, outcome)}"
