"""What a model, before or after its data, would have printed: marks, estimates, and pooled rows held out."""

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
from hlt_bayes.inference.nuts import exact_arithmetic
from hlt_bayes.inference.structures import build_model, impact_as_seen
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
    """Say what the prior of a spec expects to see printed, in natural units, the stars included.

    Parameters
    ----------
    spec, evidence
        The model; how many people there were, how their results were rounded, and what was printed of them.
    draws
        How many printed tables are made up.
    seed
        In place of the spec's.

    Returns
    -------
    DataFrame
        Of ``predicted_prints``; ``surprise`` is then that of prior-data conflict (Box 1980).
    """
    seed = spec.sampling.seed if seed is None else seed
    model = build_model(spec, evidence)
    with exact_arithmetic():
        prior = draw_prior(model, draws=draws, seed=stream_seed(seed, "prior predictive"))
    return predicted_prints(prior, evidence, reported_results(evidence, spec), seed=stream_seed(seed, "prior prints"))


def posterior_predictive(
    tree: xr.DataTree, evidence: Evidence, spec: ImpactSpec, *, seed: int | None = None
) -> pd.DataFrame:
    """Say what the same trial, run again with as many people, would have printed, given the posterior of its impacts.

    Parameters
    ----------
    tree
        A fit of ``spec`` to ``evidence``.
    evidence, spec
        As there.
    seed
        In place of the spec's.

    Returns
    -------
    DataFrame
        Of ``predicted_prints``. The data are used twice, so that probabilities near a half are no proof of fit; small
        ones are a sign of misfit. SEs are those of the posterior.
    """
    seed = spec.sampling.seed if seed is None else seed
    posterior = tree["posterior"].dataset
    cells = reported_results(evidence, spec)
    return predicted_prints(posterior, evidence, cells, seed=stream_seed(seed, "posterior prints"))


def predicted_prints(draws: xr.Dataset, evidence: Evidence, cells: xr.Dataset, *, seed: int) -> pd.DataFrame:
    """Summarise what impacts {chain, draw, outcome, group} would have printed.

    SEs are those of the draws where they have some, else of the prior.

    Returns
    -------
    DataFrame
        Per cell, in the outcome's ``unit``: the ``printed`` estimate with its ``mark`` (``not used`` where a file uses
        no stars); median and 89 % interval of the impact and of the estimate that would be printed; the probability of
        each mark, ``prob_`` and the number of stars; ``prob_of_mark``, of the printed one; ``surprise``, twice the
        probability of an estimate at least as far out in its tail. ``attrs["prob_of_all_marks"]``: of all printed
        marks together, errors of different cells taken as independent.
    """
    seen = impact_as_seen(draws)
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
    """Compare the printed pooled rows, which the fit did not use, with what it says that they would be.

    Each row pools two groups with a weight that is not printed; weight and discrepancies have the priors of the spec,
    or where it does not use pooled rows, of the spec ``pooled-rows``.

    Returns
    -------
    DataFrame
        Per row, in the outcome's ``unit``: the ``printed`` estimate and ``mark``, mean, SD and 89 % interval of what is
        expected, ``prob_of_mark``, and ``surprise``, the probability of an estimate at least as far out, twice.
    """
    seed = spec.sampling.seed if seed is None else seed
    stated = spec.pooled_rows or load_impact_spec("pooled-rows").pooled_rows
    if stated is None:
        raise ValueError("the spec pooled-rows states nothing of pooled rows")
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
