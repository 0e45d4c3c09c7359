"""Build PyMC models from published results and a spec; one file per family of structures."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import xarray as xr

from hlt_bayes.core.errors import SpecError
from hlt_bayes.evidence import Evidence
from hlt_bayes.inference.structures.joint import errors_factor, joint
from hlt_bayes.inference.structures.likelihood_node import printed_likelihood
from hlt_bayes.inference.structures.moderators import delivery_in_steps, moderators, place_of_groups, values_by_place
from hlt_bayes.inference.structures.nonresponse import (
    impact_among_respondents,
    impact_of_all,
    new_of_all,
    per_person_randomised,
    response_rates,
)
from hlt_bayes.inference.structures.pooled import complete_pooling, no_pooling, pooled
from hlt_bayes.inference.structures.sites import sites
from hlt_bayes.inference.structures.validate import check_spec_suits_evidence
from hlt_bayes.likelihood import labels, pooled_rows, reported_results
from hlt_bayes.specs import ImpactSpec

if TYPE_CHECKING:
    import pymc as pm

    from hlt_bayes.inference.structures.pooled import ImpactVariables

__all__ = [
    "STRUCTURES",
    "build_model",
    "check_spec_suits_evidence",
    "delivery_in_steps",
    "impact_among_respondents",
    "impact_of_all",
    "new_of_all",
    "place_of_groups",
    "response_rates",
    "values_by_place",
]

STRUCTURES: dict[str, Callable[[xr.Dataset, ImpactSpec], ImpactVariables]] = {
    "pooled": pooled,
    "no-pooling": no_pooling,
    "complete-pooling": complete_pooling,
    "sites": sites,
    "moderators": moderators,
    "joint": joint,
}
"""Structures that a spec may name; each builds the impacts {outcome, group} and, if it can, that of a new group
{outcome}."""


def build_model(spec: ImpactSpec, evidence: Evidence) -> pm.Model:
    """Build the PyMC model of a spec for the evidence, with named coords, ready to sample or modify.

    Its variable ``impact`` {outcome, group} is treatment minus control per person randomised, in the
    units of ``core.vocabulary.OUTCOMES``; positive is better and zero means no effect. ``impact_new`` {outcome}
    predicts a new trial group, if the structure can. The published results are ``pm.Data`` {cell};
    ``models/README.md`` has the mathematics.

    Raises
    ------
    SpecError
        The spec does not suit the evidence.
    """
    import pymc as pm

    cells = reported_results(evidence, spec)
    check_spec_suits_evidence(spec, evidence, cells)
    rows = None if spec.pooled_rows is None else pooled_rows(evidence, spec, cells)
    if rows is not None and not rows.sizes["pooled_cell"]:
        raise SpecError(
            f"spec {spec.name!r}, key 'pooled_rows': {evidence.path} has no row that pools two of its groups; use "
            "a spec without this key"
        )
    rates = response_rates(evidence, spec, cells)
    coords = {name: labels(cells, name) for name in ("outcome", "group")}
    with pm.Model(coords={**coords, "cell": cells["cell"].to_numpy()}) as model:
        seen, new = impact, impact_new = STRUCTURES[spec.structure](cells, spec)
        if rates is not None:
            seen = pm.Deterministic("impact_seen", seen, dims=("outcome", "group"))
            impact, impact_new = per_person_randomised(seen, new, rates, spec)
        pm.Deterministic("impact", impact, dims=("outcome", "group"))
        if impact_new is not None:
            pm.Deterministic("impact_new", impact_new, dims="outcome")
        errors = errors_factor(cells, spec) if spec.structure == "joint" else None
        printed_likelihood(seen, cells, spec, errors=errors, rows=rows)
    return model
