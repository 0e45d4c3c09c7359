"""Service delivery as moderators of the impacts: latent where not measured exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.inference.structures.pooled import centre_and_spread, of_outcomes
from hlt_bayes.likelihood import Array
from hlt_bayes.specs import ImpactSpec, Interval, Known, Moderator, Uncertain

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable

    from hlt_bayes.inference.structures.pooled import ImpactVariables


def moderators(cells: xr.Dataset, spec: ImpactSpec) -> ImpactVariables:
    """``mu`` + sum of ``slope`` {moderator, outcome} * (``delivery`` - reference) / per + ``tau`` * ``z``.

    ``delivery`` {moderator, group} is in natural units. ``slope_sd`` {outcome} is the common SD of an outcome's
    slopes, which shrinks them towards 0. A new group has the reference delivery.
    """
    import pymc as pm

    stated = spec.moderators or {}
    pm.modelcontext(None).add_coord("moderator", list(stated))
    mu, tau = centre_and_spread(cells, spec)
    slope_sd = prior_variable("slope_sd", of_outcomes(cells, spec.priors.slope), dim="outcome")
    slope_z = pm.Normal("slope_z", 0.0, 1.0, dims=("moderator", "outcome"))
    slope = pm.Deterministic("slope", slope_sd * slope_z, dims=("moderator", "outcome"))
    delivered = delivery_in_steps(_delivered(cells, stated), stated)
    z = pm.Normal("z", 0.0, 1.0, dims=("outcome", "group"))
    z_new = pm.Normal("z_new", 0.0, 1.0, dims="outcome")
    return mu[:, None] + slope.T @ delivered + tau[:, None] * z, mu + tau * z_new


def _delivered(cells: xr.Dataset, stated: dict[str, Moderator]) -> TensorVariable:
    """Add ``delivery`` {moderator, group} to the model in context; groups of a site share its site-level values."""
    import pymc as pm
    import pytensor.tensor as pt

    model = pm.modelcontext(None)
    values = values_by_place(stated)
    latent: dict[tuple[str, str], TensorVariable] = {}
    for kind, name in ((Interval, "moderator_within"), (Uncertain, "moderator_measured")):
        keys = [key for key, value in values.items() if isinstance(value, kind)]
        if keys:
            model.add_coord(f"{name}_of", [", ".join(key) for key in keys])
            ends = ("lower", "upper") if kind is Interval else ("mean", "sd")
            first, second = (np.array([getattr(values[key], end) for key in keys]) for end in ends)
            family = pm.Uniform if kind is Interval else pm.Normal
            drawn = family(name, first, second, dims=f"{name}_of")
            latent |= {key: drawn[position] for position, key in enumerate(keys)}
    rows = []
    for name, moderator in stated.items():
        places = place_of_groups(cells, moderator)
        known = {place: value.value for place, value in moderator.values.items() if isinstance(value, Known)}
        rows.append(pt.stack([latent.get((name, place), known.get(place)) for place in places]))
    return pm.Deterministic("delivery", pt.stack(rows), dims=("moderator", "group"))


def values_by_place(stated: dict[str, Moderator]) -> dict[tuple[str, str], Known | Interval | Uncertain]:
    """All stated values, by moderator and place."""
    return {(name, place): value for name, one in stated.items() for place, value in one.values.items()}


def place_of_groups(cells: xr.Dataset, moderator: Moderator) -> list[str]:
    """Return the place whose value of a moderator applies to each group: the group itself, or its site."""
    places = dict(zip(cells["group"].to_numpy(), cells[moderator.level].to_numpy(), strict=True))
    return [str(place) for place in places.values()]


def delivery_in_steps(delivered: Array, stated: dict[str, Moderator]) -> Array:
    """Delivery {moderator, group} in steps of ``per`` from ``reference``: the multipliers of the slopes."""
    reference, per = (np.array([[getattr(one, key)] for one in stated.values()]) for key in ("reference", "per"))
    return (delivered - reference) / per
