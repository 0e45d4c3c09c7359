"""What an economic model is made of, read from ``models/economic/*.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from hlt_bayes.core.errors import unknown_name
from hlt_bayes.core.toml import Finite, Frozen, Positive, Words
from hlt_bayes.core.vocabulary import SURVEY_OUTCOMES
from hlt_bayes.specs.impact import Figure, GroupName, OutcomeName
from hlt_bayes.specs.load import Spec, read_spec
from hlt_bayes.specs.priors import Amount, Portion, Quantity, Reasoned, Sourced
from hlt_bayes.specs.priors.quantities import FixedQuantity, LogNormalQuantity, UniformQuantity

ReportedGroupName = Literal["SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW"]
PerspectiveName = Literal["financial", "economic"]
PriceYear = Words
"""The year of whose prices a sum of money is, such as 2019 or 2020/21."""

QALY = "GBP per QALY"
"""Unit of the value of a QALY, by which curves over it and its place among what may be learnt are found."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
"""A name of a table: small letters, digits, hyphens, so that keys of quantities can be taken apart again."""

LONGEST = 60.0
"""Years; nothing here lasts longer than a working life."""

GREATEST_RATE = 0.2
"""A year; a greater rate is one written in per cent."""

ALIEN = {"financial": "society", "economic": "exchequer"}
"""Whose gains a perspective does not count: the exchequer's are transfers to society, society's are not its money."""

OVERLAPPING = (("health", "wellbeing"), ("employment", "earnings"))
"""Outcomes that measure much the same gain, so that both count only as far as one says what it adds."""


class ImpliedPrice(Sourced):
    """A price, £ per unit of impact, anywhere in what the printed returns of ``groups`` allow together.

    It holds all years and whatever else the evaluation valued, in prices of the year of the costs.
    """

    family: Literal["implied"]
    groups: Annotated[list[ReportedGroupName], Field(min_length=1)]


class Variant(Sourced):
    """Another value that a price is given: shown beside, never mixed in."""

    value: Positive
    price_year: PriceYear


class FixedPrice(FixedQuantity):
    """A price that is taken as known."""

    price_year: PriceYear
    variants: list[Variant] = Field(default_factory=list)


class UniformPrice(UniformQuantity):
    """A price anywhere between two others."""

    price_year: PriceYear


class LogNormalPrice(LogNormalQuantity):
    """A price known up to a factor."""

    price_year: PriceYear


Price = Annotated[ImpliedPrice | FixedPrice | UniformPrice | LogNormalPrice, Field(discriminator="family")]


