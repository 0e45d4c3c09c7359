"""Likelihoods and impacts of the regressions, each written once for both engines.

``xp`` is ``NUMPY`` or ``pytensor_functions()``. The last axis of linear predictors runs over cells or profiles; any
preceding axes run over draws.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import special

Array = Any


class Functions(NamedTuple):
    """Functions that NumPy and PyTensor name differently."""

    exp: Callable[[Array], Array]
    log: Callable[[Array], Array]
    sigmoid: Callable[[Array], Array]
    softplus: Callable[[Array], Array]
    gammaln: Callable[[Array], Array]
    erfc: Callable[[Array], Array]


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))


NUMPY = Functions(np.exp, np.log, special.expit, _softplus, special.gammaln, special.erfc)


def pytensor_functions() -> Functions:
    """Return the functions of PyTensor."""
    import pytensor.tensor as pt

    return Functions(pt.exp, pt.log, pt.sigmoid, pt.softplus, pt.gammaln, pt.erfc)


def bernoulli_log_likelihood(log_odds: Array, people: Array, events: Array, xp: Functions) -> Array:
    """Bernoulli log likelihood of ``events`` among ``people`` {cell}, without binomial coefficients."""
    return (events * log_odds - people * xp.softplus(log_odds)).sum(axis=-1)


def gamma_log_likelihood(
    log_mean: Array, shape: Array, people: Array, total: Array, total_log: Array, xp: Functions
) -> Array:
    """Gamma log likelihood of amounts above 0, from the sum and the sum of logs in each cell."""
    number = people.sum()
    scaled = (people * log_mean + total * xp.exp(-log_mean)).sum(axis=-1)
    constant = number * (shape * xp.log(shape) - xp.gammaln(shape))
    return constant + (shape - 1.0) * total_log.sum() - shape * scaled


def normal_log_likelihood(
    coefficients: Array, sd: Array, gram: Array, cross: Array, square: float, people: int, xp: Functions
) -> Array:
    """Log likelihood of a linear regression, from its cross-products."""
    fitted = ((coefficients @ gram) * coefficients).sum(axis=-1)
    residual = square - 2.0 * (coefficients * cross).sum(axis=-1) + fitted
    return -people * (xp.log(sd) + 0.5 * np.log(2.0 * np.pi)) - residual / (2.0 * sd**2)


def normal_log_likelihood_of_cells(
    mean: Array, sd: Array, people: Array, total: Array, square: float, xp: Functions
) -> Array:
    """Log likelihood of a normal outcome by cells; ``square`` is the sum of squares over all of them."""
    residual = square - 2.0 * (total * mean).sum(axis=-1) + (people * mean**2).sum(axis=-1)
    return -people.sum() * (xp.log(sd) + 0.5 * np.log(2.0 * np.pi)) - residual / (2.0 * sd**2)


class Gain(NamedTuple):
    """Mean gain from treatment in each profile, and its derivatives.

    ``treated`` and ``control`` are derivatives of the means with and without treatment by their linear predictors.
    """

    gained: Array
    treated: Array
    control: Array

    def slope(self, weights: Array, treated_share: Array, dot: Callable[[Array, Array], Array]) -> Array:
        """Slope {group} of the impact in the effect, with treatment centred at its share as in ``Profiles.matrix``."""
        return (1.0 - treated_share) * dot(weights, self.treated) + treated_share * dot(weights, self.control)


def share_gained(log_odds: Array, step: Array, xp: Functions) -> Gain:
    """Risk difference {profile} for a step in the log odds."""
    treated, control = xp.sigmoid(log_odds + step), xp.sigmoid(log_odds)
    return Gain(treated - control, treated * (1.0 - treated), control * (1.0 - control))


def amount_gained(any_odds: Array, any_step: Array, log_mean: Array, step: Array, xp: Functions) -> Gain:
    """Difference in means {profile} of an amount that is 0 for some people."""
    treated = xp.sigmoid(any_odds + any_step) * xp.exp(log_mean + step)
    control = xp.sigmoid(any_odds) * xp.exp(log_mean)
    return Gain(treated - control, treated, control)


def bounded_gain(mean: Array, step: Array, sd: Array, lower: float, upper: float, xp: Functions) -> Gain:
    """Difference in means {profile} of a normal outcome censored at the bounds of its scale."""
    (treated, inside_treated), (control, inside_control) = (
        _censored_mean(one, sd, lower, upper, xp) for one in (mean + step, mean)
    )
    return Gain(treated - control, inside_treated, inside_control)


def _censored_mean(mean: Array, sd: Array, lower: float, upper: float, xp: Functions) -> tuple[Array, Array]:
    """Mean of a normal censored at bounds, and the uncensored share."""
    low, high = (lower - mean) / sd, (upper - mean) / sd
    below, above = 0.5 * xp.erfc(-low / np.sqrt(2.0)), 0.5 * xp.erfc(high / np.sqrt(2.0))
    density = (xp.exp(-0.5 * low**2) - xp.exp(-0.5 * high**2)) / np.sqrt(2.0 * np.pi)
    inside = 1.0 - below - above
    return lower * below + upper * above + mean * inside + sd * density, inside
