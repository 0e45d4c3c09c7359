"""How a file's columns and codes become ours: a closed TOML table."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from hlt_bayes.core.errors import RecordsError, unknown_name
from hlt_bayes.core.toml import Frozen, Words, read_strict
from hlt_bayes.ipd.data.schema import COLUMNS

FLAGS = ("true", "false")
"""Our codes of a flag, as a mapping writes them."""


class MappedColumn(Frozen):
    """Where one of our columns comes from.

    ``codes`` turn values of the file, as text, into our codes; values that they do not name stay as they are. In a
    Stata file they, and ``missing`` of the mapping, may name a value's label or its number.
    """

    model_config = ConfigDict(validate_by_name=True)

    from_: Words = Field(alias="from")
    codes: dict[str, str] = Field(default_factory=dict)
    date_format: Words | None = None


class RecordsMapping(Frozen):
    """A mapping from a file's columns to ours.

    ``missing`` are values, as text, that stand for a missing one in each column that it names. Columns of the file that
    it does not name and that have a name of ours are taken as they stand. All others are left out without a word where
    ``drop_others``, and are findings where not.
    """

    missing: list[str] = Field(default_factory=list)
    columns: dict[str, MappedColumn]
    drop_others: bool = True

    @model_validator(mode="after")
    def _fits_the_schema(self) -> Self:
        problems = [line for name, column in self.columns.items() for line in _problems(name, column)]
        sources = [column.from_ for column in self.columns.values()]
        problems += [
            f"key 'columns.{name}.from': column {column.from_!r} of the file is mapped twice; keep one"
            for position, (name, column) in enumerate(self.columns.items())
            if column.from_ in sources[:position]
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def _problems(name: str, mapped: MappedColumn) -> list[str]:
    key = f"key 'columns.{name}"
    if name not in COLUMNS:
        return [f"{key}': {unknown_name(name, COLUMNS)}"]
    column, found = COLUMNS[name], []
    allowed = FLAGS if column.kind == "flag" else column.codes
    if mapped.codes and not allowed:
        found.append(f"{key}.codes': a {column.kind} has no codes; leave them out")
    elif mapped.codes:
        wrong = dict.fromkeys(code for code in mapped.codes.values() if code not in allowed)
        found += [f"{key}.codes': {unknown_name(code, allowed)}" for code in wrong]
    if mapped.date_format is not None and column.kind != "date":
        found.append(f"{key}.date_format': a {column.kind} is not a date; leave it out")
    return found


def load_mapping(path: str | Path) -> RecordsMapping:
    """Read a mapping.

    Raises
    ------
    RecordsError
        The file cannot be read, or does not fit the schema; all that is wrong comes at once.
    """
    return read_strict(Path(path), RecordsMapping, RecordsError)
