"""What the pooling of the trials of IPS assumes, read from ``models/meta/*.toml``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from hlt_bayes.core.toml import Finite, Frozen, Positive
from hlt_bayes.evidence.ips_trials import OutcomeClass
from hlt_bayes.specs import Figure, Sampling, Share, Spec, read_spec
from hlt_bayes.specs.priors import HalfNormalPrior, NormalPrior, Reasoned, Sourced


class Trials(Reasoned):
    """Which trials are pooled: those of these classes of outcome."""

    outcome_classes: Annotated[list[OutcomeClass], Field(min_length=1)]


class MetaPriors(Frozen):
    """Priors of the binomial random-effects model, all on the log or logit scale."""

    mu: NormalPrior
    tau: HalfNormalPrior
    size_slope: NormalPrior
    control_logit: NormalPrior


class Wide(Sourced):
    """The component that speaks where the other trials do not apply."""

    weight: Share
    mean: Finite
    sd: Positive
    unit: Literal["proportion"]


class TrialsSampling(Sampling):
    """Settings of the sampler; counts have no exact engine."""

    engine: Literal["nuts"]


class MetaSpec(Spec):
    """What the pooling of the trials is made of."""

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
        No such spec, or a file that is not one: all its errors in one message, each with file and key.
    """
    return read_spec(name, "meta", MetaSpec)
