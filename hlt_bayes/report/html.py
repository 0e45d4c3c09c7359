"""Tables as HTML, by great-tables: groups of rows under one heading, headers that a screen reader can follow."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pandas as pd

from hlt_bayes.report.table import Table
from hlt_bayes.report.tables import MISSING

if TYPE_CHECKING:
    from great_tables import GT

NUMERIC = re.compile(rf"([<>]?-?£?[\d,.]+ ?(%|p|SD|ppt|years?|points)?[,:]?( .*)?)?|{MISSING}|fixed")
"""Cells that begin as numbers do, or are empty: columns of them stand to the right."""

DOTTED = re.compile(r"(?<=[a-z_])\.(?=[a-z_])")
"""Where a long key may break its line."""


def great_table(table: Table, *, name: str = "table") -> GT:
    """Lay out a table by great-tables; a first column that repeats itself becomes headings of groups of rows.

    Parameters
    ----------
    table
        Of any builder in ``hlt_bayes.report``.
    name
        Stands before the id of every column, so that tables of one page differ.
    """
    from great_tables import GT

    keys = [f"{name}-{position}" for position in range(len(table.columns))]
    frame = pd.DataFrame(list(table.rows), columns=keys)
    grouped = len(keys) > 2 and frame[keys[0]].nunique() < len(frame)
    stub = keys[1] if grouped else keys[0]
    shown = GT(frame, rowname_col=stub, groupname_col=keys[0] if grouped else None)
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
    raw = great_table(bare, name=name).rm_header().as_raw_html()
    body = raw[raw.index("<table") : raw.index("</table>") + len("</table>")]
    body = re.sub(r'(?<= id=")([^"]+)', lambda found: _prefixed(found[1], name), body)
    body = re.sub(
        r'(?<= headers=")([^"]+)', lambda found: " ".join(_prefixed(one, name) for one in found[1].split()), body
    )
    body = re.sub(r'(?<=gt_stub">)[^<]+', lambda found: DOTTED.sub(".<wbr>", found[0]), body)
    caption = f"<caption>{html.escape(table.title)}</caption>"
    body = body.replace(">", f">{caption}", 1)
    notes = "".join(f'<p class="note">{html.escape(note)}</p>' for note in table.notes)
    label = html.escape(table.title, quote=True)
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}">{body}</div>{notes}'


def _prefixed(name: str, prefix: str) -> str:
    return name if name.startswith(f"{prefix}-") else f"{prefix}-{name}"
