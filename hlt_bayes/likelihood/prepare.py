"""Prepare published impacts for the likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import EvidenceError, SpecError, unknown_name
from hlt_bayes.core.vocabulary import ARMS, GROUPS
from hlt_bayes.evidence import Evidence
from hlt_bayes.likelihood.bounds import Bounds, printed_bounds
from hlt_bayes.likelihood.design_se import design_se
from hlt_bayes.specs import ImpactSpec

FLAT_LOG_SD = 2.0
"""Prior SD of the log SE where no design-based SE is known, but the published values bound it on both sides."""

EVENTS_AND_MORE_LOG_SD = 0.1
"""Smallest prior SD of the log SE where events come with a p, SE or interval, which may be from another test."""

ADJUSTMENT_SES = 2.0
"""Largest shift, in SEs, that covariates may cause between an estimate and its own events or percentages."""

FAR_SDS = 5.0
"""Prior SDs of the log SE beyond which a result in a user's own file is taken for a unit error."""

IMPOSSIBLE_SDS = 30.0
"""Prior SDs beyond which a published result is practically impossible; a little further its probability underflows."""


def reported_results(evidence: Evidence, spec: ImpactSpec) -> xr.Dataset:
    """Collect the inputs of the likelihood for each published impact of the trial groups.

    Returns
    -------
    Dataset {cell}
        ``estimate`` and ``half_unit`` in the outcome's unit; ``lower`` and ``upper``, between which the
        unrounded estimate lies; ``z_lower`` and ``z_upper`` (bounds of |estimate| / SE); ``se_lower`` and
        ``se_upper`` (bounds of the SE: 0 and infinity where it is not reported); ``design_se`` (missing where
        no sample size is known); ``log_se_mean`` and ``log_se_sd`` (prior of the log SE);
        ``outcome``, ``group`` and ``site`` as coordinates beside ``cell``, which names outcome and group.

    Raises
    ------
    SpecError
        The spec lacks an SD needed for an SE, implies an SE that the published values exclude, or names an unknown
        group.
    EvidenceError
        The published values of an impact contradict each other or do not bound its SE; or no impact is on an outcome
        of the spec.
    """
    _refuse_unknown_groups(evidence, spec)
    printed = evidence.impacts
    printed = printed[printed["outcome"].isin(spec.outcomes) & printed["group"].isin(evidence.groups)]
    printed = printed.sort_values(
        ["outcome", "group"],
        key=lambda names: names.map({name: i for i, name in enumerate([*spec.outcomes, *evidence.groups])}),
    )
    if printed.empty:
        raise EvidenceError(
            f"{evidence.path}: no impact on {', '.join(spec.outcomes)}; spec {spec.name!r} needs at least one"
        )
    sizes = {str(design.sample): evidence.arm_sizes(design.sample) for design in spec.standard_error.design.values()}
    rows = pd.DataFrame([_cell(row, spec, sizes, evidence) for _, row in printed.iterrows()])
    return xr.Dataset(
        {name: ("cell", rows[name].to_numpy(float)) for name in rows.columns},
        coords={
            "cell": [f"{row['outcome']}, {row['group']}" for _, row in printed.iterrows()],
            "outcome": ("cell", printed["outcome"].to_numpy(dtype=object)),
            "group": ("cell", printed["group"].to_numpy(dtype=object)),
            "site": ("cell", printed["site"].to_numpy(dtype=object)),
        },
    )


def labels(cells: xr.Dataset, name: str) -> list[Any]:
    """List the distinct outcomes, groups or sites of ``cells`` {cell}, in the order used by every model."""
    return list(dict.fromkeys(cells[name].to_numpy()))


def _refuse_unknown_groups(evidence: Evidence, spec: ImpactSpec) -> None:
    """Raise if a spec names a group that is neither in this evidence nor in the Health-led Trials."""
    known = [*evidence.groups, *GROUPS]
    for outcome, design in spec.standard_error.design.items():
        figures = {"rates": getattr(design, "rates", {}), "sd": getattr(design, "sd", {})}
        for key, groups in figures.items():
            for group in groups:
                if group not in known:
                    raise SpecError(
                        f"spec {spec.name!r}, key 'standard_error.design.{outcome}.{key}': group "
                        f"{unknown_name(group, dict.fromkeys(known))}"
                    )


