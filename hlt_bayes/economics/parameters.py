"""Uncertain quantities of an economic model and their draws, each from its own random number stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.economics.implied_prices import implied_prices
from hlt_bayes.economics.persistence import DecayPosterior, decay_given_impact
from hlt_bayes.evidence import Evidence
from hlt_bayes.specs import EconomicSpec, FollowUp
from hlt_bayes.specs.priors import Quantity, UniformQuantity

Array = np.ndarray


def parameters_of(spec: EconomicSpec, evidence: Evidence) -> dict[str, Quantity]:
    """Return all inputs to the returns of a spec other than impacts, by key: stated quantities and implied prices.

    Raises
    ------
    SpecError
        An implied price cannot be derived.
    """
    implied = {}
    for name, (lower, upper) in implied_prices(spec, evidence).items():
        price = spec.benefits[name].price
        implied[f"benefits.{name}.price"] = UniformQuantity(
            family="uniform", lower=lower, upper=upper, unit=price.unit, why=price.why, source=price.source
        )
    return {**implied, **spec.quantities()}


def follow_ups(spec: EconomicSpec, groups: Sequence[str], evidence: Evidence) -> dict[str, tuple[FollowUp, float]]:
    """Return the later results that inform each decay, by its key, each with the earlier published impact.

    Raises
    ------
    SpecError
        A later result is for a group or outcome without a published impact.
    """
    found = {}
    printed = evidence.impacts.set_index(["outcome", "group"])["estimate"]
    for name in dict.fromkeys(one.persistence for one in spec.counted.values() if one.persistence):
        follow_up = spec.persistence[name].follow_up
        if follow_up is None:
            continue
        cell = follow_up.outcome, follow_up.group
        if cell not in printed.index or cell[1] not in groups:
            raise SpecError(
                f"economic spec {spec.name!r}, key 'persistence.{name}.follow_up': {evidence.path} gives no impact on "
                f"{cell[0]} in {cell[1]}; remove the follow-up"
            )
        found[f"persistence.{name}.decay"] = follow_up, float(printed[cell])
    return found


def draw_parameters(
    quantities: Mapping[str, Quantity],
    learnt: Mapping[str, DecayPosterior],
    impact: Mapping[str, Mapping[str, Array]],
    size: int,
    *,
    seed: int,
    block: int,
) -> dict[str, Array]:
    """Draw every quantity {sample} once per draw of the impacts.

    Quantities are independent of each other and of the impacts, except that a decay with a follow-up is drawn
    conditional on the impact in its group. Quantities with the same key and prior have the same draws in every spec.

    Parameters
    ----------
    quantities, learnt
        From ``parameters_of``; and, by the key of a decay, its distribution given a later result.
    impact
        Draws {sample} by outcome and group, for decays with a follow-up.
    size
        Number of draws.
    seed, block
        Random seed and block number; blocks with the same seed are independent.
    """
    drawn = {}
    for key, quantity in quantities.items():
        # SFC64 is NumPy's fastest generator, and drawing takes half the time of an appraisal.
        rng = np.random.Generator(np.random.SFC64(stream_seed(seed, key if block == 0 else f"{key}, block {block}")))
        if key in learnt:
            theta = impact[learnt[key].outcome][learnt[key].group]
            drawn[key] = decay_given_impact(learnt[key], theta, rng)
        else:
            drawn[key] = quantity.random(rng, size)
    return drawn
