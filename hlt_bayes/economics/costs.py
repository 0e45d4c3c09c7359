"""What the service cost per person randomised to treatment, as delivered and at the volume that was planned."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import EvidenceError, SpecError
from hlt_bayes.core.vocabulary import POOLED_GROUPS
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import with_pooled_groups
from hlt_bayes.specs import EconomicSpec

Volume = Literal["actual", "planned"]

Array = Any
"""A number, or an array of NumPy or xarray."""

UNSTATED_YEAR = "that of the printed costs, which is not stated"
"""Price year of a spec that adds no stated prices to the printed ones."""


def cost_per_head(evidence: Evidence, spec: EconomicSpec | None = None) -> xr.DataArray:
    """Cost {group} in £ per person randomised to treatment, as ``cost_of_groups``, and of pooled rows.

    Those are means of their parts weighted by recruits to treatment.
    """
    return with_pooled_groups(cost_of_groups(evidence, spec), evidence.treated)


def cost_of_groups(evidence: Evidence, spec: EconomicSpec | None = None) -> xr.DataArray:
    """Cost {group} of each trial group in £ per person randomised to treatment.

    Printed, or where ``spec`` states one of a group, that.

    Raises
    ------
    SpecError
        A group has no cost, neither printed nor stated, or one is stated of a group that is not there.
    """
    groups = list(evidence.groups)
    cost = evidence.costs.set_index("group")["cost_per_head_gbp"].reindex(groups)
    stated = {} if spec is None or spec.costs is None else spec.costs.per_head
    for name, figure in stated.items():
        if name not in groups:
            raise SpecError(f"key 'costs.per_head.{name}': the trial groups are {', '.join(groups)}")
        cost[name] = figure.value
    missing = cost.index[cost.isna()]
    if len(missing):
        raise SpecError(
            f"{evidence.path} prints no costs of {', '.join(missing)}, so nothing can be valued; state them in "
            "[costs.per_head], or leave the economic spec out"
        )
    per_group = xr.DataArray(cost.to_numpy(float), coords={"group": groups})
    per_group.attrs = {"unit": "GBP per person randomised to treatment", "price_year": price_year(spec)}
    return per_group


def price_year(spec: EconomicSpec | None) -> str:
    """Year of the prices in which the costs are printed."""
    return UNSTATED_YEAR if spec is None or spec.costs is None else spec.costs.price_year.year


def volume_ratio(evidence: Evidence) -> xr.DataArray:
    """People randomised to treatment {group} as a share of those who were planned.

    A plan of a pooled row is that of each of its parts.

    Raises
    ------
    EvidenceError
        No plan is printed that a group is part of.
    """
    treated, planned = evidence.treated, evidence.planned
    ratio = pd.Series(np.nan, index=list(evidence.groups))
    for name, people in planned.items():
        parts = list(POOLED_GROUPS.get(str(name), (str(name),)))
        if set(parts) <= set(ratio.index):
            ratio[parts] = treated[parts].sum() / people
    if ratio.isna().any():
        without = ", ".join(ratio.index[ratio.isna()])
        raise EvidenceError(f"{evidence.path}: no planned number of recruits to treatment of {without}")
    return xr.DataArray(ratio.to_numpy(float), coords={"group": list(ratio.index)})


def at_volume(ratio: Array, fixed_share: Array) -> Array:
    """Cost per head at another volume, as a multiple {..., group} of what it was.

    What is fixed is shared out among more people; what is variable costs each as much as before.

    Parameters
    ----------
    ratio
        People treated as a share of those of the other volume {group}.
    fixed_share
        Share of the cost that does not depend on their number.
    """
    return fixed_share * ratio + (1 - fixed_share)


def response_share(evidence: Evidence) -> xr.DataArray:
    """Share {group} of people randomised to treatment who answered the 12-month survey.

    Raises
    ------
    EvidenceError
        It is not printed of a group.
    """
    people = {
        measure: evidence.arm_sizes(measure).reindex(index=list(evidence.groups), columns=["treatment"])["treatment"]
        for measure in ("12-month survey sample", "recruits")
    }
    share = people["12-month survey sample"] / people["recruits"]
    if share.isna().any():
        without = ", ".join(share.index[share.isna()])
        raise EvidenceError(f"{evidence.path}: does not say how many of {without} were randomised and answered")
    return xr.DataArray(share.to_numpy(float), coords={"group": list(share.index)})
