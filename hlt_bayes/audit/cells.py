"""Printed cells as the checks read them, and what a check finds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from hlt_bayes.evidence import Evidence
from hlt_bayes.evidence.claims import CellName, TableStructure
from hlt_bayes.evidence.printed_text import MONTH, parse_printed
from hlt_bayes.evidence.schema import PENCE, QUANTITY, TRIAL

SEVERITIES = ("error", "warning", "note")
"""What cannot be true as printed; what is doubtful or named wrongly; what a reader of the numbers should know."""

UNUSED = "no model uses it; kept as printed"
_TINY = 1e-9


@dataclass(frozen=True)
class Cell:
    """One printed cell with the interval that its rounding leaves."""

    document: str
    place: str
    line: int
    row: str
    column: str
    printed: str
    value: float
    half_unit: float
    unit: str
    stars: str
    base: float
    quantity: tuple[str, ...]
    used: str

    @property
    def low(self) -> float:
        """Least unrounded value."""
        return self.value - self.half_unit

    @property
    def high(self) -> float:
        """Greatest unrounded value."""
        return self.value + self.half_unit

    @property
    def known(self) -> bool:
        """True where a number is printed."""
        return self.value == self.value

    @property
    def is_count(self) -> bool:
        """True for numbers of people or things."""
        return self.unit in ("people", "sessions", "interviews", "outcomes", "studies", "deep dives")

    @property
    def is_exact(self) -> bool:
        """True for numbers that are not rounded: counts, and spans of time."""
        return self.is_count or self.unit in ("months", "weeks", "batches", MONTH)

    def allows(self, low: float, high: float | None = None) -> bool:
        """Say whether some value from ``low`` to ``high`` would be printed so."""
        high = low if high is None else high
        slack = _TINY * max(1.0, abs(self.value))
        half = 0.0 if self.is_exact else self.half_unit
        return self.value - half - slack <= high and low <= self.value + half + slack

    def cut_from(self, value: float) -> bool:
        """Say whether cutting ``value`` after the printed digits, in place of rounding it, gives what is printed."""
        return 0 <= value - self.value < 2 * self.half_unit

    def rounded_or_cut_from(self, value: float) -> bool:
        """Say whether ``value`` would be printed so, rounded or cut."""
        return self.allows(value) or self.cut_from(value)

    def __str__(self) -> str:
        """Name the cell and what it prints."""
        label = f"“{self.row}”" if not self.place.startswith("Table") else self.row
        parts = [self.document, self.place, label, self.column]
        return f"{', '.join(part for part in parts if part)}: {self.printed!r}"


@dataclass(frozen=True)
class Finding:
    """One thing that does not add up, or that a reader should know."""

    check: str
    severity: str
    cells: tuple[Cell, ...]
    arithmetic: str

    @property
    def treatment(self) -> str:
        """What the package does about it: nothing, where no model uses a cell; else, of each that matters."""
        if not any(cell.used.startswith("used as") for cell in self.cells):
            return UNUSED
        said = [f"{cell.printed}: {cell.used}" for cell in self.cells if cell.used != UNUSED]
        return "; ".join(dict.fromkeys(said))


class Book:
    """The cells of an evidence as printed, by table and by quantity."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        ledger = evidence.ledger
        first = ~ledger.duplicated(QUANTITY)
        cells = [
            _cell(row, is_first=bool(is_first)) for row, is_first in zip(ledger.to_dict("records"), first, strict=True)
        ]
        self.cells = [_as_fine_as_its_column(cell, finest) for cell in cells] if (finest := _finest(cells)) else cells
        self._by_name = {(cell.document, cell.place, cell.line, cell.column): cell for cell in self.cells}

    @cached_property
    def places(self) -> dict[tuple[str, str], list[Cell]]:
        """The cells of each place of each document."""
        found: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault((cell.document, cell.place), []).append(cell)
        return found

    @cached_property
    def quantities(self) -> dict[tuple[str, ...], list[Cell]]:
        """The cells that state each quantity with a number, in the ledger's order."""
        found: dict[tuple[str, ...], list[Cell]] = {}
        for cell in self.cells:
            if cell.known:
                found.setdefault(cell.quantity, []).append(cell)
        return found

    def named(self, name: CellName) -> Cell:
        """Find the cell that a relation names."""
        return self._by_name[name.key]

    def stated(
        self, measure: str, *, category: str = "", outcome: str = "", group: str = "", arm: str = ""
    ) -> Cell | None:
        """Find the cell that an analysis would use for a quantity."""
        cells = self.quantities.get((measure, category, outcome, group, arm))
        return cells[0] if cells else None

    def tables(self) -> Iterator[tuple[TableStructure, Grid]]:
        """Each printed table with the structure that it claims."""
        for table in self.evidence.tables:
            cells = self.places.get((table.document, table.place), [])
            if cells:
                yield table, Grid(cells)

    def grid(self, document: str, place: str) -> Grid:
        """One printed table."""
        return Grid(self.places.get((document, place), []))


