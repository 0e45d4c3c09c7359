"""The ledger's columns and what each may hold."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa

from hlt_bayes.errors import unknown_name
from hlt_bayes.evidence.printed import parse_printed
from hlt_bayes.vocabulary import ARMS, OUTCOMES, REPORTED_GROUPS

CELL = ["document", "place", "row", "column"]
"""Columns that together name one printed cell."""

MEASURES = {
    "recruits": "people",
    "baseline sample": "people",
    "4-month survey sample": "people",
    "4-month survey response": "%",
    "12-month survey sample": "people",
    "12-month survey response": "%",
    "management information sample": "people",
    "impact": "",
    "cost per head": "GBP",
    "financial return": "GBP per GBP",
    "economic return": "GBP per GBP",
    "employment rate": "%",
}
"""What a cell measures, and the unit that it must have (impacts: the unit of their outcome)."""

_ALLOWED = {
    "measure": list(MEASURES),
    "outcome": ["", *OUTCOMES],
    "group": ["", *REPORTED_GROUPS, "All"],
    "arm": ["", *ARMS],
    "stars": ["", "*", "**", "***"],
    "unit": sorted({*MEASURES.values(), *(o.printed_unit for o in OUTCOMES.values())} - {""}),
}

LEDGER = pa.DataFrameSchema(
    {
        **{name: pa.Column(str) for name in [*CELL, "printed", "value", "decimals"]},
        **{name: pa.Column(str, pa.Check.isin(names)) for name, names in _ALLOWED.items()},
    },
    strict=True,
    unique=CELL,
    report_duplicates="exclude_first",
)
CORRECTIONS = pa.DataFrameSchema(
    {name: pa.Column(str) for name in [*CELL, "printed", "corrected", "reason"]},
    strict=True,
    unique=CELL,
    report_duplicates="exclude_first",
)


def findings(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> list[str]:
    """Everything in which a table as read (all text) departs from ``schema``, a line each."""
    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        return list(dict.fromkeys(_describe(case, schema) for _, case in cases.iterrows()))
    return []


def _describe(case: pd.Series, schema: pa.DataFrameSchema) -> str:
    found, check = case["failure_case"], str(case["check"])
    if check == "column_in_dataframe":
        return f"column {found!r} is missing; it must have {', '.join(schema.columns)}"
    if check == "column_in_schema":
        return f"column {unknown_name(found, schema.columns)}"
    where = f"line {int(case['index']) + 2}"
    if check.startswith("isin"):
        return f"{where}, column {case['column']!r}: {unknown_name(found, _ALLOWED[case['column']])}"
    if "uniqueness" in check:
        return f"{where}: this cell stands twice; remove one"
    return f"{where}, column {case['column']!r}: {found!r} fails {check}"


def cell_findings(ledger: pd.DataFrame) -> list[str]:
    """Cells whose columns contradict the printed text, or whose value cannot be, a line each."""
    lines = []
    for position, cell in ledger.iterrows():
        where = f"line {int(str(position)) + 2}"
        printed = parse_printed(cell["printed"])
        expected = ("", "", "")
        if printed is not None:
            expected = (f"{printed.value:g}", str(printed.decimals), printed.stars)
        found = (_number_text(cell["value"]), cell["decimals"], cell["stars"])
        for column, want, have in zip(("value", "decimals", "stars"), expected, found, strict=True):
            if want != have:
                lines.append(
                    f"{where}, column {column!r}: {cell[column]!r} does not agree with the printed text "
                    f"{cell['printed']!r}, which gives {want!r}"
                )
        unit = MEASURES[cell["measure"]]
        if cell["measure"] == "impact":
            if not cell["outcome"]:
                lines.append(f"{where}, column 'outcome': empty; an impact needs one of {', '.join(OUTCOMES)}")
                continue
            unit = OUTCOMES[cell["outcome"]].printed_unit
        if cell["unit"] != unit:
            lines.append(f"{where}, column 'unit': {cell['unit']!r} given; {cell['measure']} is in {unit!r}")
        if printed is not None:
            lines += [f"{where}, column 'value': {text}" for text in range_findings(cell["measure"], printed.value)]
    return lines


def _number_text(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def range_findings(measure: str, value: float) -> list[str]:
    """Say what a number of this measure must be, where it is not."""
    if MEASURES[measure] == "people" and value <= 0:
        return [f"{value:g} people given; {measure} must be above 0"]
    if MEASURES[measure] == "%" and not 0 < value < 100:
        return [f"{value:g} % given; {measure} must lie between 0 and 100"]
    if measure == "cost per head" and value <= 0:
        return [f"£{value:g} given; a cost per head must be above £0, or no return per £1 exists"]
    return []
