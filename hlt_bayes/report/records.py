"""Columns of the schema, findings and descriptions of individual records as a reader sees them."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.report.tables import Table

LEFT_OUT = "*"

SHOWN_FINDINGS = 200
"""Findings that a terminal shows at most."""


def columns_table(listing: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.records.schema_table``."""
    rows = tuple(
        (
            row["name"],
            row["label"],
            row["kind"],
            row["allowed"] + (f" ({row['unit']})" if row["unit"] else ""),
            "" if row["people"] == "everyone" else row["people"],
            "yes" if row["required"] else "",
            row["source"],
        )
        for _, row in listing.iterrows()
    )
    return Table(
        title=f"{len(rows)} columns of individual records, one row a person randomised",
        columns=("Name", "Label", "Kind", "Allowed", "Whose", "Required", "Source"),
        rows=rows,
        notes=("Whose: the only people who may have a value; of everyone where blank.",),
    )


def record_findings_table(findings: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.records.check_records``, the first of many."""
    rows = tuple(
        ("all" if pd.isna(row["row"]) else f"{row['row']:,}", row["column"], row["problem"])
        for _, row in findings.head(SHOWN_FINDINGS).iterrows()
    )
    more = len(findings) - len(rows)
    return Table(
        title=f"{len(findings):,} finding{'s' if len(findings) != 1 else ''}",
        columns=("Row", "Column", "Problem"),
        rows=rows,
        notes=(
            "Row 1 is the first record; a header is not counted.",
            *([f"And {more:,} more; --csv prints all."] if more else []),
        ),
    )


def description_table(description: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.records.describe_records``, a column for each trial group and arm."""
    shown = description.assign(text=[_cell(row) for _, row in description.iterrows()])
    wide = shown.pivot(index=["column", "value"], columns=["group", "arm"], values="text")
    lines = list(dict.fromkeys(zip(shown["column"], shown["value"], strict=True)))
    cells = list(dict.fromkeys(zip(shown["group"], shown["arm"], strict=True)))
    return Table(
        title="Records by trial group and arm",
        columns=("Column", "Value", *(", ".join(cell) for cell in cells)),
        rows=tuple((*line, *(wide.loc[line, cell] for cell in cells)) for line in lines),
        notes=(
            "People, and per cent of all of that group and arm; of numbers also mean (SD), of dates those of the days "
            "since the first of randomisation.",
            f"{LEFT_OUT} left out: a few people, or a count from which theirs could be worked out.",
        ),
    )


def _cell(row: pd.Series) -> str:
    if pd.isna(row["count"]):
        count = LEFT_OUT
    else:
        count = f"{row['count']:,}" + ("" if pd.isna(row["percent"]) else f" ({row['percent']:.1f}%)")
    if pd.isna(row["mean"]):
        return count
    return f"{count}, mean {row['mean']:,.2f} ({row['sd']:,.2f})"
