"""What an impact model is made of, read from ``models/impact/*.toml``."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from hlt_bayes.core.toml import Finite, Frozen, Positive, Words
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.specs.load import Spec, read_spec
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
"""What each structure needs beside ``priors.mu``, and no other structure may have."""


class Priors(Frozen):
    """Priors of the impacts, one per outcome and parameter; ``KEYS_OF_STRUCTURES`` says which a structure needs."""

    mu: dict[OutcomeName, Prior]
    tau: dict[OutcomeName, ScalePrior] | None = None
    site: dict[OutcomeName, ScalePrior] | None = None
    in_work: dict[OutcomeName, NormalPrior] | None = None
    slope: dict[OutcomeName, ScalePrior] | None = None

    def tables(self) -> Iterator[tuple[str, Mapping[OutcomeName, Family]]]:
        """Each table that is stated, by its key."""
        for name in type(self).model_fields:
            if getattr(self, name) is not None:
                yield f"priors.{name}", getattr(self, name)


class Known(Sourced):
    """A printed value, taken as exact."""

    method: Literal["printed"]
    value: Finite


class Interval(Sourced):
    """A value that is only known to lie between two others: uniform there."""

    method: Literal["interval"]
    lower: Finite
    upper: Finite

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}; for one value take 'printed'")
        return self


class Uncertain(Sourced):
    """A value measured with error, or not printed at all: normal."""

    method: Literal["normal"]
    mean: Finite
    sd: Positive


class Moderator(Reasoned):
    """What may make impacts differ between groups: its values, and why it should matter.

    A slope is the impact of ``per`` more of it; ``mu`` is the impact at ``reference``.
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
    """Expected correlation of the errors of two outcomes."""

    outcomes: Annotated[list[OutcomeName], Field(min_length=2, max_length=2)]
    value: Annotated[float, Field(gt=-1, lt=1)]


class Lkj(Reasoned):
    """Prior of a correlation matrix: 1 is uniform, more is nearer to no correlation."""

    eta: Eta


class Unknown(Sourced):
    """Weight in (0, 1) of a wholly unknown correlation matrix beside the expected one."""

    value: Share


class Joint(Frozen):
    """Outcomes together: correlation of their impacts, and of the sampling errors of their estimates."""

    impacts: Lkj
    errors: list[ErrorCorrelation]
    errors_unknown: Unknown

    def expected_errors(self, outcomes: list[str]) -> np.ndarray:
        """Correlation matrix of the errors that is expected, pairs that are not stated uncorrelated."""
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
    """People who did not answer; see ``hlt_bayes.inference.structures.nonresponse``."""

    share: Beta
    difference: NormalPrior


class Rates(Sourced):
    """Shares of people with the outcome, by arm."""

    control: Share
    treatment: Share


class Figure(Sourced):
    """One positive figure."""

    value: Positive


class RiskDifference(Frozen):
    """SE of a difference of two proportions; ``rates`` stand in where none is printed."""

    method: Literal["risk difference"]
    sample: SampleName
    rates: dict[GroupName, Rates] = Field(default_factory=dict)


class MeanDifference(Frozen):
    """SE of a difference of two means with a common ``sd`` per trial group."""

    method: Literal["mean difference"]
    sample: SampleName
    sd: dict[GroupName, Figure]


class StandardisedMeanDifference(Frozen):
    """SE of a difference of two means in units of their SD."""

    method: Literal["standardised mean difference"]
    sample: SampleName


DesignSE = Annotated[RiskDifference | MeanDifference | StandardisedMeanDifference, Field(discriminator="method")]


class LogRatio(NormalPrior):
    """Prior of log(SE / design SE), within what an SE can plausibly depart from its design."""

    mean: Annotated[float, Field(ge=-2, le=2)]
    sd: Annotated[float, Field(ge=1e-3, le=2)]


class StandardError(Frozen):
    """What is assumed of the SEs that the reports do not print."""

    log_ratio: LogRatio
    design: dict[OutcomeName, DesignSE]


