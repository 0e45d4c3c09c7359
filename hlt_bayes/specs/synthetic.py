"""What a synthetic data set assumes beside the published numbers, read from ``models/twin/*.toml``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, Field, model_validator

from hlt_bayes.core.errors import unknown_name
from hlt_bayes.core.toml import Finite, Frozen, Positive, Words
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES, SITES
from hlt_bayes.specs.impact import Figure, OutcomeName, Share
from hlt_bayes.specs.load import Spec, read_spec
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
            raise ValueError(f"nothing for {', '.join(map(repr, missing))}")
        return tables

    return check


ByGroup = Annotated[dict[GroupKey, _Table], AfterValidator(_each(*GROUPS))]
BySite = Annotated[dict[SiteKey, _Table], AfterValidator(_each(*dict.fromkeys(SITES.values())))]


class Number(Sourced):
    """One figure of either sign."""

    value: Finite


class Probability(Sourced):
    """One share."""

    value: Share


class StatedAmount(Sourced):
    """One figure, 0 or more."""

    value: Annotated[float, Field(ge=0, le=1e9)]


class Correlation(Sourced):
    """One correlation."""

    value: Annotated[float, Field(gt=-1, lt=1)]


class Normal(Sourced):
    """Mean and SD of a scale before it is cut at its bounds."""

    mean: Finite
    sd: Positive


class Range(Sourced):
    """Ends between which specialists lie, evenly."""

    lower: Positive
    upper: Positive

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower >= self.upper:
            raise ValueError(f"lower {self.lower:g} is not below upper {self.upper:g}")
        return self


class Loadings(Sourced):
    """Correlations of columns with what lies behind them.

    A column rises with its codes as the schema lists them, a flag towards True, a scale with its points.
    """

    columns: Annotated[list[Words], Field(min_length=1)]
    age: Finite = 0.0
    physical: Finite = 0.0
    mental: Finite = 0.0
    distance: Finite = 0.0

    @property
    def values(self) -> tuple[float, ...]:
        """Correlations with age, physical and mental ill-health, and distance from work."""
        return (self.age, self.physical, self.mental, self.distance)

    @model_validator(mode="after")
    def _leaves_a_rest(self) -> Self:
        if sum(value**2 for value in self.values) > 0.99:
            raise ValueError("the squares of the correlations add to more than 0.99; bring them nearer to 0")
        return self


class Coefficients(Sourced):
    """What a column adds: per SD of a scale, or by its codes as the schema lists them."""

    values: Annotated[list[Finite], Field(min_length=1)]


Covariates = dict[Words, Coefficients]


class SpecialistSpread(Sourced):
    """SDs between the specialists of a site: of the outcome of both arms, and of what treatment adds."""

    outcome: Annotated[float, Field(ge=0, le=10)]
    effect: Annotated[float, Field(ge=0, le=10)]


class Recruitment(Frozen):
    """When people were randomised."""

    last_month: Figure
    rise: Figure


class Specialists(Frozen):
    """How many specialists there are, and how they differ."""

    recruits_each: Figure
    size_spread: Figure
    caseload: BySite[Range]
    caseload_of_person: StatedAmount
    short_contacts_sd: BySite[Figure]


class Contacts(Frozen):
    """How contacts spread over people, whose means are published; ``first_week`` stands in where none is printed."""

    within_rounding: ByGroup[StatedAmount]
    shape: Figure
    first_week: dict[GroupKey, Probability]
    first_session_spread: Figure


class EmploymentModel(Frozen):
    """Employment for 13 or more weeks: a logistic regression; ``control`` stands in where no rate is printed."""

    control: dict[GroupKey, Probability]
    covariates: Covariates


class EarningsModel(Frozen):
    """Earnings: any, where somebody is employed for 13 or more weeks or has a short job; how much, a gamma."""

    control: ByGroup[Figure]
    short_jobs: ByGroup[Probability]
    shape: Figure
    covariates: Covariates


class ScaleModel(Frozen):
    """A scale at 12 months: a linear regression, cut at the ends of the scale."""

    control: ByGroup[Normal]
    residual: Figure
    covariates: Covariates
    gradient: dict[GroupKey, Number] = Field(default_factory=dict)


class Slopes(Frozen):
    """What ``per`` more of a practice adds to treatment within a site."""

    per: Figure
    outcomes: dict[SlopeOutcome, Number]


class Months(Frozen):
    """When in the year people are employed, and who claims benefits."""

    length: ByGroup[Figure]
    start: ByGroup[Figure]
    one_month: Probability
    benefits: ByGroup[Probability]


class Response(Frozen):
    """Who answers; how many do is published."""

    covariates: Covariates
    correlation: Correlation


class Secondary(Sourced):
    """A scale that follows from health and wellbeing at the same time; of a flag, True where it is above 0."""

    mean: Finite
    sd: Positive
    health: Annotated[float, Field(gt=-1, lt=1)]
    wellbeing: Annotated[float, Field(gt=-1, lt=1)]


class Told(Frozen):
    """What the surveys say of work, beside the records."""

    differs: Probability
    works_16_hours: Probability


class TwinSpec(Spec):
    """What a synthetic data set assumes; see ``models/twin/*.toml``.

    ``impacts`` replaces printed impacts, outcome by outcome and group by group.
    """

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
    told: Told

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
        """SDs that treatment adds for each SD of poorer health at the start."""
        model: ScaleModel = getattr(self, outcome)
        return next((figure.value for place, figure in model.gradient.items() if place == group), 0.0)

    def _columns_twice(self) -> Iterator[str]:
        seen: dict[str, str] = {}
        for name, table in self.loadings.items():
            for column in table.columns:
                if column in seen:
                    yield f"key 'loadings.{name}.columns': {column} stands in loadings.{seen[column]}, too"
                seen[column] = name


def check_columns(spec: TwinSpec, codes: Mapping[str, int]) -> list[str]:
    """Find columns of a spec that are not there, or have another number of codes.

    Parameters
    ----------
    spec
        What is checked.
    codes
        How many values each column needs: its codes, or 1 of a scale or flag.
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
                problems.append(f"{key}.values': {len(table.values)} given; {codes[column]} needed")
    return problems


def load_twin_spec(name: str | Path) -> TwinSpec:
    """Read a shipped spec of a synthetic data set by its name, or a file of your own by its path (``.toml``).

    Raises
    ------
    SpecError
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return read_spec(name, "twin", TwinSpec)
