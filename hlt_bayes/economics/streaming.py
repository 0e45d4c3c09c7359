"""Summaries of returns accumulated block by block, so that memory does not grow with the number of draws."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd

from hlt_bayes.economics.appraisal import each_block, job_of
from hlt_bayes.economics.costs import Volume
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import INTERVALS, Source, impact_draws
from hlt_bayes.specs import EconomicSpec

LEAST, GREATEST, BINS = -10.0, 20.0, 60_000
"""Histogram of benefit per £1 for quantiles: range and number of bins, £0.0005 wide; values beyond are clipped."""


def stream_returns(
    source: Source,
    spec: EconomicSpec,
    evidence: Evidence,
    *,
    seed: int,
    volume: Volume = "actual",
) -> pd.DataFrame:
    """Summarise the gross benefit per £1 of all draws without storing them.

    The draws, and hence the results, are those of ``hlt_bayes.appraise``; quantiles are accurate to half a bin.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``mean``, ``sd``, ``lower_89``, ``upper_89``, ``lower_95``, ``upper_95``,
        ``prob_above_one``.
    """
    job = job_of(impact_draws(source), spec, evidence, seed=seed, volume=volume)
    rows = len(spec.perspectives) * len(job.setting.rows)
    total, squares, above = np.zeros(rows), np.zeros(rows), np.zeros(rows)
    counts = np.zeros((rows, BINS), dtype=np.int64)
    # Sums of squares about a fixed value near the mean avoid cancellation.
    centre = np.full(rows, np.nan)
    lock = threading.Lock()

    def add(_: slice, found: dict[str, np.ndarray]) -> None:
        ratio = (found["benefit_per_head"] / found["cost_per_head"]).reshape(rows, -1)
        scaled = np.clip(ratio, LEAST, GREATEST)
        scaled -= LEAST
        scaled *= (BINS - 1) / (GREATEST - LEAST)
        counted = [np.bincount(row, minlength=BINS) for row in scaled.astype(np.intp)]
        higher = (ratio > 1).sum(axis=1)
        with lock:
            if np.isnan(centre[0]):
                centre[:] = ratio.mean(axis=1)
        departure = ratio - centre[:, None]
        sums = departure.sum(axis=1), np.einsum("ij,ij->i", departure, departure)
        with lock:
            np.add(total, sums[0], out=total)
            np.add(squares, sums[1], out=squares)
            np.add(above, higher, out=above)
            for row, found_there in zip(counts, counted, strict=True):
                row += found_there

    each_block(job, add, totals=True)
    draws = len(job.impact)
    index = pd.MultiIndex.from_product(
        [list(spec.perspectives), list(job.setting.rows)], names=["perspective", "group"]
    )
    table = index.to_frame(index=False)
    table["mean"] = centre + total / draws
    table["sd"] = np.sqrt((squares - total**2 / draws) / (draws - 1))
    cumulative = np.cumsum(counts, axis=1) / draws
    width = (GREATEST - LEAST) / (BINS - 1)
    for percent, probabilities in INTERVALS.items():
        for name, probability in zip(("lower", "upper"), probabilities, strict=True):
            table[f"{name}_{percent}"] = LEAST + ((cumulative < probability).sum(axis=1) + 0.5) * width
    table["prob_above_one"] = above / draws
    return table
