"""Design-based SE: the SE of one impact implied by its sample sizes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.vocabulary import ARMS
from hlt_bayes.specs import ImpactSpec, MeanDifference, RiskDifference

LEAST_LOG_SD = 1e-3
"""Smallest prior SD of a log SE; the delta method gives 0 at proportions of a half, where the variance peaks."""

UNKNOWN_RATE_LOG_SD = (-1.0, 0.42)
"""Mean and SD of log sqrt(p (1 - p)) for an unknown proportion: p uniform on (0, 1)."""


def design_se(row: pd.Series, spec: ImpactSpec, sizes: Mapping[str, pd.DataFrame]) -> tuple[float, float]:
    """Return the unadjusted SE implied by the sample sizes, in the outcome's unit, and the SD of its log.

    The SE is missing where sample sizes are not reported, or where the SD is not but other values bound the SE.

    Raises
    ------
    SpecError
        The SD is neither reported nor assumed, and nothing else bounds the SE.
    """
    outcome, group = row["outcome"], row["group"]
    design = spec.standard_error.design[outcome]
    people = {arm: row[f"n_{arm}"] for arm in ARMS}
    if np.isnan(people["treatment"]) and group in sizes[design.sample].index:
        people = dict(sizes[design.sample].loc[group])
    per_person = np.array([1 / people[arm] for arm in ARMS])
    if np.isnan(per_person).any():
        return np.nan, 0.0
    of_one_sd = float(np.sqrt(per_person.sum()))
    if isinstance(design, RiskDifference):
        return _of_shares(row, design, per_person)
    if not np.isnan(row["sd"]):
        return row["sd"] * of_one_sd, 0.0
    if not isinstance(design, MeanDifference):
        return of_one_sd, 0.0
    if group in design.sd:
        return design.sd[group].value * of_one_sd, 0.0
    bounded = row[["se", "ci_lower", "p_lower"]].notna().any() or row["stars"] in ("*", "**")
    if bounded:
        return np.nan, 0.0
    raise SpecError(
        f"{outcome} of {group}: spec {spec.name!r}, key 'standard_error.design.{outcome}.sd.{group}' is missing, and "
        "no SD, SE, interval, p or star bounds its standard error; state the SD in the spec, or in column 'sd' of "
        "your own file"
    )


def _of_shares(row: pd.Series, design: RiskDifference, per_person: np.ndarray) -> tuple[float, float]:
    """SE of a risk difference and the SD of its log, from events, reported or assumed rates, or unknown rates."""
    if not np.isnan(row["events_treatment"]):
        return _of_events(row)
    if not np.isnan(row["rate_treatment"]):
        shares = np.array([row[f"rate_{arm}"] for arm in ARMS])
    elif row["group"] in design.rates:
        shares = np.array([getattr(design.rates[row["group"]], arm) for arm in ARMS])
    else:
        mean, log_sd = UNKNOWN_RATE_LOG_SD
        return float(np.exp(mean) * np.sqrt(per_person.sum())), log_sd
    return float(np.sqrt((shares * (1 - shares) * per_person).sum())), 0.0


def _of_events(row: pd.Series) -> tuple[float, float]:
    """SE of an observed risk difference and the SD of its log, which is large when events are few.

    One event and one non-event are added to each arm (Agresti and Caffo 2000), so that an arm without events has an
    SE. The SD of the log follows by the delta method.
    """
    events, people = (np.array([row[f"{name}_{arm}"] for arm in ARMS]) for name in ("events", "n"))
    people = people + 2
    shares = (events + 1) / people
    variances = shares * (1 - shares) / people
    weights = variances / variances.sum()
    log_sds = np.abs(1 - 2 * shares) / (2 * np.sqrt(people * shares * (1 - shares)))
    return float(np.sqrt(variances.sum())), max(float(np.sqrt(((weights * log_sds) ** 2).sum())), LEAST_LOG_SD)
