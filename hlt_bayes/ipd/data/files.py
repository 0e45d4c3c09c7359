"""Read CSV, Parquet and Stata files into unconverted columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data.conversion import as_text
from hlt_bayes.ipd.data.findings import findings_at, together

if TYPE_CHECKING:
    import pyarrow.csv

Labels = Mapping[str, Mapping[str, str]]
"""Value labels of a Stata file: by column, the label of each number, both as text."""


MAX_COLUMNS, MAX_VALUES, MAX_BYTES = 5_000, 50_000_000, 2_000_000_000
"""Most columns of records, values (people by columns), and bytes of a Parquet file when unpacked."""


@dataclass(frozen=True, repr=False)
class Contents:
    """Columns of a file, indexed by row; row 1 is the first record."""

    frame: pd.DataFrame
    labels: Labels = field(default_factory=dict)
    findings: pd.DataFrame = field(default_factory=lambda: together([]))


def contents_of(content: bytes, suffix: str) -> Contents:
    """Read the bytes of a file by its suffix; errors do not name the file."""
    if suffix not in READERS:
        raise RecordsError(f"suffix {suffix!r} is unknown; allowed: {', '.join(READERS)}")
    contents = READERS[suffix](content)
    if not len(contents.frame) and contents.findings.empty:
        raise RecordsError("has no records; one row per person is needed")
    return contents


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Index rows from 1; a named index becomes a column."""
    kept = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    return kept.set_axis(pd.RangeIndex(1, len(kept) + 1), axis=0)


def _csv(content: bytes) -> Contents:
    import pyarrow as pa
    import pyarrow.csv as arrow

    _check_text(content)
    width = len(next(csv.reader(TextIOWrapper(BytesIO(content), encoding="utf-8-sig", newline="")), []))
    _check_width(width)
    positions = [str(position) for position in range(width)]
    ragged: list[int] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row.number - 1)
        return "skip"

    # One thread, as rows are not numbered otherwise; the header is read as a row, as it may contain duplicate names.
    table = arrow.read_csv(
        BytesIO(content),
        read_options=arrow.ReadOptions(column_names=positions, use_threads=False),
        parse_options=arrow.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(positions, pa.string())),
    )
    rows = np.setdiff1d(np.arange(1, table.num_rows + len(ragged)), ragged)
    names = [table.column(position)[0].as_py().strip() for position in positions]
    frame = pd.concat([table.column(position).slice(1).to_pandas() for position in positions], axis=1)
    problem = f"does not have the {width} fields of the header; put any field that contains a comma in quotation marks"
    return Contents(frame.set_axis(names, axis=1).set_axis(rows, axis=0), {}, findings_at(ragged, "", problem))


def _check_width(width: int) -> None:
    if width > MAX_COLUMNS:
        raise RecordsError(f"has {width:,} columns; at most {MAX_COLUMNS:,} are read: keep those of the schema")


def _check_text(content: bytes) -> None:
    if not content.strip():
        raise RecordsError("is empty; the first line must name the columns")
    if content.count(b'"') % 2:
        # The rest of the file would be read as one value.
        raise RecordsError("a quotation mark is not closed; inside a value, write it twice")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RecordsError(f"byte {error.start} is not UTF-8; save the file as UTF-8") from None


def _parquet(content: bytes) -> Contents:
    import pyarrow.parquet as parquet

    # A small file can hold any number of equal values.
    told = parquet.ParquetFile(BytesIO(content)).metadata
    _check_width(told.num_columns)
    values = told.num_rows * told.num_columns
    unpacked = sum(told.row_group(number).total_byte_size for number in range(told.num_row_groups))
    if values > MAX_VALUES or unpacked > MAX_BYTES:
        raise RecordsError(
            f"has {told.num_rows:,} rows of {told.num_columns:,} columns and {unpacked:,} bytes when unpacked; at most "
            f"{MAX_VALUES:,} values and {MAX_BYTES:,} bytes are read: keep the columns of the schema"
        )
    return Contents(numbered(pd.read_parquet(BytesIO(content))))


def _stata(content: bytes) -> Contents:
    numbers = _with_days_only(content, pd.read_stata(BytesIO(content), convert_categoricals=False))
    labelled = _labelled(content, [str(name) for name in numbers])
    labels = {}
    for name in labelled.select_dtypes("category"):
        pairs = pd.DataFrame({"number": numbers[name], "label": labelled[name].astype(object)})
        pairs = pairs.drop_duplicates().dropna()
        labels[str(name)] = dict(zip(as_text(pairs["number"]), as_text(pairs["label"]), strict=True))
    return Contents(numbered(numbers), labels)


def _with_days_only(content: bytes, frame: pd.DataFrame) -> pd.DataFrame:
    """Leave months, quarters and other periods as numbers: pandas makes each the first day of it."""
    dated = [str(name) for name in frame.select_dtypes("datetime")]
    if not dated:
        return frame
    counts = pd.read_stata(BytesIO(content), columns=dated, convert_dates=False, convert_categoricals=False)
    for name in dated:
        since = frame[name] - pd.Timestamp("1960-01-01")
        in_days = (since / pd.Timedelta(days=1)).round(6)
        in_milliseconds = since / pd.Timedelta(milliseconds=1)
        counted = counts[name].astype(float)
        if not any((unit.dropna() == counted[unit.notna()]).all() for unit in (in_days, in_milliseconds)):
            frame[name] = counted
    return frame


def _labelled(content: bytes, names: list[str]) -> pd.DataFrame:
    """Read columns with their labels, except those in which two numbers share a label, which pandas cannot read."""
    try:
        return pd.read_stata(BytesIO(content), columns=names)
    except ValueError:
        if len(names) == 1:
            return pd.DataFrame()
    half = len(names) // 2
    return pd.concat([_labelled(content, names[:half]), _labelled(content, names[half:])], axis=1)


READERS: dict[str, Callable[[bytes], Contents]] = {".csv": _csv, ".parquet": _parquet, ".dta": _stata}
