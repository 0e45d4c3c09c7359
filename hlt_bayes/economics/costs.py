"""Cost of the service per person randomised to treatment, as delivered and at planned volume."""

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

UNSTATED_YEAR = "unstated year"
"""Price year of the published costs, for a spec that states none."""


def cost_per_head(evidence: Evidence, spec: EconomicSpec | None = None) -> xr.DataArray:
    """Return the cost {group} in £ per person randomised to treatment, as ``cost_of_groups``, with pooled rows.

    Pooled rows are means of their groups weighted by recruits to treatment.
    """
    return with_pooled_groups(cost_of_groups(evidence, spec), evidence.treated)


def cost_of_groups(evidence: Evidence, spec: EconomicSpec | None = None) -> xr.DataArray:
    """Return the cost {group} of each trial group in £ per person randomised to treatment.

    The cost in ``spec`` if given, otherwise the published cost.

    Raises
    ------
    SpecError
        A group has neither a published nor a stated cost, or a cost is stated for an unknown group.
    """
    groups = list(evidence.groups)
    cost = evidence.costs.set_index("group")["cost_per_head_gbp"].reindex(groups)
    stated = {} if spec is None or spec.costs is None else spec.costs.per_head
    for name, figure in stated.items():
        if name not in groups:
            raise SpecError(f"key 'costs.per_head.{name}': no such trial group; allowed: {', '.join(groups)}")
        cost[name] = figure.value
    missing = cost.index[cost.isna()]
    if len(missing):
        raise SpecError(
            f"{evidence.path} has no costs for {', '.join(missing)}, so nothing can be valued; state them in "
            "[costs.per_head], or omit the economic spec"
        )
    per_group = xr.DataArray(cost.to_numpy(float), coords={"group": groups})
    per_group.attrs = {"unit": "GBP per person randomised to treatment", "price_year": price_year(spec)}
    return per_group


def price_year(spec: EconomicSpec | None) -> str:
    """Return the price year of the published costs."""
    return UNSTATED_YEAR if spec is None or spec.costs is None else spec.costs.price_year.year


def volume_ratio(evidence: Evidence) -> xr.DataArray:
    """Return people randomised to treatment {group} as a share of those planned.

    Groups within a pooled row share its ratio.

    Raises
    ------
    EvidenceError
        No planned number covers a group.
    """
    treated, planned = evidence.treated, evidence.planned
    ratio = pd.Series(np.nan, index=list(evidence.groups))
    for name, people in planned.items():
        parts = list(POOLED_GROUPS.get(str(name), (str(name),)))
        if set(parts) <= set(ratio.index):
            ratio[parts] = treated[parts].sum() / people
    if ratio.isna().any():
        without = ", ".join(ratio.index[ratio.isna()])
        raise EvidenceError(
            f"{evidence.path} gives no planned number of recruits to treatment for {without}, so returns at the "
            "planned volume are unknown; use volume 'actual'"
        )
    return xr.DataArray(ratio.to_numpy(float), coords={"group": list(ratio.index)})


def at_volume(ratio: Array, fixed_share: Array) -> Array:
    """Return the cost per head at another volume as a multiple {..., group} of the actual cost per head.

    Fixed costs are spread over the other number of people; the variable cost per head is unchanged.

    Parameters
    ----------
    ratio
        People treated as a share of those at the other volume {group}.
    fixed_share
        Share of the cost that does not depend on the number treated.
    """
    return fixed_share * ratio + (1 - fixed_share)


def response_share(evidence: Evidence) -> xr.DataArray:
    """Return the share {group} of people randomised to treatment who answered the 12-month survey.

    Raises
    ------
    EvidenceError
        It is missing for a group.
    """
    people = {
        measure: evidence.arm_sizes(measure).reindex(index=list(evidence.groups), columns=["treatment"])["treatment"]
        for measure in ("12-month survey sample", "recruits")
    }
    share = people["12-month survey sample"] / people["recruits"]
    if share.isna().any():
        without = ", ".join(share.index[share.isna()])
        raise EvidenceError(
            f"{evidence.path} does not report how many people in {without} were randomised to treatment and how many "
            "of them answered the 12-month survey; use an economic spec without the key 'nonresponse'"
        )
    return xr.DataArray(share.to_numpy(float), coords={"group": list(share.index)})
