"""Tables of the record schema, of findings in records, and of descriptive statistics."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.display.table import Table
from hlt_bayes.ipd.disclosure.rounding import LARGEST_ERROR, decimals_of
from hlt_bayes.ipd.disclosure.rules import Rules

WITHHELD = "*"

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
            "Row 1 is the first record; the header is not counted. For whoever holds the records; not for release.",
            *([f"{more:,} more are not shown; --csv lists all."] if more else []),
        ),
        frame=findings,
    )


def description_table(description: pd.DataFrame, rules: Rules | None) -> Table:
    """Show ``hlt_bayes.describe_records`` with its ``rules``, one column per trial group and arm."""
    least = 0 if rules is None else rules.least_shown
    shown = description.assign(text=[_cell(row, least) for _, row in description.iterrows()])
    wide = shown.pivot(index=["column", "value"], columns=["group", "arm"], values="text")
    lines = list(dict.fromkeys(zip(shown["column"], shown["value"], strict=True)))
    cells = list(dict.fromkeys(zip(shown["group"], shown["arm"], strict=True)))
    return Table(
        title="Records by trial group and arm" + ("" if rules else f": {EXACT}"),
        columns=("Column", "Value", *(", ".join(cell) for cell in cells)),
        rows=tuple((*line, *(wide.loc[line, cell] for cell in cells)) for line in lines),
        notes=_notes(rules),
        frame=description,
    )


EXACT = "exact numbers, not for release"


def _notes(rules: Rules | None) -> tuple[str, ...]:
    what = (
        "Count, and percentage of the group and arm; for numbers also mean (SD); for dates, mean (SD) of days since "
        "the first randomisation."
    )
    if rules is None:
        return (what, "Exact numbers: single people can be worked out from these. Not for release.")
    return (
        what,
        f"Counts are rounded at random, up or down, to multiples of {rules.base}; means and SDs are of top-coded "
        "values and are rounded at random (--csv says how far a mean may be off).",
        f"<{rules.least_shown}: fewer than that after rounding, or none. {WITHHELD} withheld. Blank: does not apply.",
        "Release one description of the same people, not two: hlt-bayes records rules says what is checked and what is "
        "not.",
    )


def _cell(row: pd.Series, least: int) -> str:
    if row["status"] != "shown":
        return {"few": f"<{least}", "withheld": WITHHELD}.get(row["status"], "")
    text = f"{row['count']:,}" + ("" if pd.isna(row["percent"]) else f" ({row['percent']:.1f}%)")
    if row["value"] != "present":
        return text
    if pd.isna(row["mean"]):
        return f"{text}, mean {WITHHELD}"
    # The step to which a mean is rounded is a third larger than its error, and SDs have two digits.
    decimals = decimals_of(row["within"] / LARGEST_ERROR) if row["within"] else 2
    sd = WITHHELD if pd.isna(row["sd"]) else f"{row['sd']:,.{_decimals_of_sd(row['sd'])}f}"
    return f"{text}, mean {row['mean']:,.{decimals}f} ({sd})"


def _decimals_of_sd(sd: float) -> int:
    """Decimals that show two digits."""
    return decimals_of(sd / 10.0) if sd else 0


def rules_page(rules: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.ipd.disclosure.rules_table``."""
    return Table(
        title="Disclosure control of what is computed from individual records",
        columns=("Rule", "What it does", "Applied to", "Guide"),
        rows=tuple(
            (row["rule"], row["parameter"], row["applies_to"], f"{row['guide']}: {row['link']}")
            for _, row in rules.iterrows()
        ),
        notes=NOT_CHECKED,
        frame=rules,
    )


NOT_CHECKED = (
    "Checked: tables of records describe, hb.aggregate and its estimates, draws, tables, figures and pages of run and "
    "fit with --records, and what verify and export make of them. Errors and progress tell of no row and no value.",
    "hb.aggregate and hlt-bayes fit write no output-check sheet: run does. For the staff, records describe --exact "
    "shows the numbers behind a description.",
    "Not checked, and not for release: lists of findings by row (records check), exact descriptions (--exact), the "
    "records themselves, and PyMC models and frames made from them in Python.",
    "Not checked, a matter for the staff: other outputs on nearly the same people, made with another key, rules, "
    "mapping or program; outputs under different rules, columns or shares left out; many outputs on overlapping "
    "people, whose rounding averages out; and what an intruder knows of other people in the records.",
    "With a key beside the records (hlt-bayes records key FILE) rounding cannot be repeated by somebody who knows all "
    "records but one. The key must never leave with the results.",
)
