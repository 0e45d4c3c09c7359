"""Reads analysis specs from TOML: strict keys, frozen, every error of a file in one message."""

from __future__ import annotations

import hashlib
import tomllib
import typing
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field, model_validator

from hlt_bayes.errors import SpecError, unknown_name
from hlt_bayes.priors import Frozen, NormalPrior, Positive, Prior, ScalePrior, Sourced, Words
from hlt_bayes.vocabulary import GROUPS, OUTCOMES

OutcomeName = Literal["employment", "earnings", "health", "wellbeing"]
GroupName = Literal["SCR IW", "SCR OOW", "WMCA"]
ReportedGroupName = Literal["SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW"]
SampleName = Literal["recruits", "12-month survey sample"]
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(gt=0)]


class Priors(Frozen):
    """Priors of the pooled structure, one per outcome and parameter."""

    mu: dict[OutcomeName, Prior]
    tau: dict[OutcomeName, ScalePrior]


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


class StandardError(Frozen):
    """What is assumed of the SEs that the reports do not print."""

    log_ratio: NormalPrior
    design: dict[OutcomeName, DesignSE]


class Sampling(Frozen):
    """Engine and its settings."""

    engine: Literal["nuts"]
    chains: Annotated[int, Field(ge=2)]
    tune: Count
    draws: Count
    target_accept: Share
    seed: Annotated[int, Field(ge=0)]