class PooledRows(Frozen):
    """How printed rows that pool two trial groups are read; see ``hlt_bayes.likelihood.pooled_rows``."""

    weight: NormalPrior
    estimate_discrepancy: Figure
    se_discrepancy: Figure


class Sampling(Frozen):
    """Engine and its settings."""

    engine: Literal["nuts", "exact"]
    chains: Annotated[int, Field(ge=2, le=100)]
    tune: Count
    draws: Count
    target_accept: Share
    seed: Annotated[int, Field(ge=0, lt=SEED_END)]


class ImpactSpec(Spec):
    """What an impact model is made of; see ``models/impact/*.toml``."""

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
        """Keys that the structure needs and has not, or has and does not use."""
        stated = {key for key, _ in self.priors.tables()}
        stated |= {key for key in ("in_work", "moderators", "joint") if getattr(self, key) is not None}
        needed = KEYS_OF_STRUCTURES[self.structure]
        for key in dict.fromkeys(key for keys in KEYS_OF_STRUCTURES.values() for key in keys):
            if key in needed and key not in stated:
                yield f"key '{key}' is missing; structure {self.structure!r} needs it"
            if key in stated and key not in needed:
                users = " or ".join(repr(name) for name, keys in KEYS_OF_STRUCTURES.items() if key in keys)
                yield (
                    f"key '{key}': structure {self.structure!r} does not use it (structure {users} does); take it out, "
                    f"or where the spec is based on another, say without = ['{key}']"
                )

    def _incomplete_outcomes(self) -> Iterator[str]:
        if len(set(self.outcomes)) < len(self.outcomes):
            yield "key 'outcomes': an outcome stands twice"
        tables: dict[str, Collection[str]] = dict(self.priors.tables())
        for key, table in (tables | {"standard_error.design": self.standard_error.design}).items():
            yield from (f"key '{key}.{name}' is missing" for name in self.outcomes if name not in table)
            yield from (f"key '{key}.{name}': outcomes does not name it" for name in table if name not in self.outcomes)

    def _wrong_units(self) -> Iterator[str]:
        for key, table in self.priors.tables():
            for name, prior in table.items():
                if prior.unit != OUTCOMES[name].unit:
                    yield f"key '{key}.{name}.unit': {prior.unit!r} given; {name} is in {OUTCOMES[name].unit!r}"

    def _wrong_moderators(self) -> Iterator[str]:
        """Find groups or sites for which one moderator has a value and another of its level has none."""
        for level in ("group", "site"):
            of_level = {name: one for name, one in (self.moderators or {}).items() if one.level == level}
            known = dict.fromkeys(place for one in of_level.values() for place in one.values)
            for name, moderator in of_level.items():
                for place in known:
                    if place not in moderator.values:
                        yield (
                            f"key 'moderators.{name}.values': no value for {level} {place!r}, which another moderator "
                            "has; where none is printed, state method 'normal' or 'interval' as wide as it may be"
                        )

    def _wrong_joint(self) -> Iterator[str]:
        if self.joint is None:
            return
        if len(self.outcomes) == 1:
            yield "key 'outcomes': structure 'joint' needs two or more; for one take structure 'pooled'"
        pairs = sorted(tuple(sorted(pair.outcomes)) for pair in self.joint.errors)
        for position, pair in enumerate(self.joint.errors, start=1):
            if pair.outcomes[0] == pair.outcomes[1]:
                yield f"key 'joint.errors[{position}].outcomes': an outcome with itself; two that differ are allowed"
        yield from (
            f"key 'joint.errors': {' and '.join(one)} stand twice" for one, two in pairwise(pairs) if one == two
        )
        smallest = np.linalg.eigvalsh(self.joint.expected_errors(list(self.outcomes)))[0]
        if smallest <= 0:
            yield (
                f"key 'joint.errors': no correlation matrix (smallest eigenvalue {smallest:.3g}); bring the values "
                "nearer to 0"
            )


def load_impact_spec(name: str | Path) -> ImpactSpec:
    """Read a shipped impact spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return read_spec(name, "impact", ImpactSpec)
