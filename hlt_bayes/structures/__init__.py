"""Pure builders (what is reported, spec) -> PyMC model, one family a file, in a closed registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hlt_bayes.errors import SpecError
from hlt_bayes.evidence import Evidence
from hlt_bayes.reported import pooled_rows, reported_results
from hlt_bayes.specs import ImpactSpec
from hlt_bayes.structures.pooled import pooled

if TYPE_CHECKING:
    import pymc as pm

STRUCTURES = {"pooled": pooled}
"""What the key ``structure`` of a spec may name."""


def build_model(spec: ImpactSpec, evidence: Evidence) -> pm.Model:
    """Build the PyMC model of a spec on the evidence, with named coords, ready to sample or to change.

    Its variable ``impact`` {outcome, group} is treatment minus control per person randomised, in the
    units of ``hlt_bayes.vocabulary.OUTCOMES``; positive is better and zero means no effect.
    """
    cells = reported_results(evidence, spec)
    rows = None if spec.pooled_rows is None else pooled_rows(evidence, spec, cells)
    if rows is not None and not rows.sizes["pooled_cell"]:
        raise SpecError(
            f"spec {spec.name!r}, key 'pooled_rows': {evidence.path} prints no row that pools two of its groups; use "
            "a spec without it"
        )
    return STRUCTURES[spec.structure](cells, spec, rows=rows)
