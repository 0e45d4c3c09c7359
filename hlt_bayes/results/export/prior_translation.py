"""Translates the priors of a spec into those of the R packages bayesmeta and RBesT, where they have an equivalent."""

from __future__ import annotations

import numpy as np

from hlt_bayes.specs import ImpactSpec
from hlt_bayes.specs.priors.families import (
    ExponentialPrior,
    Family,
    HalfNormalPrior,
    HalfStudentTPrior,
    LogNormalPrior,
    NormalPrior,
)

RANDOM_EFFECTS = ("pooled", "joint")
"""Structures that reduce, for a single outcome, to the normal random-effects model of those packages."""

CAUCHY = 1.0
"""Degrees of freedom at which a t distribution is a Cauchy."""


def of_mu(spec: ImpactSpec, outcome: str, name: str) -> dict[str, object]:
    """Mean and SD of the prior of the mean impact; NaN if the spec has no normal prior for it."""
    stated = _stated(spec, outcome, "mu")
    if not isinstance(stated, NormalPrior):
        return {f"{name}.mean": np.nan, f"{name}.sd": np.nan, f"{name}.note": _why_not(spec, stated)}
    return {f"{name}.mean": stated.mean, f"{name}.sd": stated.sd, f"{name}.note": ""}


def of_bayesmeta(spec: ImpactSpec, outcome: str) -> dict[str, object]:
    """Prior of tau as R code for its density, with its name and scale."""
    stated = _stated(spec, outcome, "tau")
    match stated:
        case HalfNormalPrior():
            name, scale, text = "half-normal", stated.sd, f"bayesmeta::dhalfnormal(t, scale = {stated.sd!r})"
        case HalfStudentTPrior():
            name, scale = "half-student-t", stated.scale
            text = f"bayesmeta::dhalft(t, df = {stated.degrees_of_freedom!r}, scale = {scale!r})"
        case ExponentialPrior():
            name, scale, text = "exponential", stated.mean, f"stats::dexp(t, rate = {1 / stated.mean!r})"
        case LogNormalPrior():
            name, scale = "log-normal", stated.median
            text = f"stats::dlnorm(t, meanlog = {stated.log_median!r}, sdlog = {stated.log_sd!r})"
        case _:
            none = {"tau.prior": None, "tau.prior.name": None, "tau.prior.scale": np.nan}
            return {**none, "tau.prior.note": _why_not(spec, stated)}
    return {
        "tau.prior": f"function(t) {text}",
        "tau.prior.name": name,
        "tau.prior.scale": scale,
        "tau.prior.note": "",
    }


def of_gmap(spec: ImpactSpec, outcome: str) -> dict[str, object]:
    """Prior of tau as gMAP's ``tau.dist`` and its two parameters."""
    stated = _stated(spec, outcome, "tau")
    found: tuple[str, float, float] | None = None
    match stated:
        case HalfNormalPrior():
            found = "HalfNormal", 0.0, stated.sd
        case HalfStudentTPrior() if stated.degrees_of_freedom == CAUCHY:
            found = "TruncCauchy", 0.0, stated.scale
        case ExponentialPrior():
            found = "Exp", 1 / stated.mean, 0.0
        case LogNormalPrior():
            found = "LogNormal", stated.log_median, stated.log_sd
    if found is None:
        none = {"tau.dist": None, "tau.prior.a": np.nan, "tau.prior.b": np.nan}
        return {**none, "tau.prior.note": _why_not(spec, stated)}
    return {"tau.dist": found[0], "tau.prior.a": found[1], "tau.prior.b": found[2], "tau.prior.note": ""}


def _stated(spec: ImpactSpec, outcome: str, key: str) -> Family | None:
    """Prior in the spec for a random-effects parameter; None if its structure is a different model."""
    if spec.structure not in RANDOM_EFFECTS:
        return None
    table = dict(getattr(spec.priors, key) or {})
    return table.get(outcome)


def _why_not(spec: ImpactSpec, stated: Family | None) -> str:
    if stated is None:
        return f"structure {spec.structure} of spec {spec.name} is not a plain random-effects model"
    return f"{stated} has no equivalent in this R package"
