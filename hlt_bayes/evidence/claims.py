"""What documents, printed tables and running text claim, in words that an audit can check."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hlt_bayes.core.toml import Frozen, Words

Text = str


class Document(Frozen):
    """Where printed cells come from; what a document does not state is empty."""

    title: Words
    authors: list[Words]
    institution: Words
    series: Text
    isbn: Text
    published: date | Literal[""]
    published_precision: Literal["day", "month", "not stated"]
    licence: Words


class Sources(Frozen):
    """The documents, by the name that the ledger uses, and the ledger's files with what each holds."""

    documents: dict[str, Document]
    tables: Annotated[dict[str, Words], Field(min_length=1)]


class Percentage(Frozen):
    """A column (or row) of percentages, the one with their counts, and their base.

    The base is a number, or the row or column that holds it here, or a column of another table of the document
    whose rows bear the same labels.
    """

    percentage: Words
    count: Words
    base: int | Words | None = None
    base_place: Words | None = None
    base_column: Words | None = None


class TotalPercentage(Frozen):
    """A column of percentages that is the mean of others, weighted by a row of bases."""

    column: Words
    parts: list[Words]
    weights: Words


class TotalBlock(Frozen):
    """As ``TotalPercentage``, for the rows whose label begins so."""

    rows_like: Words
    column: Words
    parts: list[Words]
    weights_row: Words


class TotalRow(Frozen):
    """A row of percentages that is the mean of the others, weighted by a column of another table."""

    row: Words
    place: Words
    column: Words


class SumOfTables(Frozen):
    """A table that adds up two others cell by cell; ``place`` is this one."""

    place: Words
    of: list[Words]


class TableStructure(Frozen):
    """Title, base and inner arithmetic of one printed table; a key that is absent claims nothing."""

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
        """What names the cell, by the columns ``hlt_bayes.evidence.schema.CELL_KEY``."""
        return (self.document, self.place, self.line, self.column)


class Relation(Frozen):
    """Arithmetic that running text claims: how ``result`` follows from ``terms``.

    ``sum`` of the terms; ``difference`` of the first and the second; ``share``, per cent of the second that the
    first is; ``relative``, per cent by which the first exceeds the second; ``ratio`` of the first to the second;
    ``ratio_of_sum``, of all but the last to the last; ``difference_of_shares``, per cent of the second that the first
    is minus that of the fourth that the third is; ``greater``, without a result: the first exceeds the second.
    ``otherwise`` is a reading under which the words may be true although the numbers do not agree.
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
            raise ValueError(f"{self.kind!r} {'needs a' if self.result is None else 'has no'} 'result'")
        return self


class Tables(Frozen):
    """The file ``tables.toml``."""

    table: list[TableStructure]


class Relations(Frozen):
    """The file ``relations.toml``."""

    relation: list[Relation]
