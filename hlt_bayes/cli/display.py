"""Prints tables on a terminal."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from hlt_bayes.report.tables import Table


def show(table: Table, console: Console, *, wrapped: Collection[str] = ("What changed",), grouped: bool = True) -> None:
    """Print a table; the columns ``wrapped`` may break their lines.

    Where ``grouped``, a first cell is not repeated below itself, and its rows stand apart from the others.
    """
    from rich import box
    from rich.table import Table as RichTable

    shown = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in table.columns:
        shown.add_column(column, no_wrap=column not in wrapped)
    last = ""
    for head, *cells in table.rows:
        if grouped and last and head != last:
            shown.add_section()
        shown.add_row("" if grouped and head == last else head, *cells)
        last = head
    console.print(shown)
    for note in table.notes:
        console.print(note, style="dim")
    console.print()
