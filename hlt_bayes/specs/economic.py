"""What an economic model is made of, read from ``models/economic/*.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hlt_bayes.priors import Reasoned, Sourced
from hlt_bayes.specs.impact import OutcomeName
from hlt_bayes.specs.reading import Spec, read_spec
from hlt_bayes.strict import Frozen

ReportedGroupName = Literal["SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW"]


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


def load_economic_spec(name: str | Path) -> EconomicSpec:
    """Read a shipped economic spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return read_spec(name, "economic", EconomicSpec)
