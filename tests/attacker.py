"""An intruder with a description of records, the rules, and the number of people in each trial group and arm.

The intruder knows all that is public: how numbers are rounded, which columns add up to which, and, of two descriptions,
whose record is missing from the second: that person's trial group and arm. A claim is something that the intruder can
be certain of: a number of 1 to 9 people, what nearly everybody of a cell has in common, or a value of one person.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hlt_bayes.ipd.data import COLUMNS
from hlt_bayes.ipd.data.schema import MONTHS
from hlt_bayes.ipd.disclosure import Rules

MONEY = ("earnings", *(f"earnings_month_{month}" for month in MONTHS))
CLOSE = 0.1
"""A value is given away if it is known to within a tenth of it, or of the range of the column."""

FEW = 10


@dataclass(frozen=True)
class Claim:
    """What an intruder is certain of: by which ``attack``, of which column, cell and value; ``low`` to ``high``."""

    attack: str
    column: str
    cell: tuple[str, str]
    value: str
    low: float
    high: float


@dataclass
class Cell:
    """What one cell of a description leaves possible: ``counts`` by column and value, each from ``low`` to ``high``."""

    people: int
    rows: dict[str, pd.DataFrame]
    counts: dict[tuple[str, str], list[int]]

    def moments(self, name):
        """Mean, its largest error, and SD; None if not shown."""
        row = self.rows[name].iloc[0]
        return None if pd.isna(row["mean"]) else (row["mean"], row["within"], row["sd"])


def cells_of(description: pd.DataFrame, people: dict[tuple[str, str], int], rules: Rules | None) -> dict:
    """Read a description, cell by cell, and narrow down every count by sums of columns and the schema's identities."""
    found = {}
    for cell, table in description[description["column"] != "people"].groupby(["group", "arm"], sort=False):
        rows = dict(iter(table.groupby("column", sort=False)))
        one = Cell(people[cell], rows, {})
        for name, column in rows.items():
            one.counts |= _possible(name, column, people[cell], rules)
        _narrow(one)
        found[cell] = one
    return found


