"""Columns of the ledger, measures with their units, and checks of cells."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hlt_bayes.core.errors import unknown_name
from hlt_bayes.core.vocabulary import ARMS, OUTCOMES, REPORTED_GROUPS
from hlt_bayes.evidence.printed_text import MONTH, parse_printed

CELL_KEY = ["document", "place", "line", "column"]
"""Columns that identify one printed cell; ``line`` distinguishes rows with the same label."""

CELL = ["document", "place", "line", "row", "column"]
"""``CELL_KEY`` with the row label."""

QUANTITY = ["measure", "category", "outcome", "group", "arm"]
"""Columns that identify one quantity, wherever it is printed."""

PENCE = "pence per GBP"
"""Unit of a return printed in pence; divided by 100, it is £ per £1."""

OF_ITS_OUTCOME = "the printed unit of its outcome"

TRIAL = {
    "recruits": ("people",),
    "12-month survey sample": ("people",),
    "analysed sample": ("people",),
    "events": ("people",),
    "employment rate": ("%",),
    "impact": (OF_ITS_OUTCOME,),
    "standard error": (OF_ITS_OUTCOME,),
    "interval lower": (OF_ITS_OUTCOME,),
    "interval upper": (OF_ITS_OUTCOME,),
    "outcome sd": (OF_ITS_OUTCOME,),
    "p": ("p",),
    "cost per head": ("GBP",),
    "financial return": ("GBP per GBP", PENCE),
    "economic return": ("GBP per GBP",),
}
"""Measures used in analyses, with their units; a table may state each quantity only once."""

SAMPLES = {
    "planned recruits": ("people",),
    "baseline sample": ("people",),
    "4-month survey sample": ("people",),
    "management information sample": ("people",),
    "survey issued": ("people",),
    "withdrawals": ("people",),
    "deaths": ("people",),
    "erasures": ("people",),
    "base": ("people",),
    "4-month survey response": ("%",),
    "12-month survey response": ("%",),
}
BASELINE = {
    "age": ("%",),
    "gender": ("%",),
    "ethnic group": ("%",),
    "health condition": ("%",),
    "extent of limitation": ("%",),
    "employment history": ("%",),
    "reason not in employment": ("%",),
    "barrier to employment": ("%",),
    "qualification": ("%",),
    "dependent children": ("%",),
    "health conditions per recruit": ("conditions",),
    "barrier difference": ("ppt",),
}
DELIVERY = {
    "contacts per person": ("contacts",),
    "first session within a week": ("%",),
    "employer liaison time difference": ("%",),
    "employer contacts required": ("contacts per week", "contacts per month"),
    "caseload": ("clients",),
    "support duration": ("months",),
    "sessions": ("sessions",),
    "people reached": ("people",),
    "reach": ("%",),
    "share of support": ("%",),
    "referrals": ("people",),
    "referral pathway": ("%",),
    "treatment profile": ("%",),
    "job outcomes": ("outcomes",),
    "people with job outcome": ("people",),
    "job outcome rate": ("%",),
    "source of new job": ("outcomes",),
    "source share": ("%",),
    "referral pathway difference": ("ppt",),
    "job outcome sector": ("%",),
    "fidelity score": ("points",),
    "trusts": ("trusts",),
    "delivery period": ("months",),
}
SURVEY = {
    "support accessed": ("%",),
    "support accessed difference": ("ppt",),
    "motivation": ("%",),
    "most important barrier": ("%",),
    "condition management": ("%",),
    "support satisfaction": ("%",),
    "job satisfaction": ("%",),
    "job mismatch": ("%",),
    "work harms health management": ("%",),
    "p-value": ("p",),
}
CONTEXT = {
    "significance": ("% confidence",),
    "relative effect": ("%",),
    "relative factor": ("times",),
    "percentile of effect": ("percentile",),
    "employment rate difference": ("ppt",),
    "job entry impact": ("ppt",),
    "competitive employment rate": ("%",),
    "job entry effect": ("odds ratio",),
    "secondary outcome": ("odds ratio",),
    "studies": ("studies",),
    "participants threshold": ("people",),
    "employment rate of site": ("%",),
    "disability employment": ("%",),
    "disabled population": ("million people",),
    "disabled share of population": ("%",),
    "disability employment gap": ("ppt",),
    "planned share": ("%",),
    "sample size of trials": ("people",),
    "employment outcome threshold": ("weeks",),
    "out of work threshold": ("weeks",),
    "travel pass": ("weeks",),
    "minimum age": ("years",),
    "pandemic start": (MONTH,),
    "event": (MONTH,),
    "data retention": ("years",),
    "survey contact attempts": ("contacts",),
    "primary outcomes": ("outcomes",),
    "providers": ("providers",),
    "follow-up": ("months",),
    "Monte Carlo draws": ("draws",),
    "interviews": ("interviews",),
    "deep dives": ("deep dives",),
    "deep dive interviews": ("interviews",),
    "workshop attendance": ("people",),
    "fieldwork start": (MONTH,),
    "fieldwork end": (MONTH,),
    "recruitment window": ("months",),
    "fieldwork duration": ("months",),
    "survey batches": ("batches",),
}
MEASURES: dict[str, tuple[str, ...]] = {**TRIAL, **SAMPLES, **BASELINE, **DELIVERY, **SURVEY, **CONTEXT}
"""All measures, with their allowed units."""

SAMPLE_SIZES = ("recruits", "baseline sample", "4-month survey sample", "12-month survey sample", "analysed sample")

MARKS = ("", "*", "**", "***")
"""Significance marks, by number of stars."""

STARS = (*MARKS, "not used")
"""Allowed values of ``stars``; ``not used`` if the document has no significance stars."""

ALLOWED: dict[str, tuple[str, ...]] = {
    "measure": tuple(MEASURES),
    "outcome": ("", *OUTCOMES),
    "group": ("", *REPORTED_GROUPS, "All"),
    "arm": ("", *ARMS),
    "stars": STARS,
}
"""Allowed values of the ledger's categorical columns."""

