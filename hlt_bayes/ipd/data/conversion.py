"""Convert the values of a file's column to the dtypes of ``schema.DTYPES``, and mark those that are not allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlt_bayes.ipd.data.mapping import MappedColumn
from hlt_bayes.ipd.data.schema import COLUMNS, DTYPES, Column

Flags = npt.NDArray[np.bool_]

FLAG_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

NUMERAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"

LARGEST_COUNT = np.iinfo(np.int32).max


@dataclass(frozen=True, repr=False)
class Converted:
    """A converted column; values that are not ``allowed`` are marked in ``bad`` and set to missing."""

    column: pd.Series
    bad: Flags
    allowed: str


def converted(
    series: pd.Series,
    name: str,
    *,
    mapped: MappedColumn | None = None,
    missing: Iterable[str] = (),
    labels: Mapping[str, str] | None = None,
) -> Converted:
    """Convert the hashable values of a file's column to those of the schema column ``name``."""
    column = COLUMNS[name]
    # Each distinct value once: most columns have few, except identifiers and money.
    places, distinct = pd.factorize(series)
    values = pd.Series(distinct)
    if _needs_no_parsing(values, column, mapped):
        unique, bad = values, np.zeros(len(values), bool)
    else:
        texts, absent = _recoded(as_text(values), column, mapped, frozenset(missing), labels or {})
        unique, bad = _of_text(texts.mask(absent, ""), column, mapped.date_format if mapped else None)
    if column.kind == "date":
        unique, timed = _days(unique)
        bad = bad | timed
    if column.kind in ("count", "number"):
        unique, unfit = _numbers(unique, whole=column.kind == "count")
        bad = bad | unfit
    if column.kind == "category":
        unique = unique.astype(pd.CategoricalDtype(list(column.codes)))
    else:
        unique = unique.astype(DTYPES[column.kind])  # type: ignore[call-overload]
    taken = pd.api.extensions.take(unique.array, places, allow_fill=True)
    return Converted(
        pd.Series(taken, index=series.index, name=name),
        np.append(bad, False)[places],
        _allowed(column, mapped.date_format if mapped else None)
        + (_days_only(series) if column.kind == "date" else ""),
    )


def as_text(values: pd.Series) -> pd.Series:
    """Write values as text, whole numbers without a decimal point."""
    if isinstance(values.dtype, pd.StringDtype):
        return values.astype("str").str.strip()
    return pd.Series([_word(value) for value in values], index=values.index, dtype="str")


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _needs_no_parsing(values: pd.Series, column: Column, mapped: MappedColumn | None) -> bool:
    """Whether values are already numbers or dates; a mapped number is parsed, as it may be a code for missing."""
    if column.kind == "date":
        return pd.api.types.is_datetime64_any_dtype(values)
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return column.kind in ("count", "number") and numeric and mapped is None


def _recoded(
    texts: pd.Series,
    column: Column,
    mapped: MappedColumn | None,
    missing: frozenset[str],
    labels: Mapping[str, str],
) -> tuple[pd.Series, pd.Series]:
    """Replace a file's values by their labels, then by schema codes; also mark those that mean missing."""
    labelled = texts.map(lambda text: labels.get(text, text)).astype("str")
    codes = mapped.codes if mapped else {}
    # Labels apply to categories and flags; numbers and identifiers are taken as they are.
    named = labelled if column.kind in ("category", "flag") else texts
    ours = [codes.get(label, codes.get(text, label)) for label, text in zip(named, texts, strict=True)]
    return pd.Series(ours, index=texts.index, dtype="str"), texts.isin(missing) | labelled.isin(missing)


def _of_text(texts: pd.Series, column: Column, date_format: str | None) -> tuple[pd.Series, Flags]:
    """Parse text; blank and unreadable values become missing, and the unreadable are marked."""
    blank = texts == ""
    match column.kind:
        case "identifier":
            values = texts.where(~texts.str.contains("[\r\n]", regex=True))
        case "category":
            values = texts.where(texts.isin(column.codes))
        case "flag":
            values = texts.str.lower().map(FLAG_WORDS).astype("boolean")
        case "date":
            values = _dates(texts, date_format)
        case "count" | "number":
            values = _numerals(texts)
    return values.mask(blank), (values.isna() & ~blank).to_numpy(bool)


def _dates(texts: pd.Series, date_format: str | None) -> pd.Series:
    # Some programs append midnight to a date.
    days = texts.str.removesuffix(" 00:00:00").str.removesuffix("T00:00:00")
    return pd.to_datetime(days, format=date_format or "%Y-%m-%d", errors="coerce")


def _days(moments: pd.Series) -> tuple[pd.Series, Flags]:
    """Set to missing, and mark, what has a time of day: midnight of another time zone would be another day."""
    here = moments.dt.tz_localize(None)
    days = here.dt.normalize()
    timed = here.notna() & (here != days)
    return days.mask(timed), timed.to_numpy(bool)


def _days_only(series: pd.Series) -> str:
    """Say what is allowed in a date that is not text."""
    if pd.api.types.is_datetime64_any_dtype(series):
        return " without a time of day: midnight in London is 23:00 in UTC in summer, so write the local days"
    return " (in Stata %td), not a month or another period" if pd.api.types.is_numeric_dtype(series) else ""


def _numerals(texts: pd.Series) -> pd.Series:
    plain = texts.str.fullmatch(NUMERAL)
    values = pd.Series(np.nan, index=texts.index)
    # Parsed by Python, whose conversion is exact.
    values[plain] = texts[plain].astype(object).astype(float)
    return values


def _numbers(values: pd.Series, *, whole: bool) -> tuple[pd.Series, Flags]:
    """Set infinite values to missing and, in counts, those that are fractional or too large to store."""
    numbers = values.astype("Float64").to_numpy(float, na_value=np.nan)
    bad = np.isinf(numbers)
    if whole:
        bad |= np.abs(numbers) > LARGEST_COUNT
        bad |= np.mod(numbers, 1.0, where=np.isfinite(numbers), out=np.zeros(len(numbers))) != 0
    numbers = np.where(bad, np.nan, numbers)
    return pd.Series(numbers, index=values.index), bad


def _allowed(column: Column, date_format: str | None) -> str:
    return {
        "identifier": "allowed: text on one line",
        "category": f"allowed: {', '.join(column.codes)}",
        "flag": "allowed: true or false, yes or no, 1 or 0, or blank",
        "date": f"allowed: a date as {date_format or 'YYYY-MM-DD'}",
        "count": "allowed: a whole number in plain digits, or blank",
        "number": "allowed: a number in plain digits such as 1234.5, or blank",
    }[column.kind]
