"""Tables of the record schema, of findings in records, and of descriptive statistics."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.display.table import Table

SUPPRESSED = "*"

SHOWN_FINDINGS = 200
"""Maximum number of findings shown."""


def columns_table(listing: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.ipd.data.schema_table``."""
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
        title=f"{len(rows)} columns of individual records, one row per person randomised",
        columns=("Name", "Label", "Kind", "Allowed", "Applies to", "Required", "Source"),
        rows=rows,
        notes=("Applies to: the people who may have a value; blank: everyone.",),
        frame=listing,
    )


FAMILIES = {
    "condition_*": ("condition_", "Health condition"),
    "reason_*": ("reason_", "Reason for not being in paid employment in the last 2 years"),
    "barrier_*": ("barrier_", "Barrier to employment at the first appointment"),
    "employed_month_1 to 12": ("employed_month_", "Employed in that month since randomisation"),
    "earnings_month_1 to 12": ("earnings_month_", "Earnings in that month since randomisation"),
    "benefits_month_1 to 12": ("benefits_month_", "On out-of-work benefits in that month since randomisation"),
    "contacts_*": ("contacts_", "Number of contacts of that length"),
}
"""Families of columns: shared name, prefix of their names, and description."""

AT_4_MONTHS = "_4_months"


def families_table(listing: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.ipd.data.schema_table`` in brief: one row per family of columns, codes only counted."""
    rows: dict[str, tuple[str, ...]] = {}
    members: dict[str, int] = {}
    for _, row in listing.iterrows():
        name, label = row["name"], row["label"]
        for family, (stem, what) in FAMILIES.items():
            if name.startswith(stem):
                name, label = family, what
        if name.endswith(AT_4_MONTHS) and name != "answered_4_months":
            name, label = f"*{AT_4_MONTHS}", "Item in both surveys, at 4 months"
        members[name] = members.get(name, 0) + 1
        codes = row["allowed"].count(";") + 1 if row["kind"] == "category" else 0
        allowed = f"{codes} codes" if codes else row["allowed"]
        rows.setdefault(name, (label, row["kind"], allowed, row["people"], row["source"]))
    return Table(
        title=f"{len(listing)} columns of individual records, one row per person randomised",
        columns=("Column", "Contents", "Kind", "Allowed", "Applies to", "Source"),
        rows=tuple(
            (f"`{name}`" + (f" ({members[name]})" if members[name] > 1 else ""), *row) for name, row in rows.items()
        ),
        notes=(),
        frame=listing,
    )


def record_findings_table(findings: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.check_records``, up to ``SHOWN_FINDINGS``."""
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
            "Row 1 is the first record; the header is not counted.",
            *([f"{more:,} more are not shown; --csv lists all."] if more else []),
        ),
        frame=findings,
    )


def description_table(description: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.describe_records``, one column per trial group and arm."""
    shown = description.assign(text=[_cell(row) for _, row in description.iterrows()])
    wide = shown.pivot(index=["column", "value"], columns=["group", "arm"], values="text")
    lines = list(dict.fromkeys(zip(shown["column"], shown["value"], strict=True)))
    cells = list(dict.fromkeys(zip(shown["group"], shown["arm"], strict=True)))
    return Table(
        title="Records by trial group and arm",
        columns=("Column", "Value", *(", ".join(cell) for cell in cells)),
        rows=tuple((*line, *(wide.loc[line, cell] for cell in cells)) for line in lines),
        notes=(
            "Count, and percentage of the group and arm; for numbers also mean (SD); for dates, mean (SD) of days "
            "since the first randomisation.",
            f"{SUPPRESSED} suppressed: a small count, or one from which a small count could be derived.",
        ),
        frame=description,
    )


def _cell(row: pd.Series) -> str:
    if pd.isna(row["count"]):
        count = SUPPRESSED
    else:
        count = f"{row['count']:,}" + ("" if pd.isna(row["percent"]) else f" ({row['percent']:.1f}%)")
    if pd.isna(row["mean"]):
        return count
    return f"{count}, mean {row['mean']:,.2f} ({row['sd']:,.2f})"
