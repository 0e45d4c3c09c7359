"""Design matrix of one regression from the records, with people of identical covariates grouped together.

A *profile* is the information on a person apart from the arm: trial group, covariates, subgroups, specialist. A *cell*
is the people of one profile and arm whose outcome was observed. If all covariates are categorical there are far fewer
cells than people, and the likelihood needs only their counts and sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.core.errors import RecordsError, SpecError, unknown_name
from hlt_bayes.core.vocabulary import GROUPS, SURVEY_OUTCOMES
from hlt_bayes.ipd.data import COLUMNS, Records
from hlt_bayes.ipd.data.schema import BASELINE, SCALES_AT_START
from hlt_bayes.ipd.disclosure import Rules
from hlt_bayes.ipd.disclosure.contributions import rests_on_few
from hlt_bayes.specs import IndividualSpec, OutcomeName

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray

OUTCOME_COLUMNS = {"employment": "employed_13_weeks", "earnings": "earnings", "health": "eq5d", "wellbeing": "swemwbs"}
"""Column of each primary outcome (synthesis report, Table 6.3)."""

LEAST_VARIANCE = 1e-8
"""Principal components of the standardised covariates with a smaller variance are dropped as collinear."""

AT_RANDOMISATION = (*BASELINE, *SCALES_AT_START, "provider", "referral_route")
"""Columns settled at randomisation, for which a regression may adjust."""

MOST_COUNTED = 10_000_000
"""Largest key up to which distinct values are found by counting rather than sorting."""

RARE = 50
"""Levels of a covariate with fewer people are merged with the commonest level, as they carry little information."""

RULES = Rules()
"""Rules of disclosure control for estimates and fits."""

FEWEST = RULES.fewest
"""Smallest number of people with an observed outcome in each arm of a trial group."""


@dataclass(frozen=True, repr=False)
class Profiles:
    """Profiles of people: ``group`` {profile} is a position in ``groups``, ``people`` {profile} their number.

    ``covariates`` {profile, covariate} are centred within groups and then made uncorrelated, with SD 1 over all people.
    ``treated_share`` {group} is the share of people randomised to treatment.
    """

    groups: list[str]
    group: Array
    people: Array
    covariates: Array
    treated_share: Array

    @property
    def weights(self) -> Array:
        """Share {group, profile} of each profile among the people of each group."""
        table = np.zeros((len(self.groups), len(self.group)))
        table[self.group, np.arange(len(self.group))] = self.people
        return table / table.sum(axis=1, keepdims=True)

    @property
    def columns(self) -> int:
        """Number of coefficients: an intercept and an effect per group, and the covariates."""
        return 2 * len(self.groups) + int(self.covariates.shape[1])

    def matrix(self, profile: Array, treated: Array | float) -> Array:
        """Design matrix {row, coefficient}: intercepts, covariates, effects.

        Treatment is centred at its share in the group, so that intercepts and effects are nearly uncorrelated.
        """
        own = np.eye(len(self.groups))[self.group[profile]]
        step = np.asarray(treated) - self.treated_share[self.group[profile]]
        return np.column_stack([own, self.covariates[profile], own * step[:, None]])


@dataclass(frozen=True, repr=False)
class Cells:
    """People of one profile and arm whose outcome was observed, as counts and sums.

    ``total`` {cell} is the sum of the outcome, ``total_log`` that of its log, empty unless all outcomes are above 0.
    """

    profile: Array
    treated: Array
    people: Array
    total: Array
    total_log: Array


@dataclass(frozen=True, repr=False)
class Moments:
    """Cross-products of a linear regression: X'X {coefficient, coefficient}, X'y {coefficient}, y'y, and people."""

    gram: Array
    cross: Array
    square: float
    people: int


