"""Check that tables add up: totals, shares of one choice, percentages of counts, people and sessions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from hlt_bayes.audit.cells import Cell, Finding, Grid, PrintedCells, plain, weighted_bounds
from hlt_bayes.evidence.claims import Percentage, TableStructure

_ONE_CHOICE = {"referral pathway": ("GP", "specialist care service", "other")}
"""Measures in the text whose categories are mutually exclusive answers to one question."""


def totals_along_rows_and_columns(printed: PrintedCells) -> Iterator[Finding]:
    """Check totals against the counts in their row or column."""
    for table, grid in printed.tables():
        if table.total_row:
            parts = table.total_row_parts or [row for row in grid.rows if row not in (table.total_row, table.base_row)]
            for column in grid.columns:
                yield from _total(grid.at(table.total_row, column), grid.column(column, parts))
        if table.total_column:
            columns = [column for column in grid.columns if column != table.total_column]
            for row in grid.rows:
                yield from _total(grid.at(row, table.total_column), grid.row(row, columns))
        for one in _weighted_totals(table):
            yield from _total(grid.at(one.weights_row, one.column), grid.row(one.weights_row, one.parts))


def _total(total: Cell | None, parts: Sequence[Cell]) -> Iterator[Finding]:
    if total is None or not total.is_count or not parts or any(cell.unit != total.unit for cell in parts):
        return
    added = sum(cell.value for cell in parts)
    if added != total.value:
        terms = " + ".join(plain(cell.value) for cell in parts)
        yield Finding(
            "parts and total",
            "error",
            (total, *parts),
            f"{terms} = {plain(added)}, printed {total.printed}: {plain(abs(added - total.value))} "
            f"{'more' if added > total.value else 'fewer'} than the total",
        )


class _WeightedTotal(NamedTuple):
    """A column with the mean of ``parts`` weighted by a row of bases, for rows whose label contains ``rows_like``."""

    rows_like: str
    column: str
    parts: list[str]
    weights_row: str


def _weighted_totals(table: TableStructure) -> list[_WeightedTotal]:
    whole, blocks = table.total_percentage, table.total_percentage_blocks
    return [
        *([_WeightedTotal("", whole.column, whole.parts, whole.weights)] if whole else []),
        *(_WeightedTotal(block.rows_like, block.column, block.parts, block.weights_row) for block in blocks),
    ]


def sums_of_tables(printed: PrintedCells) -> Iterator[Finding]:
    """Check a combined table against the sum of its component tables, cell by cell."""
    for table, grid in printed.tables():
        if table.sum_of_tables is None:
            continue
        parts = [printed.grid(table.document, place) for place in table.sum_of_tables.of]
        for row in grid.rows:
            for column in grid.columns:
                terms = [cell for cell in (part.at(row, column) for part in parts) if cell is not None]
                if len(terms) == len(parts):
                    yield from _total(grid.at(row, column), terms)


def shares_of_one_choice(printed: PrintedCells) -> Iterator[Finding]:
    """Check that percentages of mutually exclusive answers sum to 100, within rounding."""
    for table, grid in printed.tables():
        sets: list[list[Cell]] = []
        blocks = list(table.one_choice_blocks)
        if table.one_choice_columns:
            blocks.append([row for row in grid.rows if row not in _bases(table)])
        sets += [grid.column(column, rows) for rows in blocks for column in grid.columns]
        sets += [grid.row(row, columns) for columns in table.one_choice_rows for row in grid.rows]
        yield from _sums_to_hundred(sets)
    for measure, categories in _ONE_CHOICE.items():
        keys = dict.fromkeys(
            (cell.document, *cell.quantity[2:]) for cell in printed.cells if cell.quantity[0] == measure
        )
        for document, outcome, group, arm in keys:
            stated = [printed.quantities.get((measure, name, outcome, group, arm), []) for name in categories]
            found = [[cell for cell in cells if cell.document == document] for cells in stated]
            if all(found):
                yield from _sums_to_hundred([[cells[0] for cells in found]])


def _sums_to_hundred(sets: Iterable[list[Cell]]) -> Iterator[Finding]:
    for cells in sets:
        shares = [cell for cell in cells if cell.unit == "%"]
        if len(shares) < 2:
            continue
        added, slack = sum(cell.value for cell in shares), sum(cell.half_unit for cell in shares)
        if abs(added - 100) > slack + 1e-9:
            terms = " + ".join(plain(cell.value) for cell in shares)
            yield Finding(
                "shares of one choice",
                "error",
                tuple(shares),
                f"{terms} = {plain(added)} %; rounding of {len(shares)} shares allows {plain(100 - slack)} to "
                f"{plain(100 + slack)} %",
            )


def _bases(table: TableStructure) -> list[str]:
    return [*(one.weights_row for one in _weighted_totals(table)), *([table.base_row] if table.base_row else [])]


def totals_of_percentages(printed: PrintedCells) -> Iterator[Finding]:
    """Check a total percentage against the mean of its parts weighted by their bases, within rounding."""
    for table, grid in printed.tables():
        claims = []
        for one in _weighted_totals(table):
            rows = [row for row in grid.rows if one.rows_like in row and row not in _bases(table)]
            weights = grid.row(one.weights_row, one.parts)
            claims += [(grid.at(row, one.column), grid.row(row, one.parts), weights) for row in rows]
        if table.total_percentage_row:
            last = table.total_percentage_row
            sizes = printed.grid(table.document, last.place)
            rows = [row for row in grid.rows if row != last.row and sizes.at(row, last.column)]
            claims += [
                (grid.at(last.row, column), grid.column(column, rows), sizes.column(last.column, rows))
                for column in grid.columns
            ]
        for total, parts, weights in claims:
            if total is not None and total.unit == "%" and parts and len(parts) == len(weights):
                yield from _weighted(total, parts, weights)


def _weighted(total: Cell, parts: Sequence[Cell], weights: Sequence[Cell]) -> Iterator[Finding]:
    people = sum(cell.value for cell in weights)
    low, high = weighted_bounds(parts, [cell.value for cell in weights])
    if not total.allows(low, high):
        terms = " + ".join(
            f"{plain(weight.value)} x {plain(cell.value)}" for weight, cell in zip(weights, parts, strict=True)
        )
        yield Finding(
            "total percentage",
            "error",
            (total, *parts),
            f"({terms}) / {plain(people)} lies between {low:.1f} and {high:.1f} %, printed {total.printed}",
        )


def percentages_of_counts(printed: PrintedCells) -> Iterator[Finding]:
    """Check a percentage against its count and base, within rounding."""
    for table, grid in printed.tables():
        for claim in table.percentages:
            triples = [
                (grid.at(row, claim.percentage), grid.at(row, claim.count), _base_of(printed, table, grid, claim, row))
                for row in grid.rows
            ]
            yield from _percentages(triples)
        for claim in table.percentage_rows:
            triples = [
                (
                    grid.at(claim.percentage, column),
                    grid.at(claim.count, column),
                    grid.at(str(claim.base), column),
                )
                for column in grid.columns
            ]
            yield from _percentages(triples)


def _base_of(
    printed: PrintedCells, table: TableStructure, grid: Grid, claim: Percentage, row: str
) -> Cell | float | None:
    if claim.base_place and claim.base_column:
        return printed.grid(table.document, claim.base_place).at(row, claim.base_column)
    if isinstance(claim.base, int):
        return float(claim.base)
    return grid.at(row, str(claim.base)) if claim.base else None


def _percentages(triples: Iterable[tuple[Cell | None, Cell | None, Cell | float | None]]) -> Iterator[Finding]:
    wrong: list[tuple[Cell, Cell, float, float]] = []
    for percentage, count, base in triples:
        if percentage is None or count is None or base is None:
            continue
        people = base.value if isinstance(base, Cell) else base
        share = 100 * count.value / people
        if not percentage.allows(share):
            wrong.append((percentage, count, people, share))
    for percentage, count, people, share in wrong:
        said = f"{plain(count.value)} / {plain(people)} = {share:.2f} %, printed {percentage.printed}"
        swapped = next(
            (
                other
                for other, _, _, its in wrong
                if other is not percentage and other.rounded_or_cut_from(share) and percentage.rounded_or_cut_from(its)
            ),
            None,
        )
        if swapped is not None:
            yield Finding(
                "percentage of a count",
                "error",
                (percentage, count, swapped),
                f"{said}; it matches the percentage of {swapped.row}, and vice versa: exchanged",
            )
        elif percentage.rounded_or_cut_from(share):
            yield Finding("percentage of a count", "warning", (percentage, count), f"{said}: truncated, not rounded")
        else:
            yield Finding("percentage of a count", "error", (percentage, count), said)


def people_and_sessions(printed: PrintedCells) -> Iterator[Finding]:
    """Check that people with a session do not outnumber the sessions."""
    for table, grid in printed.tables():
        if not (table.people_column and table.sessions_column):
            continue
        for row in grid.rows:
            people, sessions = grid.at(row, table.people_column), grid.at(row, table.sessions_column)
            if people and sessions and people.value > sessions.value:
                yield Finding(
                    "people and sessions",
                    "error",
                    (people, sessions),
                    f"{plain(people.value)} people had {plain(sessions.value)} sessions between them",
                )


def breakdowns_of_one_total(printed: PrintedCells) -> Iterator[Finding]:
    """Check that two breakdowns of the same things, for the same people, have the same total."""
    totals: dict[tuple[str, str, int | None], list[tuple[float, tuple[Cell, ...]]]] = {}
    for table, grid in printed.tables():
        if table.breakdown_of and table.sessions_column:
            cells = tuple(cell for cell in grid.cells if cell.column == table.sessions_column and cell.known)
            key = (table.document, table.breakdown_of, table.base_people)
            totals.setdefault(key, []).append((sum(cell.value for cell in cells), cells))
    for (_, what, people), found in totals.items():
        if len({total for total, _ in found}) > 1:
            said = " v ".join(f"{plain(total)} ({cells[0].place})" for total, cells in found)
            yield Finding(
                "two breakdowns of one total",
                "warning",
                tuple(cells[0] for _, cells in found),
                f"{said} {what} of the same {plain(float(people or 0))} people",
            )


def labels_twice(printed: PrintedCells) -> Iterator[Finding]:
    """Find labels used for two rows of one table."""
    for _, grid in printed.tables():
        lines: dict[str, dict[int, Cell]] = {}
        for cell in grid.cells:
            lines.setdefault(cell.row, {}).setdefault(cell.line, cell)
        for row, cells in lines.items():
            if len(cells) > 1:
                yield Finding(
                    "label twice",
                    "error",
                    tuple(cells.values()),
                    f"{row!r} heads {len(cells)} rows with different numbers; the label does not tell which is which",
                )


def ranges(printed: PrintedCells) -> Iterator[Finding]:
    """Check that shares lie within 0 to 100 %, p within 0 to 1, and counts at 0 or more."""
    relative = ("relative effect", "employer liaison time difference")
    for cell in printed.cells:
        if not cell.known:
            continue
        bounds = (-math.inf, math.inf)
        if cell.unit in ("%", "% confidence") and cell.quantity[0] not in relative:
            bounds = (0.0, 100.0)
        elif cell.unit == "p":
            bounds = (0.0, 1.0)
        elif cell.is_count:
            bounds = (0.0, math.inf)
        if not bounds[0] <= cell.value <= bounds[1]:
            yield Finding("range", "error", (cell,), f"{cell.printed} lies outside {bounds[0]:g} to {bounds[1]:g}")
