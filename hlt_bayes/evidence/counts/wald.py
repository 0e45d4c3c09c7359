"""Effects of 2x2 tables on the scales of their Wald intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.evidence.counts.parse import Effect, effect_bounds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def _log_odds(events: Ints, n: Ints) -> tuple[Floats, Floats]:
    inside = np.where((events > 0) & (events < n), events, np.nan)
    return np.log(inside / (n - inside)), 1 / inside + 1 / (n - inside)


def _log_risk(events: Ints, n: Ints) -> tuple[Floats, Floats]:
    some = np.where(events > 0, events, np.nan)
    return np.log(some / n), 1 / some - 1 / n


def _risk(events: Ints, n: Ints) -> tuple[Floats, Floats]:
    risk = events / n
    return risk, risk * (1 - risk) / n


EFFECT_IN_ARM: Mapping[str, Callable[[Ints, Ints], tuple[Floats, Floats]]] = {
    "odds_ratio": _log_odds,
    "risk_ratio": _log_risk,
    "risk_difference": _risk,
}
"""Value of an arm and its variance; the difference between arms is the effect on its Wald scale."""


def _within(values: Floats, bounds: tuple[float, float]) -> npt.NDArray[np.bool_]:
    return (bounds[0] <= values) & (values <= bounds[1])


@dataclass(frozen=True)
class Comparison:
    """A published effect on the scale of its Wald interval: bounds on the estimate and the confidence limits."""

    effect_in_arm: Callable[[Ints, Ints], tuple[Floats, Floats]]
    bounds: list[tuple[float, float]]
    z: float

    def agrees(self, treatment: tuple[Floats, Floats], control: tuple[Floats, Floats]) -> npt.NDArray[np.bool_]:
        """Return which tables agree, given the value and variance of each arm from ``effect_in_arm``."""
        difference = treatment[0] - control[0]
        agrees = _within(difference, self.bounds[0])
        if len(self.bounds) > 1 and agrees.any():
            margin = self.z * np.sqrt(treatment[1] + control[1])
            agrees &= _within(difference - margin, self.bounds[1]) & _within(difference + margin, self.bounds[2])
        return agrees


def comparison_of(name: str, effect: Effect, level: float) -> Comparison:
    """Parse an effect as published, with the confidence ``level`` of its interval."""
    ratio = name != "risk_difference"
    bounds = effect_bounds(name, effect, ratio=ratio)
    if not ratio and (bounds[0][0] > 1 or bounds[0][1] < -1):
        raise EvidenceError(
            f"{name} is {effect!r}; it must be a proportion from -1 to 1: divide percentage points by 100, "
            "so '6.9' becomes '0.069'"
        )
    if ratio:
        bounds = [(_log(lowest), _log(highest)) for lowest, highest in bounds]
    return Comparison(EFFECT_IN_ARM[name], bounds, z_of(level))


def _log(value: float) -> float:
    return float(np.log(value)) if value > 0 else -np.inf


def z_of(level: float) -> float:
    """Half-width, in standard errors, of a normal interval with confidence ``level``."""
    return NormalDist().inv_cdf((1 + level) / 2)
