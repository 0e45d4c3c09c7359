"""Describe records by trial group and arm, so that no person can be worked out from what is shown."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlt_bayes.core.vocabulary import ARMS, GROUPS, SITES
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.data.schema import COLUMNS, FIRST_DAY, LAST_DAY, PROVIDERS, Column
from hlt_bayes.ipd.disclosure.leave_out import some_left_out
from hlt_bayes.ipd.disclosure.rounding import (
    LARGEST_ERROR,
    decimals_of,
    rounded_count,
    rounded_counts,
    rounded_value,
    step_of,
)
from hlt_bayes.ipd.disclosure.rules import Rules

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Status = Literal["shown", "few", "withheld", "does not apply"]

PEOPLE, PRESENT, ABSENT = "people", "present", "missing"

SAME_IN_A_CELL = ("site", "group", "arm", "synthetic")
"""Columns that are constant within a trial group and arm, or carry no information about people."""

LEAST_PRECISION = 0.25
"""Largest relative error, through rounding, of an SD that is shown."""

SURVEYS = ("answered", "answered_4_months")
"""Columns that say who answered: others are missing elsewhere."""

CELLS = tuple((group, arm) for group in GROUPS for arm in ARMS)


def describe_records(
    records: Records,
    *,
    rules: Rules | None = Rules(),  # noqa: B008 - it is frozen
    leave_out: float | None = None,
) -> pd.DataFrame:
    """Describe records by trial group and arm, under disclosure control.

    Identifiers are omitted. Counts are rounded at random and add up within a column; numbers and dates have a mean and
    an SD, for dates in days since the randomisation window opened. All that is shown, and whether it is shown, follows
    from numbers rounded at random, fixed by the records and their key: see ``hlt_bayes.ipd.disclosure.rules_table``.

    Parameters
    ----------
    records
        The individual records.
    rules
        Parameters of disclosure control; ``None`` for exact numbers, **which must not be released**.
    leave_out
        Share of people left out at random, as in ``hlt_bayes.fit_records``; nobody is left out of exact numbers.

    Returns
    -------
    pandas.DataFrame
        One row per column, value, group and arm: ``count`` and ``percent`` of all people of that group and arm, with
        a value or without; ``mean``, ``within`` (the mean of the values, top-coded, is within so much of it) and
        ``sd``; ``status``, ``"shown"``, ``"few"`` (fewer than ``rules.least_shown`` after rounding, or none),
        ``"withheld"`` or ``"does not apply"``. Numbers are missing where not shown. The first rows are the ``people``.

    Examples
    --------
    >>> import hlt_bayes as hb
    >>> table = hb.describe_records(hb.make_twin(n=600, seed=1).records)
    >>> bool((table["count"].dropna() % 5 == 0).all())
    True
    """
    if rules is not None:
        records = some_left_out(records, share=leave_out)
    frame = records.frame
    cell = frame["group"].cat.codes.to_numpy(int) * len(ARMS) + frame["arm"].cat.codes.to_numpy(int)
    people = np.bincount(cell, minlength=len(CELLS))
    names = [str(name) for name in frame if COLUMNS[str(name)].kind != "identifier" and name not in SAME_IN_A_CELL]
    rows = [_people_row(place, int(people[place]), rules) for place in range(len(CELLS))]
    places = [records.in_order(cell == place) for place in range(len(CELLS))]
    chances = [records.chances(cell == place) for place in range(len(CELLS))]
    for name in names:
        codes, labels = _coded(frame[name], COLUMNS[name])
        values = _numbers(frame[name], COLUMNS[name]) if PRESENT in labels else None
        for here, place in enumerate(places):
            one = _Described(name, CELLS[here], labels, codes[place], rules, chances[here])
            rows += one.rows(None if values is None else values[place])
    columns = ["column", "value", "group", "arm", "count", "percent", "mean", "within", "sd", "status"]
    found = pd.DataFrame(rows, columns=columns)
    return found.astype({"count": "Int64", **dict.fromkeys(("percent", "mean", "within", "sd"), float)})


def _people_row(place: int, people: int, rules: Rules | None) -> tuple[object, ...]:
    count: int | None = people
    if rules is not None:
        count = rules.base * (people // rules.base) if people >= rules.least_shown else None
    status: Status = "few" if count is None else "shown"
    return (PEOPLE, "", *CELLS[place], count, None, None, None, None, status)


class _Described:
    """One column in one trial group and arm."""

    def __init__(
        self,
        name: str,
        cell: tuple[str, str],
        labels: list[str],
        codes: Integers,
        rules: Rules | None,
        chance: Callable[[str], float],
    ) -> None:
        self.name, self.column, self.cell, self.labels = name, COLUMNS[name], cell, labels
        self.people, self.rules, self.chance = len(codes), rules, chance
        counts = np.bincount(codes, minlength=len(labels))
        if rules is None or self.people < rules.least_shown:
            self.counts = counts
        else:
            absent = codes == len(labels) - 1
            if name in SURVEYS:
                absent |= codes != labels.index("yes")
            order = _order(name, len(labels))
            self.counts = np.empty_like(counts)
            self.counts[order] = rounded_counts(
                counts[order], rules.base, self._chance("counts", absent if absent.any() else codes)
            )

    def _chance(self, what: str, of: npt.NDArray[np.generic]) -> float:
        """Chance that is the same for equal values ``of`` the people of a cell, in whichever column.

        Otherwise several roundings of one number, such as that of the people who did not answer, would tell it.
        """
        return self.chance(f"{what}, {hashlib.sha256(np.ascontiguousarray(of).tobytes()).hexdigest()}")

    def rows(self, values: Floats | None) -> list[tuple[object, ...]]:
        status = self._status()
        total = self.counts.sum()
        mean, within, sd = (None, None, None) if values is None or status[0] != "shown" else self._moments(values)
        rows: list[tuple[object, ...]] = []
        for place, label in enumerate(self.labels):
            shown = status[place] == "shown"
            count = int(self.counts[place]) if shown else None
            percent = 100.0 * self.counts[place] / total if shown and total else None
            moments = (mean, within, sd) if label == PRESENT else (None, None, None)
            rows.append((self.name, label, *self.cell, count, percent, *moments, status[place]))
        return rows

    def _status(self) -> list[Status]:
        """Decide what is shown from rounded counts alone, or the decision itself would tell exact ones."""
        group, arm = self.cell
        if self.column.people == "treatment" and arm == "control":
            return ["does not apply"] * len(self.labels)
        apply = [self.name != "provider" or PROVIDERS.get(label, SITES[group]) == SITES[group] for label in self.labels]
        if self.rules is None:
            return ["shown" if one else "does not apply" for one in apply]
        known = self.counts[:-1]
        least = self.rules.least_shown
        if self.people < least or (PRESENT not in self.labels and known.sum() - known.max() < least):
            return ["withheld"] * len(self.labels)
        return [
            "does not apply" if not one else "shown" if count >= least else "few"
            for one, count in zip(apply, self.counts, strict=True)
        ]

    def _moments(self, values: Floats) -> tuple[float | None, float | None, float | None]:
        """Mean, its largest error through rounding, and SD."""
        if self.rules is None:
            exact = pd.Series(values[np.isfinite(values)])
            return exact.mean(), 0.0, exact.std()
        lower, upper = _bounds(self.column)
        known = np.clip(values[np.isfinite(values)], lower, upper) - lower
        highest, shown = upper - lower, int(self.counts[0])
        # There are at least so many people with a value.
        fewest = shown - self.rules.base
        others = len(known) - int(np.unique(known, return_counts=True)[1].max())
        if rounded_count(others, self.rules.base, self._chance("others", known)) < self.rules.least_shown:
            return None, None, None
        step = step_of(highest / fewest)
        # Not beyond the range, where no mean can be.
        mean = min(rounded_value(float(known.mean()), step, self._chance("mean", known)), step * (highest // step))
        error = LARGEST_ERROR * step
        if fewest * (mean - error) < self.rules.least_total * highest:
            return None, None, None
        return (
            round(mean + lower, decimals_of(step)),
            error,
            self._sd(known, mean, error, highest=highest, fewest=fewest),
        )

    def _sd(self, known: Floats, mean: float, error: float, *, highest: float, fewest: int) -> float | None:
        """SD from the rounded mean and the rounded mean square about the middle of the range."""
        middle = highest / 2.0
        step = step_of(middle**2 / fewest)
        square = rounded_value(float(((known - middle) ** 2).mean()), step, self._chance("square", known))
        variance = square - (mean - middle) ** 2
        unsure = LARGEST_ERROR * step + error * (2.0 * abs(mean - middle) + error)
        # The relative error of an SD is about half that of the variance.
        if variance <= 0 or unsure > 2.0 * LEAST_PRECISION * variance:
            return None
        sd = float(np.sqrt(variance))
        return round(sd, 1 - int(np.floor(np.log10(sd))))


def _order(name: str, labels: int) -> Integers:
    """Order in which counts are summed and rounded: first the missing, who may be the same people in several columns.

    The last takes what the total loses by rounding. People who did not answer are missing elsewhere.
    """
    known = np.arange(labels - 1)
    return np.concatenate([[labels - 1], known[::-1] if name in SURVEYS else known])


def _bounds(column: Column) -> tuple[float, float]:
    """Lowest and highest value that enters a mean; for dates, in days since the window opened."""
    if column.kind == "date":
        return 0.0, float((pd.Timestamp(LAST_DAY) - pd.Timestamp(FIRST_DAY)).days)
    return column.lower, column.highest


def _coded(values: pd.Series, column: Column) -> tuple[Integers, list[str]]:
    """Position of each value among the labels, and the labels; the last is for missing values."""
    missing = values.isna().to_numpy(bool)
    if column.kind == "category":
        return np.where(missing, len(column.codes), values.cat.codes), [*column.codes, ABSENT]
    if column.kind == "flag":
        return np.where(missing, 2, ~values.fillna(value=False).to_numpy(bool)), ["yes", "no", ABSENT]
    return missing.astype(int), [PRESENT, ABSENT]


def _numbers(values: pd.Series, column: Column) -> Floats:
    """Values as numbers, missing ones as NaN; dates in days since the window opened."""
    numbers = (values - pd.Timestamp(FIRST_DAY)).dt.days if column.kind == "date" else values
    return np.asarray(numbers.astype("Float64").to_numpy(float, na_value=np.nan))
