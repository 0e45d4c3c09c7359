"""Specification of a model of individual records, read from ``models/individual/*.toml``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hlt_bayes.core.toml import Finite, Frozen, Positive, Words
from hlt_bayes.core.vocabulary import OUTCOMES, SURVEY_OUTCOMES
from hlt_bayes.specs.impact import SEED_END, Count, Nonresponse, OutcomeName, Share
from hlt_bayes.specs.load import Spec, SpecKind, read_spec
from hlt_bayes.specs.priors import Family, NormalPrior, Prior, Reasoned, ScalePrior

IndividualEngine = Literal["nuts", "laplace"]


class Bernoulli(Frozen):
    """Logistic regression of a binary outcome.

    ``pooled_on`` is the scale on which groups are pooled: that of the impact, or that of the coefficient.
    """

    family: Literal["bernoulli"]
    pooled_on: Literal["risk difference", "log odds ratio"]


class Hurdle(Frozen):
    """Hurdle model: logistic regression of any amount, and a regression with log link of positive amounts."""

    family: Literal["hurdle"]
    positive: Literal["gamma", "log-normal"]


class NormalLikelihood(Frozen):
    """Linear regression, standardised by the respondents in the control arm."""

    family: Literal["normal"]


class CensoredNormal(Frozen):
    """Linear regression of a bounded scale: values at a bound are censored (tobit)."""

    family: Literal["censored-normal"]
    lower: Finite
    upper: Finite

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self


Likelihood = Annotated[
    Bernoulli | Hurdle | NormalLikelihood | CensoredNormal,
    Field(discriminator="family"),
]

FAMILIES = {
    "employment": ("bernoulli",),
    "earnings": ("hurdle",),
    "health": ("normal", "censored-normal"),
    "wellbeing": ("normal", "censored-normal"),
}
"""Likelihood families allowed for each outcome."""


class Codes(Reasoned):
    """Subgroups by the codes of a column."""

    method: Literal["codes"]
    column: Words


class Thirds(Reasoned):
    """Subgroups by tertiles of a numeric column within each trial group."""

    method: Literal["thirds"]
    column: Words


class Split(Reasoned):
    """Subgroups before a date, and from that date on."""

    method: Literal["split"]
    column: Words
    at: dt.date


Subgroup = Annotated[Codes | Thirds | Split, Field(discriminator="method")]


class Practice(Reasoned):
    """Specialist practice as an effect modifier, with separate slopes within and between sites.

    A slope is the change in impact per ``per`` units; ``mu`` is the impact at ``reference``.
    """

    label: Words
    measure: Literal["caseload", "short_contacts"]
    unit: Words
    reference: Finite
    per: Positive


class IndividualPriors(Frozen):
    """Priors of one model per outcome; reading the spec checks that each outcome has those it needs.

    ``mu`` and ``tau`` are in the unit in which impacts are pooled, all others on the scale of the regression: log odds,
    log £, SDs. ``covariate`` applies to covariates transformed to be uncorrelated with SD 1. ``spread`` is the residual
    SD, the shape of a gamma, or the SD of log £.
    """

    mu: dict[OutcomeName, Prior]
    tau: dict[OutcomeName, ScalePrior]
    intercept: dict[OutcomeName, NormalPrior]
    covariate: dict[OutcomeName, NormalPrior]
    spread: dict[OutcomeName, ScalePrior] = Field(default_factory=dict)
    any_intercept: dict[OutcomeName, NormalPrior] = Field(default_factory=dict)
    any_covariate: dict[OutcomeName, NormalPrior] = Field(default_factory=dict)
    any_effect: dict[OutcomeName, NormalPrior] = Field(default_factory=dict)
    subgroup: dict[OutcomeName, ScalePrior] | None = None
    slope: dict[OutcomeName, NormalPrior] | None = None
    slope_between: dict[OutcomeName, NormalPrior] | None = None
    specialist: dict[OutcomeName, ScalePrior] | None = None
    provider: dict[OutcomeName, ScalePrior] | None = None
    specialist_effect: dict[OutcomeName, ScalePrior] | None = None
    provider_effect: dict[OutcomeName, ScalePrior] | None = None
    answered_intercept: dict[OutcomeName, NormalPrior] | None = None
    answered_covariate: dict[OutcomeName, NormalPrior] | None = None
    answered_effect: dict[OutcomeName, NormalPrior] | None = None

    def tables(self) -> Iterator[tuple[str, Mapping[OutcomeName, Family]]]:
        """Yield each stated table with its key."""
        for name in type(self).model_fields:
            if getattr(self, name):
                yield f"priors.{name}", getattr(self, name)


PRACTICE_PRIORS = ("slope", "slope_between", "specialist", "provider", "specialist_effect", "provider_effect")
ANSWERED_PRIORS = ("answered_intercept", "answered_covariate", "answered_effect")


class IndividualSampling(Frozen):
    """Inference engine and its settings; ``laplace`` makes ``chains`` x ``draws`` draws and needs no tuning."""

    engine: IndividualEngine
    chains: Annotated[int, Field(ge=2, le=100)]
    tune: Count
    draws: Count
    target_accept: Share
    seed: Annotated[int, Field(ge=0, lt=SEED_END)]


class IndividualSpec(Spec):
    """Specification of a model of individual records; see ``models/individual/*.toml``.

    ``outcomes`` selects the outcomes; entries of other tables for other outcomes are not used.
    """

    kind: ClassVar[SpecKind] = "individual"

    outcomes: Annotated[list[OutcomeName], Field(min_length=1)]
    likelihood: dict[OutcomeName, Likelihood]
    covariates: dict[OutcomeName, list[Words]]
    priors: IndividualPriors
    subgroups: Annotated[dict[Words, Subgroup], Field(min_length=1)] | None = None
    practice: Annotated[dict[Words, Practice], Field(min_length=1)] | None = None
    nonresponse: Nonresponse | None = None
    sampling: IndividualSampling

    @model_validator(mode="after")
    def _can_be_fitted(self) -> Self:
        problems = [*self._outcomes(), *self._priors(), *self._units(), *self._parts()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def pooled_unit(self, outcome: OutcomeName) -> str:
        """Return the unit of ``mu`` and ``tau``: that of the impact, or of the coefficient if that is pooled."""
        likelihood = self.likelihood[outcome]
        on_coefficient = isinstance(likelihood, Bernoulli) and likelihood.pooled_on == "log odds ratio"
        return "log odds ratio" if on_coefficient else OUTCOMES[outcome].unit

    def _outcomes(self) -> Iterator[str]:
        if len(set(self.outcomes)) < len(self.outcomes):
            yield "key 'outcomes': an outcome is listed twice"
        tables: dict[str, Collection[str]] = {"likelihood": self.likelihood, "covariates": self.covariates}
        for key, table in tables.items():
            yield from (f"key '{key}.{name}' is missing" for name in self.outcomes if name not in table)
        for name, likelihood in self.likelihood.items():
            if likelihood.family not in FAMILIES[name]:
                allowed = " or ".join(map(repr, FAMILIES[name]))
                yield f"key 'likelihood.{name}.family': {likelihood.family!r} given; allowed for {name}: {allowed}"
        for name, columns in self.covariates.items():
            if len(set(columns)) < len(columns):
                yield f"key 'covariates.{name}': a column is listed twice"

    def _priors(self) -> Iterator[str]:
        """Yield an error per prior that is missing or not used."""
        needed: dict[str, Collection[str]] = dict.fromkeys(("mu", "tau", "intercept", "covariate"), self.outcomes)
        needed["spread"] = [name for name in self.outcomes if name != "employment"]
        for name in ("any_intercept", "any_covariate", "any_effect"):
            needed[name] = [name for name in self.outcomes if name == "earnings"]
        if self.subgroups is not None:
            needed["subgroup"] = self.outcomes
        if self.practice is not None:
            needed |= dict.fromkeys(PRACTICE_PRIORS, self.outcomes)
        if self.nonresponse is not None:
            needed |= {key: [one for one in self.outcomes if one in SURVEY_OUTCOMES] for key in ANSWERED_PRIORS}
        for key, outcomes in needed.items():
            table = getattr(self.priors, key) or {}
            yield from (f"key 'priors.{key}.{name}' is missing" for name in outcomes if name not in table)
        for key, table in self.priors.tables():
            allowed = needed.get(key.removeprefix("priors."), ())
            yield from (
                f"key '{key}.{name}': not used in this spec; remove it, or in a spec based on another "
                f"state without = ['{key}.{name}']"
                for name in table
                if name in self.outcomes and name not in allowed
            )

    def _units(self) -> Iterator[str]:
        for key in ("mu", "tau"):
            for name, prior in getattr(self.priors, key).items():
                if name in self.outcomes and name in self.likelihood and prior.unit != self.pooled_unit(name):
                    yield (
                        f"key 'priors.{key}.{name}.unit': {prior.unit!r} given; impacts on {name} are pooled in "
                        f"{self.pooled_unit(name)!r}"
                    )

    def _parts(self) -> Iterator[str]:
        if self.subgroups is not None and self.practice is not None:
            yield "key 'practice': not allowed with 'subgroups'; use two specs"
        if self.nonresponse is not None and not set(self.outcomes) & set(SURVEY_OUTCOMES):
            yield "key 'nonresponse': none of the outcomes is from the survey; remove it"


def load_individual_spec(name: str | Path) -> IndividualSpec:
    """Read a shipped spec for individual records by its name, or a file of your own by its path (``.toml``).

    Raises
    ------
    SpecError
        No such spec, or an invalid file; the message lists all its errors with file and key.
    """
    return read_spec(name, IndividualSpec)
