"""Distributions that a spec may name, and the reason and source that each figure states."""

from hlt_bayes.specs.priors.families import (
    Family,
    HalfNormalPrior,
    NormalMixturePrior,
    NormalPrior,
    Prior,
    ScalePrior,
    StudentTPrior,
    prior,
)
from hlt_bayes.specs.priors.quantities import Amount, FixedQuantity, Portion, Quantity, UniformQuantity
from hlt_bayes.specs.priors.reasoned import ASSUMPTION, Reasoned, Sourced

__all__ = [
    "ASSUMPTION",
    "Amount",
    "Family",
    "FixedQuantity",
    "HalfNormalPrior",
    "NormalMixturePrior",
    "NormalPrior",
    "Portion",
    "Prior",
    "Quantity",
    "Reasoned",
    "ScalePrior",
    "Sourced",
    "StudentTPrior",
    "UniformQuantity",
    "prior",
]
