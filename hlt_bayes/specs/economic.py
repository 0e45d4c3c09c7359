"""Specification of an economic model, read from ``models/economic/*.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from hlt_bayes.core.errors import unknown_name
from hlt_bayes.core.toml import Finite, Frozen, Positive, Words
from hlt_bayes.core.vocabulary import SURVEY_OUTCOMES
from hlt_bayes.specs.impact import Figure, GroupName, OutcomeName
from hlt_bayes.specs.load import Spec, SpecKind, read_spec
from hlt_bayes.specs.priors import Amount, Portion, Quantity, Reasoned, Sourced
from hlt_bayes.specs.priors.quantities import FixedQuantity, LogNormalQuantity, UniformQuantity

ReportedGroupName = Literal["SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW"]
PerspectiveName = Literal["financial", "economic"]
PriceYear = Words
"""Price year of an amount, such as 2019 or 2020/21."""

QALY = "GBP per QALY"
"""Unit of the value of a QALY; identifies that price for acceptability curves and value of information."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
"""Name of a table: lower-case letters, digits and hyphens, so that keys of quantities can be split at the dots."""

MAX_HORIZON = 60.0
"""Longest horizon in years: a working life."""

MAX_RATE = 0.2
"""Largest annual discount rate; a larger value was probably written in per cent."""

EXCLUDED = {"financial": "society", "economic": "exchequer"}
"""Gains that a perspective excludes: those of society are no exchequer income; those of the exchequer are transfers."""

OVERLAPPING = (("health", "wellbeing"), ("employment", "earnings"))
"""Pairs of outcomes that measure much the same gain: if both count, one must state ``additional``."""


class ImpliedPrice(Sourced):
    """A price, £ per unit of impact, anywhere in the range consistent with the published returns of ``groups``.

    It includes all years and whatever else the evaluation valued, in the price year of the costs.
    """

    family: Literal["implied"]
    groups: Annotated[list[ReportedGroupName], Field(min_length=1)]


class Variant(Sourced):
    """Alternative value of a price, for sensitivity analysis only."""

    value: Positive
    price_year: PriceYear


class FixedPrice(FixedQuantity):
    """A price taken as known."""

    price_year: PriceYear
    variants: list[Variant] = Field(default_factory=list)


class UniformPrice(UniformQuantity):
    """A price uniformly distributed between two values."""

    price_year: PriceYear


class LogNormalPrice(LogNormalQuantity):
    """A log-normally distributed price."""

    price_year: PriceYear


Price = Annotated[ImpliedPrice | FixedPrice | UniformPrice | LogNormalPrice, Field(discriminator="family")]


class Benefit(Frozen):
    """Value of an impact per unit: ``price`` x ``conversion`` x ``additional`` x ``undisplaced`` x ``persistence``.

    ``accrues_to`` says who gains: the ``exchequer`` (a transfer from others), ``society`` (output or wellbeing), or
    ``both`` (public resources freed for other uses). ``additional`` is the share not already counted in another benefit
    of the perspective; ``undisplaced`` is one minus displacement, the share not gained at the expense of others.
    """

    label: Words
    outcome: OutcomeName
    accrues_to: Literal["exchequer", "society", "both"]
    price: Price
    conversion: Name | None = None
    additional: Portion | None = None
    undisplaced: Portion | None = None
    persistence: Name | None = None
    discount: Literal["standard", "health"] = "standard"


class FollowUp(Sourced):
    """A later result reported only as significant: above zero at ``confidence`` % in ``month``."""

    group: GroupName
    outcome: OutcomeName
    month: Annotated[int, Field(gt=12, le=240)]
    confidence: Literal[90, 95, 99]
    se: Annotated[float, Field(ge=1e-4, le=1e9)]
    error_correlation: Annotated[float, Field(ge=0, le=0.99)]


class Persistence(Frozen):
    """Persistence of an impact: mean over the first year, rise from the second, annual decay, and horizon."""

    horizon: Figure
    decay: Portion
    first_year: Portion | None = None
    rise: Amount | None = None
    follow_up: FollowUp | None = None


class Rate(Sourced):
    """An annual discount rate."""

    value: Finite

    @field_validator("value")
    @classmethod
    def _not_in_per_cent(cls, value: float) -> float:
        if not 0 <= value <= MAX_RATE:
            raise ValueError(f"an annual rate must lie between 0 and {MAX_RATE:g}: 3.5 % is 0.035")
        return value


class Discounting(Frozen):
    """Discount rates: for money, and for health and wellbeing."""

    standard: Rate
    health: Rate


class Deflator(Sourced):
    """A price index by year."""

    index: Annotated[dict[PriceYear, Positive], Field(min_length=1)]


class BaseYear(Reasoned):
    """Price year of the results, or of the published costs."""

    year: PriceYear


class Prices(Frozen):
    """The base price year, and the price index that converts other years to it."""

    base: BaseYear
    deflator: Deflator


