"""How far conclusions move with what was assumed: priors and likelihood scaled a little, priors moved a lot."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.checks.scores import returns_of
from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.parallel import run_tasks
from hlt_bayes.core.progress import Progress
from hlt_bayes.evidence import Evidence
from hlt_bayes.inference.exact import exact_posterior, refuse_what_is_not_exact
from hlt_bayes.inference.structures import impact_as_seen, refuse_what_does_not_suit, response_rates
from hlt_bayes.likelihood import print_log_probability, reported_results
from hlt_bayes.specs import EconomicSpec, ImpactSpec

FACTORS = (0.5, 1.0, 2.0)
"""By which the grid multiplies the scales of priors."""

GRID_DRAWS = 4000
"""Draws of each point of the grid."""

HYPERPRIORS = ("mu", "tau", "site_sd", "in_work", "slope_sd")
"""Parameters whose priors power-scaling scales, whichever of them a model has; the key of the spec for each."""

KEYS = {"site_sd": "site", "slope_sd": "slope"}


def power_scaling(
    tree: xr.DataTree, evidence: Evidence, spec: ImpactSpec, *, returns: xr.DataArray | None = None
) -> pd.DataFrame:
    """Scale the power of priors and likelihood a little, and see how the posterior moves (Kallioinen et al. 2024).

    Parameters
    ----------
    tree
        A fit of ``spec`` to ``evidence``.
    evidence, spec
        As there.
    returns
        Benefit-cost ratios {chain, draw, perspective, group} to look at too.

    Returns
    -------
    DataFrame
        By quantity: ``prior`` and ``likelihood``, how far its distribution moves, and ``diagnosis``. Both above 0.05
        hints at a conflict of prior and data; the prior alone, at a likelihood that says little. The priors are
        those of the hyperparameters; the likelihood is that of the print, estimates and SEs summed over.

    Raises
    ------
    SpecError
        The spec has no likelihood cell by cell: structure joint, or pooled rows.
    """
    import arviz_stats as azs

    if spec.structure == "joint" or spec.pooled_rows is not None:
        raise SpecError(
            f"spec {spec.name!r}: its likelihood does not fall apart into cells (structure joint, or pooled rows), so "
            "that it cannot be scaled here; compare specs instead"
        )
    posterior = tree["posterior"].dataset
    seen = impact_as_seen(posterior)
    names = [name for name in HYPERPRIORS if name in posterior]
    log_prior = {name: _log_prior(posterior[name], spec, KEYS.get(name, name)) for name in names}
    if not names:
        log_prior = {"impact": _log_prior(seen, spec, "mu")}
    looked_at = posterior[[*names, "impact"]]
    if returns is not None:
        looked_at = looked_at.assign(benefit_cost_ratio=returns.reset_coords(drop=True).rename(group="valued_group"))
    scaled = xr.DataTree.from_dict(
        {
            "posterior": looked_at,
            "log_prior": xr.Dataset(log_prior),
            "log_likelihood": print_log_probability(seen, reported_results(evidence, spec)).to_dataset(name="print"),
        }
    )
    logger = logging.getLogger("arviz_stats")
    level = logger.level
    # Its hint that there are issues is the column "diagnosis".
    logger.setLevel(logging.ERROR)
    try:
        table: pd.DataFrame = azs.psense_summary(scaled, prior_var_names=list(log_prior), round_to=6)
    finally:
        logger.setLevel(level)
    return table.rename_axis("quantity").reset_index()


def _log_prior(values: xr.DataArray, spec: ImpactSpec, key: str) -> xr.DataArray:
    priors = getattr(spec.priors, key)
    parts = [
        xr.apply_ufunc(priors[str(name)].log_density, values.sel(outcome=name)) for name in values["outcome"].to_numpy()
    ]
    log_prior: xr.DataArray = xr.concat(parts, dim="outcome").transpose(*values.dims)
    return log_prior


class _Point(NamedTuple):
    spec: ImpactSpec
    economic: EconomicSpec
    evidence: Evidence
    mu: float
    tau: float
    se: float
    seed: int


def prior_grid(
    spec: ImpactSpec,
    economic: EconomicSpec,
    evidence: Evidence,
    *,
    mu: Sequence[float] = FACTORS,
    tau: Sequence[float] = FACTORS,
    se: Sequence[float] = FACTORS,
    seed: int | None = None,
    workers: int | None = 1,
    scheduler: str | None = None,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Fit a spec again under wider and narrower priors, by the exact engine, and value each.

    Parameters
    ----------
    spec, economic, evidence
        The models and what is printed.
    mu, tau, se
        Factors on the scales of the priors of ``mu``, of ``tau``, and of the ratio of SE and design SE.
    seed
        In place of the spec's; the same at each point, so that points differ by their priors.
    workers, scheduler, journal, progress
        As in ``hlt_bayes.run_tasks``.

    Returns
    -------
    DataFrame
        A row for each point, perspective and group: ``mu_factor``, ``tau_factor``, ``se_factor``, ``perspective``,
        ``group``, ``mean`` of the benefit per £1 and ``prob_above_one``.

    Raises
    ------
    SpecError
        The spec has no exact engine, or does not suit the evidence.
    """
    refuse_what_is_not_exact(spec)
    refuse_what_does_not_suit(spec, evidence, reported_results(evidence, spec))
    seed = spec.sampling.seed if seed is None else seed
    points = [_Point(spec, economic, evidence, *factors, seed) for factors in product(mu, tau, se)]
    tables = run_tasks(
        _at_point,
        points,
        workers=workers,
        scheduler=scheduler,
        journal=journal,
        progress=progress,
        stage="Moving priors",
    )
    return pd.concat(tables, ignore_index=True)


