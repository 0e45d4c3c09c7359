"""The uncertain quantities of an economic model, and draws of them: one stream of random numbers each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.economics.implied_prices import implied_prices
from hlt_bayes.economics.persistence import Learnt, decay_given_impact
from hlt_bayes.evidence import Evidence
from hlt_bayes.specs import EconomicSpec, FollowUp
from hlt_bayes.specs.priors import Quantity, UniformQuantity

Array = np.ndarray


def parameters_of(spec: EconomicSpec, evidence: Evidence) -> dict[str, Quantity]:
    """Give what the returns of a spec depend on beside the impacts, by key: stated quantities and implied prices.

    Raises
    ------
    SpecError
        An implied price cannot be.
    """
    implied = {}
    for name, (lower, upper) in implied_prices(spec, evidence).items():
        price = spec.benefits[name].price
        implied[f"benefits.{name}.price"] = UniformQuantity(
            family="uniform", lower=lower, upper=upper, unit=price.unit, why=price.why, source=price.source
        )
    return {**implied, **spec.quantities()}


def follow_ups(spec: EconomicSpec, groups: Sequence[str], evidence: Evidence) -> dict[str, tuple[FollowUp, float]]:
    """Later results that a decay is learnt from, by the key of the decay, each with the impact printed before it.

    Raises
    ------
    SpecError
        One is of a group or outcome without a printed impact.
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
                f"economic spec {spec.name!r}, key 'persistence.{name}.follow_up': {evidence.path} prints no impact on "
                f"{cell[0]} of {cell[1]}; take it out"
            )
        found[f"persistence.{name}.decay"] = follow_up, float(printed[cell])
    return found


def draw_parameters(
    quantities: Mapping[str, Quantity],
    learnt: Mapping[str, Learnt],
    impact: Mapping[str, Mapping[str, Array]],
    size: int,
    *,
    seed: int,
    block: int,
) -> dict[str, Array]:
    """Draw every quantity {sample} once for each draw of the impacts.

    Quantities are independent of each other and of the impacts, but for a decay with a follow-up: that is drawn given
    the impact of its group, draw by draw. A quantity of one key has the same draws in every spec.

    Parameters
    ----------
    quantities, learnt
        Of ``parameters_of``; and by the key of a decay, what a later result says of it.
    impact
        Draws {sample} by outcome and group, where a follow-up needs them.
    size
        How many.
    seed, block
        Of these draws; blocks of one seed are independent.
    """
    drawn = {}
    for key, quantity in quantities.items():
        # SFC64 is the fastest of NumPy's generators; drawing is half of the work of an appraisal.
        rng = np.random.Generator(np.random.SFC64(stream_seed(seed, key if block == 0 else f"{key}, block {block}")))
        if key in learnt:
            theta = impact[learnt[key].outcome][learnt[key].group]
            drawn[key] = decay_given_impact(learnt[key], theta, rng)
        else:
            drawn[key] = quantity.random(rng, size)
    return drawn
