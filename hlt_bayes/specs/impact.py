"""Specification of an impact model, read from ``models/impact/*.toml``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from hlt_bayes.core.toml import Finite, Frozen, Positive, Words
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.specs.load import Spec, SpecKind, read_spec
from hlt_bayes.specs.priors import Family, NormalPrior, Prior, Reasoned, ScalePrior, Sourced

OutcomeName = Literal["employment", "earnings", "health", "wellbeing"]
GroupName = Words
SampleName = Literal["recruits", "12-month survey sample"]
SEED_END = 2**63
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(gt=0, le=1_000_000)]
Eta = Annotated[float, Field(ge=0.1, le=1000)]

KEYS_OF_STRUCTURES = {
    "pooled": ("priors.tau",),
    "no-pooling": (),
    "complete-pooling": (),
    "sites": ("priors.tau", "priors.site", "priors.in_work", "in_work"),
    "moderators": ("priors.tau", "priors.slope", "moderators"),
    "joint": ("priors.tau", "joint"),
}
"""Keys that each structure requires in addition to ``priors.mu``; the others are not allowed."""


class Priors(Frozen):
    """Priors of the impacts, by parameter and outcome; ``KEYS_OF_STRUCTURES`` lists those that a structure needs."""

    mu: dict[OutcomeName, Prior]
    tau: dict[OutcomeName, ScalePrior] | None = None
    site: dict[OutcomeName, ScalePrior] | None = None
    in_work: dict[OutcomeName, NormalPrior] | None = None
    slope: dict[OutcomeName, ScalePrior] | None = None

    def tables(self) -> Iterator[tuple[str, Mapping[OutcomeName, Family]]]:
        """Yield each stated table with its key."""
        for name in type(self).model_fields:
            if getattr(self, name) is not None:
                yield f"priors.{name}", getattr(self, name)


class Known(Sourced):
    """A published value, taken as exact."""

    method: Literal["printed"]
    value: Finite


class Interval(Sourced):
    """A value known only to lie in an interval: uniformly distributed."""

    method: Literal["interval"]
    lower: Finite
    upper: Finite

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(
                f"lower {self.lower:g} is not below upper {self.upper:g}; use 'printed' for a single value"
            )
        return self


class Uncertain(Sourced):
    """A value measured with error, or unpublished: normally distributed."""

    method: Literal["normal"]
    mean: Finite
    sd: Positive


class Moderator(Reasoned):
    """A potential effect modifier: its value in each group or site, and why it should matter.

    A slope is the change in impact per ``per`` units; ``mu`` is the impact at ``reference``.
    """

    label: Words
    unit: Words
    reference: Finite
    per: Positive
    level: Literal["group", "site"]
    values: Annotated[
        dict[Words, Annotated[Known | Interval | Uncertain, Field(discriminator="method")]], Field(min_length=1)
    ]


class ErrorCorrelation(Sourced):
    """Expected correlation of the sampling errors of two outcomes."""

    outcomes: Annotated[list[OutcomeName], Field(min_length=2, max_length=2)]
    value: Annotated[float, Field(gt=-1, lt=1)]


class Lkj(Reasoned):
    """LKJ prior of a correlation matrix: ``eta`` 1 is uniform, larger values favour weaker correlations."""

    eta: Eta


class Unknown(Sourced):
    """Weight in (0, 1) of a uniformly distributed correlation matrix, averaged with the expected one."""

    value: Share


class Joint(Frozen):
    """Joint model of outcomes: correlations of their impacts and of the sampling errors of their estimates."""

    impacts: Lkj
    errors: list[ErrorCorrelation]
    errors_unknown: Unknown

    def expected_errors(self, outcomes: list[str]) -> np.ndarray:
        """Return the expected correlation matrix of the sampling errors, 0 for pairs not stated."""
        matrix = np.eye(len(outcomes))
        for pair in self.errors:
            if set(pair.outcomes) <= set(outcomes):
                first, second = (outcomes.index(name) for name in pair.outcomes)
                matrix[first, second] = matrix[second, first] = pair.value
        return matrix


class Beta(Sourced):
    """Beta distribution of a share."""

    alpha: Annotated[float, Field(ge=0.1, le=1000)]
    beta: Annotated[float, Field(ge=0.1, le=1000)]


class Nonresponse(Frozen):
    """Assumptions about survey non-respondents; see ``hlt_bayes.inference.structures.nonresponse``."""

    share: Beta
    difference: NormalPrior


class Rates(Sourced):
    """Proportions with the outcome, by arm."""

    control: Share
    treatment: Share


class Figure(Sourced):
    """One positive figure."""

    value: Positive


class RiskDifference(Frozen):
    """SE of a difference in proportions; ``rates`` are used where none are published."""

    method: Literal["risk difference"]
    sample: SampleName
    rates: dict[GroupName, Rates] = Field(default_factory=dict)


class MeanDifference(Frozen):
    """SE of a difference in means with a common ``sd`` per trial group."""

    method: Literal["mean difference"]
    sample: SampleName
    sd: dict[GroupName, Figure]


class StandardisedMeanDifference(Frozen):
    """SE of a standardised mean difference."""

    method: Literal["standardised mean difference"]
    sample: SampleName


DesignSE = Annotated[RiskDifference | MeanDifference | StandardisedMeanDifference, Field(discriminator="method")]


class LogRatio(NormalPrior):
    """Prior of log(SE / design SE), limited to plausible departures from the design SE."""

    mean: Annotated[float, Field(ge=-2, le=2)]
    sd: Annotated[float, Field(ge=1e-3, le=2)]


class StandardError(Frozen):
    """Assumptions about unpublished SEs."""

    log_ratio: LogRatio
    design: dict[OutcomeName, DesignSE]


class PooledRows(Frozen):
    """Model of published rows that pool two trial groups; see ``hlt_bayes.likelihood.pooled_rows``."""

    weight: NormalPrior
    estimate_discrepancy: Figure
    se_discrepancy: Figure


class Sampling(Frozen):
    """Inference engine and its settings."""

    engine: Literal["nuts", "exact"]
    chains: Annotated[int, Field(ge=2, le=100)]
    tune: Count
    draws: Count
    target_accept: Share
    seed: Annotated[int, Field(ge=0, lt=SEED_END)]


class ImpactSpec(Spec):
    """Specification of an impact model; see ``models/impact/*.toml``."""

    kind: ClassVar[SpecKind] = "impact"

    structure: Literal["pooled", "no-pooling", "complete-pooling", "sites", "moderators", "joint"]
    outcomes: Annotated[list[OutcomeName], Field(min_length=1)]
    priors: Priors
    in_work: list[GroupName] | None = None
    moderators: Annotated[dict[Words, Moderator], Field(min_length=1)] | None = None
    joint: Joint | None = None
    nonresponse: Nonresponse | None = None
    standard_error: StandardError
    pooled_rows: PooledRows | None = None
    sampling: Sampling

    @model_validator(mode="after")
    def _can_be_fitted(self) -> Self:
        problems = [*self._keys_of_structure(), *self._incomplete_outcomes(), *self._wrong_units()]
        problems += [*self._wrong_moderators(), *self._wrong_joint()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _keys_of_structure(self) -> Iterator[str]:
        """Yield an error per key that the structure needs but lacks, or has but does not use."""
        stated = {key for key, _ in self.priors.tables()}
        stated |= {key for key in ("in_work", "moderators", "joint") if getattr(self, key) is not None}
        needed = KEYS_OF_STRUCTURES[self.structure]
        for key in dict.fromkeys(key for keys in KEYS_OF_STRUCTURES.values() for key in keys):
            if key in needed and key not in stated:
                yield f"key '{key}' is missing; structure {self.structure!r} needs it"
            if key in stated and key not in needed:
                users = " or ".join(repr(name) for name, keys in KEYS_OF_STRUCTURES.items() if key in keys)
                yield (
                    f"key '{key}': structure {self.structure!r} does not use it (structure {users} does); remove it, "
                    f"or in a spec based on another state without = ['{key}']"
                )

    def _incomplete_outcomes(self) -> Iterator[str]:
        if len(set(self.outcomes)) < len(self.outcomes):
            yield "key 'outcomes': an outcome is listed twice"
        tables: dict[str, Collection[str]] = dict(self.priors.tables())
        for key, table in (tables | {"standard_error.design": self.standard_error.design}).items():
            yield from (f"key '{key}.{name}' is missing" for name in self.outcomes if name not in table)
            yield from (
                f"key '{key}.{name}': {name!r} is not in outcomes; remove it, or add it there"
                for name in table
                if name not in self.outcomes
            )

    def _wrong_units(self) -> Iterator[str]:
        for key, table in self.priors.tables():
            for name, prior in table.items():
                if prior.unit != OUTCOMES[name].unit:
                    yield f"key '{key}.{name}.unit': {prior.unit!r} given; {name} must be in {OUTCOMES[name].unit!r}"

    def _wrong_moderators(self) -> Iterator[str]:
        """Yield an error per group or site that has a value of one moderator but not of another at the same level."""
        for level in ("group", "site"):
            of_level = {name: one for name, one in (self.moderators or {}).items() if one.level == level}
            known = dict.fromkeys(place for one in of_level.values() for place in one.values)
            for name, moderator in of_level.items():
                for place in known:
                    if place not in moderator.values:
                        yield (
                            f"key 'moderators.{name}.values': no value for {level} {place!r}, which another moderator "
                            "has; if unpublished, use method 'normal' or 'interval' with a wide range"
                        )

    def _wrong_joint(self) -> Iterator[str]:
        if self.joint is None:
            return
        if len(self.outcomes) == 1:
            yield "key 'outcomes': structure 'joint' needs two or more; for one use structure 'pooled'"
        pairs = sorted(tuple(sorted(pair.outcomes)) for pair in self.joint.errors)
        for position, pair in enumerate(self.joint.errors, start=1):
            if pair.outcomes[0] == pair.outcomes[1]:
                yield f"key 'joint.errors[{position}].outcomes': an outcome is paired with itself; name two outcomes"
        yield from (
            f"key 'joint.errors': the pair {' and '.join(one)} appears twice; keep one"
            for one, two in pairwise(pairs)
            if one == two
        )
        smallest = np.linalg.eigvalsh(self.joint.expected_errors(list(self.outcomes)))[0]
        if smallest <= 0:
            yield (
                f"key 'joint.errors': not a correlation matrix (smallest eigenvalue {smallest:.3g}); move the values "
                "closer to 0"
            )


def load_impact_spec(name: str | Path) -> ImpactSpec:
    """Read a shipped impact spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or an invalid file; the message lists all its errors with file and key.
    """
    return read_spec(name, ImpactSpec)
