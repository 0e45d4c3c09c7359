"""Persistence of impacts: discounted years of gain, and decay informed by a later published result."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import map_coordinates
from scipy.special import ndtr, ndtri

from hlt_bayes.specs import FollowUp
from hlt_bayes.specs.priors import Quantity

Array = Any
"""A number, or an array of NumPy or xarray."""

IMPACT_NODES = 129
DECAY_NODES = 2048
LEVEL_NODES = 513
"""Grid sizes of the quantile table of decay given impact: impacts, decay values, probabilities."""


class DecayPosterior(NamedTuple):
    """Quantiles {impact node, level} of a decay given a later result, for impacts from ``low`` to ``high``."""

    group: str
    outcome: str
    low: float
    high: float
    quantiles: np.ndarray


def present_value_years(
    decay: Array, *, horizon: float, rate: float, first_year: Array = 1.0, rise: Array = 1.0
) -> Array:
    """Return the present value of an impact over its duration, in years of the impact as measured.

    The first year has weight ``first_year`` and is not discounted; year t has weight rise x (1 - decay)^(t - 1),
    discounted by (1 + rate)^(t - 1). A partial last year is weighted by its fraction.

    Parameters
    ----------
    decay, first_year, rise
        Shares (decay and first year) and a multiple (rise); numbers or arrays of draws.
    horizon
        Years, 1 or more.
    rate
        Annual discount rate: 0.035 is 3.5 %.
    """
    retained = (1 - decay) / (1 + rate)
    whole, part = divmod(horizon - 1, 1)
    later = part * retained
    for _ in range(int(whole)):
        later = retained * (1 + later)
    return first_year + rise * later


def learn_decay(decay: Quantity, found: FollowUp, impact: np.ndarray, *, printed: float) -> DecayPosterior:
    """Update a decay on a later impact known only to be significantly above zero, by its star.

    With x the earlier published impact and s the standard error of both estimates, the later estimate is

        y ~ Normal(m, s √(1 - r²)),    m = (1 - decay)^k θ + r (x - θ)

    where r is the correlation of the two errors, for the same people, and k the whole years between; the star implies
    y > z s. The density of the decay given the impact θ is proportional to its prior times
    Φ((m - z s) / (s √(1 - r²))). Impacts are not reweighted.

    Parameters
    ----------
    decay, found
        Prior of the decay, and the later published result.
    impact
        Draws of θ, for the group and outcome of ``found``; their range is tabulated.
    printed
        x, in the unit of the impact.
    """
    low, high = float(impact.min()), float(impact.max())
    theta = np.linspace(low, high, IMPACT_NODES)[:, None]
    values = decay.quantile((np.arange(DECAY_NODES) + 0.5) / DECAY_NODES)
    years = -(-found.month // 12) - 1
    mean = (1 - values) ** years * theta + found.error_correlation * (printed - theta)
    least = ndtri(0.5 + found.confidence / 200) * found.se
    probability = ndtr((mean - least) / (found.se * np.sqrt(1 - found.error_correlation**2)))
    cumulative = np.concatenate([np.zeros((IMPACT_NODES, 1)), np.cumsum(probability, axis=1)], axis=1)
    cumulative /= cumulative[:, -1:]
    edges = decay.quantile(np.linspace(0, 1, DECAY_NODES + 1))
    levels = np.linspace(0, 1, LEVEL_NODES)
    return DecayPosterior(
        found.group, found.outcome, low, high, np.stack([np.interp(levels, row, edges) for row in cumulative])
    )


def decay_given_impact(learnt: DecayPosterior, impact: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw the annual decay {sample} given each impact {sample} and the later result."""
    width = learnt.high - learnt.low or 1.0
    nodes = (impact - learnt.low) / width * (IMPACT_NODES - 1)
    levels = rng.random(impact.shape) * (LEVEL_NODES - 1)
    return np.asarray(map_coordinates(learnt.quantiles, np.stack([nodes, levels]), order=1))
