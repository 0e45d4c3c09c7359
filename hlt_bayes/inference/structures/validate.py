"""Check that a spec can be fitted to the evidence, before anything is built."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.evidence import Evidence
from hlt_bayes.likelihood import labels
from hlt_bayes.specs import ImpactSpec, OutcomeName

OUTERMOST = 1e-6
"""Prior probability beyond either end of the range that a prior is taken to allow."""

SDS = 5.0
"""Number of SEs, and of between-group SDs, by which an estimate may lie outside the range of its prior."""


def check_spec_suits_evidence(spec: ImpactSpec, evidence: Evidence, cells: xr.Dataset) -> None:
    """Raise if a spec cannot be fitted to the evidence, listing all reasons.

    Raises
    ------
    SpecError
        One group or site where the structure compares several; a group without the value of a moderator, or unknown
        to the evidence; priors that exclude an estimate.
    """
    problems = [*_too_few(spec, cells), *_groups(spec, cells), *_excluded(spec, cells)]
    if problems:
        raise SpecError("\n".join(f"spec {spec.name!r} on {evidence.path}: {problem}" for problem in problems))


def _too_few(spec: ImpactSpec, cells: xr.Dataset) -> Iterator[str]:
    groups, sites = (labels(cells, name) for name in ("group", "site"))
    if spec.structure not in ("no-pooling", "complete-pooling") and len(groups) == 1:
        yield (f"only one group ({groups[0]}), so there is nothing to pool; use spec 'no-pooling' or one based on it")
    elif spec.structure in ("sites", "moderators") and len(sites) == 1 and _by_site_alone(spec):
        yield f"only one site ({sites[0]}), so its effect cannot be separated from mu; use structure 'pooled'"


def _by_site_alone(spec: ImpactSpec) -> bool:
    return all(moderator.level == "site" for moderator in (spec.moderators or {}).values())


def _groups(spec: ImpactSpec, cells: xr.Dataset) -> Iterator[str]:
    groups = labels(cells, "group")
    for group in spec.in_work or []:
        if group not in groups:
            yield f"key 'in_work': group {unknown_name(group, groups)}"
    for name, moderator in (spec.moderators or {}).items():
        for place in labels(cells, moderator.level):
            if place not in moderator.values:
                yield (
                    f"key 'moderators.{name}.values': no value for {moderator.level} {place!r}; if none is published, "
                    "state method 'normal' or 'interval', as wide as is plausible"
                )


def _excluded(spec: ImpactSpec, cells: xr.Dataset) -> Iterator[str]:
    """Find estimates that the priors make all but impossible."""
    spreads = [table for key, table in spec.priors.tables() if key in ("priors.tau", "priors.site", "priors.slope")]
    for position, cell in enumerate(cells["cell"].to_numpy()):
        one = cells.isel(cell=position)
        outcome: OutcomeName = one["outcome"].item()
        mu = spec.priors.mu[outcome]
        low, high = (float(mu.quantile(probability)) for probability in (OUTERMOST, 1 - OUTERMOST))
        between = sum(float(table[outcome].quantile(1 - OUTERMOST)) for table in spreads)
        error = min(float(np.exp(one["log_se_mean"] + SDS * one["log_se_sd"])), float(one["se_upper"]))
        reach = SDS * (between + error)
        if not low - reach <= one["upper"].item() or not one["lower"].item() <= high + reach:
            yield (
                f"key 'priors.mu.{outcome}': {mu}, with the priors of between-group SDs, excludes the published "
                f"estimate {one['estimate'].item():g} of {cell}; widen the priors, or check the unit of the estimate"
            )
