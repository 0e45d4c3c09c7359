"""Prior and posterior predictive checks of published estimates and significance stars, and held-out pooled rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr

from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.evidence import MARKS, Evidence
from hlt_bayes.impacts.draws import INTERVALS
from hlt_bayes.inference.calibration import simulated_results
from hlt_bayes.inference.fit import draw_prior
from hlt_bayes.inference.nuts import without_fastmath
from hlt_bayes.inference.structures import build_model, impact_among_respondents
from hlt_bayes.likelihood import (
    LOGISTIC_SCALE,
    STAR_BOUNDS,
    draw_weights,
    pooled_rows,
    reported_results,
    row_arrays,
    weighted_parts,
)
from hlt_bayes.specs import ImpactSpec, load_impact_spec

DRAWS = 8000


def prior_predictive(
    spec: ImpactSpec, evidence: Evidence, *, draws: int = DRAWS, seed: int | None = None
) -> pd.DataFrame:
    """Summarise the prior predictive distribution of the published results, including stars, in natural units.

    Parameters
    ----------
    spec, evidence
        The model; sample sizes, rounding and published results.
    draws
        Number of simulated sets of published results.
    seed
        Replaces the spec's.

    Returns
    -------
    DataFrame
        As ``predicted_results``; ``surprise`` then measures prior-data conflict (Box 1980).
    """
    seed = spec.sampling.seed if seed is None else seed
    model = build_model(spec, evidence)
    with without_fastmath():
        prior = draw_prior(model, draws=draws, seed=stream_seed(seed, "prior predictive"))
    return predicted_results(prior, evidence, reported_results(evidence, spec), seed=stream_seed(seed, "prior prints"))


def posterior_predictive(
    tree: xr.DataTree, evidence: Evidence, spec: ImpactSpec, *, seed: int | None = None
) -> pd.DataFrame:
    """Summarise the posterior predictive distribution of the published results of a replicate of the trial.

    Parameters
    ----------
    tree
        A fit of ``spec`` to ``evidence``.
    evidence, spec
        The model, and the evidence it was fitted to.
    seed
        Replaces the spec's.

    Returns
    -------
    DataFrame
        As ``predicted_results``, with SEs from the posterior. The data are used twice, so probabilities near a half do
        not establish good fit; small ones indicate misfit.
    """
    seed = spec.sampling.seed if seed is None else seed
    posterior = tree["posterior"].dataset
    cells = reported_results(evidence, spec)
    return predicted_results(posterior, evidence, cells, seed=stream_seed(seed, "posterior prints"))


def predicted_results(draws: xr.Dataset, evidence: Evidence, cells: xr.Dataset, *, seed: int) -> pd.DataFrame:
    """Summarise the results predicted for publication, given draws of impacts {chain, draw, outcome, group}.

    SEs are those of the draws if present, otherwise drawn from the prior.

    Returns
    -------
    DataFrame
        Per cell, in the outcome's ``unit``: the ``printed`` estimate with its ``mark``, its stars (``not used`` if a
        file has none); median and 89 % interval of the impact and of the predicted estimate; the probability of each
        mark, ``prob_`` and the number of stars; ``prob_of_mark``, of the published mark; ``surprise``, the two-sided
        predictive p-value of the estimate. ``attrs["prob_of_all_marks"]`` is the joint probability of all published
        marks, with independent errors between cells.
    """
    seen = impact_among_respondents(draws)
    results = simulated_results(
        seen, cells, np.random.default_rng(seed), error_correlation=draws.get("error_correlation"), se=draws.get("se")
    )
    printed = evidence.impacts.set_index(["outcome", "group"])
    rows, all_marks = [], np.ones(results["mark"].shape[:-1])
    for position, (outcome, group) in enumerate(
        zip(cells["outcome"].to_numpy(), cells["group"].to_numpy(), strict=True)
    ):
        row = printed.loc[(outcome, group)]
        impact = seen.sel(outcome=outcome, group=group).to_numpy()
        estimate = results["estimate"].isel(cell=position).to_numpy()
        mark = results["mark"].isel(cell=position).to_numpy()
        shares = np.bincount(mark.ravel(), minlength=len(MARKS)) / mark.size
        used = row["stars"] in MARKS
        if used:
            all_marks *= _prob_of_mark(impact, results["se"].isel(cell=position).to_numpy(), row["stars"])
        below = float((estimate < row["estimate"]).mean())
        rows.append(
            {
                "outcome": outcome,
                "group": group,
                "unit": OUTCOMES[outcome].unit,
                "printed": row["estimate"],
                "mark": row["stars"],
                **_quantiles("impact", impact),
                **_quantiles("estimate", estimate),
                **{f"prob_{stars}": share for stars, share in enumerate(shares)},
                "prob_of_mark": shares[MARKS.index(row["stars"])] if used else np.nan,
                "surprise": 2 * min(below, 1 - below),
            }
        )
    table = pd.DataFrame(rows)
    table.attrs["prob_of_all_marks"] = float(all_marks.mean())
    return table


def held_out_rows(tree: xr.DataTree, evidence: Evidence, spec: ImpactSpec, *, seed: int | None = None) -> pd.DataFrame:
    """Compare the published pooled rows, which the fit did not use, with their predictive distribution.

    Each row pools two groups with an unreported weight; weight and discrepancies have the priors of the spec or, if it
    does not use pooled rows, of the spec ``pooled-rows``.

    Returns
    -------
    DataFrame
        Per row, in the outcome's ``unit``: the ``printed`` estimate and ``mark``, mean, SD and 89 % interval of the
        prediction, ``prob_of_mark``, and ``surprise``, the two-sided predictive p-value.
    """
    seed = spec.sampling.seed if seed is None else seed
    stated = spec.pooled_rows or load_impact_spec("pooled-rows").pooled_rows
    if stated is None:
        raise ValueError("the spec pooled-rows has no priors for pooled rows")
    posterior = tree["posterior"].dataset.stack(sample=("chain", "draw"))
    rows = pooled_rows(evidence, spec, reported_results(evidence, spec))
    estimate, se = (posterior[name].transpose("sample", "cell").to_numpy() for name in ("estimate", "se"))
    rng = np.random.default_rng(stream_seed(seed, "held-out rows"))
    shape = len(estimate), rows.sizes["pooled_cell"]
    weight = draw_weights(stated, shape, rng)
    mean, spread = weighted_parts(estimate, se, weight, rows=row_arrays(rows), xp=np)
    expected = mean + LOGISTIC_SCALE * stated.estimate_discrepancy.value * spread * rng.logistic(size=shape)
    ratio = np.abs(expected) / spread * np.exp(LOGISTIC_SCALE * stated.se_discrepancy.value * rng.logistic(size=shape))
    printed = evidence.impacts.set_index(["outcome", "group"])
    table = []
    for position, (outcome, group) in enumerate(zip(rows["outcome"].to_numpy(), rows["group"].to_numpy(), strict=True)):
        row, one = printed.loc[(outcome, group)], expected[:, position]
        lower, upper = np.quantile(one, INTERVALS[89])
        below = float((one < row["estimate"]).mean())
        low, high = STAR_BOUNDS[row["stars"]]
        table.append(
            {
                "outcome": outcome,
                "group": group,
                "unit": OUTCOMES[outcome].unit,
                "printed": row["estimate"],
                "mark": row["stars"],
                "mean": one.mean(),
                "sd": one.std(ddof=1),
                "lower_89": lower,
                "upper_89": upper,
                "prob_of_mark": float(((ratio[:, position] > low) & (ratio[:, position] < high)).mean()),
                "surprise": 2 * min(below, 1 - below),
            }
        )
    return pd.DataFrame(table)


def _prob_of_mark(impact: np.ndarray, se: np.ndarray, mark: str) -> np.ndarray:
    """Probability of a mark, given impact and SE."""
    low, high = STAR_BOUNDS[mark]
    z = impact / se
    return np.asarray(ndtr(high - z) - ndtr(low - z) + ndtr(-low - z) - ndtr(-high - z))


def _quantiles(name: str, values: np.ndarray) -> dict[str, float]:
    low, high = INTERVALS[89]
    found = np.quantile(values, [low, 0.5, high])
    return dict(zip((f"{name}_lower_89", f"{name}_median", f"{name}_upper_89"), map(float, found), strict=True))
