"""Simulation-based calibration (Talts et al. 2018): the truth must lie anywhere in its posterior as often as it should.

Impacts are drawn from the prior of a spec, results simulated and printed, and the spec fitted to the print alone; the
rank of each truth among draws of its posterior must be uniform.

Our data are what is printed, which bounds latent variables and is no observed variable of PyMC, and SEs have their
prior by a potential: so the simulator is our own, and each model is compiled once and given other data.
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
from hlt_bayes.inference.exact import exact_posterior, refuse_what_is_not_exact
from hlt_bayes.inference.fit import draw_prior
from hlt_bayes.inference.nuts import exact_arithmetic
from hlt_bayes.inference.structures import build_model, impact_as_seen, response_rates
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
"""Quantities whose ranks are taken, whichever of them a model has."""

RANKS = 100
"""Ranks that a truth can have among the thinned draws."""

BINS = 20
"""Bins of ranks of the test of uniformity."""

LEVEL = 0.01
"""Probability that a spec which is calibrated fails the test: chi-square for each quantity, Bonferroni over them."""

BLOCK = {"exact": 250, "nuts": 100}
"""Replicates of one task: a model is compiled once a task."""

EXACT_DRAWS = 2000
"""Draws of the exact engine, of which some are ranked; eight times as many where their weights are worth too few."""

LEAST_EFFECTIVE = 150
"""Effective draws that a replicate needs at least."""

MOST_DRAWS = 2_000_000
"""Draws at which a replicate is given up, as the engine refuses it to whoever asks."""

MOST_REFUSED = 0.01
"""Share of replicates that may be given up: what is left out moves no share of ranks by more, less than its error."""

THIN = 10
"""Draws of NUTS for one that is ranked."""

TUNE = 800
"""Draws in which NUTS adapts."""


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
    """Cut a calibration into blocks for ``hlt_bayes.run_tasks`` with ``ranks_of_block``.

    Raises
    ------
    SpecError
        The spec has no exact engine.
    """
    if engine == "exact":
        refuse_what_is_not_exact(spec)
    block = BLOCK[engine]
    starts = range(0, replicates, block)
    return [Task(spec, evidence, engine, at, min(block, replicates - at), replicates, seed) for at in starts]


def ranks_of_block(task: Task) -> dict[str, Array]:
    """Rank {replicate, ...} of each truth of a block among draws of its posterior, by quantity.

    The truths are a slice of those of all replicates, so that it does not matter how they are cut. A replicate that the
    exact engine refuses is left out.

    Raises
    ------
    ConvergenceError
        All of them are refused.
    """
    spec, evidence = task.spec, task.evidence
    cells = reported_results(evidence, spec)
    model = build_model(spec, evidence)
    truth, printed = _truths(model, cells, task)
    if task.engine == "nuts":
        import nutpie

        with exact_arithmetic():
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
    """Draw parameters of all replicates from the prior, and what is printed of their results."""
    spec = task.spec
    with exact_arithmetic():
        prior = draw_prior(model, draws=task.replicates, seed=stream_seed(task.seed, "truth")).isel(chain=0, drop=True)
    rng = np.random.default_rng(stream_seed(task.seed, "results"))
    seen = impact_as_seen(prior)
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

    with exact_arithmetic():
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
        A row for each quantity that varies: ``quantity``, ``replicates``, ``chi_square`` over ``BINS`` bins of ranks,
        its ``p``, and ``mean_rank`` as a share, a half where it is uniform.
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
    """Say whether no quantity's ranks depart from uniform, at ``LEVEL`` over all quantities together."""
    return bool(summary["p"].min() > LEVEL / len(summary))


def model_sha256(spec: ImpactSpec, evidence: Evidence) -> str:
    """Hash of a model as it is built: its text, the numbers of its spec, what is printed; not reasons or title."""
    numbers = _without(spec.model_dump(exclude={"name", "title", "sampling"}))
    text = build_model(spec, evidence).str_repr()
    cells = reported_results(evidence, spec)
    printed = {str(name): [f"{value:.12g}" for value in array.to_numpy()] for name, array in cells.data_vars.items()}
    parts = [text, json.dumps(numbers, sort_keys=True), json.dumps(printed), *cells["cell"].to_numpy()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _without(node: object) -> object:
    """Leave out of a spec what changes no number of it."""
    if isinstance(node, dict):
        return {key: _without(value) for key, value in node.items() if key not in ("why", "source", "label", "unit")}
    return [_without(value) for value in node] if isinstance(node, list) else node
