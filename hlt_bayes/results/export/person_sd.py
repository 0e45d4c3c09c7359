"""Between-person SD of each outcome, which converts prior information into an effective sample size."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.vocabulary import ARMS, POOLED_GROUPS
from hlt_bayes.specs import RiskDifference

LARGEST_BINARY_SD = 0.5
"""SD of a binary outcome at a rate of one half, the largest possible."""


class PersonSD(NamedTuple):
    """Between-person SD of an outcome, in the unit of the impact (NaN if unknown), and its basis."""

    value: float
    why: str


def person_sds(analysis: Analysis) -> dict[tuple[str, str], PersonSD]:
    """Between-person SD for each outcome and trial group with a published result."""
    table = analysis.comparison[~analysis.comparison["group"].isin(list(POOLED_GROUPS))]
    printed = analysis.evidence.impacts.set_index(["outcome", "group"])
    found = {}
    for row in table.to_dict("records"):
        key = (row["outcome"], row["group"])
        found[key] = person_sd(analysis, key, printed.loc[key], row["se"])
    return found


def person_sd(analysis: Analysis, key: tuple[str, str], printed: pd.Series, se: float) -> PersonSD:
    """Between-person SD of one outcome in one trial group."""
    outcome, group = key
    if outcome == "employment":
        return _employment_sd(analysis, group, printed)
    if outcome != "earnings":
        return PersonSD(1.0, "1, as impacts are in SDs of the outcome")
    sizes = analysis.evidence.arm_sizes(analysis.impact_spec.standard_error.design["earnings"].sample)
    people = np.array([printed[f"n_{arm}"] for arm in ARMS], dtype=float)
    if np.isnan(people).any() and group in sizes.index:
        people = np.array([sizes[arm][group] for arm in ARMS], dtype=float)
    value = float(se / np.sqrt((1 / people).sum()))
    if np.isnan(value):
        return PersonSD(np.nan, "unknown: no sample size by arm")
    return PersonSD(value, "implied by the recovered standard error and the arm sizes: se / sqrt(1/n1 + 1/n2)")


def of_new_group(by_group: dict[tuple[str, str], PersonSD], outcome: str) -> PersonSD:
    """Between-person SD in a new trial group: root of the mean variance of the known groups."""
    known = {group: sd.value for (name, group), sd in by_group.items() if name == outcome and not np.isnan(sd.value)}
    if outcome in ("health", "wellbeing"):
        return PersonSD(1.0, "1, as impacts are in SDs of the outcome")
    if not known:
        if outcome == "employment":
            return PersonSD(LARGEST_BINARY_SD, "largest possible, as no rate is known")
        return PersonSD(np.nan, "unknown: not known for any trial group")
    root = float(np.sqrt(np.mean(np.square(list(known.values())))))
    return PersonSD(root, f"root mean square of the SDs of {', '.join(known)}")


def _employment_sd(analysis: Analysis, group: str, printed: pd.Series) -> PersonSD:
    """SD of employment at the control group's rate."""
    design = analysis.impact_spec.standard_error.design.get("employment")
    assumed = design.rates if isinstance(design, RiskDifference) else {}
    if pd.notna(printed["rate_control"]):
        rate, origin = float(printed["rate_control"]), "as published"
    elif pd.notna(printed["events_control"]):
        rate, origin = float(printed["events_control"] / printed["n_control"]), "from the published number of events"
    elif group in assumed:
        rate, origin = assumed[group].control, "assumed by the spec, as none was published"
    else:
        return PersonSD(LARGEST_BINARY_SD, "largest possible, as no rate is known")
    return PersonSD(
        float(np.sqrt(rate * (1 - rate))), f"sqrt(p (1 - p)) at the control group's rate {rate:g}, {origin}"
    )