def _possible(name: str, column: pd.DataFrame, people: int, rules: Rules | None) -> dict[tuple[str, str], list[int]]:
    """Least and largest number of people of each value, by the rules alone."""
    labels, status = list(column["value"]), list(column["status"])
    if rules is None:
        known = column["count"].fillna(0).astype(int)
        return {(name, label): [count, count] for label, count in zip(labels, known, strict=True)}
    if "withheld" in status or set(status) == {"does not apply"}:
        return {(name, label): [0, people] for label in labels}
    base, total = rules.base, rules.base * (people // rules.base)
    shown = column["count"].fillna(0).astype(int)
    hidden = status.count("few")
    left = total - int(shown.sum())
    found = {}
    for label, one, count in zip(labels, status, shown, strict=True):
        if one == "does not apply":
            low, high = 0, 0
        elif one == "shown":
            low, high = count, count
        else:
            low, high = (left, left) if hidden == 1 else (0, min(left, rules.least_shown - base))
        # The last value in the order of rounding takes what the total loses.
        last = labels[0] if name.startswith("answered") else labels[-2]
        lost = people - total if label == last else 0
        found[name, label] = [max(0, low - base + 1), high + base - 1 + lost if one != "does not apply" else 0]
    return found


def _narrow(cell: Cell) -> None:
    """Tighten the bounds of all counts by linear constraints until nothing changes."""
    constraints = []
    for name, rows in cell.rows.items():
        constraints.append(({(name, label): 1 for label in rows["value"]}, cell.people, cell.people))
        if COLUMNS[name].people == "respondents" and ("answered", "yes") in cell.counts:
            value = "present" if (name, "present") in cell.counts else "missing"
            if value == "present":
                constraints.append(({(name, "present"): 1, ("answered", "yes"): -1}, -math.inf, 0))
            else:
                constraints.append(({(name, "missing"): -1, ("answered", "yes"): -1}, -math.inf, -cell.people))
    months = [f"employed_month_{month}" for month in MONTHS]
    if set(months) <= set(cell.rows) and "months_employed" in cell.rows:
        known = cell.moments("months_employed")
        if known is not None:
            mean, within, _ = known
            least, most = cell.counts["months_employed", "present"]
            total = {(month, "yes"): 1 for month in months}
            constraints.append((total, least * (mean - within) - 1e-6, most * (mean + within) + 1e-6))
        if ("employed_13_weeks", "yes") in cell.counts:
            total = {(month, "yes"): 1 for month in months} | {("employed_13_weeks", "yes"): -3}
            constraints.append((total, 0, math.inf))
    changed = True
    while changed:
        changed = False
        for terms, least, most in constraints:
            changed |= _tighten(cell.counts, terms, least, most)


def _tighten(counts: dict, terms: dict, least: float, most: float) -> bool:
    ends = {key: sorted(weight * end for end in counts[key]) for key, weight in terms.items()}
    low, high = (sum(pair[place] for pair in ends.values()) for place in (0, 1))
    changed = False
    for key, weight in terms.items():
        own = ends[key]
        bounds = ((least - (high - own[1])) / weight, (most - (low - own[0])) / weight)
        floor, ceiling = min(bounds), max(bounds)
        before = list(counts[key])
        if math.isfinite(floor):
            counts[key][0] = max(counts[key][0], math.ceil(floor - 1e-9))
        if math.isfinite(ceiling):
            counts[key][1] = min(counts[key][1], math.floor(ceiling + 1e-9))
        changed |= before != counts[key]
    return changed


def people_found(description: pd.DataFrame, people: dict[tuple[str, str], int], rules: Rules | None) -> list[Claim]:
    """Claims from one description: subtraction and identities, nearly everybody, and dominance."""
    claims = []
    for cell, one in cells_of(description, people, rules).items():
        for (name, label), (low, high) in one.counts.items():
            if low == high and 0 < low < FEW:
                claims.append(Claim("subtraction", name, cell, label, low, high))
            if label not in ("missing", "present"):
                others = sum(one.counts[name, other][1] for other in one.rows[name]["value"] if other != label)
                if one.people and min(others, one.people - low) < FEW:
                    claims.append(Claim("everybody", name, cell, label, low, high))
        claims += [claim for name in one.rows if (claim := _dominant(one, name, cell)) is not None]
    return claims


def _dominant(one: Cell, name: str, cell: tuple[str, str]) -> Claim | None:
    """The one value that makes up a total: by mean and SD alone, or where only one person has any."""
    if name not in MONEY or one.moments(name) is None:
        return None
    mean, within, sd = one.moments(name)
    least, most = one.counts[name, "present"]
    low, high = least * max(0.0, mean - within), most * (mean + within)
    if low <= 0 or high - low > CLOSE * low:
        return None
    if name != "earnings" and one.counts.get((name.replace("earnings", "employed"), "yes"), [0, 99])[1] == 1:
        return Claim("dominance", name, cell, "present", low, high)
    if not np.isnan(sd):
        # The number of equal values that would have this mean and SD.
        equal = most * mean**2 / (mean**2 + sd**2 * (most - 1) / most)
        if equal < 1 + CLOSE:
            return Claim("dominance", name, cell, "present", low, high)
    return None


def person_removed(
    before: pd.DataFrame,
    after: pd.DataFrame,
    people: dict[tuple[str, str], int],
    cell: tuple[str, str],
    rules: Rules | None,
) -> list[Claim]:
    """Claims on the one person of ``cell`` who is in the first description only; ``people`` are those of the first."""
    fewer = people | {cell: people[cell] - 1}
    first, second = (
        cells_of(table[(table["group"] == cell[0]) & (table["arm"] == cell[1])], known, rules)[cell]
        for table, known in ((before, people), (after, fewer))
    )
    claims = []
    for name in first.rows:
        labels = list(first.rows[name]["value"])
        possible = [label for label in labels if _may_be(first, second, name, label)]
        if len(possible) == 1 and len(labels) > 1 and "present" not in labels:
            claims.append(Claim("differencing", name, cell, possible[0], 1, 1))
        claim = _value_removed(first, second, name, cell)
        if claim is not None:
            claims.append(claim)
    return claims


def _may_be(first: Cell, second: Cell, name: str, label: str) -> bool:
    """Whether the person may have had this value, column by column."""
    low, high = 0, 0
    for other in first.rows[name]["value"]:
        own = int(other == label)
        least = max(first.counts[name, other][0], second.counts[name, other][0] + own)
        most = min(first.counts[name, other][1], second.counts[name, other][1] + own)
        if least > most:
            return False
        low, high = low + least, high + most
    return low <= first.people <= high


def _value_removed(first: Cell, second: Cell, name: str, cell: tuple[str, str]) -> Claim | None:
    """The value of the person, if both means are shown and the number of values is known well enough."""
    if "present" not in set(first.rows[name]["value"]) or None in (first.moments(name), second.moments(name)):
        return None
    column = COLUMNS[name]
    span = column.highest - column.lower if column.kind != "date" else 548.0
    origin = column.lower if column.kind != "date" else 0.0
    lows, highs = [], []
    for number in range(first.counts[name, "present"][0], first.counts[name, "present"][1] + 1):
        if not second.counts[name, "present"][0] <= number - 1 <= second.counts[name, "present"][1]:
            continue
        (mean, within, _), (other, other_within, _) = first.moments(name), second.moments(name)
        value = number * mean - (number - 1) * other
        error = number * within + (number - 1) * other_within
        lows.append(value - error)
        highs.append(value + error)
    if not lows:
        return None
    low, high = min(lows), max(highs)
    if first.moments(name)[1]:
        # Rounded means are of values within the range.
        low, high = max(origin, low), min(origin + span, high)
    if high - low > CLOSE * span:
        return None
    return Claim("differencing", name, cell, "present", low, high)


def counted(records) -> dict[tuple[str, str], int]:
    """Number of people in each trial group and arm, which is published."""
    sizes = records.frame.groupby(["group", "arm"], observed=False).size()
    return {(str(group), str(arm)): int(size) for (group, arm), size in sizes.items()}


def changed_alone(before: pd.DataFrame, after: pd.DataFrame, cell: tuple[str, str]) -> dict[str, str]:
    """Columns in which one count fell and none rose: the value that somebody would guess the person removed to have."""
    key = ["column", "value", "group", "arm"]
    both = before.merge(after, on=key, suffixes=("", "_after"))
    here = both[(both["group"] == cell[0]) & (both["arm"] == cell[1]) & (both["column"] != "people")]
    found = {}
    for name, rows in here.groupby("column", sort=False):
        change = (rows["count"] - rows["count_after"]).fillna(0).to_numpy(int)
        if "present" not in set(rows["value"]) and (change > 0).sum() == 1 and (change >= 0).all():
            found[str(name)] = str(rows["value"].iloc[int(change.argmax())])
    return found
