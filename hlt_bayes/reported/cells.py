"""From what is printed of each impact to what its likelihood needs."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.errors import EvidenceError, SpecError, unknown_name
from hlt_bayes.evidence import Evidence
from hlt_bayes.reported.likelihood import STAR_BOUNDS
from hlt_bayes.specs import ImpactSpec, MeanDifference, RiskDifference
from hlt_bayes.vocabulary import ARMS, GROUPS

UNKNOWN_RATE_LOG_SD = (-1.0, 0.42)
"""Mean and SD of log sqrt(p (1 - p)) where nothing is known of a share: p uniform on (0, 1)."""

FLAT_LOG_SD = 2.0
"""SD of the prior of log SE where no design bounds it and what is printed bounds it on both sides."""

KNOWN_LOG_SD = 1e-3
"""SD of the prior of log SE where it follows from counts of events."""


def reported_results(evidence: Evidence, spec: ImpactSpec) -> xr.Dataset:
    """Collect what the likelihood needs of each printed impact of the trial groups.

    Returns
    -------
    Dataset {cell}
        ``estimate`` and ``half_unit`` in the outcome's unit; ``lower`` and ``upper``, between which the
        unrounded estimate lies; ``z_lower`` and ``z_upper`` (bounds of |estimate| / SE); ``se_lower`` and
        ``se_upper`` (bounds of the SE: 0 and infinity where it is not printed); ``design_se`` (missing where
        no sample size is known); ``log_se_mean`` and ``log_se_sd`` (prior of the log of the SE);
        ``outcome`` and ``group`` as coordinates beside ``cell``, which names both.

    Raises
    ------
    SpecError
        The spec lacks what the SE of a printed cell needs, or names a group that nobody printed.
    EvidenceError
        What is printed of one impact contradicts itself, or does not bound its SE.
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
            f"{evidence.path}: no impact on {', '.join(spec.outcomes)}, which spec {spec.name!r} asks for"
        )
    sizes = {str(design.sample): evidence.arm_sizes(design.sample) for design in spec.standard_error.design.values()}
    rows = pd.DataFrame([_cell(row, spec, sizes) for _, row in printed.iterrows()])
    return xr.Dataset(
        {name: ("cell", rows[name].to_numpy(float)) for name in rows.columns},
        coords={
            "cell": [f"{row['outcome']}, {row['group']}" for _, row in printed.iterrows()],
            "outcome": ("cell", printed["outcome"].to_numpy(dtype=object)),
            "group": ("cell", printed["group"].to_numpy(dtype=object)),
        },
    )


def _refuse_unknown_groups(evidence: Evidence, spec: ImpactSpec) -> None:
    """Find the misspelt group of a spec: one that neither this evidence nor the Health-led Trials have."""
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


