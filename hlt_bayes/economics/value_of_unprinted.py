"""Ranking of unreported numbers by how much each would reduce uncertainty in a return, to request from authors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.economics.conditional_mean import share_explained
from hlt_bayes.economics.parameters import parameters_of
from hlt_bayes.evidence import Evidence
from hlt_bayes.specs import EconomicSpec, ImpactSpec, OutcomeName, RiskDifference

RATES = (0.55, 0.95)
"""Assumed range of an unreported control-group employment rate, for people in work at recruitment."""


class Unreported(NamedTuple):
    """An unreported number: its name, where it would be reported, and its draws {chain, draw}."""

    what: str
    where: str
    draws: xr.DataArray


def value_of_unprinted(
    economics: xr.Dataset,
    tree: xr.DataTree,
    spec: EconomicSpec,
    impact_spec: ImpactSpec,
    evidence: Evidence,
    *,
    group: str,
    perspective: str = "economic",
    seed: int,
) -> pd.DataFrame:
    """Rank unreported numbers by the share of the variance of a return that each is expected to resolve.

    Parameters
    ----------
    economics
        An appraisal of ``tree``.
    tree
        A fit of this package, with posterior standard errors and unrounded estimates; external draws have neither, so
        only quantities of the economic spec are ranked.
    spec, impact_spec, evidence
        The inputs of the appraisal and the fit.
    group, perspective
        The return to consider.
    seed
        Random seed of control rates, which the models do not sample.

    Returns
    -------
    DataFrame
        ``what``; ``where`` it would be reported; ``share`` of the variance of the gross benefit per £1 that it is
        expected to resolve; ``sd_now`` and ``sd_then``, £ per £1; largest share first. Error correlations between
        outcomes are included if the model has them (structure ``joint``).
    """
    for name, value in (("perspective", perspective), ("group", group)):
        if value not in economics[name]:
            raise SpecError(f"{name} {unknown_name(value, economics[name].to_numpy())}")
    ratio = economics["benefit_cost_ratio"].sel(perspective=perspective, group=group)
    sd_now = ratio.std(("chain", "draw"), ddof=1).item()
    rows = []
    for one in _unreported(economics, tree, spec, impact_spec, evidence, seed):
        share = share_explained(ratio, [one.draws]).item()
        rows.append(
            {
                "what": one.what,
                "where": one.where,
                "share": share,
                "sd_now": sd_now,
                "sd_then": sd_now * np.sqrt(1 - share),
            }
        )
    table = pd.DataFrame(rows, columns=["what", "where", "share", "sd_now", "sd_then"])
    return table.sort_values("share", ascending=False, kind="stable").reset_index(drop=True)


def _unreported(
    economics: xr.Dataset,
    tree: xr.DataTree,
    spec: EconomicSpec,
    impact_spec: ImpactSpec,
    evidence: Evidence,
    seed: int,
) -> Iterator[Unreported]:
    for key, quantity in parameters_of(spec, evidence).items():
        settled_by = getattr(quantity, "settled_by", None)
        if settled_by:
            yield Unreported(key, settled_by, economics[key])
    posterior = tree["posterior"].dataset
    if "reported" in tree.children and "se" in posterior:
        yield from _unreported_of_cells(posterior, tree["reported"].dataset, impact_spec, evidence, seed)
    if "error_correlation" in posterior:
        correlation = posterior["error_correlation"]
        names = [str(name) for name in correlation["outcome"].to_numpy()]
        for i, first in enumerate(names):
            for second in names[:i]:
                yield Unreported(
                    f"error correlation of {second} and {first}",
                    "covariance of the estimates",
                    correlation.sel(outcome=first, other_outcome=second),
                )


def _unreported_of_cells(
    posterior: xr.Dataset, cells: xr.Dataset, impact_spec: ImpactSpec, evidence: Evidence, seed: int
) -> Iterator[Unreported]:
    """Yield standard errors and further digits of published impacts, and assumed control rates."""
    for at in range(cells.sizes["cell"]):
        outcome, group = (str(cells[name].to_numpy()[at]) for name in ("outcome", "group"))
        label = f"{OUTCOMES[outcome].label.lower()}, {group}"
        se = posterior["se"].isel(cell=at).reset_coords(drop=True)
        log_se = xr.apply_ufunc(np.log, se)
        yield Unreported(f"standard error of {label}", "next to the impact", log_se)
        digits = posterior["estimate"].isel(cell=at).reset_coords(drop=True)
        yield Unreported(f"further digits of {label}", "the impact itself", digits)
        design = impact_spec.standard_error.design[cast("OutcomeName", outcome)]
        if isinstance(design, RiskDifference) and group in design.rates:
            rng = np.random.default_rng(stream_seed(seed, f"control rate {group}"))
            estimate = float(cells["estimate"].to_numpy()[at])
            rate = _control_rate(log_se, estimate, impact_spec, evidence, group, rng)
            yield Unreported(f"control rate of {label}", "section 2.1, as for the other groups", rate)


def _control_rate(
    log_se: xr.DataArray,
    impact: float,
    spec: ImpactSpec,
    evidence: Evidence,
    group: str,
    rng: np.random.Generator,
) -> xr.DataArray:
    """Draw the control rate {chain, draw} given each standard error, with a uniform prior on ``RATES``.

    The log ratio of the standard error to the design SE has the prior of the spec. This is an approximation: the fit
    assumed a single rate.
    """
    rates = np.linspace(*RATES, 161)
    arms = evidence.arm_sizes("recruits").loc[group]
    treated = np.clip(rates + impact, 1e-3, 1 - 1e-3)
    design = np.sqrt(treated * (1 - treated) / arms["treatment"] + rates * (1 - rates) / arms["control"])
    ratio = spec.standard_error.log_ratio
    weight = np.exp(ratio.log_density(log_se.to_numpy()[..., None] - np.log(design)))
    cumulative = np.cumsum(weight, axis=-1)
    chosen = (cumulative < rng.random(log_se.shape)[..., None] * cumulative[..., -1:]).sum(axis=-1)
    return log_se.copy(data=rates[chosen])
