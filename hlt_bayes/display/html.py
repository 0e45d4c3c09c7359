"""Tables as HTML via great-tables, with row groups and headers that a screen reader can follow."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pandas as pd

from hlt_bayes.display.format import NOT_CALCULATED
from hlt_bayes.display.table import Table

if TYPE_CHECKING:
    from great_tables import GT

NUMERIC = re.compile(rf"([<>]?-?£?[\d,.]+ ?(%|p|SD|ppt|years?|points)?[,:]?( .*)?)?|{NOT_CALCULATED}|fixed")
"""Cells that start like a number, or are empty; columns of such cells are right-aligned."""

DOTTED = re.compile(r"(?<=[a-z_])\.(?=[a-z_])")
"""Dots at which a long key may break across lines."""


def great_table(table: Table) -> GT:
    """Lay out a table with great-tables; a first column with repeated values becomes row-group headings."""
    from great_tables import GT

    keys, stub = [str(position) for position in range(len(table.columns))], _stub(table)
    frame = pd.DataFrame(list(table.rows), columns=keys)
    shown = GT(frame, rowname_col=stub, groupname_col=None if stub == keys[0] else keys[0])
    shown = shown.tab_stubhead(table.columns[keys.index(stub)])
    shown = shown.cols_label(dict(zip(keys, table.columns, strict=True))).tab_header(table.title)
    shown = shown.cols_align("left")
    right = [key for key in keys if key != stub and frame[key].map(NUMERIC.fullmatch).notna().all()]
    if right:
        shown = shown.cols_align("right", columns=right)
    for note in table.notes:
        shown = shown.tab_source_note(note)
    return shown


def table_html(table: Table, *, name: str) -> str:
    """Write a table as HTML: caption, headers with scope, notes below; ids begin with ``name``."""
    bare = Table(title=table.title, columns=table.columns, rows=table.rows, notes=(), frame=table.frame)
    shown = great_table(bare).rm_header().with_id(name).fmt(_breakable, columns=_stub(table))
    raw = shown.as_raw_html()
    # The page has its own style, and great-tables writes no captions.
    body = raw[raw.index("<table") : raw.index("</table>") + len("</table>")]
    body = body.replace(">", f"><caption>{html.escape(table.title)}</caption>", 1)
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in table.notes)
    label = html.escape(table.title, quote=True)
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{body}</div>{notes}'


def _stub(table: Table) -> str:
    """Return the key of the row-heading column: the second, if the first repeats and so heads groups of rows."""
    repeats = len({row[0] for row in table.rows}) < len(table.rows)
    return "1" if len(table.columns) > 2 and repeats else "0"


def _breakable(text: str) -> str:
    """Escape a text, and allow a line break after each dot of a long key."""
    return DOTTED.sub(".<wbr>", html.escape(text))
