"""Subgroup effects: departures from the impact in the whole trial group, partially pooled.

Each trial group and level of a variable has a departure ~ Normal(0, SD of the variable), centred over the people of the
group so that the effect of the group remains the mean over its people. Groups share the SD of a variable. Levels are
also covariates, so that differences common to both arms are not taken for differences in impact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.vocabulary import ARMS
from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.ipd.data import COLUMNS, Records
from hlt_bayes.ipd.models.design_matrix import AT_RANDOMISATION, People, groups_of
from hlt_bayes.ipd.models.pymc_data import model_data
from hlt_bayes.specs import IndividualSpec, Split, Subgroup, Thirds
from hlt_bayes.specs.priors import Family

if TYPE_CHECKING:
    import pandas as pd
    from pytensor.tensor import TensorVariable

Array = np.ndarray

THIRDS = ("lowest third", "middle third", "highest third")


@dataclass(frozen=True, repr=False)
class Levels:
    """Levels of all variables in sequence: ``labels`` such as 'gender: Male', ``variable`` {level} its position.

    ``codes`` {person, variable} are positions among the levels; -1 if unknown.
    """

    variables: list[str]
    labels: list[str]
    variable: Array
    codes: Array


def levels_of(records: Records, spec: IndividualSpec) -> Levels | None:
    """Assign people to the subgroups of a spec; ``None`` if it has none.

    Raises
    ------
    RecordsError
        A column is missing.
    SpecError
        A column cannot be divided as the spec states.
    """
    if spec.subgroups is None:
        return None
    variables, codes = list(spec.subgroups), []
    labels: list[str] = []
    of_variable: list[int] = []
    for position, (name, stated) in enumerate(spec.subgroups.items()):
        names, code = _cut(records, spec, name, stated)
        codes.append(np.where(code >= 0, code + len(labels), -1))
        labels += [f"{name}: {level}" for level in names]
        of_variable += [position] * len(names)
    return Levels(variables, labels, np.array(of_variable), np.column_stack(codes))


def _cut(records: Records, spec: IndividualSpec, name: str, stated: Subgroup) -> tuple[list[str], Array]:
    kinds = {"codes": ("category", "flag"), "thirds": ("number", "count"), "split": ("date",)}[stated.method]
    allowed = [column for column in (*AT_RANDOMISATION, "randomised") if COLUMNS[column].kind in kinds]
    if stated.column not in allowed:
        raise SpecError(f"spec {spec.name!r}, key 'subgroups.{name}.column': {unknown_name(stated.column, allowed)}")
    frame = records.columns(["group", stated.column])
    if isinstance(stated, Thirds):
        return list(THIRDS), _thirds(frame, stated.column)
    if isinstance(stated, Split):
        days = frame[stated.column].to_numpy("datetime64[D]")
        return [f"before {stated.at}", f"from {stated.at}"], (days >= np.datetime64(stated.at)).astype(int)
    column = frame[stated.column]
    if column.dtype == "boolean":
        return ["no", "yes"], column.astype("Int8").fillna(-1).to_numpy(dtype=np.int64)
    # All codes, as the list of those that occur would tell of single people.
    return [str(code) for code in column.cat.categories], column.cat.codes.to_numpy().astype(int)


def _thirds(frame: pd.DataFrame, column: str) -> Array:
    values = frame[column].to_numpy(dtype=float, na_value=np.nan)
    code = np.full(len(values), -1)
    for rows in frame.groupby("group", observed=True).indices.values():
        cuts = np.nanquantile(values[rows], [1 / 3, 2 / 3])
        code[rows] = np.where(np.isfinite(values[rows]), np.searchsorted(cuts, values[rows], side="right"), -1)
    return code


def people_at_levels(records: Records, levels: Levels, outcome: str) -> Array:
    """Count the people {group, level} with an observed ``outcome`` (a column) in the smaller arm."""
    frame = records.columns(["group", "arm", outcome])
    groups, seen = groups_of(frame), frame[outcome].notna().to_numpy()
    found = np.zeros((2, len(groups), len(levels.labels)), dtype=int)
    for arm, name in enumerate(ARMS):
        for position, group in enumerate(groups):
            rows = seen & (frame["arm"] == name).to_numpy() & (frame["group"] == group).to_numpy()
            codes = levels.codes[rows]
            found[arm, position] = np.bincount(codes[codes >= 0], minlength=len(levels.labels))
    return np.asarray(found.min(axis=0))


def shown_levels(people: Array, levels: Levels, *, fewest: int) -> Array:
    """Mark the subgroups {group, level} whose impact may be shown.

    Those of ``fewest`` ``people`` {group, level} or more; but where only one level of a variable would be withheld in a
    trial group, the next smallest is, too: the impact on the whole group is their mean.
    """
    shown = people >= fewest
    for variable in range(len(levels.variables)):
        own = np.flatnonzero(levels.variable == variable)
        for group in np.flatnonzero((~shown[:, own]).sum(axis=1) == 1):
            left = own[shown[group, own]]
            if len(left):
                shown[group, left[people[group, left].argmin()]] = False
    return np.asarray(shown)


def members(people: People, levels: Levels) -> Array:
    """Indicate membership {profile, level}: 1 at that level, else 0."""
    codes = levels.codes[people.first]
    found = np.zeros((len(codes), len(levels.labels)))
    for column in codes.T:
        here = np.flatnonzero(column >= 0)
        found[here, column[here]] = 1.0
    return found


def departures(people: People, levels: Levels, prior: Family) -> TensorVariable:
    """Add the departures {group, level} of the effect to the model in context; ``prior`` is for each variable's SD."""
    import pymc as pm
    import pytensor.tensor as pt

    model = pm.modelcontext(None)
    model.add_coords({"variable": levels.variables, "level": levels.labels})
    sd = prior_variable("subgroup_sd", dict.fromkeys(levels.variables, prior), dim="variable")
    z = pm.Normal("subgroup_z", 0.0, 1.0, dims=("group", "level"))
    own = z * sd[levels.variable][None, :]
    share = people.profiles.weights @ members(people, levels)
    same = (levels.variable[:, None] == levels.variable).astype(float)
    centred = own - pt.dot(own * share, same) / np.maximum(share @ same, 1e-12)
    return pm.Deterministic("subgroup_departure", centred, dims=("group", "level"))


def subgroup_impact(people: People, gained: TensorVariable, member: TensorVariable) -> TensorVariable:
    """Impact {group, level} standardised over the people of each trial group at each level; 0 if there are none."""
    import pytensor.tensor as pt

    weights = model_data("weights", people.profiles.weights)
    return pt.dot(weights * gained[None, :], member) / pt.maximum(pt.dot(weights, member), 1e-12)