@dataclass(frozen=True, repr=False)
class People:
    """One outcome, person by person: ``profile``, ``treated`` and ``outcome`` (missing if not observed).

    ``first`` {profile} is the first person of each profile.
    """

    profiles: Profiles
    first: Array
    profile: Array
    treated: Array
    outcome: Array

    def cells(self, chosen: Array, *, outcome: Array | None = None) -> Cells:
        """Aggregate the ``chosen`` people by profile and arm; ``outcome`` {person} replaces their own."""
        values = (self.outcome if outcome is None else outcome)[chosen]
        key = self.profile[chosen] * 2 + self.treated[chosen].astype(int)
        size = 2 * len(self.profiles.group)
        people = np.bincount(key, minlength=size)
        filled = np.flatnonzero(people)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(values)
        return Cells(
            profile=filled // 2,
            treated=(filled % 2).astype(float),
            people=people[filled].astype(float),
            total=np.bincount(key, weights=values, minlength=size)[filled],
            total_log=np.bincount(key, weights=logs, minlength=size)[filled] if (values > 0).all() else np.empty(0),
        )

    def moments(self, chosen: Array, values: Array, *, levels: Array | None = None) -> Moments:
        """Cross-products of the regression of ``values`` {chosen person}, computed in blocks.

        With subgroup membership ``levels`` {profile, level}, the effect at each level in each group is a column, too.
        """
        positions, size = np.flatnonzero(chosen), self.profiles.columns
        if levels is not None:
            size += len(self.profiles.groups) * levels.shape[1]
        gram, cross = np.zeros((size, size)), np.zeros(size)
        for start in range(0, len(positions), 65536):
            block = positions[start : start + 65536]
            x = self.profiles.matrix(self.profile[block], self.treated[block])
            if levels is not None:
                own = x[:, -len(self.profiles.groups) :, None] * levels[self.profile[block], None, :]
                x = np.column_stack([x, own.reshape(len(block), -1)])
            gram += x.T @ x
            cross += x.T @ values[start : start + 65536]
        return Moments(gram, cross, float(values @ values), len(positions))


def people_of(
    records: Records,
    spec: IndividualSpec,
    outcome: OutcomeName,
    *,
    factors: Sequence[Array] = (),
    extra: Sequence[Array] = (),
) -> People:
    """Extract the data for the regression of one outcome from the records.

    ``factors`` {person} are integer codes whose levels are covariates in addition to those of the spec; ``extra``
    {person} distinguish profiles but are not covariates.

    Raises
    ------
    RecordsError
        A column is missing, an arm of a trial group has fewer than ten people with an observed outcome, or its mean
        would tell of single people.
    SpecError
        A covariate is unknown or is not one of ``AT_RANDOMISATION``.
    """
    names = list(spec.covariates[outcome])
    refuse_covariates(names, spec, outcome)
    column = OUTCOME_COLUMNS[outcome]
    frame = records.columns(["group", "arm", column, *names])
    groups = groups_of(frame)
    group = frame["group"].cat.set_categories(groups).cat.codes.to_numpy().astype(int)
    treated = (frame["arm"] == "treatment").to_numpy()
    values = frame[column].astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    _refuse_few(group, treated, values, groups, outcome)
    profile, first = _profiles([group, *factors, *extra], frame[names])
    counts = np.bincount(profile)
    levels = [factor[first] for factor in factors]
    design = _covariates(frame[names].iloc[first], group[first], counts, len(groups), levels)
    share = np.bincount(group, weights=treated) / np.bincount(group)
    profiles = Profiles(groups, group[first], counts, design, share)
    return People(profiles, first, profile, treated.astype(float), values)


def groups_of(frame: pd.DataFrame) -> list[str]:
    """List the trial groups in the records, in the reports' order."""
    return [name for name in GROUPS if (frame["group"] == name).any()]


def refuse_covariates(names: Sequence[str], spec: IndividualSpec, outcome: str) -> None:
    """Raise if a covariate is not one of ``AT_RANDOMISATION``."""
    for name in names:
        if name not in AT_RANDOMISATION:
            key = f"spec {spec.name!r}, key 'covariates.{outcome}'"
            if name in COLUMNS:
                raise SpecError(
                    f"{key}: {name!r} cannot be a covariate; allowed: characteristics and scales at baseline, "
                    "'provider' and 'referral_route'"
                )
            raise SpecError(f"{key}: {unknown_name(name, AT_RANDOMISATION)}")


def _refuse_few(group: Array, treated: Array, values: Array, groups: list[str], outcome: OutcomeName) -> None:
    """Raise if an arm of a trial group has fewer than ``FEWEST`` ``values``, or their mean would tell of single people.

    Raises
    ------
    RecordsError
        The message says why.
    """
    for position, name in enumerate(groups):
        for arm, of_arm in (("treatment", treated), ("control", ~treated)):
            here = values[of_arm & (group == position) & np.isfinite(values)]
            if len(here) < FEWEST:
                raise RecordsError(
                    f"{outcome} was observed for fewer than {FEWEST} people of {name} in {arm}; remove the group from "
                    "the records, or the outcome from the spec"
                )
            problem = rests_on_few(here, RULES, of_money=outcome == "earnings")
            if problem:
                raise RecordsError(
                    f"{outcome} of {name} in {arm}: {problem}, so that results would tell of single people; remove the "
                    "group from the records, or the outcome from the spec"
                )


