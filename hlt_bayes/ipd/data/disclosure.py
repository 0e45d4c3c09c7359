"""Describe records with statistical disclosure control: primary and secondary suppression of small counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlt_bayes.core.vocabulary import ARMS, GROUPS
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.data.schema import COLUMNS, FIRST_DAY, Column

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FEWEST_SHOWN = 10
"""Smallest non-zero count that is shown."""

DIGITS = 3
"""Significant digits of means and SDs; more could reveal the number of people."""

PEOPLE, PRESENT, ABSENT = "people", "present", "missing"

SAME_IN_A_CELL = ("site", "group", "arm", "synthetic")
"""Columns that are constant within a trial group and arm, or carry no information about people."""


@overload
def suppressed(counts: pd.Series, *, smallest: int = FEWEST_SHOWN) -> pd.Series: ...
@overload
def suppressed(counts: pd.DataFrame, *, smallest: int = FEWEST_SHOWN) -> pd.DataFrame: ...
def suppressed(counts: pd.DataFrame | pd.Series, *, smallest: int = FEWEST_SHOWN) -> pd.DataFrame | pd.Series:
    """Suppress counts from 1 to ``smallest`` - 1, and further counts from which they could be derived.

    The total of a series, and of each row and column of a table, may be known: if only one of its counts is
    suppressed, or the suppressed counts sum to fewer than ``smallest`` people, the next smallest is suppressed too.
    0 discloses nobody and is shown, unless nothing else is left to suppress. Suppress totals separately.

    Parameters
    ----------
    counts
        Counts of people in mutually exclusive categories.
    smallest
        Smallest non-zero count to show.

    Returns
    -------
    pandas.DataFrame or pandas.Series
        The counts, missing where suppressed. Primary and secondary suppression look alike, as telling them apart
        would narrow down a count.
    """
    table = counts.to_frame() if isinstance(counts, pd.Series) else counts
    values = table.to_numpy(float, na_value=np.nan)
    hidden = _suppression_mask(values, smallest)
    columns = [pd.array(column, dtype="Int64") for column in np.where(hidden, np.nan, values).T]
    if isinstance(counts, pd.Series):
        return pd.Series(columns[0], index=counts.index, name=counts.name)
    return pd.DataFrame(dict(enumerate(columns)), index=counts.index).set_axis(counts.columns, axis=1)


def _suppression_mask(values: Floats, smallest: int) -> Flags:
    hidden = np.isnan(values) | ((values > 0) & (values < smallest))
    while any(_hide_another(*line, smallest=smallest) for line in _lines(values, hidden)):
        pass
    return hidden


def _lines(values: Floats, hidden: Flags) -> Iterator[tuple[Floats, Flags]]:
    """Rows and columns of more than one count, as views."""
    for counts, marks in ((values, hidden), (values.T, hidden.T)):
        if counts.shape[1] > 1:
            yield from zip(counts, marks, strict=True)


def _hide_another(counts: Floats, hidden: Flags, *, smallest: int) -> bool:
    """Suppress one more count of a line if the suppressed ones could be derived from its total; return True if so."""
    if not hidden.any() or hidden.all() or (hidden.sum() > 1 and np.nansum(counts[hidden]) >= smallest):
        return False
    left = np.flatnonzero(~hidden)
    hidden[min(left, key=lambda place: (counts[place] == 0, counts[place]))] = True
    return True


def describe_records(records: Records, *, smallest: int = FEWEST_SHOWN) -> pd.DataFrame:
    """Describe records by trial group and arm, with small counts suppressed.

    Identifiers are omitted. Numbers and dates have a mean and SD if ``smallest`` or more people have a value; for
    dates, in days since the randomisation window opened. Each column is suppressed separately: differences between
    columns are not protected.

    Returns
    -------
    pandas.DataFrame
        One row per column, value, group and arm: ``count``, ``percent`` of all people of that group and arm, with
        a value or without, ``mean`` and ``sd``; missing where suppressed. The first rows are the ``people`` of each.
    """
    frame = records.frame
    cell = frame["group"].cat.codes.to_numpy(int) * len(ARMS) + frame["arm"].cat.codes.to_numpy(int)
    cells = [(group, arm) for group in GROUPS for arm in ARMS]
    people = np.bincount(cell, minlength=len(cells)).astype(float)
    people[_suppression_mask(people[:, None], smallest)[:, 0]] = np.nan
    order = ["column", "value", "group", "arm", "count", "percent", "mean", "sd"]
    described = [_laid_out(PEOPLE, [""], cells, people[:, None])]
    for name in frame:
        column = COLUMNS[str(name)]
        if column.kind == "identifier" or name in SAME_IN_A_CELL:
            continue
        codes, labels = _coded(frame[name], column)
        flat = np.bincount(cell * len(labels) + codes, minlength=len(cells) * len(labels)).astype(float)
        counts = flat.reshape(len(cells), len(labels))
        left_out = (
            np.vstack([_suppression_mask(line[:, None], smallest).T for line in counts]) | np.isnan(people)[:, None]
        )
        found = _laid_out(str(name), labels, cells, np.where(left_out, np.nan, counts))
        found["percent"] = 100.0 * found["count"] / np.repeat(people, len(labels))
        if PRESENT in labels:
            # The digits of a mean could reveal a suppressed count.
            enough = (counts[:, 0] >= smallest) & ~left_out[:, 0]
            mean, sd = _moments(frame[name], cell, len(cells))
            for of, values in (("mean", mean), ("sd", sd)):
                found.loc[found["value"] == PRESENT, of] = np.where(enough, _rounded(values), np.nan)
        described.append(found)
    return pd.concat(described, ignore_index=True).reindex(columns=order).astype({"count": "Int64"})


def _laid_out(name: str, labels: list[str], cells: list[tuple[str, str]], counts: Floats) -> pd.DataFrame:
    """Lay out counts in long format, one row per cell and label."""
    rows = [(name, label, *cell) for cell in cells for label in labels]
    return pd.DataFrame(rows, columns=["column", "value", "group", "arm"]).assign(count=counts.ravel())


def _coded(values: pd.Series, column: Column) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Position of each value among the labels, and the labels; the last is for missing values."""
    missing = values.isna().to_numpy(bool)
    if column.kind == "category":
        return np.where(missing, len(column.codes), values.cat.codes), [*column.codes, ABSENT]
    if column.kind == "flag":
        return np.where(missing, 2, ~values.fillna(value=False).to_numpy(bool)), ["yes", "no", ABSENT]
    return missing.astype(int), [PRESENT, ABSENT]


def _rounded(values: Floats) -> Floats:
    """Round to ``DIGITS`` significant digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.floor(np.log10(np.abs(values)))
    scale = 10.0 ** (DIGITS - 1 - np.where(np.isfinite(size), size, 0.0))
    return np.asarray(np.round(values * scale) / scale)


def _moments(values: pd.Series, cell: npt.NDArray[np.int64], cells: int) -> tuple[Floats, Floats]:
    """Mean and SD in each cell; dates in days since the randomisation window opened."""
    is_date = pd.api.types.is_datetime64_any_dtype(values)
    numbers = (values - pd.Timestamp(FIRST_DAY)).dt.days if is_date else values
    by_cell = numbers.astype("Float64").groupby(cell).agg(["mean", "std"]).reindex(range(cells))
    return by_cell["mean"].to_numpy(float, na_value=np.nan), by_cell["std"].to_numpy(float, na_value=np.nan)