def _cell(row: pd.Series, spec: ImpactSpec, sizes: Mapping[str, pd.DataFrame], evidence: Evidence) -> dict[str, float]:
    """Likelihood inputs of one published impact."""
    where = f"{evidence.path}, line {row['line']}, {row['outcome']} of {row['group']}"
    bounds = printed_bounds(row, where)
    design, design_log_sd = design_se(row, spec, sizes)
    mean, sd = _log_se_prior(row, spec, bounds, design, design_log_sd, where)
    if evidence.is_user_data:
        _refuse_slips(row, bounds, design, (mean, sd), where)
    elif not np.isnan(design) and _sds_beyond(bounds, (mean, sd)) > IMPOSSIBLE_SDS:
        least, most = np.exp(bounds.log_se())
        raise SpecError(
            f"spec {spec.name!r}, key 'standard_error': it implies an SE near {np.exp(mean):.3g} for {where}, but the "
            f"published values imply {least:.3g} to {most:.3g} ({row['unit']}); check its assumed SDs and rates"
        )
    return {
        "estimate": row["estimate"],
        "half_unit": row["half_unit"],
        **asdict(bounds),
        "design_se": design,
        "log_se_mean": mean,
        "log_se_sd": sd,
    }


def _log_se_prior(
    row: pd.Series, spec: ImpactSpec, bounds: Bounds, design: float, design_log_sd: float, where: str
) -> tuple[float, float]:
    """Mean and SD of the prior of the log SE."""
    ratio = spec.standard_error.log_ratio
    least, most = bounds.log_se()
    if not np.isnan(design):
        if np.isnan(row["events_treatment"]) or row["half_unit"] > 0:
            return float(np.log(design) + ratio.mean), float(np.hypot(ratio.sd, design_log_sd))
        otherwise_too = row[["p_lower", "se", "ci_lower"]].notna().any()
        return float(np.log(design)), max(design_log_sd, EVENTS_AND_MORE_LOG_SD) if otherwise_too else design_log_sd
    if np.isfinite(least) and np.isfinite(most):
        return (least + most) / 2, FLAT_LOG_SD
    raise EvidenceError(
        f"{where}: the published values do not bound the standard error on both sides; give n_treatment and n_control "
        "(and sd for earnings), se, an interval or an exact p, or more digits of the values given"
    )


def _sds_beyond(bounds: Bounds, prior: tuple[float, float]) -> float:
    """Distance, in prior SDs, of the prior mean of the log SE from its published bounds; negative if within them."""
    least, most = bounds.log_se()
    mean, sd = prior
    return max(least - mean, mean - most) / sd


def _refuse_slips(row: pd.Series, bounds: Bounds, design: float, prior: tuple[float, float], where: str) -> None:
    """Raise if an SE is far from its design-based value, or an estimate from its own events or percentages."""
    least, most = bounds.log_se()
    mean, _ = prior
    if not np.isnan(design) and _sds_beyond(bounds, prior) > FAR_SDS:
        raise EvidenceError(
            f"{where}: the published values imply a standard error of {np.exp(least):.3g} to {np.exp(most):.3g}, but "
            f"the sample sizes imply one near {design:.3g} ({row['unit']}); check units, stars, p and the number of "
            "people in each arm"
        )
    for name, kind in (("events", "events"), ("rate", "percentages")):
        if np.isnan(row[f"{name}_treatment"]):
            continue
        shares = [row[f"{name}_{arm}"] / (row[f"n_{arm}"] if name == "events" else 1.0) for arm in ARMS]
        seen = shares[0] - shares[1]
        if abs(seen - row["estimate"]) > ADJUSTMENT_SES * np.exp(mean) + row["half_unit"] + 0.01 * (name == "rate"):
            raise EvidenceError(
                f"{where}: the estimate {row['text']!r} is far from the {100 * seen:.1f} ppt implied by the {kind}; "
                "check sign and unit, and which arm is which"
            )
