"""Recover standard errors from published results, without an impact model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.evidence import Evidence, evidence_of_rows
from hlt_bayes.likelihood.marginal import grid_of_print
from hlt_bayes.likelihood.pooled_rows import draw_weights, pooled_row_log_probability, pooled_rows, row_arrays
from hlt_bayes.likelihood.prepare import reported_results
from hlt_bayes.specs import ImpactSpec, load_impact_spec

ACROSS, ALONG = 60, 3000
"""Numbers of midpoints: across the rounding interval, and along the interval of the log SE."""

JOINT_DRAWS = 200_000
"""Draws of estimates and SEs that are weighted by the pooled rows."""

PROBABILITIES = (0.055, 0.25, 0.5, 0.75, 0.945)


def recover_se(
    outcome: str,
    *,
    printed: Mapping[str, str],
    spec: ImpactSpec | None = None,
    probabilities: Sequence[float] = PROBABILITIES,
) -> xr.Dataset:
    """Recover the distribution of an impact's SE, and of its unrounded estimate, from its published values.

    Parameters
    ----------
    outcome
        ``"employment"``, ``"earnings"``, ``"health"`` or ``"wellbeing"``: a difference in proportions, £ or SDs.
    printed
        The published values, as text, by the columns of ``hlt_bayes.evidence.own_trials.COLUMNS``: for example
        ``{"estimate": "0.10", "stars": "*", "n_treatment": "640", "n_control": "541"}``. Digits matter: 0.10 is not
        0.1. Any of the following bound the SE, alone or together: ``se``; ``ci_lower`` and ``ci_upper``; ``p``,
        exact or an inequality; ``stars``; events and arm sizes; arm sizes alone, even without an estimate.
    spec
        States the ratio of an SE to its design-based value (``standard_error.log_ratio``), and assumed SDs or rates;
        the default is the primary spec.
    probabilities
        Probabilities of the quantiles.

    Returns
    -------
    Dataset
        ``mean`` and ``sd`` {quantity}, ``quantile`` {quantity, probability} of ``se`` and ``estimate``, in the natural
        unit of the outcome (employment as a proportion), and ``design_se``. No impact model is used: the
        estimate has a uniform prior within its rounding.

    Raises
    ------
    EvidenceError
        A value does not fit its column, values contradict each other, or nothing bounds the SE.
    """
    row = {"outcome": outcome, "group": "printed", **printed}
    if outcome in OUTCOMES:
        row.setdefault("unit", OUTCOMES[outcome].printed_unit)
    without_estimate = not row.get("estimate") and not row.get("events_treatment")
    if without_estimate:
        if row.get("stars") or row.get("p"):
            raise EvidenceError("printed, 'estimate': missing; stars and p bound the SE only if the estimate is given")
        row["estimate"] = "0"
    evidence = evidence_of_rows([row], name="printed")
    cells = reported_results(evidence, _for_outcome(spec or load_impact_spec("primary"), outcome))
    recovered = recovered_se(cells, probabilities).isel(cell=0, drop=True)
    recovered["design_se"] = cells["design_se"].isel(cell=0, drop=True)
    recovered.attrs = {"unit": OUTCOMES[outcome].unit, "outcome": outcome}
    return recovered.sel(quantity=["se"]) if without_estimate else recovered


def _for_outcome(spec: ImpactSpec, outcome: str) -> ImpactSpec:
    if outcome not in spec.outcomes:
        raise EvidenceError(f"outcome {outcome!r} is not in spec {spec.name!r}; allowed are {', '.join(spec.outcomes)}")
    return spec


def recovered_se(cells: xr.Dataset, probabilities: Sequence[float]) -> xr.Dataset:
    """Recover the SE and unrounded estimate of each published result from its own values and design alone.

    Parameters
    ----------
    cells
        Dataset {cell} of ``reported_results``.
    probabilities
        Probabilities of the quantiles.

    Returns
    -------
    Dataset
        ``mean``, ``sd`` {cell, quantity} and ``quantile`` {cell, quantity, probability} of ``se`` and ``estimate``, in
        the outcome's unit, by the midpoint rule on the two positions.
    """
    summaries = []
    for name in cells["cell"].to_numpy():
        estimate, se, weights = _grid(cells.sel(cell=name))
        summaries.append([_summary(values, weights, probabilities) for values in (se, estimate)])
    return _dataset(np.array(summaries), cells, probabilities)


def recovered_with_pooled_rows(
    evidence: Evidence, spec: ImpactSpec, probabilities: Sequence[float], *, seed: int
) -> xr.Dataset:
    """As ``recovered_se``, but also from the published pooled rows, for a spec with ``pooled_rows``.

    Positions and weights are drawn from their priors, given each cell's own published values, and weighted by the
    probability of the published pooled rows.

    Returns
    -------
    Dataset
        As ``recovered_se``, with ``effective_draws`` {outcome_name}: the Kish effective sample size.
    """
    if spec.pooled_rows is None:
        raise ValueError(f"spec {spec.name!r} does not use pooled rows")
    cells = reported_results(evidence, spec)
    summaries: dict[str, list[np.ndarray]] = {}
    effective = []
    for outcome in spec.outcomes:
        part = cells.isel(cell=np.flatnonzero(cells["outcome"].to_numpy() == outcome))
        rows = pooled_rows(evidence, spec, part)
        rng = np.random.default_rng(stream_seed(seed, f"pooled rows {outcome}"))
        estimate, se = _draws_of_parts(part, rng)
        weight = draw_weights(spec.pooled_rows, (rows.sizes["pooled_cell"], JOINT_DRAWS), rng).T
        log_weights = pooled_row_log_probability(estimate, se, weight, rows=row_arrays(rows), spec=spec, xp=np).sum(
            axis=-1
        )
        weights = np.exp(log_weights - log_weights.max())
        effective.append(weights.sum() ** 2 / (weights**2).sum())
        for i, name in enumerate(part["cell"].to_numpy()):
            summaries[name] = [_summary(values[:, i], weights, probabilities) for values in (se, estimate)]
    result = _dataset(np.array([summaries[name] for name in cells["cell"].to_numpy()]), cells, probabilities)
    return result.assign(effective_draws=("outcome_name", np.array(effective))).assign_coords(
        outcome_name=list(spec.outcomes)
    )


def _draws_of_parts(cells: xr.Dataset, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw estimate and SE {draw, cell} given each cell's own published values."""
    estimates, ses = [], []
    for name in cells["cell"].to_numpy():
        estimate, se, weights = _grid(cells.sel(cell=name))
        chosen = rng.choice(weights.size, size=JOINT_DRAWS, p=weights.ravel() / weights.sum())
        estimates.append(estimate.ravel()[chosen])
        ses.append(se.ravel()[chosen])
    return np.stack(estimates, axis=-1), np.stack(ses, axis=-1)


