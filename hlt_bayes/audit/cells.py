"""Printed cells, and findings about them."""

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
"""Cannot be true as printed; doubtful or mislabelled; worth knowing when using the numbers."""

UNUSED = "no model uses it; kept as printed"
_TINY = 1e-9


@dataclass(frozen=True)
class Cell:
    """One printed cell with its rounding interval."""

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
        """Smallest unrounded value."""
        return self.value - self.half_unit

    @property
    def high(self) -> float:
        """Largest unrounded value."""
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
        """True for numbers that are not rounded: counts, durations and dates."""
        return self.is_count or self.unit in ("months", "weeks", "batches", MONTH)

    def allows(self, low: float, high: float | None = None) -> bool:
        """Whether some value from ``low`` to ``high`` rounds to the printed value."""
        high = low if high is None else high
        slack = _TINY * max(1.0, abs(self.value))
        half = 0.0 if self.is_exact else self.half_unit
        return self.value - half - slack <= high and low <= self.value + half + slack

    def cut_from(self, value: float) -> bool:
        """Whether truncating ``value``, instead of rounding it, gives the printed value."""
        return 0 <= value - self.value < 2 * self.half_unit

    def rounded_or_cut_from(self, value: float) -> bool:
        """Whether ``value``, rounded or truncated, gives the printed value."""
        return self.allows(value) or self.cut_from(value)

    def __str__(self) -> str:
        """Locate the cell and quote its printed text."""
        label = f"“{self.row}”" if not self.place.startswith("Table") else self.row
        parts = [self.document, self.place, label, self.column]
        return f"{', '.join(part for part in parts if part)}: {self.printed!r}"


@dataclass(frozen=True)
class Finding:
    """One inconsistency, or one point worth knowing."""

    check: str
    severity: str
    cells: tuple[Cell, ...]
    arithmetic: str

    @property
    def treatment(self) -> str:
        """How the package uses the cells: ``UNUSED`` if no model uses any, otherwise for each relevant cell."""
        if not any(cell.used.startswith("used as") for cell in self.cells):
            return UNUSED
        said = [f"{cell.printed}: {cell.used}" for cell in self.cells if cell.used != UNUSED]
        return "; ".join(dict.fromkeys(said))


class PrintedCells:
    """The cells of the evidence as printed, by place and by quantity."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        ledger = evidence.ledger
        first = ~ledger.duplicated(QUANTITY)
        cells = [
            _cell(row, is_first=bool(is_first)) for row, is_first in zip(ledger.to_dict("records"), first, strict=True)
        ]
        self.cells = [_with_column_rounding(cell, finest) for cell in cells] if (finest := _finest(cells)) else cells
        self._by_name = {(cell.document, cell.place, cell.line, cell.column): cell for cell in self.cells}

    @cached_property
    def places(self) -> dict[tuple[str, str], list[Cell]]:
        """Cells by document and place."""
        found: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells:
            found.setdefault((cell.document, cell.place), []).append(cell)
        return found

    @cached_property
    def quantities(self) -> dict[tuple[str, ...], list[Cell]]:
        """The cells that give a number for each quantity, in the ledger's order."""
        found: dict[tuple[str, ...], list[Cell]] = {}
        for cell in self.cells:
            if cell.known:
                found.setdefault(cell.quantity, []).append(cell)
        return found

    def named(self, name: CellName) -> Cell:
        """Return the cell that a relation names."""
        return self._by_name[name.key]

    def stated(
        self, measure: str, *, category: str = "", outcome: str = "", group: str = "", arm: str = ""
    ) -> Cell | None:
        """Return the cell that an analysis would use for a quantity, if any."""
        cells = self.quantities.get((measure, category, outcome, group, arm))
        return cells[0] if cells else None

    def tables(self) -> Iterator[tuple[TableStructure, Grid]]:
        """Yield each printed table with its declared structure."""
        for table in self.evidence.tables:
            cells = self.places.get((table.document, table.place), [])
            if cells:
                yield table, Grid(cells)

    def grid(self, document: str, place: str) -> Grid:
        """One printed table."""
        return Grid(self.places.get((document, place), []))


class Grid:
    """The cells of one table by row and column; where rows share a label, the first."""

    def __init__(self, cells: Iterable[Cell]) -> None:
        self.cells = list(cells)
        self.rows = list(dict.fromkeys(cell.row for cell in self.cells))
        self.columns = list(dict.fromkeys(cell.column for cell in self.cells))
        self._at: dict[tuple[str, str], Cell] = {}
        for cell in self.cells:
            self._at.setdefault((cell.row, cell.column), cell)

    def at(self, row: str, column: str) -> Cell | None:
        """Return the cell, if it holds a number."""
        cell = self._at.get((row, column))
        return cell if cell is not None and cell.known else None

    def column(self, column: str, rows: Iterable[str]) -> list[Cell]:
        """Cells of a column that hold numbers."""
        return [cell for cell in (self.at(row, column) for row in rows) if cell is not None]

    def row(self, row: str, columns: Iterable[str]) -> list[Cell]:
        """Cells of a row that hold numbers."""
        return [cell for cell in (self.at(row, column) for column in columns) if cell is not None]


Check = Callable[[PrintedCells], Iterator[Finding]]


def _finest(cells: Iterable[Cell]) -> dict[tuple[str, str, str, str], float]:
    """Smallest rounding half-unit in each column of each table, by unit."""
    finest: dict[tuple[str, str, str, str], float] = {}
    for cell in cells:
        if cell.known and cell.place.startswith("Table"):
            key = (cell.document, cell.place, cell.column, cell.unit)
            finest[key] = min(cell.half_unit, finest.get(key, cell.half_unit))
    return finest


def _with_column_rounding(cell: Cell, finest: Mapping[tuple[str, str, str, str], float]) -> Cell:
    """Give a printed 0 the rounding of its column: £0 in a column of pence is rounded to a penny."""
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
    """Return one row per finding, most severe first."""
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
    """Smallest and largest weighted mean of the cells, given their rounding."""
    low, high = (
        sum(weight * end for weight, end in zip(weights, ends, strict=True)) / sum(weights)
        for ends in ([cell.low for cell in parts], [cell.high for cell in parts])
    )
    return low, high


def plain(value: float) -> str:
    """Format a whole number in full, and any other to four significant digits."""
    return f"{value:,.4g}" if value != int(value) else f"{value:,.0f}"
