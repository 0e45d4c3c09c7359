"""Which number that was not printed would narrow the return most, for whoever writes to the authors."""

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
"""Assumed range of a control rate of people who were in work when they joined, where none is printed."""


class Unprinted(NamedTuple):
    """A number that was not printed: its name, where it would stand, and its draws {chain, draw}."""

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
    """Rank what was not printed by how much of the variance of a return it is expected to take away.

    Parameters
    ----------
    economics
        An appraisal of ``tree``.
    tree
        A fit of ours: posterior standard errors and unrounded estimates of its cells are asked; draws made elsewhere
        have none, and only the quantities of the economic spec are ranked.
    spec, impact_spec, evidence
        What the appraisal and the fit were made from.
    group, perspective
        Whose return.
    seed
        Of control rates, which no model draws.

    Returns
    -------
    DataFrame
        ``what``, ``where`` it would be printed; ``share`` of the variance of the gross benefit per £1 that is expected
        to go once it is known; ``sd_now`` and ``sd_then``, £ per £1; the greatest first. The correlation of the errors
        of two outcomes is among them where the model has one (structure ``joint``).
    """
    for name, value in (("perspective", perspective), ("group", group)):
        if value not in economics[name]:
            raise SpecError(f"{name} {unknown_name(value, economics[name].to_numpy())}")
    ratio = economics["benefit_cost_ratio"].sel(perspective=perspective, group=group)
    sd_now = ratio.std(("chain", "draw"), ddof=1).item()
    rows = []
    for one in _unprinted(economics, tree, spec, impact_spec, evidence, seed):
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


def _unprinted(
    economics: xr.Dataset,
    tree: xr.DataTree,
    spec: EconomicSpec,
    impact_spec: ImpactSpec,
    evidence: Evidence,
    seed: int,
) -> Iterator[Unprinted]:
    for key, quantity in parameters_of(spec, evidence).items():
        settled_by = getattr(quantity, "settled_by", None)
        if settled_by:
            yield Unprinted(key, settled_by, economics[key])
    posterior = tree["posterior"].dataset
    if "reported" in tree.children and "se" in posterior:
        yield from _of_cells(posterior, tree["reported"].dataset, impact_spec, evidence, seed)
    if "error_correlation" in posterior:
        correlation = posterior["error_correlation"]
        names = [str(name) for name in correlation["outcome"].to_numpy()]
        for i, first in enumerate(names):
            for second in names[:i]:
                yield Unprinted(
                    f"correlation of the errors of {second} and {first}",
                    "covariance of the estimates",
                    correlation.sel(outcome=first, other_outcome=second),
                )


def _of_cells(
    posterior: xr.Dataset, cells: xr.Dataset, impact_spec: ImpactSpec, evidence: Evidence, seed: int
) -> Iterator[Unprinted]:
    """Name the standard errors and further digits of printed impacts, and control rates that are assumed."""
    for at in range(cells.sizes["cell"]):
        outcome, group = (str(cells[name].to_numpy()[at]) for name in ("outcome", "group"))
        label = f"{OUTCOMES[outcome].label.lower()}, {group}"
        se = posterior["se"].isel(cell=at).reset_coords(drop=True)
        log_se = xr.apply_ufunc(np.log, se)
        yield Unprinted(f"standard error of {label}", "beside the impact", log_se)
        digits = posterior["estimate"].isel(cell=at).reset_coords(drop=True)
        yield Unprinted(f"further digits of {label}", "the impact itself", digits)
        design = impact_spec.standard_error.design[cast("OutcomeName", outcome)]
        if isinstance(design, RiskDifference) and group in design.rates:
            rng = np.random.default_rng(stream_seed(seed, f"control rate {group}"))
            estimate = float(cells["estimate"].to_numpy()[at])
            rate = _control_rate(log_se, estimate, impact_spec, evidence, group, rng)
            yield Unprinted(f"control rate of {label}", "section 2.1, as of the other groups", rate)


def _control_rate(
    log_se: xr.DataArray,
    impact: float,
    spec: ImpactSpec,
    evidence: Evidence,
    group: str,
    rng: np.random.Generator,
) -> xr.DataArray:
    """Draw the control rate {chain, draw} given each standard error: evenly from ``RATES`` before that.

    The log ratio of the standard error and that of the rates' design has the prior of the spec. An approximation: the
    fit took one rate as given.
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
