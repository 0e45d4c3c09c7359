"""Claims of documents, tables and running text, in a form that an audit can check."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hlt_bayes.core.toml import Frozen, Words

Text = str


class Document(Frozen):
    """Source document of printed cells; a field that it does not state is empty."""

    title: Words
    authors: list[Words]
    institution: Words
    series: Text
    isbn: Text
    published: date | Literal[""]
    published_precision: Literal["day", "month", "not stated"]
    licence: Words


class Sources(Frozen):
    """Source documents by their name in the ledger, and the ledger's files with their contents."""

    documents: dict[str, Document]
    tables: Annotated[dict[str, Words], Field(min_length=1)]


class Percentage(Frozen):
    """A column (or row) of percentages, the column (or row) of their counts, and their base.

    The base is a number, the row or column of this table that holds it, or a column of another table of the document
    with the same row labels.
    """

    percentage: Words
    count: Words
    base: int | Words | None = None
    base_place: Words | None = None
    base_column: Words | None = None


class TotalPercentage(Frozen):
    """A column of percentages that is the mean of other columns, weighted by a row of bases."""

    column: Words
    parts: list[Words]
    weights: Words


class TotalBlock(Frozen):
    """As ``TotalPercentage``, for rows whose label contains ``rows_like``."""

    rows_like: Words
    column: Words
    parts: list[Words]
    weights_row: Words


class TotalRow(Frozen):
    """A row of percentages that is the mean of the other rows, weighted by a column of another table."""

    row: Words
    place: Words
    column: Words


class SumOfTables(Frozen):
    """A table that is the cell-by-cell sum of two others; ``place`` is the sum."""

    place: Words
    of: list[Words]


class TableStructure(Frozen):
    """Title, base and internal arithmetic of one table; an absent key makes no claim."""

    file: Words
    document: Words
    place: Words
    title: Text
    base: Text = ""
    base_people: int | None = None
    total_row: Words | None = None
    total_row_parts: list[Words] | None = None
    total_column: Words | None = None
    one_choice_columns: bool = False
    one_choice_rows: list[list[Words]] = Field(default_factory=list)
    one_choice_blocks: list[list[Words]] = Field(default_factory=list)
    base_row: Words | None = None
    total_percentage: TotalPercentage | None = None
    total_percentage_blocks: list[TotalBlock] = Field(default_factory=list)
    total_percentage_row: TotalRow | None = None
    percentages: list[Percentage] = Field(default_factory=list)
    percentage_rows: list[Percentage] = Field(default_factory=list)
    sum_of_tables: SumOfTables | None = None
    people_column: Words | None = None
    sessions_column: Words | None = None
    breakdown_of: Words | None = None


class CellName(Frozen):
    """One cell of the ledger."""

    document: Words
    place: Words
    line: Annotated[int, Field(ge=1)]
    column: Text

    @property
    def key(self) -> tuple[str, str, int, str]:
        """Key of the cell, in the order of ``hlt_bayes.evidence.schema.CELL_KEY``."""
        return (self.document, self.place, self.line, self.column)


class Relation(Frozen):
    """Arithmetic claimed in running text: how ``result`` follows from ``terms``.

    ``sum`` of the terms; ``difference``, first minus second; ``share``, first as a percentage of the second;
    ``relative``, percentage by which the first exceeds the second; ``ratio``, first to second; ``ratio_of_sum``, sum of
    all but the last to the last; ``difference_of_shares``, first as a percentage of the second minus third as a
    percentage of the fourth; ``greater``, without a result: the first exceeds the second. ``otherwise`` is a reading
    under which the text may be true although the numbers do not agree.
    """

    what: Words
    kind: Literal["sum", "difference", "share", "relative", "ratio", "ratio_of_sum", "difference_of_shares", "greater"]
    result: CellName | None = None
    terms: Annotated[list[CellName], Field(min_length=1)]
    otherwise: Text = ""

    @model_validator(mode="after")
    def _is_arithmetic(self) -> Self:
        needed = {"sum": 1, "difference_of_shares": 4}.get(self.kind, 2)
        more = self.kind in ("sum", "ratio_of_sum")
        if len(self.terms) < needed or (len(self.terms) > needed and not more):
            allowed = f"{needed} or more" if more else needed
            raise ValueError(f"{self.kind!r} takes {allowed} terms, not {len(self.terms)}")
        if (self.result is None) != (self.kind == "greater"):
            raise ValueError(f"{self.kind!r} {'needs a' if self.result is None else 'must not have a'} 'result'")
        return self


class Tables(Frozen):
    """The file ``tables.toml``."""

    table: list[TableStructure]


class Relations(Frozen):
    """The file ``relations.toml``."""

    relation: list[Relation]