class Benefit(Frozen):
    """What a unit of impact is worth: ``price`` x ``conversion`` x ``additional`` x the years of its ``persistence``.

    ``accrues_to`` says whose gain it is: ``exchequer`` money that somebody else has less of (a transfer), ``society``
    output or wellbeing, ``both`` public resources that are free for something else. ``additional`` is the share that no
    other benefit of the perspective holds already; ``undisplaced`` the share that is not at the cost of others.
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
    """A later result that is printed by its significance alone: above zero at ``confidence`` % in ``month``."""

    group: GroupName
    outcome: OutcomeName
    month: Annotated[int, Field(gt=12, le=240)]
    confidence: Literal[90, 95, 99]
    se: Annotated[float, Field(ge=1e-4, le=1e9)]
    error_correlation: Annotated[float, Field(ge=0, le=0.99)]


class Persistence(Frozen):
    """How an impact goes on: its mean over the first year, a rise from the second on, a decay a year, and a horizon."""

    horizon: Figure
    decay: Portion
    first_year: Portion | None = None
    rise: Amount | None = None
    follow_up: FollowUp | None = None


class Rate(Sourced):
    """A discount rate a year."""

    value: Finite

    @field_validator("value")
    @classmethod
    def _not_in_per_cent(cls, value: float) -> float:
        if not 0 <= value <= GREATEST_RATE:
            raise ValueError(f"a rate a year lies between 0 and {GREATEST_RATE:g}: 3.5 % is 0.035")
        return value


class Discounting(Frozen):
    """Discount rates: of money, and of health and wellbeing."""

    standard: Rate
    health: Rate


class Deflator(Sourced):
    """A price index by year."""

    index: Annotated[dict[PriceYear, Positive], Field(min_length=1)]


class BaseYear(Reasoned):
    """The year in whose prices everything is added up, or in whose prices the costs are printed."""

    year: PriceYear


class Prices(Frozen):
    """The base price year, and the index that brings other years to it."""

    base: BaseYear
    deflator: Deflator


class Costs(Frozen):
    """Cost per person randomised to treatment: printed, or stated ``per_head``.

    ``uncertainty`` is a factor. ``fixed_share`` is the share that does not depend on how many people are treated.
    """

    price_year: BaseYear
    per_head: dict[GroupName, Figure] = Field(default_factory=dict)
    uncertainty: Amount | None = None
    fixed_share: Portion | None = None


class NonrespondentGain(Frozen):
    """What those who did not answer the survey gained, as a share of what the others did."""

    share: Portion


class Decision(Frozen):
    """Whom a decision is for, and what a new trial costs."""

    people_per_year: Figure
    years: Figure
    trial_years: Figure
    trial_cost_per_recruit: Figure
    trial_fixed_cost: Figure


class Perspective(Frozen):
    """Which benefits a perspective counts."""

    benefits: Annotated[list[Name], Field(min_length=1)]


class Pooling(Reasoned):
    """How pooled rows are weighted."""

    weights: Literal["recruits to treatment"]


class GrossOrNet(Reasoned):
    """Whether the printed returns are read as gross benefit per £1 or net of cost."""

    returns_are: Literal["gross"]


class EconomicSpec(Spec):
    """What an economic model is made of; see ``models/economic/*.toml``."""

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
        """Benefits that a perspective counts, by name."""
        names = dict.fromkeys(name for one in self.perspectives.values() for name in one.benefits)
        return {name: self.benefits[name] for name in names}

    def quantities(self) -> dict[str, Quantity]:
        """Quantities that the returns depend on, by key; prices that the print implies are not among them."""
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
                    yield f"{key}: no price is stated for {name!r}, in a table [benefits.{name}]; stated are {stated}"
                elif self.benefits[name].accrues_to == ALIEN[perspective]:
                    yield f"{key}: {name!r} accrues to {ALIEN[perspective]!r}: {_WHY_ALIEN[perspective]}; take it out"
            if len(set(one.benefits)) < len(one.benefits):
                yield f"{key}: a benefit stands twice"
            yield from self._counted_twice(key, [name for name in one.benefits if name in self.benefits])

    def _counted_twice(self, key: str, names: list[str]) -> Iterator[str]:
        """Find two measures of one gain of which neither says what it adds to the other."""
        # What is freed of public resources by work is another gain than the work; of health nothing is.
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
                yield f"{key}: {' and '.join(whole)} value one gain in {outcome}; state 'additional' for all but one"
        for pair in OVERLAPPING:
            of_outcome = [[name for name in gains if self.benefits[name].outcome == outcome] for outcome in pair]
            stated = [all(self.benefits[name].additional for name in one) for one in of_outcome]
            if all(of_outcome) and not any(stated):
                yield (
                    f"{key}: {' and '.join(one[0] for one in of_outcome)} value {pair[0]} and {pair[1]}, which measure "
                    f"much the same gain; state for one of them 'additional', the share of it that the other does not "
                    "hold already"
                )

    def _wrong_benefits(self) -> Iterator[str]:
        for name, benefit in self.benefits.items():
            key = f"key 'benefits.{name}"
            if isinstance(benefit.price, ImpliedPrice):
                for other in ("conversion", "persistence", "additional", "undisplaced"):
                    if getattr(benefit, other) is not None:
                        yield f"{key}.{other}': a price of family 'implied' holds that already; take it out"
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
            if not 1 <= one.horizon.value <= LONGEST:
                allowed = f"impacts are of 1 year, so 1 or more, and at most {LONGEST:g}"
                yield f"{key}.horizon.value': {one.horizon.value:g} given; {allowed}"
            if one.follow_up is None:
                continue
            if one.horizon.value < one.follow_up.month / 12:
                yield (
                    f"{key}.horizon.value': {one.horizon.value:g} given; the impact was still seen in month "
                    f"{one.follow_up.month}, so {one.follow_up.month / 12:g} or more"
                )
            if one.rise is not None or one.first_year is not None:
                yield f"{key}.follow_up': says what is left of the mean of the first year; take out rise and first_year"

    def _wrong_years(self) -> Iterator[str]:
        stated = [name for name, one in self.benefits.items() if not isinstance(one.price, ImpliedPrice)]
        if not stated:
            return
        for key in ("prices", "discounting", "costs"):
            if getattr(self, key) is None:
                yield f"key '{key}' is missing; a stated price (of {stated[0]}) needs it"
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
                allowed = "a share lies between 0 and 1" if share else "it must not be below 0"
                yield f"key '{key}': {quantity} given; {allowed}"
            if key == "costs.uncertainty" and low == 0 and not isinstance(quantity, LogNormalQuantity):
                yield f"key '{key}': {quantity} given; a cost of 0 leaves returns undefined, so above 0"

    def _unstated(self) -> Iterator[str]:
        """Names that a perspective or benefit uses and no table states."""
        for one in self.perspectives.values():
            yield from (name for name in one.benefits if name not in self.benefits)
        for benefit in self.benefits.values():
            for named, tables in ((benefit.persistence, self.persistence), (benefit.conversion, self.conversions)):
                if named is not None and named not in tables:
                    yield named


SHARES = ("additional", "undisplaced", "decay", "first_year", "share", "fixed_share")
"""Last words of the keys of quantities that are shares."""

_WHY_ALIEN = {
    "financial": "nobody pays it to the exchequer",
    "economic": "a transfer, which somebody else has less of, is no gain to society",
}


def load_economic_spec(name: str | Path) -> EconomicSpec:
    """Read a shipped economic spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return read_spec(name, "economic", EconomicSpec)
