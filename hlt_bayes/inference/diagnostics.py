"""Convergence checks of draws and derived quantities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ConvergenceError

RHAT_MAX = 1.01
ESS_MIN = 400
BFMI_MIN = 0.3


def check_convergence(quantities: xr.Dataset, *, sample_stats: xr.Dataset | None = None) -> pd.DataFrame:
    """Raise unless the draws have converged.

    Required are R-hat <= 1.01, bulk and tail ESS >= 400, and, where ``sample_stats`` is given, no divergence and
    E-BFMI >= 0.3 in every chain.

    Parameters
    ----------
    quantities
        Dataset {chain, draw, ...} of all reported quantities.
    sample_stats
        ``diverging`` and ``energy`` {chain, draw} of the sampler.

    Returns
    -------
    DataFrame
        ``rhat``, ``ess_bulk``, ``ess_tail`` of each quantity.

    Raises
    ------
    ConvergenceError
        A diagnostic failed or cannot be computed; the message lists which, and what to try.
    """
    import arviz_stats as azs

    with np.errstate(divide="ignore", invalid="ignore"):
        diagnostics = {
            "rhat": azs.rhat(quantities),
            "ess_bulk": azs.ess(quantities, method="bulk"),
            "ess_tail": azs.ess(quantities, method="tail"),
        }
    table = pd.DataFrame({name: _flat(values) for name, values in diagnostics.items()})
    # Test for passing rather than failing, so that a NaN diagnostic fails too.
    passed = (table["rhat"] <= RHAT_MAX) & (table["ess_bulk"] >= ESS_MIN) & (table["ess_tail"] >= ESS_MIN)
    failed = [
        f"{name}: R-hat {row.rhat:.3f}, bulk ESS {row.ess_bulk:.0f}, tail ESS {row.ess_tail:.0f}"
        for name, row in table[~passed].iterrows()
    ]
    if sample_stats is not None:
        divergences = int(sample_stats["diverging"].sum())
        if divergences:
            failed.append(f"{divergences} divergent transitions of {sample_stats['diverging'].size}; none is allowed")
        with np.errstate(divide="ignore", invalid="ignore"):
            bfmi = azs.bfmi(sample_stats["energy"]).to_series()
        failed += [f"chain {chain}: E-BFMI {value:.2f}" for chain, value in bfmi.items() if not value >= BFMI_MIN]
    if failed:
        raise ConvergenceError(
            "\n".join(
                [
                    f"the sampler did not converge, so no result is given. What failed (allowed: R-hat <= {RHAT_MAX}, "
                    f"ESS >= {ESS_MIN}, no divergence, E-BFMI >= {BFMI_MIN}):",
                    *(f"  {line}" for line in failed),
                    "What to try, in table [sampling] of the spec: more draws and tune if only ESS is low; "
                    "target_accept closer to 1 (0.99) if transitions diverge; another --seed to see whether the "
                    "failure recurs. If it does, the priors and the evidence do not identify some quantity. For "
                    "external draws: draw more, or find out why the chains disagree.",
                ]
            )
        )
    return table


def _flat(dataset: xr.Dataset) -> dict[str, float]:
    """Value of each element of each variable, by a name such as ``impact[health, WMCA]``."""
    values = {}
    for name, array in dataset.data_vars.items():
        labels = [array[dim].to_numpy() for dim in array.dims]
        for index in np.ndindex(array.shape):
            where = ", ".join(str(label[i]) for label, i in zip(labels, index, strict=True))
            values[f"{name}[{where}]" if where else str(name)] = float(array.to_numpy()[index])
    return values
