"""Sensitivity to priors and likelihood: power-scaling, and refitting over a grid of prior scales."""

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
from hlt_bayes.inference.exact import check_exact_engine, exact_posterior
from hlt_bayes.inference.structures import check_spec_suits_evidence, impact_among_respondents, response_rates
from hlt_bayes.likelihood import log_probability_of_published, reported_results
from hlt_bayes.specs import EconomicSpec, ImpactSpec

FACTORS = (0.5, 1.0, 2.0)
"""Default multipliers of prior scales in the grid."""

GRID_DRAWS = 4000
"""Draws per grid point."""

HYPERPRIORS = ("mu", "tau", "site_sd", "in_work", "slope_sd")
"""Parameters whose priors are power-scaled, where a model has them."""

KEYS = {"site_sd": "site", "slope_sd": "slope"}
"""Spec keys of the priors, where they differ from the parameter name."""


def power_scaling(
    tree: xr.DataTree, evidence: Evidence, spec: ImpactSpec, *, returns: xr.DataArray | None = None
) -> pd.DataFrame:
    """Compute the power-scaling sensitivity of the posterior to priors and likelihood (Kallioinen et al. 2024).

    Parameters
    ----------
    tree
        A fit of ``spec`` to ``evidence``.
    evidence, spec
        The model, and the evidence it was fitted to.
    returns
        Benefit-cost ratios {chain, draw, perspective, group} to include.

    Returns
    -------
    DataFrame
        By quantity: sensitivity to ``prior`` and ``likelihood``, and ``diagnosis``. Both above 0.05 suggests
        prior-data conflict; the prior alone suggests a weak likelihood. The priors are those of the hyperparameters;
        the likelihood is that of the published values, marginalised over unrounded estimates and SEs.

    Raises
    ------
    SpecError
        The likelihood does not factorise over published results: structure 'joint', or pooled rows.
    """
    import arviz_stats as azs

    if spec.structure == "joint" or spec.pooled_rows is not None:
        raise SpecError(
            f"spec {spec.name!r}: its likelihood does not factorise over published results (structure 'joint', or "
            "pooled rows), so it cannot be power-scaled; compare specs instead"
        )
    posterior = tree["posterior"].dataset
    seen = impact_among_respondents(posterior)
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
            "log_likelihood": log_probability_of_published(seen, reported_results(evidence, spec)).to_dataset(
                name="print"
            ),
        }
    )
    logger = logging.getLogger("arviz_stats")
    level = logger.level
    # Suppress its warning, which repeats the column "diagnosis".
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
    """Refit a spec under wider and narrower priors by the exact engine, and value each fit.

    Parameters
    ----------
    spec, economic, evidence
        The models and the published evidence.
    mu, tau, se
        Multipliers of the prior scales of ``mu``, ``tau``, and the ratio of SE to design SE.
    seed
        Replaces the spec's; the same at every grid point, so that points differ only in their priors.
    workers, scheduler, journal, progress
        As in ``hlt_bayes.run_tasks``.

    Returns
    -------
    DataFrame
        A row per grid point, perspective and group: ``mu_factor``, ``tau_factor``, ``se_factor``, ``perspective``,
        ``group``, ``mean`` of the benefit per £1 and ``prob_above_one``.

    Raises
    ------
    SpecError
        The spec has no exact engine, or does not fit the evidence.
    """
    check_exact_engine(spec)
    check_spec_suits_evidence(spec, evidence, reported_results(evidence, spec))
    seed = spec.sampling.seed if seed is None else seed
    points = [_Point(spec, economic, evidence, *factors, seed) for factors in product(mu, tau, se)]
    tables = run_tasks(
        _at_point,
        points,
        workers=workers,
        scheduler=scheduler,
        journal=journal,
        progress=progress,
        stage="Fitting the prior grid",
    )
    return pd.concat(tables, ignore_index=True)


def with_scaled_priors(spec: ImpactSpec, *, mu: float, tau: float, se: float) -> ImpactSpec:
    """Multiply the prior scales of ``mu``, ``tau`` and the ratio of SE to design SE."""
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
    """Summarise a grid: P(above £1) of each return under the stated priors, and its range over the grid."""
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
