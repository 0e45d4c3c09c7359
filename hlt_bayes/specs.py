"""Reads analysis specs from TOML: strict keys, frozen, every error of a file in one message."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hlt_bayes.errors import SpecError, unknown_name
from hlt_bayes.priors import NormalPrior, Prior, Reasoned, ScalePrior, Sourced
from hlt_bayes.strict import Frozen, Positive, Words, read_strict
from hlt_bayes.vocabulary import OUTCOMES

OutcomeName = Literal["employment", "earnings", "health", "wellbeing"]
GroupName = Words
ReportedGroupName = Literal["SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW"]
SampleName = Literal["recruits", "12-month survey sample"]
Kind = Literal["impact", "economic", "meta"]
SEED_END = 2**63
Share = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(gt=0, le=1_000_000)]


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


class LogRatio(NormalPrior):
    """Prior of log(SE / design SE), within what an SE can plausibly depart from its design."""

    mean: Annotated[float, Field(ge=-2, le=2)]
    sd: Annotated[float, Field(ge=1e-3, le=2)]


class StandardError(Frozen):
    """What is assumed of the SEs that the reports do not print."""

    log_ratio: LogRatio
    design: dict[OutcomeName, DesignSE]


class PooledRows(Frozen):
    """How printed rows that pool two trial groups are read; see ``hlt_bayes.reported.pooled_rows``."""

    weight: NormalPrior
    estimate_discrepancy: Figure
    se_discrepancy: Figure


class Sampling(Frozen):
    """Engine and its settings."""

    engine: Literal["nuts"]
    chains: Annotated[int, Field(ge=2, le=100)]
    tune: Count
    draws: Count
    target_accept: Share
    seed: Annotated[int, Field(ge=0, lt=SEED_END)]


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
    pooled_rows: PooledRows | None = None
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


class Pooling(Reasoned):
    """How pooled rows are weighted."""

    weights: Literal["recruits to treatment"]


class GrossOrNet(Reasoned):
    """Whether the printed returns are read as gross benefit per £1 or net of cost."""

    returns_are: Literal["gross"]


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
    return read_spec(name, "impact", ImpactSpec)


def load_economic_spec(name: str | Path) -> EconomicSpec:
    """Read a shipped economic spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return read_spec(name, "economic", EconomicSpec)


def read_spec[T: Spec](name: str | Path, kind: Kind, table: type[T]) -> T:
    """Read a spec of one kind by name or path, and the specs that it is based on."""
    path = spec_path(name, kind)
    return read_strict(path, table, SpecError, base=lambda other: spec_path(other, kind, beside=path))


def models_folder() -> Path:
    """Folder of the shipped specs: inside an installed wheel, else beside the package in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "_models", package.parent / "models"):
        if folder.is_dir():
            return folder
    raise SpecError(f"{package / '_models'}: the shipped specs are missing; install the package again")


def spec_path(name: str | Path, kind: Kind, *, beside: Path | None = None) -> Path:
    """File of a spec: ``name`` itself where it is a path to a TOML file, else that of the shipped spec.

    A relative path is taken from the folder of the file ``beside``, where that is given.
    """
    if str(name).endswith(".toml"):
        return beside.parent / name if beside else Path(name)
    folder = models_folder() / kind
    shipped = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    if name not in shipped:
        raise SpecError(f"{kind} spec {unknown_name(name, shipped)} (or the path of a .toml file)")
    return shipped[str(name)]


def stated_figures(node: object, key: str = "") -> Iterator[tuple[str, Reasoned]]:
    """Every choice or figure of a spec that states why it is so and where it comes from, by its key."""
    if isinstance(node, Reasoned):
        yield key, node
    elif isinstance(node, Frozen):
        for name in type(node).model_fields:
            yield from stated_figures(getattr(node, name), f"{key}.{name}".removeprefix("."))
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from stated_figures(value, f"{key}.{name}")