class Spec(Frozen):
    """A named spec; ``fingerprint`` is a hash of its content, whatever the layout of its file."""

    name: Words
    title: Words

    @property
    def fingerprint(self) -> str:
        """SHA-256 of every value of the spec."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class ImpactSpec(Spec):
    """What an impact model is made of; see ``models/impact/*.toml``."""

    structure: Literal["pooled"]
    outcomes: Annotated[list[OutcomeName], Field(min_length=1)]
    priors: Priors
    standard_error: StandardError
    sampling: Sampling

    @model_validator(mode="after")
    def _every_outcome_is_complete(self) -> Self:
        tables: dict[str, Collection[str]] = {
            "priors.mu": self.priors.mu,
            "priors.tau": self.priors.tau,
            "standard_error.design": self.standard_error.design,
        }
        problems = []
        if len(set(self.outcomes)) < len(self.outcomes):
            problems.append("key 'outcomes': an outcome stands twice")
        for key, table in tables.items():
            problems += [f"key '{key}.{name}' is missing" for name in self.outcomes if name not in table]
            problems += [
                f"key '{key}.{name}': outcomes does not name it" for name in table if name not in self.outcomes
            ]
        for key, table in (("priors.mu", self.priors.mu), ("priors.tau", self.priors.tau)):
            families = sorted({prior.family for prior in table.values()})
            if len(families) > 1:
                problems.append(f"key '{key}': one family for all outcomes is allowed, {' and '.join(families)} given")
            problems += [
                f"key '{key}.{name}.unit': {prior.unit!r} given; {name} is in {OUTCOMES[name].unit!r}"
                for name, prior in table.items()
                if prior.unit != OUTCOMES[name].unit
            ]
        for name, design in self.standard_error.design.items():
            if isinstance(design, MeanDifference):
                key = f"standard_error.design.{name}.sd"
                problems += [f"key '{key}.{group}' is missing" for group in GROUPS if group not in design.sd]
        if problems:
            raise ValueError("\n".join(problems))
        return self


class ImpliedPrice(Sourced):
    """A price, £ per unit of impact, anywhere in what the printed returns of ``groups`` allow together."""

    method: Literal["implied"]
    groups: Annotated[list[ReportedGroupName], Field(min_length=1)]


class Perspective(Frozen):
    """What one perspective values, and at which price."""

    outcome: OutcomeName
    price: ImpliedPrice


class Pooling(Frozen):
    """How pooled rows are weighted."""

    weights: Literal["recruits to treatment"]
    why: Words
    source: Words


class GrossOrNet(Frozen):
    """Whether the printed returns are read as gross benefit per £1 or net of cost."""

    returns_are: Literal["gross"]
    why: Words
    source: Words


class EconomicSpec(Spec):
    """What an economic model is made of; see ``models/economic/*.toml``."""

    pooling: Pooling
    gross_or_net: GrossOrNet
    perspectives: Annotated[dict[Literal["financial", "economic"], Perspective], Field(min_length=1)]


def load_impact_spec(name: str | Path) -> ImpactSpec:
    """Read a shipped impact spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return _load(name, "impact", ImpactSpec)


def load_economic_spec(name: str | Path) -> EconomicSpec:
    """Read a shipped economic spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return _load(name, "economic", EconomicSpec)


def models_folder() -> Path:
    """Folder of the shipped specs: inside an installed wheel, else beside the package in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "_models", package.parent / "models"):
        if folder.is_dir():
            return folder
    raise SpecError(f"{package / '_models'}: the shipped specs are missing; install the package again")


def spec_path(name: str | Path, kind: Literal["impact", "economic"]) -> Path:
    """File of a spec: ``name`` itself where it is a path to a TOML file, else that of the shipped spec."""
    if str(name).endswith(".toml"):
        return Path(name)
    folder = models_folder() / kind
    shipped = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if name not in shipped:
        raise SpecError(f"{kind} spec {unknown_name(name, shipped)} (or the path of a .toml file)")
    return shipped[str(name)]


def _load[S: Spec](name: str | Path, kind: Literal["impact", "economic"], spec: type[S]) -> S:
    path = spec_path(name, kind)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"{path}: spec cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{path}: not TOML: {error}") from error
    try:
        return spec.model_validate(content)
    except pydantic.ValidationError as error:
        lines = [line for found in error.errors() for line in _describe(found, spec).splitlines()]
        raise SpecError("\n".join(f"{path}: {line}" for line in lines)) from error


def _describe(found: typing.Any, spec: type[Spec]) -> str:  # noqa: ANN401 - pydantic's own untyped error details
    location, kind = found["loc"], found["type"]
    if not location:
        return str(found["ctx"]["error"])
    table, keys = _walk(spec, location[:-1] if kind == "extra_forbidden" or location[-1] == "[key]" else location)
    key = ".".join(keys)
    if kind == "extra_forbidden":
        allowed = table.model_fields if isinstance(table, type) and issubclass(table, pydantic.BaseModel) else []
        return f"key '{'.'.join([*keys, str(location[-1])])}': {unknown_name(location[-1], allowed)}"
    if location[-1] == "[key]" or kind == "literal_error":
        allowed = found["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        return f"key '{key}': {unknown_name(found['input'], allowed)}"
    if kind == "union_tag_invalid":
        tags = found["ctx"]["expected_tags"].replace("'", "").split(", ")
        return f"key '{key}.{found['ctx']['discriminator'].strip(chr(39))}': {unknown_name(found['ctx']['tag'], tags)}"
    if kind == "missing":
        return f"key '{key}' is missing"
    return f"key '{key}': {found['input']!r} given; {found['msg'][0].lower()}{found['msg'][1:]}"


def _walk(annotation: typing.Any, location: tuple[str | int, ...]) -> tuple[typing.Any, list[str]]:  # noqa: ANN401
    """Follow pydantic's location through the spec's types: the type that stands there, and the TOML keys."""
    keys: list[str] = []
    for step in location:
        annotation = _bare(annotation)
        members = [_bare(member) for member in typing.get_args(annotation)]
        if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
            field = annotation.model_fields.get(str(step))
            annotation = field.annotation if field else None
        elif typing.get_origin(annotation) is dict:
            annotation = members[1]
        elif any(isinstance(member, type) and issubclass(member, pydantic.BaseModel) for member in members):
            annotation = next(member for member in members if step in _tags(member))
            continue
        keys.append(str(step))
    return _bare(annotation), keys


def _bare(annotation: typing.Any) -> typing.Any:  # noqa: ANN401
    while typing.get_origin(annotation) is Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


def _tags(member: type[pydantic.BaseModel]) -> set[str]:
    names = (member.model_fields.get(name) for name in ("family", "method"))
    return {tag for field in names if field for tag in typing.get_args(field.annotation)}
