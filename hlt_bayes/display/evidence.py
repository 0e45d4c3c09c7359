"""Published cells and tables for display."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.core.vocabulary import ARMS, OUTCOMES, POOLED_GROUPS
from hlt_bayes.display.table import Table
from hlt_bayes.evidence import Evidence
from hlt_bayes.evidence.claims import TableStructure
from hlt_bayes.evidence.own_trials import COLUMNS

MARK = "†"


def places_table(evidence: Evidence) -> Table:
    """List the tables and sections of the evidence, with the number of cells in each."""
    titles = {(table.document, table.place): table.title for table in evidence.tables}
    ledger = evidence.ledger
    places = pd.DataFrame(
        {
            "place": str(place),
            "document": str(document),
            "title": titles.get((str(document), str(place)), "running text"),
            "cells": len(cells),
            "corrected": int((cells["correction"] != "").sum()),
        }
        for (document, place), cells in ledger.groupby(["document", "place"], sort=False)
    )
    rows = [
        (
            row["place"],
            row["document"],
            row["title"],
            f"{row['cells']}" + (f", {row['corrected']} {MARK}" if row["corrected"] else ""),
        )
        for _, row in places.iterrows()
    ]
    return Table(
        title=f"{len(ledger):,} published cells",
        columns=("Place", "Document", "Title", "Cells"),
        rows=tuple(rows),
        notes=(
            'hlt-bayes evidence show "Table 2.1" prints a table; hlt-bayes evidence --measure impact filters cells.',
            *(f"{name}: {source.title}, {source.series}" for name, source in evidence.sources.items()),
        ),
        frame=places,
    )


def cells_table(evidence: Evidence, filters: Mapping[str, str]) -> Table:
    """List the cells that pass all filters: equality on a column, or ``contains`` as a text search."""
    cells = evidence.ledger
    for column, wanted in filters.items():
        if not wanted:
            continue
        if column == "contains":
            text = cells[["row", "column", "printed", "category"]].agg(" ".join, axis=1)
            cells = cells[text.str.contains(wanted, case=False, regex=False)]
        else:
            if wanted not in set(evidence.ledger[column]):
                raise EvidenceError(f"--{column}: {unknown_name(wanted, dict.fromkeys(evidence.ledger[column]))}")
            cells = cells[cells[column] == wanted]
    rows = []
    for _, cell in cells.iterrows():
        base = "" if np.isnan(cell["base"]) else f"{cell['base']:,.0f}"
        printed = f"{cell['printed']} {MARK}" if cell["correction"] else cell["printed"]
        what = ", ".join(cell[name] for name in ("measure", "category", "outcome", "group", "arm") if cell[name])
        rows.append((printed, f"{cell['document']}, {cell['place']}", cell["row"], cell["column"], base, what))
    columns = ("Published", "Place", "Row", "Column", "Base", "Measures")
    filled = [position for position in range(len(columns)) if any(row[position] for row in rows)]
    return Table(
        title=f"{len(rows):,} published cells",
        columns=tuple(columns[position] for position in filled),
        rows=tuple(tuple(row[position] for position in filled) for row in rows),
        notes=_corrections(cells),
        frame=cells,
    )


def printed_tables(evidence: Evidence, place: str, *, document: str = "") -> list[Table]:
    """Lay out a table (or the quotes of a section) as printed, once for each document that has it.

    Raises
    ------
    EvidenceError
        No document contains it.
    """
    ledger = evidence.ledger
    if document:
        if document not in evidence.sources:
            raise EvidenceError(f"document {unknown_name(document, evidence.sources)}")
        ledger = ledger[ledger["document"] == document]
    place = _place(place, set(ledger["place"]))
    if place not in set(ledger["place"]):
        raise EvidenceError(f"place {unknown_name(place, dict.fromkeys(ledger['place']))}")
    structures = {(table.document, table.place): table for table in evidence.tables}
    cells = ledger[ledger["place"] == place]
    return [
        _printed_table(found, evidence, structures.get((str(name), place)), place)
        for name, found in cells.groupby("document", sort=False)
    ]


def _place(asked: str, known: set[str]) -> str:
    """Resolve "2.1" to the table of that number, or else to the section."""
    candidates = (asked, f"Table {asked}", f"Section {asked}")
    return next((name for name in candidates if name in known), asked)


def _printed_table(cells: pd.DataFrame, evidence: Evidence, table: TableStructure | None, place: str) -> Table:
    document = cells["document"].iloc[0]
    columns = list(dict.fromkeys(cells["column"]))
    rows = []
    for _, line in cells.groupby("line", sort=False):
        texts = dict(
            zip(line["column"], line["printed"] + np.where(line["correction"] != "", f" {MARK}", ""), strict=True)
        )
        rows.append((line["row"].iloc[0], *(texts.get(column, "") for column in columns)))
    source = evidence.sources[document]
    return Table(
        title=f"{place}: {table.title}" if table else f"{place}, numbers in the text",
        columns=("", *(column or "Published" for column in columns)),
        rows=tuple(rows),
        notes=(
            *([f"Base: {table.base}"] if table and table.base else []),
            f"Source: {source.title}{', ' if source.series else ''}{source.series}.",
            *_corrections(cells),
        ),
        frame=cells,
    )


def _corrections(cells: pd.DataFrame) -> tuple[str, ...]:
    corrected = cells[cells["correction"] != ""]
    return tuple(f"{MARK} used as {cell['text']!r}: {cell['correction']}" for _, cell in corrected.iterrows())


def trials_csv(evidence: Evidence) -> str:
    """Write the trial groups' impacts as a CSV file of trials, with the published sample sizes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    sizes = {"12-month survey sample": ("health", "wellbeing"), "recruits": ("employment", "earnings")}
    measure_of = {outcome: measure for measure, outcomes in sizes.items() for outcome in outcomes}
    impacts = evidence.impacts
    for _, row in impacts[~impacts["group"].isin(list(POOLED_GROUPS))].iterrows():
        outcome = row["outcome"]
        people = evidence.arm_sizes(measure_of[outcome]).loc[row["group"]]
        fields = {
            "outcome": outcome,
            "group": row["group"],
            "site": row["site"],
            "estimate": _number_of(row),
            "unit": OUTCOMES[outcome].printed_unit,
            "stars": row["stars"] or "none",
            "source": f"{row['document']}, {row['place']}",
            **{f"n_{arm}": f"{people[arm]}" for arm in ARMS},
        }
        if outcome == "employment" and not np.isnan(row["rate_treatment"]):
            fields |= {f"percent_{arm}": f"{100 * row[f'rate_{arm}']:g}" for arm in ARMS}
        writer.writerow(fields)
    return text.getvalue()


def _number_of(row: pd.Series) -> str:
    """Format the published estimate with its published digits, without unit or stars."""
    scale = OUTCOMES[row["outcome"]].display_scale
    decimals = round(-np.log10(2 * row["half_unit"] * scale))
    return f"{row['estimate'] * scale:.{decimals}f}"
