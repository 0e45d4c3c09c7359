"""Impact per person randomised from the impact seen in survey respondents: a pattern-mixture model.

A share ``r`` of the treatment group and ``c`` of the control group responded. Non-respondents gain ``share`` of what
respondents gain. If more responded in treatment, the surplus ``(r - c) / r`` of its respondents has no counterpart
among control respondents; without treatment, they differ from the other respondents by ``difference``. So

    seen   = gain + difference * (r - c) / r
    impact = gain * (r + (1 - r) * share)

``share`` 1 and ``difference`` 0 give the published assumption: the impact equals that seen in respondents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.vocabulary import ARMS
from hlt_bayes.evidence import Evidence
from hlt_bayes.likelihood import Array, labels
from hlt_bayes.specs import ImpactSpec

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def response_rates(evidence: Evidence, spec: ImpactSpec, cells: xr.Dataset) -> xr.Dataset | None:
    """Shares {outcome, group} of people randomised whose outcome was measured, by arm.

    Returns
    -------
    Dataset
        ``treatment`` and ``control``; 1 for outcomes that were not taken from the survey. ``None`` if the spec has no
        ``nonresponse``.

    Raises
    ------
    SpecError
        The numbers of people randomised or responding are not reported.
    """
    if spec.nonresponse is None:
        return None
    outcomes, groups = (labels(cells, name) for name in ("outcome", "group"))
    samples = {name: spec.standard_error.design[name].sample for name in outcomes}
    wanted = {"recruits", *samples.values()}
    people = {sample: evidence.arm_sizes(sample).reindex(index=groups, columns=list(ARMS)) for sample in wanted}
    rates = {name: people[sample] / people["recruits"] for name, sample in samples.items()}
    missing = sorted({group for table in rates.values() for group in table.index[table.isna().any(axis=1)]})
    if missing:
        raise SpecError(
            f"spec {spec.name!r}, key 'nonresponse': {evidence.path} does not report how many people in "
            f"{', '.join(missing)} were randomised and how many responded; use a spec without this key"
        )
    table = pd.concat(rates)
    return xr.Dataset(
        {arm: (("outcome", "group"), table[arm].to_numpy().reshape(len(outcomes), -1)) for arm in ARMS},
        coords={"outcome": outcomes, "group": groups},
    )


def per_person_randomised(
    seen: TensorVariable, new: TensorVariable | None, rates: xr.Dataset, spec: ImpactSpec
) -> tuple[TensorVariable, TensorVariable | None]:
    """Turn ``seen`` {outcome, group} into the impact per person randomised; see the top of this file.

    Adds ``share`` {outcome}, the same for all groups, and ``difference`` {outcome, group} in units of the outcome. A
    ``new`` {outcome} group has the average treatment response rate of these groups in both arms.
    """
    import pymc as pm

    stated = spec.nonresponse
    if stated is None:
        raise ValueError("the spec lacks the table nonresponse")
    share = pm.Beta("share", stated.share.alpha, stated.share.beta, dims="outcome")
    difference = pm.Normal("difference", stated.difference.mean, stated.difference.sd, dims=("outcome", "group"))
    of_new = None if new is None else new_of_all(new, share, rates)
    return impact_of_all(seen, share[:, None], difference, rates), of_new


def impact_among_respondents(draws: xr.Dataset) -> xr.DataArray:
    """Return the impact that published results estimate: that on respondents, if the model distinguishes them."""
    return draws["impact_seen" if "impact_seen" in draws else "impact"]


def impact_of_all(seen: Array, share: Array, difference: Array, rates: xr.Dataset) -> Array:
    """Impact per person randomised {..., outcome, group}: the two equations at the top of this file."""
    treatment, control = (rates[arm].to_numpy() for arm in ARMS)
    gain = seen - difference * (treatment - control) / treatment
    return gain * (treatment + (1 - treatment) * share)


def new_of_all(new: Array, share: Array, rates: xr.Dataset) -> Array:
    """Impact per person randomised {..., outcome} of a new group with the average response rate of these groups."""
    answering = rates["treatment"].mean("group").to_numpy()
    return new * (answering + (1 - answering) * share)
