"""Bounds on an impact's unrounded estimate, its SE and their ratio, from the published values."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.likelihood.likelihood import STAR_BOUNDS

ASYMMETRY = 0.25
"""Largest distance, in SEs beyond rounding, of an estimate from the middle of an interval taken as normal."""

MIN_RELATIVE_WIDTH = 1e-9
"""Smallest interval width, relative to its upper end, that exceeds floating-point error."""


@dataclass(frozen=True)
class Bounds:
    """Lower and upper bounds of the unrounded estimate, of |estimate| / SE, and of the SE."""

    lower: float
    upper: float
    z_lower: float
    z_upper: float
    se_lower: float
    se_upper: float

    def log_se(self) -> tuple[float, float]:
        """Smallest and largest log SE compatible with the bounds."""
        sizes = abs(self.lower), abs(self.upper)
        least = 0.0 if self.lower * self.upper <= 0 else min(sizes)
        with np.errstate(divide="ignore"):
            return (
                float(np.log(max(least / self.z_upper, self.se_lower))),
                float(np.log(min(max(sizes) / self.z_lower if self.z_lower else np.inf, self.se_upper))),
            )


def printed_bounds(row: pd.Series, where: str) -> Bounds:
    """Bound the estimate and SE of a row of ``Evidence.impacts`` by all its published values.

    Where rounding leaves the sign of the estimate open, stars and p values bound the SE only from above: the positive
    and negative branches are not distinguished.

    Raises
    ------
    EvidenceError
        The published values contradict each other.
    """
    z_lower, z_upper = STAR_BOUNDS[row["stars"]]
    if not np.isnan(row["p_lower"]):
        z_lower, z_upper = max(z_lower, _z(row["p_upper"])), min(z_upper, _z(row["p_lower"]))
    se_lower, se_upper = _printed_se(row)
    lower, upper = row["estimate"] - row["half_unit"], row["estimate"] + row["half_unit"]
    if not np.isnan(row["ci_lower"]):
        lower, upper = _within_interval(row, lower, upper, (se_lower + se_upper) / 2, where)
    if z_lower > 0 and lower <= 0 <= upper:
        se_upper, z_lower = min(se_upper, max(-lower, upper) / z_lower), 0.0
    if z_lower > 0 and se_lower > 0:
        least = z_lower * se_lower
        lower, upper = (max(lower, least), upper) if lower > 0 else (lower, min(upper, -least))
    if np.isfinite(z_upper) and np.isfinite(se_upper):
        lower, upper = max(lower, -z_upper * se_upper), min(upper, z_upper * se_upper)
    if lower > upper or _is_empty(z_lower, z_upper) or _is_empty(se_lower, se_upper):
        raise EvidenceError(
            f"{where}: the published values contradict each other: estimate {row['text']!r}, |estimate| / SE between "
            f"{z_lower:.3g} and {z_upper:.3g}, SE between {se_lower:.3g} and {se_upper:.3g}; check stars, p, SE, "
            "interval and their units, or remove the wrong value"
        )
    return Bounds(lower, upper, z_lower, z_upper, se_lower, se_upper)


def _is_empty(lower: float, upper: float) -> bool:
    """Whether an interval is empty, up to floating-point error."""
    return lower >= upper * (1 - MIN_RELATIVE_WIDTH)


def _z(p: float) -> float:
    """|estimate| / SE at a two-sided normal p value."""
    return np.inf if p <= 0 else -NormalDist().inv_cdf(min(p, 1.0) / 2)


def _printed_se(row: pd.Series) -> tuple[float, float]:
    """Bounds of the SE from a published SE and normal interval, each within its rounding."""
    lower, upper = 0.0, np.inf
    if not np.isnan(row["se"]):
        lower, upper = max(row["se"] - row["se_half_unit"], 0.0), row["se"] + row["se_half_unit"]
    if not np.isnan(row["ci_lower"]):
        widths_of_se = 2 * _z(1 - row["ci_level"])
        width, rounding = row["ci_upper"] - row["ci_lower"], 2 * row["ci_half_unit"]
        lower, upper = max(lower, (width - rounding) / widths_of_se), min(upper, (width + rounding) / widths_of_se)
    return lower, upper


def _within_interval(row: pd.Series, lower: float, upper: float, se: float, where: str) -> tuple[float, float]:
    """Restrict the estimate to the middle of its interval, since a normal interval is symmetric."""
    middle = (row["ci_lower"] + row["ci_upper"]) / 2
    low, high = max(lower, middle - row["ci_half_unit"]), min(upper, middle + row["ci_half_unit"])
    if low <= high:
        return low, high
    off = (low - high) / se
    if off > ASYMMETRY:
        raise EvidenceError(
            f"{where}: the estimate {row['text']!r} lies {off:.1f} standard errors from the middle of its interval; "
            "a normal interval is symmetric: check both, or give se instead of the interval"
        )
    return lower, upper