def _profiles(keys: Sequence[Array], frame: pd.DataFrame) -> tuple[Array, Array]:
    """Return each person's profile, and the first person of each profile.

    If a covariate is numeric, each person is a profile.
    """
    if any(COLUMNS[str(name)].kind in ("number", "count") for name in frame):
        return np.arange(len(frame)), np.arange(len(frame))
    combined = np.zeros(len(frame), dtype=np.int64)
    for key in [*keys, *(_codes(frame[name]) for name in frame)]:
        # Renumbered each time, so that no product of many columns overflows.
        combined = _renumbered(combined * (key.max() + 1) + key)
    first = np.empty(combined.max() + 1, dtype=np.int64)
    first[combined[::-1]] = np.arange(len(combined))[::-1]
    return combined, first


def _renumbered(key: Array) -> Array:
    """Renumber the distinct values from 0 in their order, by counting rather than sorting if they are small."""
    if key.max() > MOST_COUNTED:
        return np.asarray(np.unique(key, return_inverse=True)[1])
    occurs = np.zeros(key.max() + 1, dtype=bool)
    occurs[key] = True
    return np.asarray((np.cumsum(occurs) - 1)[key])


def _codes(column: pd.Series) -> Array:
    """Return the category codes of a column, 0 for missing."""
    if column.dtype == "boolean":
        return column.astype("Int8").fillna(-1).to_numpy(dtype=np.int64) + 1
    return column.cat.codes.to_numpy().astype(np.int64) + 1


def _covariates(frame: pd.DataFrame, group: Array, people: Array, groups: int, levels: Sequence[Array]) -> Array:
    """Covariates {profile, covariate}: centred within groups, then made uncorrelated with SD 1 over all people."""
    columns: list[Array] = []
    for name in frame:
        if COLUMNS[str(name)].kind in ("number", "count"):
            columns += _numbers(frame[name].to_numpy(dtype=float, na_value=np.nan), group, people, groups)
        else:
            columns += _categories(_codes(frame[name]), people)
    for codes in levels:
        columns += _categories(codes, people)
    if not columns:
        return np.empty((len(frame), 0))
    matrix = np.column_stack(columns)
    size = np.abs(matrix).max(axis=0)
    weight = np.bincount(group, weights=people, minlength=groups)
    for position in range(matrix.shape[1]):
        matrix[:, position] -= (np.bincount(group, weights=people * matrix[:, position], minlength=groups) / weight)[
            group
        ]
    sd = np.sqrt(people @ matrix**2 / people.sum())
    varies = sd > LEAST_VARIANCE * size
    matrix = matrix[:, varies] / sd[varies]
    values, vectors = np.linalg.eigh((matrix * people[:, None]).T @ matrix / people.sum())
    kept = values > LEAST_VARIANCE
    return np.asarray(matrix @ (vectors[:, kept] / np.sqrt(values[kept])))


def _categories(codes: Array, people: Array) -> list[Array]:
    number = np.bincount(codes, weights=people)
    others = (number >= RARE) & (np.arange(len(number)) != number.argmax())
    return [(codes == code).astype(float) for code in np.flatnonzero(others)]


def _numbers(values: Array, group: Array, people: Array, groups: int) -> list[Array]:
    """Impute the trial group's mean and add a missingness indicator, which is unbiased under randomisation."""
    missing = ~np.isfinite(values)
    if not missing.any():
        return [values]
    known = np.where(missing, 0.0, values)
    weight = np.where(missing, 0, people)
    mean = np.bincount(group, weights=weight * known, minlength=groups) / np.maximum(
        np.bincount(group, weights=weight, minlength=groups), 1
    )
    return [np.where(missing, mean[group], values), missing.astype(float)]


def in_control_sds(people: People, outcome: OutcomeName) -> tuple[Array, float, float]:
    """Outcome {person} standardised by the mean and SD of the controls who answered; and that mean and SD."""
    if outcome not in SURVEY_OUTCOMES:
        raise ValueError(f"{outcome} is not standardised")
    controls = people.outcome[(people.treated == 0) & np.isfinite(people.outcome)]
    mean, sd = float(controls.mean()), float(controls.std(ddof=1))
    return (people.outcome - mean) / sd, mean, sd
