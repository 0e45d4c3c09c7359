"""Simulation-based calibration (Talts et al. 2018): true values must have uniform ranks in their posterior.

Impacts are drawn from the prior of a spec, published results simulated, and the spec fitted to those alone; the rank of
each true value among its posterior draws must be uniform.

The published results bound latent variables instead of being observed variables of PyMC, and the prior of the SEs is a
potential: so results are simulated outside PyMC, and each model is compiled once and given new data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.evidence import Evidence
from hlt_bayes.inference.calibration.simulation import simulated_results, simulated_rows
from hlt_bayes.inference.exact import check_exact_engine, exact_posterior
from hlt_bayes.inference.fit import draw_prior
from hlt_bayes.inference.nuts import without_fastmath
from hlt_bayes.inference.structures import build_model, impact_among_respondents, response_rates
from hlt_bayes.likelihood import draw_weights, pooled_rows, reported_results, row_arrays
from hlt_bayes.specs import ImpactSpec

Array = np.ndarray

CalibratedEngine = Literal["nuts", "exact"]

RANKED = (
    "mu",
    "tau",
    "impact",
    "impact_new",
    "estimate",
    "se",
    "slope",
    "slope_sd",
    "site_effect",
    "site_sd",
    "in_work",
    "impact_correlation",
    "error_correlation",
)
"""Quantities that are ranked, where a model has them."""

RANKS = 100
"""Number of possible ranks among the thinned draws."""

BINS = 20
"""Bins of ranks in the test of uniformity."""

LEVEL = 0.01
"""Familywise significance level: chi-square test for each quantity, Bonferroni-corrected."""

BLOCK = {"exact": 250, "nuts": 100}
"""Replicates per task; a model is compiled once per task."""

EXACT_DRAWS = 2000
"""Draws of the exact engine, of which some are ranked; multiplied by 8 while the effective sample size is too low."""

LEAST_EFFECTIVE = 150
"""Smallest effective sample size of a replicate."""

MOST_DRAWS = 2_000_000
"""Largest number of draws before a replicate is rejected."""

MOST_REFUSED = 0.01
"""Largest share of rejected replicates: they shift no share of ranks by more than this, below its sampling error."""

THIN = 10
"""NUTS draws per ranked draw."""

TUNE = 800
"""NUTS warm-up draws."""


class Task(NamedTuple):
    """A block of replicates of one spec."""

    spec: ImpactSpec
    evidence: Evidence
    engine: CalibratedEngine
    first: int
    size: int
    replicates: int
    seed: int


def calibration_tasks(
    spec: ImpactSpec, evidence: Evidence, *, engine: CalibratedEngine, replicates: int, seed: int
) -> list[Task]:
    """Split a calibration into blocks for ``hlt_bayes.run_tasks`` with ``ranks_of_block``.

    Raises
    ------
    SpecError
        The exact engine cannot fit the spec.
    """
    if engine == "exact":
        check_exact_engine(spec)
    block = BLOCK[engine]
    starts = range(0, replicates, block)
    return [Task(spec, evidence, engine, at, min(block, replicates - at), replicates, seed) for at in starts]


def ranks_of_block(task: Task) -> dict[str, Array]:
    """Rank {replicate, ...} of each true value of a block among its posterior draws, by quantity.

    The true values are a slice of those of all replicates, so they do not depend on the block size. A replicate that
    the exact engine rejects is left out.

    Raises
    ------
    ConvergenceError
        All replicates are rejected.
    """
    spec, evidence = task.spec, task.evidence
    cells = reported_results(evidence, spec)
    model = build_model(spec, evidence)
    truth, printed = _truths(model, cells, task)
    if task.engine == "nuts":
        import nutpie

        with without_fastmath():
            compiled = nutpie.compile_pymc_model(model, backend="numba", freeze_model=False)
    rates = response_rates(evidence, spec, cells)
    ranks: dict[str, list[Array]] = {}
    refused: ConvergenceError | None = None
    for replicate in range(task.first, task.first + task.size):
        data = {name: values[replicate] for name, values in printed.items()}
        seed = stream_seed(task.seed, f"replicate {replicate}")
        if task.engine == "exact":
            seen = cells.assign({name: ("cell", values) for name, values in data.items()})
            try:
                posterior = _exactly(seen, spec, seed=seed, rates=rates)
            except ConvergenceError as error:
                refused = error
                continue
        else:
            posterior = _by_nuts(compiled, data, spec, seed=seed)
        for name, true in truth.items():
            if name in posterior:
                rank = (posterior[name].transpose("draw", ...).to_numpy() < true[replicate]).sum(axis=0)
                ranks.setdefault(name, []).append(rank)
    if refused is not None and not ranks:
        raise refused
    return {name: np.stack(each) for name, each in ranks.items()}


def _truths(model: Any, cells: xr.Dataset, task: Task) -> tuple[dict[str, Array], dict[str, Array]]:  # noqa: ANN401
    """Draw parameters of all replicates from the prior, and simulate their published results."""
    spec = task.spec
    with without_fastmath():
        prior = draw_prior(model, draws=task.replicates, seed=stream_seed(task.seed, "truth")).isel(chain=0, drop=True)
    rng = np.random.default_rng(stream_seed(task.seed, "results"))
    seen = impact_among_respondents(prior)
    results = simulated_results(seen, cells, rng, error_correlation=prior.get("error_correlation"))
    truth = {name: prior[name].to_numpy() for name in RANKED if name in prior}
    truth |= {name: results[name].to_numpy() for name in ("estimate", "se")}
    printed = {name: results[name].to_numpy() for name in ("lower", "upper", "z_lower", "z_upper")}
    if spec.pooled_rows is not None:
        rows = row_arrays(pooled_rows(task.evidence, spec, cells))
        truth["weight"] = draw_weights(spec.pooled_rows, (task.replicates, len(rows["lower"])), rng)
        printed |= simulated_rows(results, truth["weight"], rows, spec, rng)
    return truth, printed


def _exactly(cells: xr.Dataset, spec: ImpactSpec, *, seed: int, rates: xr.Dataset | None) -> xr.Dataset:
    draws = EXACT_DRAWS
    while True:
        try:
            posterior, _ = exact_posterior(
                cells, spec, chains=1, draws=draws, seed=seed, rates=rates, least_effective=LEAST_EFFECTIVE
            )
        except ConvergenceError:
            draws *= 8
            if draws > MOST_DRAWS:
                raise
        else:
            return posterior.isel(chain=0, draw=slice(RANKS - 1))


def _by_nuts(compiled: Any, data: dict[str, Array], spec: ImpactSpec, *, seed: int) -> xr.Dataset:  # noqa: ANN401
    import nutpie

    with without_fastmath():
        sampled = nutpie.sample(
            compiled.with_data(**data),
            draws=(RANKS - 1) * THIN,
            tune=TUNE,
            chains=1,
            cores=1,
            target_accept=spec.sampling.target_accept,
            seed=seed,
            save_warmup=False,
            progress_bar=False,
        )
    posterior: xr.Dataset = sampled["posterior"].dataset
    return posterior.isel(chain=0, draw=slice(None, None, THIN))


def calibration_summary(ranks: Sequence[Mapping[str, Array]]) -> pd.DataFrame:
    """Test whether the ranks of all blocks are uniform.

    Returns
    -------
    DataFrame
        One row per quantity that varies: ``quantity``, ``replicates``, ``chi_square`` over ``BINS`` bins of ranks,
        its ``p``, and ``mean_rank`` as a share, expected to be a half.
    """
    from scipy.stats import chi2

    rows = []
    for name in ranks[0]:
        values = np.concatenate([block[name] for block in ranks])
        flat = values.reshape(len(values), -1)
        for position in range(flat.shape[1]):
            index = np.unravel_index(position, values.shape[1:]) if values.ndim > 1 else ()
            if name.endswith("_correlation") and index[0] <= index[1]:
                continue
            counts = np.bincount(flat[:, position] * BINS // RANKS, minlength=BINS)
            expected = len(flat) / BINS
            statistic = float(np.square(counts - expected).sum() / expected)
            label = f"{name}[{', '.join(str(i) for i in index)}]" if index else name
            rows.append(
                (
                    label,
                    len(flat),
                    statistic,
                    float(chi2.sf(statistic, BINS - 1)),
                    flat[:, position].mean() / (RANKS - 1),
                )
            )
    return pd.DataFrame(rows, columns=["quantity", "replicates", "chi_square", "p", "mean_rank"])


def is_calibrated(summary: pd.DataFrame) -> bool:
    """Whether the ranks of all quantities are compatible with uniform, at familywise ``LEVEL``."""
    return bool(summary["p"].min() > LEVEL / len(summary))


def model_sha256(spec: ImpactSpec, evidence: Evidence) -> str:
    """Hash of a built model: its text, the numbers in its spec and the published results; not reasons or title."""
    numbers = _without(spec.model_dump(exclude={"name", "title", "sampling"}))
    text = build_model(spec, evidence).str_repr()
    cells = reported_results(evidence, spec)
    printed = {str(name): [f"{value:.12g}" for value in array.to_numpy()] for name, array in cells.data_vars.items()}
    parts = [text, json.dumps(numbers, sort_keys=True), json.dumps(printed), *cells["cell"].to_numpy()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _without(node: object) -> object:
    """Remove the parts of a spec that change no number."""
    if isinstance(node, dict):
        return {key: _without(value) for key, value in node.items() if key not in ("why", "source", "label", "unit")}
    return [_without(value) for value in node] if isinstance(node, list) else node
