"""The intruder of attacker.py with a solver: all counts, all roundings and all identities of a cell at once.

Unknown are the counts, the rounded counts that are not shown, and what decided up or down, of which the intruder knows
which columns share it. Each possible value is then a question to a mixed-integer program.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from hlt_bayes.ipd.data.schema import COLUMNS, MONTHS
from hlt_bayes.ipd.disclosure import Rules, describe_records
from hlt_bayes.ipd.disclosure.describe import SURVEYS, _order

UNBOUNDED = 100_000
INFEASIBLE, SOLVED = 2, 0
BELOW = 0.01
"""Stands for 'less than' in constraints, well above the tolerance of the solver."""


class Program:
    """A mixed-integer program, built variable by variable."""

    def __init__(self):
        self.lower, self.upper, self.integer, self.rows, self.least, self.most = [], [], [], [], [], []

    def variable(self, lower, upper, *, integer=True):
        self.lower.append(lower)
        self.upper.append(upper)
        self.integer.append(int(integer))
        return len(self.lower) - 1

    def constrain(self, terms, least, most):
        self.rows.append(terms)
        self.least.append(least)
        self.most.append(most)

    def solve(self, cost=None, sign=1, fixed=None):
        """Minimise ``sign`` times a variable, with others ``fixed``."""
        places = [(row, place, weight) for row, terms in enumerate(self.rows) for place, weight in terms.items()]
        rows, columns, weights = zip(*places, strict=True)
        matrix = coo_array((weights, (rows, columns)), shape=(len(self.rows), len(self.lower))).tocsr()
        costs, lower, upper = np.zeros(len(self.lower)), np.array(self.lower, float), np.array(self.upper, float)
        if cost is not None:
            costs[cost] = sign
        for place, value in (fixed or {}).items():
            lower[place] = upper[place] = value
        found = milp(
            costs,
            constraints=LinearConstraint(matrix, self.least, self.most),
            integrality=self.integer,
            bounds=Bounds(lower, upper),
        )
        assert found.status in (SOLVED, INFEASIBLE), found.message
        return found


def stated(program: Program, table: pd.DataFrame, people: int, rules: Rules, alike):
    """State what a description says of one cell; return the variable of each count, by column and value.

    ``alike`` names the columns that share what decided up or down, by a name of their own: the intruder knows them.
    """
    total, shared, counts = rules.base * (people // rules.base), {}, {}
    for name, rows in table[table["column"] != "people"].groupby("column", sort=False):
        if "does not apply" in set(rows["status"]):
            continue
        own = [program.variable(0, people) for _ in rows["value"]]
        counts[name] = dict(zip(rows["value"], own, strict=True))
        program.constrain(dict.fromkeys(own, 1), people, people)
        if "withheld" not in set(rows["status"]):
            if alike[name] not in shared:
                shared[alike[name]] = program.variable(0, 1, integer=False)
            _rounded(program, name, rows, own, shared[alike[name]], total=total, rules=rules)
    _identities(program, table, counts, people, rules)
    return counts


def _rounded(program, name, rows, own, chance, *, total, rules):
    """State how the counts of a column were rounded: running sums, up or down by one chance, up to the total."""
    base, shown = rules.base, rows["count"].fillna(-1).astype(int).tolist()
    few = (rules.least_shown - base) // base
    rounded = [program.variable(*((one // base,) * 2 if one >= 0 else (0, few))) for one in shown]
    program.constrain(dict.fromkeys(rounded, 1), total // base, total // base)
    order = _order(name, len(own)).tolist()
    for end in range(1, len(order)):
        terms = {chance: base}
        for place in order[:end]:
            terms |= {own[place]: 1, rounded[place]: -base}
        # A sum that reached the total may have been cut off there.
        may_be_cut = all(shown[place] < 0 for place in order[end:])
        program.constrain(terms, 0, UNBOUNDED if may_be_cut else base - BELOW)


def _identities(program, table, counts, people, rules):
    if "answered" in counts:
        for name, own in counts.items():
            if COLUMNS[name].people == "respondents":
                program.constrain({own["missing"]: -1, counts["answered"]["yes"]: -1}, -UNBOUNDED, -people)
    if {"working", "working_16_hours"} <= set(counts):
        terms = {counts["working_16_hours"]["yes"]: 1, counts["working"]["yes"]: -1}
        program.constrain(terms, -UNBOUNDED, 0)
    worked = {counts[f"employed_month_{month}"]["yes"]: 1 for month in MONTHS}
    program.constrain(worked | {counts["employed_13_weeks"]["yes"]: -3}, 0, UNBOUNDED)
    months = table[(table["column"] == "months_employed") & (table["value"] == "present")].iloc[0]
    if pd.notna(months["mean"]):
        least = (months["count"] - rules.base) * (months["mean"] - months["within"])
        program.constrain(worked, max(0.0, least), people * (months["mean"] + months["within"]) + BELOW)


def columns_alike(records, cell):
    """Which columns share what decides up or down in a cell: those in which the same people are missing."""
    frame = records.frame
    here = frame[(frame["group"] == cell[0]) & (frame["arm"] == cell[1])]
    absent = {name: ~here[name].fillna(value=False) if name in SURVEYS else here[name].isna() for name in here}
    return {name: tuple(one) if one.any() else name for name, one in absent.items()}


def hidden_counts(records, description, people, cell, rules=Rules()):  # noqa: B008 - it is frozen
    """How many values each hidden count of a cell may have, by column and value."""
    table, program = _of_cell(description, cell), Program()
    counts = stated(program, table, people, rules, columns_alike(records, cell))
    few = table[table["status"] == "few"]
    return {
        (name, value): round(-program.solve(place, -1).fun) - round(program.solve(place, 1).fun) + 1
        for name, value in zip(few["column"], few["value"], strict=True)
        if name in counts
        for place in [counts[name][value]]
    }


def values_of_person_removed(records, rest, people, cell, rules=Rules()):  # noqa: B008 - it is frozen
    """Which values the person who is in the first records only may have, by column, after a description of both."""
    program = Program()
    first, second = (
        stated(program, _of_cell(describe_records(one), cell), number, rules, columns_alike(one, cell))
        for one, number in ((records, people), (rest, people - 1))
    )
    had = {}
    for name in first:
        had[name] = {value: program.variable(0, 1) for value in first[name]}
        program.constrain(dict.fromkeys(had[name].values(), 1), 1, 1)
        for value, place in had[name].items():
            program.constrain({first[name][value]: 1, second[name][value]: -1, place: -1}, 0, 0)
    return {
        name: {value for value, place in values.items() if program.solve(fixed={place: 1}).status == SOLVED}
        for name, values in had.items()
    }


def _of_cell(description, cell):
    return description[(description["group"] == cell[0]) & (description["arm"] == cell[1])]
