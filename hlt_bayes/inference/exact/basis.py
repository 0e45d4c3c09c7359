"""Linear-model form of a spec: design columns, and normal-mixture priors of their coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import SpecError
from hlt_bayes.inference.exact.prior_mixture import mixture_of
from hlt_bayes.inference.structures import delivery_in_steps, place_of_groups, values_by_place
from hlt_bayes.specs import ImpactSpec, Interval, Known, OutcomeName
from hlt_bayes.specs.priors import Family, NormalPrior, StudentTPrior

Array = np.ndarray

EXACT_STRUCTURES = ("pooled", "no-pooling", "complete-pooling", "sites", "moderators")
"""Structures that are normal given the between-group SD and the quantities drawn from their prior here."""


class Part(NamedTuple):
    """One mixture component of the coefficients' prior; if ``positive``, the last coefficient is truncated at 0."""

    log_weight: float
    means: Sequence[Array]
    variances: Sequence[Array]
    positive: bool


class Basis(NamedTuple):
    """The coefficients of one outcome.

    ``names`` and design ``columns``; ``parts``: mixture components of their prior; ``drawn``: SDs {draw} drawn from
    their prior, by name. Arrays have the dims {draw, 1, group} or {draw, 1}, or broadcast to them.
    """

    names: Sequence[str]
    columns: Sequence[Array]
    parts: Sequence[Part]
    drawn: dict[str, Array]


def check_exact_engine(spec: ImpactSpec) -> None:
    """Raise if the exact engine cannot fit a spec.

    Raises
    ------
    SpecError
        The structure is not normal given tau, the spec uses pooled rows, or it has no pooling and a prior that is
        neither normal nor Student's t.
    """
    if spec.structure not in EXACT_STRUCTURES:
        raise SpecError(
            f"spec {spec.name!r}, key 'structure': the exact engine cannot fit {spec.structure!r}, only "
            f"{', '.join(map(repr, EXACT_STRUCTURES))}; use engine 'nuts'"
        )
    if spec.pooled_rows is not None:
        raise SpecError(
            f"spec {spec.name!r}, key 'pooled_rows': the exact engine cannot use pooled rows; use engine 'nuts'"
        )
    if spec.structure == "no-pooling":
        for outcome, prior in spec.priors.mu.items():
            if not isinstance(prior, NormalPrior | StudentTPrior):
                raise SpecError(
                    f"spec {spec.name!r}, key 'priors.mu.{outcome}': without pooling, the exact engine needs a normal "
                    "or student-t prior; use engine 'nuts'"
                )


def is_exact(spec: ImpactSpec) -> bool:
    """Whether the exact engine can fit a spec."""
    try:
        check_exact_engine(spec)
    except SpecError:
        return False
    return True


def draw_delivery(groups: xr.Dataset, spec: ImpactSpec, *, draws: int, rng: np.random.Generator) -> Array | None:
    """Draw ``delivery`` {draw, moderator, group} in natural units from its prior; ``None`` without moderators.

    Groups of a site share its site-level values.
    """
    if spec.moderators is None:
        return None
    drawn = {}
    for key, value in values_by_place(spec.moderators).items():
        if isinstance(value, Known):
            drawn[key] = np.full(draws, value.value)
        elif isinstance(value, Interval):
            drawn[key] = rng.uniform(value.lower, value.upper, size=draws)
        else:
            drawn[key] = rng.normal(value.mean, value.sd, size=draws)
    rows = [
        np.stack([drawn[name, place] for place in place_of_groups(groups, one)], axis=1)
        for name, one in spec.moderators.items()
    ]
    return np.stack(rows, axis=1)


def basis_of(
    groups: xr.Dataset,
    spec: ImpactSpec,
    outcome: OutcomeName,
    delivery: Array | None,
    *,
    draws: int,
    rng: np.random.Generator,
) -> Basis:
    """Collect the coefficients of one outcome; the last is ``mu``, if the structure has one.

    Parameters
    ----------
    groups
        ``group`` and ``site`` {cell}: one cell per group.
    spec, outcome
        The model.
    delivery
        From ``draw_delivery``.
    draws, rng
        For the SDs that are drawn from their priors.
    """
    zero, one = np.zeros(()), np.ones(groups.sizes["cell"])
    if spec.structure == "no-pooling":
        names = [str(name) for name in groups["group"].to_numpy()]
        (part,) = normal_parts(spec.priors.mu[outcome], draws=draws, rng=rng)
        several = Part(0.0, [part.means[0]] * len(names), [part.variances[0]] * len(names), positive=False)
        return Basis(names, list(np.eye(len(names))), [several], {})
    names, columns, means, variances = [], [], [], []
    drawn = {}
    if spec.moderators is not None and spec.priors.slope is not None and delivery is not None:
        drawn["slope_sd"] = spec.priors.slope[outcome].quantile(rng.random(draws))
        names = list(spec.moderators)
        steps = delivery_in_steps(delivery, spec.moderators)
        columns = [steps[:, None, position, :] for position in range(len(names))]
        means, variances = [zero] * len(names), [drawn["slope_sd"][:, None] ** 2] * len(names)
    if spec.priors.site is not None and spec.priors.in_work is not None:
        drawn["site_sd"] = spec.priors.site[outcome].quantile(rng.random(draws))
        sites, prior = groups["site"].to_numpy(), spec.priors.in_work[outcome]
        names = [*dict.fromkeys(sites), "in_work"]
        columns = [(sites == site).astype(float) for site in names[:-1]]
        columns.append(np.array([float(group in (spec.in_work or [])) for group in groups["group"].to_numpy()]))
        means = [zero] * (len(names) - 1) + [np.array(prior.mean)]
        variances = [drawn["site_sd"][:, None] ** 2] * (len(names) - 1) + [np.array(prior.sd**2)]
    parts = [
        part._replace(means=[*means, *part.means], variances=[*variances, *part.variances])
        for part in normal_parts(spec.priors.mu[outcome], draws=draws, rng=rng)
    ]
    return Basis([*names, "mu"], [*columns, one], parts, drawn)


def normal_parts(prior: Family, *, draws: int, rng: np.random.Generator) -> list[Part]:
    """Express a prior of ``mu`` as a mixture of normals; for Student's t the variance {draw, 1} is drawn."""
    mixture = mixture_of(prior)
    if isinstance(mixture, StudentTPrior):
        shape = mixture.degrees_of_freedom / 2
        variance = mixture.scale**2 / rng.gamma(shape, 1 / shape, size=(draws, 1))
        return [Part(0.0, [np.array(mixture.mean)], [variance], positive=False)]
    each = zip(mixture.log_weight, mixture.mean, mixture.variance, strict=True)
    return [
        Part(float(log_weight), [np.asarray(mean)], [np.asarray(variance)], mixture.positive)
        for log_weight, mean, variance in each
    ]
