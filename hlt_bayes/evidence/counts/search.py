"""Searches all 2x2 tables within given bounds for those that agree with the published results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.evidence.counts.parse import percent_bounds
from hlt_bayes.evidence.counts.wald import Comparison, Ints

MAX_AGREEING = 1_000_000
"""Largest result allowed, to limit memory."""

# Tables tried at a time: few enough for the processor's cache.
_BLOCK = 200_000


@dataclass(frozen=True)
class Arm:
    """For each size ``n`` the smallest and largest number of events that agree (``least > most``: none)."""

    n: Ints
    least: Ints
    most: Ints

    @property
    def counts(self) -> Ints:
        """Number of event counts that agree, for each size."""
        counts: Ints = np.maximum(self.most - self.least + 1, 0)
        return counts


def arm_of(name: str, size: tuple[int, int], percent: str | None, events: int | None) -> Arm:
    """Event counts of one arm that agree with its published percentage and events, for each size."""
    n = np.arange(size[0], size[1] + 1)
    least, most = np.zeros_like(n), n.copy()
    if percent is not None:
        lowest, highest = percent_bounds(f"percent_{name}", percent)
        least = np.maximum(least, np.ceil(n * (lowest / 100)).astype(n.dtype))
        most = np.minimum(most, np.floor(n * (highest / 100)).astype(n.dtype))
    if events is not None:
        least, most = np.maximum(least, events), np.minimum(most, events)
    return Arm(n, least, most)


def _partners(n: Ints, control: Arm, totals: tuple[int, int]) -> tuple[Ints, Ints]:
    """Start and stop index of the control sizes that the total allows for treatment sizes ``n``."""
    return np.searchsorted(control.n, totals[0] - n), np.searchsorted(control.n, totals[1] - n, side="right")


def tables_to_try(treatment: Arm, control: Arm, totals: tuple[int, int]) -> float:
    """Count the tables with the right percentages, events and total."""
    before = np.concatenate([[0.0], np.cumsum(control.counts, dtype=float)])
    start, stop = _partners(treatment.n, control, totals)
    return float(treatment.counts @ (before[stop] - before[start]))


def agreeing_tables(treatment: Arm, control: Arm, totals: tuple[int, int], comparisons: list[Comparison]) -> Ints:
    """Agreeing tables {column, table}, sorted by treatment, then control; raise above ``MAX_AGREEING``."""
    found = [np.empty((4, 0), dtype=np.int64)]
    agreeing = 0
    for block in _agreeing(treatment, control, totals, comparisons):
        agreeing += block.shape[1]
        if agreeing > MAX_AGREEING:
            raise EvidenceError(
                f"more than {MAX_AGREEING:,} 2x2 tables agree with the published results; give more published results"
            )
        found.append(block)
    return np.concatenate(found, axis=1)


def _agreeing(treatment: Arm, control: Arm, totals: tuple[int, int], comparisons: list[Comparison]) -> Iterator[Ints]:
    """Yield the tables of ``agreeing_tables`` in blocks."""
    ends = np.concatenate([[0], np.cumsum(control.counts)])
    n_control = np.repeat(control.n, control.counts)
    events_control = np.arange(ends[-1]) + np.repeat(control.least - ends[:-1], control.counts)
    in_control = [comparison.effect_in_arm(events_control, n_control) for comparison in comparisons]
    start, stop = (ends[at] for at in _partners(treatment.n, control, totals))
    for i in np.flatnonzero((treatment.counts > 0) & (start < stop)):
        beside = slice(start[i], stop[i])
        rows = max(1, _BLOCK // int(stop[i] - start[i]))
        for first in range(treatment.least[i], treatment.most[i] + 1, rows):
            events = np.arange(first, min(first + rows, treatment.most[i] + 1))[:, None]
            n = np.full_like(events, treatment.n[i])
            agrees = np.ones((events.size, stop[i] - start[i]), dtype=bool)
            for comparison, (value, variance) in zip(comparisons, in_control, strict=True):
                agrees &= comparison.agrees(comparison.effect_in_arm(events, n), (value[beside], variance[beside]))
            row, column = np.nonzero(agrees)
            yield np.stack([events[row, 0], n[row, 0], events_control[beside][column], n_control[beside][column]])
