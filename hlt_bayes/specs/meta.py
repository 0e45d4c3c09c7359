"""Specification of the meta-analysis of IPS trials, read from ``models/meta/*.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hlt_bayes.core.toml import Finite, Frozen, Positive
from hlt_bayes.evidence.ips_trials import OutcomeClass
from hlt_bayes.specs import Figure, Sampling, Share, Spec, read_spec
from hlt_bayes.specs.load import SpecKind
from hlt_bayes.specs.priors import HalfNormalPrior, NormalPrior, Reasoned, Sourced


class Trials(Reasoned):
    """Trials to pool, selected by outcome class."""

    outcome_classes: Annotated[list[OutcomeClass], Field(min_length=1)]


class MetaPriors(Frozen):
    """Priors of the binomial random-effects model, all on the log or logit scale."""

    mu: NormalPrior
    tau: HalfNormalPrior
    size_slope: NormalPrior
    control_logit: NormalPrior


class Wide(Sourced):
    """Wide component of the robust mixture prior, in case the other trials do not apply."""

    weight: Share
    mean: Finite
    sd: Positive
    unit: Literal["proportion"]


class TrialsSampling(Sampling):
    """Settings of the sampler; there is no exact engine for counts."""

    engine: Literal["nuts"]


class MetaSpec(Spec):
    """Specification of the meta-analysis."""

    kind: ClassVar[SpecKind] = "meta"

    trials: Trials
    reference_size: Figure
    priors: MetaPriors
    wide: Wide
    sampling: TrialsSampling


def load_meta_spec(name: str | Path) -> MetaSpec:
    """Read a shipped meta-analysis spec by its name, or a file of your own by its path (ends in ``.toml``).

    Raises
    ------
    SpecError
        No such spec, or an invalid file; the message lists all its errors with file and key.
    """
    return read_spec(name, MetaSpec)
