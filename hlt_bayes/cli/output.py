"""Prints tables on a terminal, whole lines where nobody sets a width, or one JSON document for machines."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import typer

from hlt_bayes.cli.stages import Stages

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from hlt_bayes.display.table import Table

UNLIMITED = 1000
"""Width of a line that goes to a file or another program."""

SPACE = 2
"""Behind a column: its padding, and one that stands for a line between columns."""

LOOSE_WIDTH = 18
"""Least width of a column that may break its lines, with the space behind it, before a table is broken into blocks of
columns; more where a word needs it."""


class Output:
    """What one call of a verb says: tables and sentences as they come, or all of it as one JSON document at the end.

    Parameters
    ----------
    verb
        Its name, as typed.
    quiet
        Show no progress, no notes under tables, and no sentences. A JSON document holds them all the same.
    as_json
        Show nothing before ``finish``, which then prints the document.
    """

    def __init__(self, verb: str, *, quiet: bool, as_json: bool) -> None:
        self._verb, self._quiet, self._as_json = verb, quiet, as_json
        self._tables: list[Table] = []
        self._messages: list[str] = []

    def stages(self) -> Stages:
        """Show progress on standard error, but for machines only where a person is looking."""
        return Stages(shown=not self._quiet and (not self._as_json or sys.stderr.isatty()))

    def table(self, table: Table, *, wrapped: Collection[str] = ("What changed",), grouped: bool = True) -> None:
        """Say a table; see ``show``."""
        if self._as_json:
            self._tables.append(table)
        else:
            show(table, console(), wrapped=wrapped, grouped=grouped, notes=not self._quiet)

    def say(self, sentence: str, *, style: str | None = None, whole: bool = False) -> None:
        """Say a sentence beside the tables; where ``whole``, such as one with a path, on one line however long."""
        if self._as_json:
            self._messages.append(sentence)
        elif not self._quiet:
            console().print(sentence, style=style, soft_wrap=whole)

    def text(self, text: str) -> None:
        """Print a text that is asked for as it is, quiet or not."""
        if self._as_json:
            self._messages.append(text)
        else:
            typer.echo(text, nl=not text.endswith("\n"))

    def finish(self) -> None:
        """Print the document, where one is asked for."""
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
    """Rows of a frame for JSON: nothing rounded, what is missing is None, what is infinite says so in words."""
    return [
        {str(name): _plain(value) for name, value in zip(frame.columns, row, strict=True)}
        for row in frame.itertuples(index=False, name=None)
    ]


def _plain(value: object) -> object:
    """Turn a value of a frame into one that JSON has."""
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
    """Make a console as wide as the terminal; what is piped is never cut or wrapped."""
    from rich.console import Console

    told = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, markup=False, width=None if told else UNLIMITED)


def show(
    table: Table,
    out: Console,
    *,
    wrapped: Collection[str] = ("What changed",),
    grouped: bool = True,
    notes: bool = True,
) -> None:
    """Print a table, and its ``notes``; the first column and those ``wrapped`` may break their lines.

    Where ``grouped``, a first cell that is repeated is shown once, and its rows stand apart from the others. A table
    that is too wide is printed in blocks of columns, each with what heads the rows: the first column, and the second
    where the first does not tell them apart.
    """
    from rich import box
    from rich.table import Table as RichTable

    firsts = [row[0] for row in table.rows]
    several = len(set(firsts)) < len(firsts)
    grouped = grouped and several
    loose = {position for position, name in enumerate(table.columns) if position == 0 or name in wrapped}
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


def _blocks(table: Table, width: int, loose: set[int], *, heads: int) -> Iterator[dict[int, int]]:
    """Width of each column of each block, by its position: those that head the rows, and as many others as fit."""
    # The last column needs no space behind the padding.
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
    """Least and full width of a column, with the space behind it; a loose one breaks lines between words alone."""
    texts = [table.columns[position], *(row[position] for row in table.rows)]
    full = SPACE + max(map(len, texts))
    if not loose:
        return full, full
    word = SPACE + max((len(word) for text in texts for word in text.split()), default=0)
    return min(full, max(LOOSE_WIDTH, min(word, width // 2))), full


def _widths(block: list[int], needs: dict[int, tuple[int, int]], width: int) -> dict[int, int]:
    """Share what a block leaves of the line among the columns that would use it."""
    wanted = {position: needs[position][1] - needs[position][0] for position in block}
    spare = max(0, width - sum(needs[position][0] for position in block))
    share = min(1.0, spare / max(1, sum(wanted.values())))
    return {position: needs[position][0] - SPACE + int(share * wanted[position]) for position in block}
