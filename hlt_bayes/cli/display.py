"""Prints tables on a terminal, or whole lines where nobody sets a width."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hlt_bayes.report.tables import Table

UNLIMITED = 1000
"""Width of a line that goes to a file or another program."""

LOOSE_WIDTH = 22
"""Least width of a column that may break its lines, before a table is broken into blocks of columns."""


def console() -> Console:
    """Make a console as wide as the terminal; what is piped is never cut or wrapped."""
    from rich.console import Console

    told = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, markup=False, width=None if told else UNLIMITED)


def show(table: Table, out: Console, *, wrapped: Collection[str] = ("What changed",), grouped: bool = True) -> None:
    """Print a table; the first column and those ``wrapped`` may break their lines.

    Where ``grouped``, a first cell that is repeated is shown once, and its rows stand apart from the others. A table
    that is too wide is printed in blocks of columns, each with the first one.
    """
    from rich import box
    from rich.table import Table as RichTable

    heads = [row[0] for row in table.rows]
    grouped = grouped and len(set(heads)) < len(heads)
    loose = {position for position, name in enumerate(table.columns) if position == 0 or name in wrapped}
    for number, columns in enumerate(_blocks(table, out.width, loose)):
        shown = RichTable(
            title=None if number else table.title,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            padding=(0, 1, 0, 0),
        )
        for position in columns:
            shown.add_column(table.columns[position], no_wrap=position not in loose, overflow="fold")
        last = ""
        for row in table.rows:
            if grouped and last and row[0] != last:
                shown.add_section()
            head = "" if grouped and row[0] == last else row[0]
            shown.add_row(head, *(row[position] for position in columns[1:]))
            last = row[0]
        out.print(shown)
    for note in table.notes:
        out.print(note, style="dim")
    out.print()


def _blocks(table: Table, width: int, loose: set[int]) -> Iterator[list[int]]:
    """Positions of the columns of each block: the first column, and as many others as fit beside it."""
    needs = [
        1 + max([len(name), *(len(row[position]) for row in table.rows)]) for position, name in enumerate(table.columns)
    ]
    # A column that may break its lines needs no more than a readable part of them.
    needs = [min(need, LOOSE_WIDTH) if position in loose else need for position, need in enumerate(needs)]
    block, used = [0], needs[0]
    for position in range(1, len(needs)):
        if used + needs[position] > width and len(block) > 1:
            yield block
            block, used = [0], needs[0]
        block.append(position)
        used += needs[position]
    yield block
