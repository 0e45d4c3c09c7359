"""Random rounding that nobody's record can be read from, nor from two outputs that differ by one person.

Counts are whole numbers and means are first brought to steps that one person can move by one at most. What is rounded
then moves by one step at most if a person is removed, and each rounded value stands for a run of possible values.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


def rounded_counts(counts: Integers, base: int, chance: float) -> Integers:
    """Round counts that add up to a total, at random, so that they add up to the total rounded down.

    Each running sum is rounded up or down with the same ``chance``, so that each count is off by less than ``base``,
    but for the last, which takes what the total loses. Whoever knows total, chance excepted, and rounded counts is
    left with at least ``base`` possible values of each count; and of two roundings, of counts that differ by one person
    in one place, that place may be any.

    Parameters
    ----------
    counts
        Counts of people {category}, mutually exclusive.
    base
        Base of rounding.
    chance
        Number drawn from 0 to 1, fixed by the records and a key.

    Returns
    -------
    numpy.ndarray
        Multiples of ``base``.

    Examples
    --------
    >>> from hlt_bayes.ipd.disclosure.rounding import rounded_counts
    >>> import numpy as np
    >>> rounded_counts(np.array([3, 42, 57]), 5, 0.5).tolist()
    [5, 40, 55]
    """
    ends = np.cumsum(counts)
    total = base * (ends[-1] // base)
    sums = np.minimum(base * np.floor(ends / base + chance).astype(np.int64), total)
    sums[-1] = total
    return np.asarray(np.diff(sums, prepend=0))


def rounded_count(count: int, base: int, chance: float) -> int:
    """Round one count at random, up or down to a multiple of ``base``."""
    return int(base * np.floor(count / base + chance))


def step_of(influence: float) -> float:
    """Smallest of 1, 2 or 5 times a power of ten that is at least twice the ``influence`` of one person."""
    power = 10.0 ** np.floor(np.log10(2.0 * influence))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= 2.0 * influence * (1 - 1e-12)))


def decimals_of(size: float) -> int:
    """Return the number of decimals up to the first digit of ``size``; 0 if that is before the point."""
    return max(0, -int(np.floor(np.log10(size) + 1e-9)))


def rounded_value(value: float, step: float, chance: float) -> float:
    """Round a mean at random to a multiple of ``step``; one person may move it by half a step at most.

    It is off by less than ``LARGEST_ERROR`` steps.
    """
    half = int(np.floor(value / (step / 2.0) + 0.5))
    return step * rounded_count(half, 2, chance) / 2.0


LARGEST_ERROR = 0.75
"""Largest error of ``rounded_value``, in steps: a quarter to the nearest half step, and half a step at random."""