def _cell(row: pd.Series, spec: ImpactSpec, sizes: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Everything of one printed impact."""
    z_lower, z_upper = STAR_BOUNDS[row["stars"]]
    if not np.isnan(row["p_lower"]):
        z_lower = max(z_lower, _z(row["p_upper"]))
        z_upper = min(z_upper, _z(row["p_lower"]))
    se_lower, se_upper = _printed_se_bounds(row)
    design, design_log_sd = _design(row, spec, sizes)
    lower, upper = row["estimate"] - row["half_unit"], row["estimate"] + row["half_unit"]
    where = f"{row['place']}, line {row['line']}, {row['outcome']} of {row['group']}"
    if z_lower > 0 and se_lower > 0:
        lower, upper = _beyond(lower, upper, z_lower * se_lower, where)
    if np.isfinite(z_upper) and np.isfinite(se_upper):
        lower, upper = max(lower, -z_upper * se_upper), min(upper, z_upper * se_upper)
    if z_lower >= z_upper or se_lower >= se_upper or lower > upper:
        raise EvidenceError(
            f"{where}: what is printed cannot all be true: estimate {row['text']!r}, |estimate| / SE between "
            f"{z_lower:.3g} and {z_upper:.3g}, SE between {se_lower:.3g} and {se_upper:.3g}; check stars, p, SE, "
            "interval and their units, or leave out what is wrong"
        )
    ratio = spec.standard_error.log_ratio
    if not np.isnan(design):
        of_events = row["half_unit"] == 0 and np.isinf(se_upper)
        mean = np.log(design) + (0.0 if of_events else ratio.mean)
        sd = KNOWN_LOG_SD if of_events else float(np.hypot(ratio.sd, design_log_sd))
    elif se_lower > 0 and np.isfinite(se_upper):
        mean, sd = np.log(np.sqrt(se_lower * se_upper)), FLAT_LOG_SD
    elif z_lower > 0 and np.isfinite(z_upper) and row["estimate"]:
        mean, sd = np.log(abs(row["estimate"]) / np.sqrt(z_lower * z_upper)), FLAT_LOG_SD
    else:
        raise EvidenceError(
            f"{where}: its standard error is not bounded; give n_treatment and n_control (and for earnings sd), se, an "
            "interval, or an exact p"
        )
    return {
        "estimate": row["estimate"],
        "half_unit": row["half_unit"],
        "lower": lower,
        "upper": upper,
        "z_lower": z_lower,
        "z_upper": z_upper,
        "se_lower": se_lower,
        "se_upper": se_upper,
        "design_se": design,
        "log_se_mean": float(mean),
        "log_se_sd": sd,
    }


def _z(p: float) -> float:
    """Size of |estimate| / SE at a two-sided p of a normal."""
    return np.inf if p <= 0 else NormalDist().inv_cdf(1 - min(p, 1.0) / 2)


def _printed_se_bounds(row: pd.Series) -> tuple[float, float]:
    """Bounds of the SE from a printed SE and a printed normal interval, each within its rounding."""
    lower, upper = 0.0, np.inf
    if not np.isnan(row["se"]):
        lower, upper = max(row["se"] - row["se_half_unit"], 0.0), row["se"] + row["se_half_unit"]
    if not np.isnan(row["ci_lower"]):
        widths_of_se = 2 * _z(1 - row["ci_level"])
        width, rounding = row["ci_upper"] - row["ci_lower"], 2 * row["ci_half_unit"]
        lower, upper = max(lower, (width - rounding) / widths_of_se), min(upper, (width + rounding) / widths_of_se)
    return lower, upper


def _beyond(lower: float, upper: float, least: float, where: str) -> tuple[float, float]:
    """Keep the part of an interval of the estimate in which its size is at least ``least``."""
    if lower < -least and upper > least:
        raise EvidenceError(
            f"{where}: significant, but its rounding leaves the sign open; give the estimate with more digits"
        )
    return (max(lower, least), upper) if upper + lower >= 0 else (lower, min(upper, -least))


def _design(row: pd.Series, spec: ImpactSpec, sizes: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    """SE that sample sizes imply, in the outcome's unit, before any adjustment, and the SD of its log.

    It is missing where nobody printed how many people were analysed.
    """
    outcome, group = row["outcome"], row["group"]
    design = spec.standard_error.design[outcome]
    people = {arm: row[f"n_{arm}"] for arm in ARMS}
    if np.isnan(people["treatment"]) and group in sizes[design.sample].index:
        people = dict(sizes[design.sample].loc[group])
    per_person = np.array([1 / people[arm] for arm in ARMS])
    if np.isnan(per_person).any():
        return np.nan, 0.0
    unit_se, log_sd = 1.0, 0.0
    if isinstance(design, MeanDifference):
        if not np.isnan(row["sd"]):
            unit_se = row["sd"]
        elif group in design.sd:
            unit_se = design.sd[group].value
        elif not np.isnan(row["se"]) or not np.isnan(row["ci_lower"]) or not np.isnan(row["p_lower"]):
            return np.nan, 0.0
        else:
            raise SpecError(
                f"spec {spec.name!r}, key 'standard_error.design.{outcome}.sd.{group}' is missing: no SD, SE, interval "
                "or p is printed for this group; state the SD in the spec, or in column 'sd' of a file of your own"
            )
    elif isinstance(design, RiskDifference):
        shares = _shares(row, design)
        if shares is not None:
            return float(np.sqrt((shares * (1 - shares) * per_person).sum())), 0.0
        mean, log_sd = UNKNOWN_RATE_LOG_SD
        unit_se = float(np.exp(mean))
    elif not np.isnan(row["sd"]):
        unit_se = row["sd"]
    return float(unit_se * np.sqrt(per_person.sum())), log_sd


def _shares(row: pd.Series, design: RiskDifference) -> np.ndarray | None:
    """Share with the outcome in each arm, as printed, else as the spec assumes."""
    if not np.isnan(row["events_treatment"]):
        return np.array([row[f"events_{arm}"] / row[f"n_{arm}"] for arm in ARMS])
    if not np.isnan(row["rate_treatment"]):
        return np.array([row[f"rate_{arm}"] for arm in ARMS])
    if row["group"] in design.rates:
        return np.array([getattr(design.rates[row["group"]], arm) for arm in ARMS])
    return None
