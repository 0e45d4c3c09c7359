"""What a rounded, starred result says about the estimate and the standard error behind it.

A cell prints ``v`` with half a unit ``h`` of its last digit, and stars. It says three things of the
unrounded estimate ``x`` and of its standard error ``s``, which is not printed:

- ``x`` lies in ``[v - h, v + h]``;
- the stars bound ``|x| / s`` from below and from above ("no star" only from above);
- ``log s`` has a normal prior around the SE that the design implies.

Two positions in (0, 1) name a point of that region, one inside the rounding interval and one inside
the interval of ``log s`` that ``x`` and the stars leave, so that a sampler meets no wall. The functions
take ``xp``, NumPy or PyTensor, and are the one definition for every engine and for the recovery of SEs.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import xarray as xr

from hlt_bayes.errors import SpecError
from hlt_bayes.evidence import Evidence
from hlt_bayes.specs import ImpactSpec, MeanDifference, RiskDifference
from hlt_bayes.vocabulary import ARMS

_QUANTILE = {p: NormalDist().inv_cdf(1 - p / 2) for p in (0.10, 0.05, 0.01)}

STAR_BOUNDS = {
    "": (0.0, _QUANTILE[0.10]),
    "*": (_QUANTILE[0.10], _QUANTILE[0.05]),
    "**": (_QUANTILE[0.05], _QUANTILE[0.01]),
    "***": (_QUANTILE[0.01], np.inf),
}
"""Bounds of |estimate| / SE for each mark of Table 2.1: 90, 95 and 99 %, two-sided normal."""

TAIL_SDS = 10.0
"""Where the stars leave ``log s`` open, its prior is cut this many SDs out: a mass below 1e-22."""


def reported_results(evidence: Evidence, spec: ImpactSpec) -> xr.Dataset:
    """Collect what the likelihood needs of each printed impact of the trial groups.

    Returns
    -------
    Dataset {cell}
        ``estimate`` and ``half_unit`` in the outcome's unit, ``z_lower`` and ``z_upper`` (bounds of
        |estimate| / SE), ``design_se``, ``log_se_mean`` and ``log_se_sd`` (prior of the log of the SE);
        ``outcome`` and ``group`` as coordinates beside ``cell``, which names both.

    Raises
    ------
    SpecError
        The spec lacks what the SE of a printed cell needs.
    """
    cells = evidence.impacts
    cells = cells[cells["outcome"].isin(spec.outcomes) & cells["group"].isin(evidence.groups)]
    cells = cells.sort_values(
        ["outcome", "group"],
        key=lambda names: names.map({name: i for i, name in enumerate([*spec.outcomes, *evidence.groups])}),
    )
    pairs = list(zip(cells["outcome"], cells["group"], strict=True))
    design = np.array([design_se(evidence, spec, outcome=outcome, group=group) for outcome, group in pairs])
    for pair, se in zip(pairs, design, strict=True):
        if not (np.isfinite(se) and se > 0):
            raise SpecError(f"the design SE of {' of '.join(pair)} is {se:g}; it must be a number above 0")
    ratio = spec.standard_error.log_ratio
    bounds = np.array([STAR_BOUNDS[stars] for stars in cells["stars"]])
    return xr.Dataset(
        {
            "estimate": ("cell", cells["estimate"].to_numpy()),
            "half_unit": ("cell", cells["half_unit"].to_numpy()),
            "z_lower": ("cell", bounds[:, 0]),
            "z_upper": ("cell", bounds[:, 1]),
            "design_se": ("cell", design),
            "log_se_mean": ("cell", np.log(design) + ratio.mean),
            "log_se_sd": ("cell", np.full(len(pairs), ratio.sd)),
        },
        coords={
            "cell": [f"{outcome}, {group}" for outcome, group in pairs],
            "outcome": ("cell", cells["outcome"].to_numpy(dtype=object)),
            "group": ("cell", cells["group"].to_numpy(dtype=object)),
        },
    )


def design_se(evidence: Evidence, spec: ImpactSpec, *, outcome: str, group: str) -> float:
    """SE that sample sizes imply for an impact, in the outcome's unit, before any adjustment.

    Raises
    ------
    SpecError
        Employment rates are neither printed nor assumed in the spec.
    """
    design = spec.standard_error.design[outcome]  # type: ignore[index]
    people = evidence.arm_sizes(design.sample).loc[group]
    per_person = np.array([1 / people[arm] for arm in ARMS])
    if isinstance(design, MeanDifference):
        return float(design.sd[group].value * np.sqrt(per_person.sum()))  # type: ignore[index]
    if isinstance(design, RiskDifference):
        rates = evidence.employment_rates
        if group in rates.index:
            shares = np.array([rates.loc[group, arm] for arm in ARMS])
        elif group in design.rates:
            shares = np.array([getattr(design.rates[group], arm) for arm in ARMS])
        else:
            raise SpecError(
                f"spec {spec.name!r}, key 'standard_error.design.{outcome}.rates.{group}' is missing: "
                "no rate is printed for this group, so the spec must state control and treatment"
            )
        return float(np.sqrt((shares * (1 - shares) * per_person).sum()))
    return float(np.sqrt(per_person.sum()))


def estimate_at(position: Any, cells: xr.Dataset) -> Any:  # noqa: ANN401 - NumPy or PyTensor
    """Unrounded estimate {cell} at ``position`` in (0, 1) of its rounding interval."""
    return cells["estimate"].to_numpy() + cells["half_unit"].to_numpy() * (2 * position - 1)


def log_se_bounds(estimate: Any, cells: xr.Dataset, xp: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """Bounds of the log SE {cell} that an unrounded ``estimate`` and the stars leave."""
    mean, reach = cells["log_se_mean"].to_numpy(), TAIL_SDS * cells["log_se_sd"].to_numpy()
    with np.errstate(divide="ignore"):
        log_z_lower, log_z_upper = np.log(cells["z_lower"].to_numpy()), np.log(cells["z_upper"].to_numpy())
    log_estimate = xp.log(xp.abs(estimate))
    by_stars_lower, by_stars_upper = log_estimate - log_z_upper, log_estimate - log_z_lower
    lower = xp.maximum(by_stars_lower, xp.minimum(by_stars_upper, mean) - reach)
    upper = xp.minimum(by_stars_upper, xp.maximum(by_stars_lower, mean) + reach)
    return lower, upper


def se_at(position: Any, estimate: Any, cells: xr.Dataset, xp: Any) -> tuple[Any, Any]:  # noqa: ANN401
    """SE {cell} at ``position`` in (0, 1) of the interval of its log, and its log prior density there.

    The density is that of the position: the normal density of the log SE times the width of the interval.
    """
    lower, upper = log_se_bounds(estimate, cells, xp)
    log_se = lower + position * (upper - lower)
    mean, sd = cells["log_se_mean"].to_numpy(), cells["log_se_sd"].to_numpy()
    return xp.exp(log_se), log_normal_density(log_se, mean, sd, xp) + xp.log(upper - lower)


def log_normal_density(value: Any, mean: Any, sd: Any, xp: Any) -> Any:  # noqa: ANN401
    """Log density of a normal."""
    return -0.5 * ((value - mean) / sd) ** 2 - xp.log(sd) - 0.5 * np.log(2 * np.pi)


def recovered_se(cells: xr.Dataset, probabilities: Sequence[float]) -> xr.Dataset:
    """Recover the SE of each printed cell from rounding, stars and design alone.

    No impact model enters: the estimate is uniform over its rounding interval before the stars speak.

    Parameters
    ----------
    cells
        Dataset {cell} of ``reported_results``.
    probabilities
        Which quantiles to give.

    Returns
    -------
    Dataset
        ``mean`` {cell} and ``quantile`` {cell, probability} of the SE, in the outcome's unit, by the
        midpoint rule on the two positions.
    """
    across, along = np.meshgrid(_midpoints(60), _midpoints(3000), indexing="ij")
    means, quantiles = [], []
    for name in cells["cell"].to_numpy():
        cell = cells.sel(cell=name)
        se, log_density = se_at(along, estimate_at(across, cell), cell, np)
        order = np.argsort(se, axis=None)
        values = se.ravel()[order]
        weights = np.exp(log_density - log_density.max()).ravel()[order]
        cumulative = (np.cumsum(weights) - weights / 2) / weights.sum()
        means.append(np.average(values, weights=weights))
        quantiles.append(np.interp(probabilities, cumulative, values))
    return xr.Dataset(
        {"mean": ("cell", np.array(means)), "quantile": (("cell", "probability"), np.array(quantiles))},
        coords={**cells.coords, "probability": list(probabilities)},
    )


def _midpoints(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count
