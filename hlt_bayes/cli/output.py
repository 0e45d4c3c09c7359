"""Prints tables to a terminal or, unwrapped, to a pipe, or prints one JSON document."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from hlt_bayes.cli.stages import Stages
from hlt_bayes.core.text import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from hlt_bayes.display.table import Table

UNLIMITED = 1000
"""Line width for output to a file or another program."""

SPACE = 2
"""Characters after a column: its padding and the separator."""

LOOSE_WIDTH = 18
"""Minimum width of a wrapped column, including the space after it, before the table is split into blocks of columns;
longer words make it wider."""


class Output:
    """Output of one call of a verb: tables and messages as they come, or one JSON document at the end.

    Parameters
    ----------
    verb
        Name of the verb, as typed.
    quiet
        Omit progress, table notes and messages. A JSON document still contains notes and messages.
    as_json
        Print nothing before ``finish``, which prints the document.
    """

    def __init__(self, verb: str, *, quiet: bool, as_json: bool) -> None:
        self._verb, self._quiet, self._as_json = verb, quiet, as_json
        self._tables: list[Table] = []
        self._messages: list[str] = []

    def stages(self) -> Stages:
        """Show progress on standard error; with ``--json``, only if that is a terminal."""
        return Stages(shown=not self._quiet and (not self._as_json or sys.stderr.isatty()))

    def table(self, table: Table, *, wrapped: Collection[str] = ("What changed",), grouped: bool = True) -> None:
        """Output a table; see ``show``."""
        if self._as_json:
            self._tables.append(table)
        else:
            show(table, console(), wrapped=wrapped, grouped=grouped, notes=not self._quiet)

    def say(self, sentence: str, *, style: str | None = None, whole: bool = False) -> None:
        """Output a message; if ``whole`` (such as one with a path), without wrapping."""
        if self._as_json:
            self._messages.append(sentence)
        elif not self._quiet:
            console().print(printable(sentence), style=style, soft_wrap=whole)

    def text(self, text: str) -> None:
        """Output requested text verbatim, even if quiet."""
        if self._as_json:
            self._messages.append(text)
        else:
            typer.echo(text, nl=not text.endswith("\n"))

    def finish(self) -> None:
        """Print the JSON document, if requested."""
        if self._as_json:
            document = {
                "verb": self._verb,
                "tables": [
                    {
                        "title": table.title,
                        "columns": list(table.frame.columns),
                        "notes": list(table.notes),
                        "records": records(table.frame),
                    }
                    for table in self._tables
                ],
                "messages": self._messages,
            }
            typer.echo(json.dumps(document, allow_nan=False))


def records(frame: pd.DataFrame) -> list[dict[str, object]]:
    """Rows of a data frame for JSON: unrounded, with missing values as None and infinite values as text."""
    return [
        {str(name): _plain(value) for name, value in zip(frame.columns, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]


def _plain(value: object) -> object:
    """Convert a value of a data frame to a JSON value."""
    import pandas as pd

    if pd.isna(value):  # type: ignore[call-overload]
        return None
    if isinstance(value, str | bool | int):
        return value
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, float) and math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number if isinstance(number, bool | int | float) else str(number)


def console() -> Console:
    """Return a console as wide as the terminal; piped output is never cut or wrapped."""
    from rich.console import Console

    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, markup=False, width=None if has_width else UNLIMITED)


def show(
    table: Table,
    out: Console,
    *,
    wrapped: Collection[str] = ("What changed",),
    grouped: bool = True,
    notes: bool = True,
) -> None:
    """Print a table and its ``notes``; the first column and the ``wrapped`` columns may wrap.

    If ``grouped``, a repeated first cell is shown once and its rows are set apart. A table that is too wide is printed
    in blocks of columns, each with the row headings: the first column, and the second if the first has repeats.
    """
    from rich import box
    from rich.table import Table as RichTable

    firsts = [row[0] for row in table.rows]
    several = len(set(firsts)) < len(firsts)
    grouped = grouped and several
    loose = {position for position, name in enumerate(table.columns) if position == 0 or name in wrapped}
    table = _printable(table)
    out.print(table.title, style="bold")
    for number, widths in enumerate(_blocks(table, out.width, loose, heads=2 if several else 1)):
        if number:
            out.print()
        shown = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
        for position, wide in widths.items():
            shown.add_column(table.columns[position], width=wide, no_wrap=position not in loose, overflow="fold")
        last = ""
        for row in table.rows:
            if grouped and last and row[0] != last:
                shown.add_section()
            first = "" if grouped and row[0] == last else row[0]
            shown.add_row(first, *(row[position] for position in list(widths)[1:]))
            last = row[0]
        out.print(shown)
    for note in table.notes if notes else ():
        out.print(note, style="dim")
    out.print()


def _printable(table: Table) -> Table:
    """Table whose texts do not steer the terminal: names of files may come from outside."""
    return replace(
        table,
        title=printable(table.title),
        columns=tuple(map(printable, table.columns)),
        rows=tuple(tuple(map(printable, row)) for row in table.rows),
        notes=tuple(map(printable, table.notes)),
    )


def _blocks(table: Table, width: int, loose: set[int], *, heads: int) -> Iterator[dict[int, int]]:
    """Yield the column widths of each block, by position: the row headings and as many other columns as fit."""
    # The last column needs no separator.
    width += 1
    needs = {
        position: _needs(table, position, width, loose=position in loose) for position in range(len(table.columns))
    }
    first = list(needs)[:heads]
    block = first
    for position in list(needs)[heads:]:
        if sum(needs[one][0] for one in [*block, position]) > width and len(block) > heads:
            yield _widths(block, needs, width)
            block = first
        block = [*block, position]
    yield _widths(block, needs, width)


def _needs(table: Table, position: int, width: int, *, loose: bool) -> tuple[int, int]:
    """Minimum and full width of a column, including the space after it; loose columns wrap only between words."""
    texts = [table.columns[position], *(row[position] for row in table.rows)]
    full = SPACE + max(map(len, texts))
    if not loose:
        return full, full
    word = SPACE + max((len(word) for text in texts for word in text.split()), default=0)
    return min(full, max(LOOSE_WIDTH, min(word, width // 2))), full


def _widths(block: list[int], needs: dict[int, tuple[int, int]], width: int) -> dict[int, int]:
    """Share the spare width of a block among the columns that need more than their minimum."""
    wanted = {position: needs[position][1] - needs[position][0] for position in block}
    spare = max(0, width - sum(needs[position][0] for position in block))
    share = min(1.0, spare / max(1, sum(wanted.values())))
    return {position: needs[position][0] - SPACE + int(share * wanted[position]) for position in block}
