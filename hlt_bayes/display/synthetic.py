"""Table of the true impacts of synthetic records."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.format import number
from hlt_bayes.display.table import Table

SYNTHETIC = "SYNTHETIC records, no real people"


_CONTROL_DECIMALS = {"employment": 1, "earnings": 0, "health": 3, "wellbeing": 1}


def truth_table(truth: xr.Dataset) -> Table:
    """Show the true impacts of a synthetic data set."""
    rows, values = [], []
    for outcome, known in OUTCOMES.items():
        for group in map(str, truth["group"].to_numpy()):
            at = {"outcome": outcome, "group": group}
            impact, control = (float(truth[name].sel(at)) for name in ("impact", "control_mean"))
            scale = known.display_scale if known.unit in ("proportion", "GBP in the 12 months") else 1.0
            decimals = _CONTROL_DECIMALS[outcome]
            rows.append((known.heading, group, number(impact, outcome), f"{control * scale:,.{decimals}f}"))
            values.append({**at, "impact_unit": known.unit, "impact": impact, "control_mean": control})
    return Table(
        title="True impacts of the synthetic data set",
        columns=("Outcome", "Group", "Impact", "Without treatment"),
        rows=tuple(rows),
        notes=(
            f"{SYNTHETIC}: {truth.attrs['n']:,} rows, spec {truth.attrs['spec']}, seed {truth.attrs['seed']}.",
            "Averages over everyone in a group, both arms. Without treatment: per cent, £, and EQ-5D-5L and SWEMWBS "
            "points.",
        ),
        frame=pd.DataFrame(values),
    )