class Grid:
    """The cells of one table by row and column; of rows with one label, the first."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells = list(cells)
        self.rows = list(dict.fromkeys(cell.row for cell in self.cells))
        self.columns = list(dict.fromkeys(cell.column for cell in self.cells))
        self._at: dict[tuple[str, str], Cell] = {}
        for cell in self.cells:
            self._at.setdefault((cell.row, cell.column), cell)

    def at(self, row: str, column: str) -> Cell | None:
        """Find the cell, if it holds a number."""
        cell = self._at.get((row, column))
        return cell if cell is not None and cell.known else None

    def column(self, column: str, rows: Iterable[str]) -> list[Cell]:
        """Cells with numbers of a column."""
        return [cell for cell in (self.at(row, column) for row in rows) if cell is not None]

    def row(self, row: str, columns: Iterable[str]) -> list[Cell]:
        """Cells with numbers of a row."""
        return [cell for cell in (self.at(row, column) for column in columns) if cell is not None]


Check = Callable[[Book], Iterator[Finding]]


def _finest(cells: Iterable[Cell]) -> dict[tuple[str, str, str, str], float]:
    """Half of the finest digit that each column of each table prints, by unit."""
    finest: dict[tuple[str, str, str, str], float] = {}
    for cell in cells:
        if cell.known and cell.place.startswith("Table"):
            key = (cell.document, cell.place, cell.column, cell.unit)
            finest[key] = min(cell.half_unit, finest.get(key, cell.half_unit))
    return finest


def _as_fine_as_its_column(cell: Cell, finest: Mapping[tuple[str, str, str, str], float]) -> Cell:
    """Give a printed 0 the digits of its column: £0 among pence is no wider than a penny."""
    if cell.value != 0:
        return cell
    key = (cell.document, cell.place, cell.column, cell.unit)
    return replace(cell, half_unit=finest.get(key, cell.half_unit))


def _cell(row: Mapping[Hashable, object], *, is_first: bool) -> Cell:
    printed = parse_printed(str(row["printed"]), str(row["unit"]))
    value = printed.value if printed else float("nan")
    half_unit = printed.half_unit if printed else float("nan")
    if row["unit"] == PENCE:
        value, half_unit = value / 100, half_unit / 100
    if row["correction"]:
        used = f"used as {row['text']!r}, see the corrections"
    elif row["measure"] in TRIAL and is_first:
        used = "used as printed"
    elif row["measure"] in TRIAL:
        used = "not used, another cell states this first"
    else:
        used = UNUSED
    return Cell(
        document=str(row["document"]),
        place=str(row["place"]),
        line=int(str(row["line"])),
        row=str(row["row"]),
        column=str(row["column"]),
        printed=str(row["printed"]),
        value=value,
        half_unit=half_unit,
        unit=str(row["unit"]),
        stars=printed.stars if printed and row["stars"] != "not used" else str(row["stars"]),
        base=float(str(row["base"])),
        quantity=tuple(str(row[name]) for name in QUANTITY),
        used=used,
    )


def as_frame(findings: Iterable[Finding]) -> pd.DataFrame:
    """Give a row a finding, the gravest first."""
    rows = [
        {
            "severity": finding.severity,
            "check": finding.check,
            "document": finding.cells[0].document,
            "place": finding.cells[0].place,
            "arithmetic": finding.arithmetic,
            "cells": "; ".join(str(cell) for cell in finding.cells),
            "treatment": finding.treatment,
        }
        for finding in findings
    ]
    columns = ["severity", "check", "document", "place", "arithmetic", "cells", "treatment"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(
        "severity", key=lambda names: names.map(SEVERITIES.index), kind="stable", ignore_index=True
    )


def weighted_bounds(parts: Sequence[Cell], weights: Sequence[float]) -> tuple[float, float]:
    """Least and greatest weighted mean of some cells that their rounding leaves."""
    low, high = (
        sum(weight * end for weight, end in zip(weights, ends, strict=True)) / sum(weights)
        for ends in ([cell.low for cell in parts], [cell.high for cell in parts])
    )
    return low, high


def plain(value: float) -> str:
    """Write a number without digits that say nothing."""
    return f"{value:,.4g}" if value != int(value) else f"{value:,.0f}"