def _grid(cell: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate, SE and weight of one published result at midpoints of both positions."""
    estimate, se, log_density = grid_of_print(cell, across=ACROSS, along=ALONG)
    return estimate, se, np.exp(log_density - log_density.max())


def _summary(values: np.ndarray, weights: np.ndarray, probabilities: Sequence[float]) -> np.ndarray:
    """Mean, SD and quantiles of weighted values."""
    order = np.argsort(values, axis=None)
    values, weights = values.ravel()[order], weights.ravel()[order]
    cumulative = (np.cumsum(weights) - weights / 2) / weights.sum()
    mean = np.average(values, weights=weights)
    sd = np.sqrt(np.average((values - mean) ** 2, weights=weights))
    return np.array([mean, sd, *np.interp(probabilities, cumulative, values)])


def _dataset(summaries: np.ndarray, cells: xr.Dataset, probabilities: Sequence[float]) -> xr.Dataset:
    return xr.Dataset(
        {
            "mean": (("cell", "quantity"), summaries[..., 0]),
            "sd": (("cell", "quantity"), summaries[..., 1]),
            "quantile": (("cell", "quantity", "probability"), summaries[..., 2:]),
        },
        coords={**cells.coords, "quantity": ["se", "estimate"], "probability": list(probabilities)},
    )