class Costs(Frozen):
    """Cost per person randomised to treatment: as published, or as stated in ``per_head``.

    ``uncertainty`` multiplies it. ``fixed_share`` is the share that does not depend on the number of people treated.
    """

    price_year: BaseYear
    per_head: dict[GroupName, Figure] = Field(default_factory=dict)
    uncertainty: Amount | None = None
    fixed_share: Portion | None = None


class NonrespondentGain(Frozen):
    """Gain of survey non-respondents as a share of that of respondents."""

    share: Portion


class Decision(Frozen):
    """Population and duration of a decision, and duration and cost of a new trial."""

    people_per_year: Figure
    years: Figure
    trial_years: Figure
    trial_cost_per_recruit: Figure
    trial_fixed_cost: Figure


class Perspective(Frozen):
    """Benefits that a perspective counts."""

    benefits: Annotated[list[Name], Field(min_length=1)]


class Pooling(Reasoned):
    """How pooled rows are weighted."""

    weights: Literal["recruits to treatment"]


class GrossOrNet(Reasoned):
    """Whether the published returns are read as gross benefit per £1 or net of cost."""

    returns_are: Literal["gross"]


class EconomicSpec(Spec):
    """Specification of an economic model; see ``models/economic/*.toml``."""

    kind: ClassVar[SpecKind] = "economic"

    pooling: Pooling
    gross_or_net: GrossOrNet | None = None
    prices: Prices | None = None
    discounting: Discounting | None = None
    costs: Costs | None = None
    nonresponse: NonrespondentGain | None = None
    persistence: dict[Name, Persistence] = Field(default_factory=dict)
    conversions: dict[Name, Amount] = Field(default_factory=dict)
    benefits: Annotated[dict[Name, Benefit], Field(min_length=1)]
    perspectives: Annotated[dict[PerspectiveName, Perspective], Field(min_length=1)]
    decision: Decision | None = None

    @model_validator(mode="after")
    def _can_be_valued(self) -> Self:
        problems = [*self._wrong_perspectives(), *self._wrong_benefits(), *self._wrong_persistence()]
        problems += [*self._wrong_years(), *self._wrong_supports()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def counted(self) -> dict[str, Benefit]:
        """Benefits counted by any perspective, by name."""
        names = dict.fromkeys(name for one in self.perspectives.values() for name in one.benefits)
        return {name: self.benefits[name] for name in names}

    def quantities(self) -> dict[str, Quantity]:
        """Quantities that the returns depend on, by key, other than prices implied by the published returns."""
        found: dict[str, Quantity] = {}
        for name, benefit in self.counted.items():
            if not isinstance(benefit.price, ImpliedPrice):
                found[f"benefits.{name}.price"] = benefit.price
            for key in ("additional", "undisplaced"):
                if getattr(benefit, key) is not None:
                    found[f"benefits.{name}.{key}"] = getattr(benefit, key)
            if benefit.conversion is not None:
                found[f"conversions.{benefit.conversion}"] = self.conversions[benefit.conversion]
        for name in dict.fromkeys(one.persistence for one in self.counted.values() if one.persistence):
            for key in ("decay", "first_year", "rise"):
                if getattr(self.persistence[name], key) is not None:
                    found[f"persistence.{name}.{key}"] = getattr(self.persistence[name], key)
        if self.nonresponse is not None:
            found["nonresponse.share"] = self.nonresponse.share
        if self.costs is not None:
            for key in ("uncertainty", "fixed_share"):
                if getattr(self.costs, key) is not None:
                    found[f"costs.{key}"] = getattr(self.costs, key)
        return found

    def _wrong_perspectives(self) -> Iterator[str]:
        for perspective, one in self.perspectives.items():
            key = f"key 'perspectives.{perspective}.benefits'"
            for name in one.benefits:
                if name not in self.benefits:
                    stated = ", ".join(map(repr, self.benefits))
                    yield f"{key}: {name!r} is unknown: there is no table [benefits.{name}]; allowed: {stated}"
                elif self.benefits[name].accrues_to == EXCLUDED[perspective]:
                    yield f"{key}: {name!r} accrues to {EXCLUDED[perspective]!r}: {_WHY_EXCLUDED[perspective]}"
            if len(set(one.benefits)) < len(one.benefits):
                yield f"{key}: a benefit is listed twice"
            yield from self._counted_twice(key, [name for name in one.benefits if name in self.benefits])

    def _counted_twice(self, key: str, names: list[str]) -> Iterator[str]:
        """Yield an error for benefits that value the same gain where too few state ``additional``."""
        # Public resources freed by work are a separate gain from the work; those freed by better health are not.
        gains = [
            name
            for name in names
            if self.benefits[name].accrues_to != "both" or self.benefits[name].outcome in SURVEY_OUTCOMES
        ]
        for outcome in SURVEY_OUTCOMES:
            whole = [
                one for one in gains if self.benefits[one].outcome == outcome and not self.benefits[one].additional
            ]
            if len(whole) > 1:
                yield (
                    f"{key}: {' and '.join(whole)} value the same gain in {outcome}; state 'additional' for all but one"
                )
        for pair in OVERLAPPING:
            of_outcome = [[name for name in gains if self.benefits[name].outcome == outcome] for outcome in pair]
            stated = [all(self.benefits[name].additional for name in one) for one in of_outcome]
            if all(of_outcome) and not any(stated):
                yield (
                    f"{key}: {' and '.join(one[0] for one in of_outcome)} value {pair[0]} and {pair[1]}, which measure "
                    f"much the same gain; for one of them state 'additional', the share not counted by the other"
                )

    def _wrong_benefits(self) -> Iterator[str]:
        for name, benefit in self.benefits.items():
            key = f"key 'benefits.{name}"
            if isinstance(benefit.price, ImpliedPrice):
                for other in ("conversion", "persistence", "additional", "undisplaced"):
                    if getattr(benefit, other) is not None:
                        yield f"{key}.{other}': a price of family 'implied' already includes this; remove it"
                if self.gross_or_net is None:
                    yield "key 'gross_or_net' is missing; a price of family 'implied' depends on it"
            elif benefit.persistence is None:
                yield f"{key}.persistence' is missing; name one of the tables [persistence.*]"
            for other, tables in (("persistence", self.persistence), ("conversion", self.conversions)):
                named = getattr(benefit, other)
                if named is not None and named not in tables:
                    yield f"{key}.{other}': {unknown_name(named, tables)}"

    def _wrong_persistence(self) -> Iterator[str]:
        for name, one in self.persistence.items():
            key = f"key 'persistence.{name}"
            if not 1 <= one.horizon.value <= MAX_HORIZON:
                allowed = f"impacts cover 1 year, so must be 1 to {MAX_HORIZON:g}"
                yield f"{key}.horizon.value': {one.horizon.value:g} given; {allowed}"
            if one.follow_up is None:
                continue
            if one.horizon.value < one.follow_up.month / 12:
                yield (
                    f"{key}.horizon.value': {one.horizon.value:g} given; the impact was still present in month "
                    f"{one.follow_up.month}, so must be {one.follow_up.month / 12:g} or more"
                )
            if one.rise is not None or one.first_year is not None:
                yield f"{key}.follow_up': assumes decay from the first-year mean; remove rise and first_year"

    def _wrong_years(self) -> Iterator[str]:
        stated = [name for name, one in self.benefits.items() if not isinstance(one.price, ImpliedPrice)]
        if not stated:
            return
        for key in ("prices", "discounting", "costs"):
            if getattr(self, key) is None:
                yield f"key '{key}' is missing; required by the stated price of {stated[0]}"
        if self.prices is None:
            return
        years = {"prices.base.year": self.prices.base.year}
        if self.costs is not None:
            years["costs.price_year.year"] = self.costs.price_year.year
        for name in stated:
            price = self.benefits[name].price
            if not isinstance(price, ImpliedPrice):
                years[f"benefits.{name}.price.price_year"] = price.price_year
            if isinstance(price, FixedPrice):
                variants = enumerate(price.variants, start=1)
                years |= {f"benefits.{name}.price.variants[{at}].price_year": one.price_year for at, one in variants}
        for key, year in years.items():
            if year not in self.prices.deflator.index:
                yield f"key '{key}': {unknown_name(year, self.prices.deflator.index)} (years of prices.deflator.index)"

    def _wrong_supports(self) -> Iterator[str]:
        for key, quantity in () if any(self._unstated()) else self.quantities().items():
            low, high = quantity.support
            share = not key.startswith("conversions.") and key.rpartition(".")[2] in SHARES
            if low < 0 or (share and high > 1):
                allowed = "a share must lie between 0 and 1" if share else "must not be below 0"
                yield f"key '{key}': {quantity} given; {allowed}"
            if key == "costs.uncertainty" and low == 0 and not isinstance(quantity, LogNormalQuantity):
                yield f"key '{key}': {quantity} given; must be above 0, because a cost of 0 leaves returns undefined"

    def _unstated(self) -> Iterator[str]:
        """Yield names used by a perspective or benefit for which there is no table."""
        for one in self.perspectives.values():
            yield from (name for name in one.benefits if name not in self.benefits)
        for benefit in self.benefits.values():
            for named, tables in ((benefit.persistence, self.persistence), (benefit.conversion, self.conversions)):
                if named is not None and named not in tables:
                    yield named


SHARES = ("additional", "undisplaced", "decay", "first_year", "share", "fixed_share")
"""Last parts of the keys of quantities that are shares."""

_WHY_EXCLUDED = {
    "financial": "not exchequer income; remove it",
    "economic": "a transfer, not a gain to society; remove it",
}


def load_economic_spec(name: str | Path) -> EconomicSpec:
    """Read a shipped economic spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or an invalid file; the message lists all its errors with file and key.
    """
    return read_spec(name, EconomicSpec)
