"""TOML mapping from a file's columns and codes to the schema; unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from hlt_bayes.core.errors import RecordsError, unknown_name
from hlt_bayes.core.toml import Frozen, Words, read_strict
from hlt_bayes.ipd.data.schema import COLUMNS

FLAGS = ("true", "false")
"""Schema codes of a flag in a mapping."""


class MappedColumn(Frozen):
    """Source of one schema column.

    ``codes`` map values of the file, as text, to schema codes; other values stay as they are. For a Stata file,
    ``codes`` and the mapping's ``missing`` may name a value's label or its number.
    """

    model_config = ConfigDict(validate_by_name=True)

    from_: Words = Field(alias="from")
    codes: dict[str, str] = Field(default_factory=dict)
    date_format: Words | None = None


class RecordsMapping(Frozen):
    """Mapping from a file's columns to the schema.

    ``missing`` lists values, as text, that mean missing in every mapped column. Unmapped columns of the file with a
    schema name are read as they are. All others are dropped silently if ``drop_others``, and are findings otherwise.
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
    """Load a mapping.

    Raises
    ------
    RecordsError
        The file cannot be read or does not fit the schema; all problems are reported at once.
    """
    return read_strict(Path(path), RecordsMapping, RecordsError)