LEDGER = (*CELL, "printed", "value", "unit", "decimals", "base", *QUANTITY, "stars")
"""Columns of the ledger's tables."""

CORRECTIONS = (*CELL, "printed", "corrected", "reason")
"""Columns of the table of corrections."""


def column_findings(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return one message per missing or unknown column."""
    missing = [name for name in columns if name not in frame.columns]
    lines = [f"column {name!r} is missing; it must have {', '.join(columns)}" for name in missing]
    return lines + [f"column {unknown_name(name, columns)}" for name in frame.columns if name not in columns]


def row_findings(table: pd.DataFrame, where: Sequence[str]) -> list[str]:
    """Return one message per value not in ``ALLOWED`` and per repeated cell; ``where`` names the rows."""
    lines = [
        f"{place}, column {name!r}: {unknown_name(found, allowed)}"
        for name, allowed in ALLOWED.items()
        if name in table
        for place, found in zip(where, table[name], strict=True)
        if found not in allowed
    ]
    twice = table.duplicated(CELL_KEY)
    return [
        *lines,
        *(f"{place}: this cell appears twice; remove one" for place, again in zip(where, twice, strict=True) if again),
    ]


def cell_findings(ledger: pd.DataFrame, where_of: Sequence[str]) -> list[str]:
    """Return one message per column that contradicts the printed text or has an impossible value."""
    lines = []
    for where, cell in zip(where_of, ledger.to_dict("records"), strict=True):
        printed = parse_printed(cell["printed"], cell["unit"])
        expected = ("", "", "")
        if printed is not None:
            expected = (f"{printed.value:g}", str(printed.decimals), printed.stars)
        found = (_number_text(cell["value"]), cell["decimals"], cell["stars"])
        for column, want, have in zip(("value", "decimals", "stars"), expected, found, strict=True):
            if want != have and not (column == "stars" and have == "not used" and not want):
                lines.append(
                    f"{where}, column {column!r}: {cell[column]!r} does not agree with the printed text "
                    f"{cell['printed']!r}, which gives {want!r}"
                )
        units = MEASURES[cell["measure"]]
        if units == (OF_ITS_OUTCOME,):
            if not cell["outcome"]:
                lines.append(f"{where}, column 'outcome': empty; {cell['measure']} needs one of {', '.join(OUTCOMES)}")
                continue
            units = (OUTCOMES[cell["outcome"]].printed_unit,)
        if cell["unit"] not in units:
            lines.append(
                f"{where}, column 'unit': {cell['unit']!r} given; the unit of {cell['measure']} must "
                f"be {' or '.join(map(repr, units))}"
            )
        if cell["base"] and not (cell["base"].isdecimal() and int(cell["base"]) > 0):
            lines.append(f"{where}, column 'base': {cell['base']!r} given; must be a whole number above 0, or empty")
        if not cell["line"].isdecimal():
            lines.append(f"{where}, column 'line': {cell['line']!r} given; must be the row number in the table")
        if printed is not None:
            lines += [f"{where}, column 'value': {text}" for text in range_findings(cell["measure"], printed.value)]
    return lines


def _number_text(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def range_findings(measure: str, value: float) -> list[str]:
    """Return a message if an analysis could not divide by the value or take its logarithm."""
    if measure in SAMPLE_SIZES and value <= 0:
        return [f"{value:g} people given; {measure} must be above 0"]
    if measure == "employment rate" and not 0 < value < 100:
        return [f"{value:g} % given; {measure} must lie between 0 and 100"]
    if measure == "cost per head" and value <= 0:
        return [f"£{value:g} given; a cost per head must be above £0 for a return per £1 to exist"]
    return []
