"""Return of the service at its planned volume, by the fixed share of its cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError
from hlt_bayes.economics.appraisal import appraise
from hlt_bayes.economics.parameters import parameters_of
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import INTERVALS, Source, admit
from hlt_bayes.specs import EconomicSpec

FIXED_SHARES = tuple(float(share) for share in np.linspace(0, 1, 11))
"""Default shares of the cost that do not depend on the number treated."""


def volume_curve(
    source: Source,
    spec: EconomicSpec,
    evidence: Evidence,
    *,
    seed: int,
    fixed_shares: Sequence[float] = FIXED_SHARES,
) -> pd.DataFrame:
    """Value the service at its planned volume, for each fixed share of its cost.

    Impacts per person are assumed to be the same at the planned volume.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``fixed_share``; ``cost_per_head_gbp`` in the spec's price year; ``mean`` and 89 %
        interval of the gross benefit per £1, ``prob_above_one``. With a fixed share of 0, results equal those at
        the actual volume.

    Raises
    ------
    SpecError
        A share is not between 0 and 1, or the spec states no fixed share.
    """
    wrong = [share for share in fixed_shares if not 0 <= share <= 1]
    if wrong:
        raise SpecError(f"fixed share {wrong[0]:g}: give a share between 0 and 1")
    impact = admit(source)
    planned = appraise(impact, spec, evidence, seed=seed, volume="planned")
    parameters = planned[list(parameters_of(spec, evidence))]
    tables = []
    for share in fixed_shares:
        fixed = parameters.assign({"costs.fixed_share": xr.full_like(parameters["costs.fixed_share"], share)})
        at = appraise(impact, spec, evidence, seed=seed, volume="planned", parameters=fixed)
        ratio, over = at["benefit_cost_ratio"], ("chain", "draw")
        low, high = (ratio.quantile(probability, over).drop_vars("quantile") for probability in INTERVALS[89])
        table = xr.Dataset(
            {
                "cost_per_head_gbp": at["cost_per_head"].mean(over).broadcast_like(ratio.mean(over)),
                "mean": ratio.mean(over),
                "lower_89": low,
                "upper_89": high,
                "prob_above_one": (ratio > 1).mean(over),
            }
        )
        frame = table.to_dataframe(dim_order=["perspective", "group"]).reset_index()
        frame.insert(2, "fixed_share", share)
        tables.append(frame)
    return pd.concat(tables, ignore_index=True)
