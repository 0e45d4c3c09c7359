"""Comparison of specs: impacts, returns and held-out predictive scores by spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import HltBayesError
from hlt_bayes.core.progress import Progress
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.economics import appraise, return_summary
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import Source
from hlt_bayes.impacts.estimands import estimand_summary
from hlt_bayes.inference.exact import check_exact_engine, exact_posterior, is_exact
from hlt_bayes.inference.fit import fit
from hlt_bayes.likelihood import labels, reported_results
from hlt_bayes.specs import EconomicSpec, ImpactSpec

WHY_NO_LOO = (
    "Leave-one-out cross-validation by importance sampling (PSIS) is unreliable here: each published cell has its own "
    "impact, so leaving it out changes that impact's posterior substantially, and there are only three cells per "
    "outcome. Held-out cells are therefore predicted by refitting without them, which the exact engine makes cheap. "
    "Twelve cells cannot distinguish specs that differ by a unit or less."
)
"""Why held-out cells are scored by refitting, and how to read the scores."""

SCORE_DRAWS = 8000
"""Draws per fit."""


def compare_specs(
    specs: Sequence[ImpactSpec], evidence: Evidence, *, seed: int | None = None, progress: Progress | None = None
) -> dict[str, xr.DataTree]:
    """Fit each spec to the same evidence, by the exact engine where available.

    Raises
    ------
    HltBayesError
        A spec cannot be fitted, or two specs have the same name.
    """
    names = [spec.name for spec in specs]
    if len(set(names)) < len(names):
        raise HltBayesError(f"specs {', '.join(names)}: two have the same name; give each a unique name")
    return {
        spec.name: fit(spec, evidence, engine="exact" if is_exact(spec) else None, seed=seed, progress=progress)
        for spec in specs
    }


def impacts_by_spec(
    drawn: Mapping[str, Source], evidence: Evidence, *, smallest: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Summarise all estimands of each spec: ``hlt_bayes.estimand_summary`` with a first column ``spec``."""
    tables = []
    for name, source in drawn.items():
        tables.append(estimand_summary(source, evidence.treated, smallest=smallest).assign(spec=name))
    table = pd.concat(tables, ignore_index=True)
    return table[["spec", *[name for name in table.columns if name != "spec"]]]


def returns_by_spec(
    drawn: Mapping[str, Source], economic: EconomicSpec, evidence: Evidence, *, seed: int
) -> pd.DataFrame:
    """Return mean benefit per £1 and P(above £1) by spec, perspective and group."""
    tables = []
    for name, source in drawn.items():
        table = returns_of(source, economic, evidence, seed=seed)
        table.insert(0, "spec", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def returns_of(source: Source, economic: EconomicSpec, evidence: Evidence, *, seed: int) -> pd.DataFrame:
    """Return mean benefit per £1 and P(above £1) of impact draws, by perspective and group."""
    returns = return_summary(appraise(source, economic, evidence, seed=seed))
    return returns[["perspective", "group", "mean", "prob_above_one"]].copy()


def held_out_scores(spec: ImpactSpec, evidence: Evidence, *, seed: int | None = None) -> pd.DataFrame:
    """Compute the leave-one-out log predictive probability of each published cell, given all others.

    Returns
    -------
    DataFrame
        ``outcome``, ``group``, ``log_probability`` of the held-out published estimate and stars. Sums over cells
        compare specs on the same evidence. Monte Carlo error is below 0.02.

    Raises
    ------
    SpecError
        The spec has no exact engine; ``WHY_NO_LOO`` explains why there is no alternative.
    """
    check_exact_engine(spec)
    seed = stream_seed(spec.sampling.seed if seed is None else seed, "held out")
    cells = reported_results(evidence, spec)
    # Outcomes that share uncertain delivery are scored jointly; otherwise outcomes are independent.
    blocks = [cells]
    if spec.moderators is None:
        outcome_of = cells["outcome"].to_numpy()
        blocks = [cells.isel(cell=np.flatnonzero(outcome_of == name)) for name in labels(cells, "outcome")]
    rows = []
    for block in blocks:
        whole = _log_probability(block, spec, seed)
        for position in range(block.sizes["cell"]):
            others = block.isel(cell=np.flatnonzero(np.arange(block.sizes["cell"]) != position))
            rest = _log_probability(others, spec, seed) if others.sizes["cell"] else 0.0
            outcome, group = (block[name].to_numpy()[position] for name in ("outcome", "group"))
            rows.append({"outcome": outcome, "group": group, "log_probability": whole - rest})
    return pd.DataFrame(rows)


def _log_probability(cells: xr.Dataset, spec: ImpactSpec, seed: int) -> float:
    """Log marginal likelihood of all published cells, of one outcome or of outcomes scored jointly."""
    _, statistics = exact_posterior(cells, spec, chains=1, draws=SCORE_DRAWS, seed=seed)
    return float(statistics["log_marginal_likelihood"][0])
