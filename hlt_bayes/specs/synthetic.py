"""Assumptions of a synthetic data set beyond the published numbers, read from ``models/twin/*.toml``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, Field, model_validator

from hlt_bayes.core.errors import unknown_name
from hlt_bayes.core.toml import Finite, Frozen, Positive, Words
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES, SITES
from hlt_bayes.specs.impact import Figure, OutcomeName, Share
from hlt_bayes.specs.load import Spec, SpecKind, read_spec
from hlt_bayes.specs.priors import Sourced

GroupKey = Literal["SCR IW", "SCR OOW", "WMCA"]
SiteKey = Literal["SCR", "WMCA"]
PracticeName = Literal["caseload", "short_contacts"]
SlopeOutcome = Literal["employment", "health", "wellbeing"]
BaselineScale = Literal["baseline_eq5d", "baseline_swemwbs", "baseline_jsse"]

_Key = TypeVar("_Key", bound=str)
_Table = TypeVar("_Table")


def _each(*names: str) -> Callable[[dict[_Key, _Table]], dict[_Key, _Table]]:
    """Require a table for each of ``names``."""

    def check(tables: dict[_Key, _Table]) -> dict[_Key, _Table]:
        missing = [name for name in names if name not in tables]
        if missing:
            raise ValueError(f"no entry for {', '.join(map(repr, missing))}")
        return tables

    return check


ByGroup = Annotated[dict[GroupKey, _Table], AfterValidator(_each(*GROUPS))]
BySite = Annotated[dict[SiteKey, _Table], AfterValidator(_each(*dict.fromkeys(SITES.values())))]


class Number(Sourced):
    """One figure of either sign."""

    value: Finite


class Probability(Sourced):
    """One proportion."""

    value: Share


class StatedAmount(Sourced):
    """One non-negative figure."""

    value: Annotated[float, Field(ge=0, le=1e9)]


class Correlation(Sourced):
    """One correlation."""

    value: Annotated[float, Field(gt=-1, lt=1)]


class Normal(Sourced):
    """Mean and SD of a scale before clipping at its bounds."""

    mean: Finite
    sd: Positive


class Range(Sourced):
    """Range in which specialists are uniformly distributed."""

    lower: Positive
    upper: Positive

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self


class Loadings(Sourced):
    """Correlations of columns with the latent factors.

    Positive means later codes in the order of the schema, True for a flag, more points for a scale.
    """

    columns: Annotated[list[Words], Field(min_length=1)]
    age: Finite = 0.0
    physical: Finite = 0.0
    mental: Finite = 0.0
    distance: Finite = 0.0

    @property
    def values(self) -> tuple[float, ...]:
        """Correlations with the latent factors age, physical and mental ill-health, and distance from work."""
        return (self.age, self.physical, self.mental, self.distance)

    @model_validator(mode="after")
    def _leaves_residual_variance(self) -> Self:
        if sum(value**2 for value in self.values) > 0.99:
            raise ValueError("the squares of the correlations sum to more than 0.99; move them closer to 0")
        return self


class Coefficients(Sourced):
    """Coefficients of a column: per SD of a scale, or one per code in the order of the schema."""

    values: Annotated[list[Finite], Field(min_length=1)]


Covariates = dict[Words, Coefficients]


class SpecialistSpread(Sourced):
    """Between-specialist SDs within a site: of the outcome in both arms, and of the treatment effect."""

    outcome: Annotated[float, Field(ge=0, le=10)]
    effect: Annotated[float, Field(ge=0, le=10)]


class Recruitment(Frozen):
    """When people were randomised."""

    last_month: Figure
    rise: Figure


class Specialists(Frozen):
    """Number of specialists, and variation between them."""

    recruits_each: Figure
    size_spread: Figure
    caseload: BySite[Range]
    caseload_of_person: StatedAmount
    short_contacts_sd: BySite[Figure]


class Contacts(Frozen):
    """Distribution of contacts around their published means; ``first_week`` is used where none is published."""

    within_rounding: ByGroup[StatedAmount]
    shape: Figure
    first_week: dict[GroupKey, Probability]
    first_session_spread: Figure


class EmploymentModel(Frozen):
    """Logistic regression of employment for 13 or more weeks; ``control`` is used where no rate is published."""

    control: dict[GroupKey, Probability]
    covariates: Covariates


class EarningsModel(Frozen):
    """Earnings: positive with employment for 13 or more weeks or a short job, and then gamma distributed."""

    control: ByGroup[Figure]
    short_jobs: ByGroup[Probability]
    shape: Figure
    covariates: Covariates


class ScaleModel(Frozen):
    """A scale at 12 months: a linear regression, clipped at the bounds of the scale."""

    control: ByGroup[Normal]
    residual: Figure
    covariates: Covariates
    gradient: dict[GroupKey, Number] = Field(default_factory=dict)


class Slopes(Frozen):
    """Change in the treatment effect per ``per`` units of a practice, within a site."""

    per: Figure
    outcomes: dict[SlopeOutcome, Number]


class Months(Frozen):
    """Months of employment, and of benefit claims."""

    length: ByGroup[Figure]
    start: ByGroup[Figure]
    one_month: Probability
    benefits: ByGroup[Probability]


class Response(Frozen):
    """Model of survey response; the response rates are published."""

    covariates: Covariates
    correlation: Correlation


class Secondary(Sourced):
    """A secondary scale, generated from health and wellbeing at the same time; a flag is True where it is above 0."""

    mean: Finite
    sd: Positive
    health: Annotated[float, Field(gt=-1, lt=1)]
    wellbeing: Annotated[float, Field(gt=-1, lt=1)]


class SurveyAnswers(Frozen):
    """Survey answers about work, relative to the tax records."""

    differs: Probability
    works_16_hours: Probability


class TwinSpec(Spec):
    """Assumptions of a synthetic data set; see ``models/twin/*.toml``.

    ``impacts`` replaces published impacts, by outcome and group.
    """

    kind: ClassVar[SpecKind] = "twin"

    impacts: dict[OutcomeName, dict[GroupKey, Number]] = Field(default_factory=dict)
    below_half: Probability
    recruitment: Recruitment
    loadings: Annotated[dict[Words, Loadings], Field(min_length=1)]
    scales: Annotated[dict[BaselineScale, ByGroup[Normal]], AfterValidator(_each(*get_args(BaselineScale)))]
    specialists: Specialists
    contacts: Contacts
    employment: EmploymentModel
    earnings: EarningsModel
    health: ScaleModel
    wellbeing: ScaleModel
    specialist_sd: Annotated[dict[OutcomeName, SpecialistSpread], AfterValidator(_each(*OUTCOMES))]
    slopes: Annotated[dict[PracticeName, Slopes], AfterValidator(_each(*get_args(PracticeName)))]
    months: Months
    response: Response
    secondary: dict[Words, Secondary]
    later_answers: Correlation
    told: SurveyAnswers

    @model_validator(mode="after")
    def _columns_once(self) -> Self:
        problems = list(self._columns_twice())
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def loadings_of(self, column: str) -> tuple[float, ...]:
        """Correlations of a column with age, physical and mental ill-health, and distance from work; 0 if unstated."""
        return next((table.values for table in self.loadings.values() if column in table.columns), (0.0,) * 4)

    def gradient(self, outcome: OutcomeName, group: str) -> float:
        """Increase in the treatment effect, in SDs, per SD of poorer baseline health."""
        model: ScaleModel = getattr(self, outcome)
        return next((figure.value for place, figure in model.gradient.items() if place == group), 0.0)

    def _columns_twice(self) -> Iterator[str]:
        seen: dict[str, str] = {}
        for name, table in self.loadings.items():
            for column in table.columns:
                if column in seen:
                    yield f"key 'loadings.{name}.columns': {column} is already in loadings.{seen[column]}; keep one"
                seen[column] = name


def check_columns(spec: TwinSpec, codes: Mapping[str, int]) -> list[str]:
    """Return one message per unknown column, or column with the wrong number of coefficients.

    Parameters
    ----------
    spec
        Spec to check.
    codes
        Number of coefficients that each column needs: one per code, or 1 for a scale or flag.
    """
    problems = [
        f"key 'loadings.{name}.columns': {unknown_name(column, codes)}"
        for name, table in spec.loadings.items()
        for column in table.columns
        if column not in codes
    ]
    for part in ("employment", "earnings", "health", "wellbeing", "response"):
        for column, table in getattr(spec, part).covariates.items():
            key = f"key '{part}.covariates.{column}"
            if column not in codes:
                problems.append(f"{key}': {unknown_name(column, codes)}")
            elif len(table.values) != codes[column]:
                problems.append(f"{key}.values': {len(table.values)} values given; {codes[column]} needed")
    return problems


def load_twin_spec(name: str | Path) -> TwinSpec:
    """Read a shipped spec of a synthetic data set by its name, or a file of your own by its path (``.toml``).

    Raises
    ------
    SpecError
        No such spec, or an invalid file; the message lists all its errors with file and key.
    """
    return read_spec(name, TwinSpec)