def with_scaled_priors(spec: ImpactSpec, *, mu: float, tau: float, se: float) -> ImpactSpec:
    """Multiply the scales of the priors of ``mu``, ``tau`` and of the ratio of SE and design SE."""
    priors: dict[str, object] = {"mu": {name: prior.scaled(mu) for name, prior in spec.priors.mu.items()}}
    if spec.priors.tau is not None:
        priors["tau"] = {name: prior.scaled(tau) for name, prior in spec.priors.tau.items()}
    error = spec.standard_error
    ratio = error.model_copy(update={"log_ratio": error.log_ratio.scaled(se)})
    return spec.model_copy(update={"priors": spec.priors.model_copy(update=priors), "standard_error": ratio})


def _at_point(point: _Point) -> pd.DataFrame:
    spec = with_scaled_priors(point.spec, mu=point.mu, tau=point.tau, se=point.se)
    cells = reported_results(point.evidence, spec)
    rates = response_rates(point.evidence, spec, cells)
    posterior, _ = exact_posterior(cells, spec, chains=2, draws=GRID_DRAWS // 2, seed=point.seed, rates=rates)
    table = returns_of(posterior["impact"], point.economic, point.evidence, seed=point.seed)
    for name in ("se", "tau", "mu"):
        table.insert(0, f"{name}_factor", getattr(point, name))
    return table


def range_over_grid(grid: pd.DataFrame) -> pd.DataFrame:
    """Summarise a grid: P(above £1) of each return as stated, and the least and greatest over the grid."""
    factors = ["mu_factor", "tau_factor", "se_factor"]
    stated = grid[np.isclose(grid[factors], 1.0).all(axis=1)].set_index(["perspective", "group"])["prob_above_one"]
    by_return = grid.groupby(["perspective", "group"], sort=False)["prob_above_one"]
    table = pd.DataFrame({"least": by_return.min(), "greatest": by_return.max()})
    table.insert(0, "as_stated", stated.reindex(table.index))
    for name in factors:
        alone = grid[np.isclose(grid[[other for other in factors if other != name]], 1.0).all(axis=1)]
        ends = alone.groupby(["perspective", "group"], sort=False)["prob_above_one"]
        table[f"moved_by_{name.removesuffix('_factor')}"] = ends.max() - ends.min()
    return table.reset_index()
