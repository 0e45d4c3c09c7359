"""Part 2: recovered standard errors of simulated trials, of which the true ones are known.

Coverage is tested where what is assumed holds (impacts far wider than a standard error, true standard errors from the
spec's prior) and where impacts are as small as a standard error, which recovery does not know. Widths are held to a
quadrature that shares no code with the package, within the part in a thousand that the grid is good for.
"""

import time
from typing import NamedTuple
from unittest import mock

import numpy as np
from quadrature import STARS
from scipy.stats import norm
from statistical.test_recovery import CELLS, PROBABILITIES, recovered, simulated

from hlt_bayes.core.parallel import run_tasks
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.likelihood import recovery
from hlt_bayes.specs import load_impact_spec
from validation.rows import Part, judged, row, share_row

NAME = "Standard errors"
SIMULATED = "trials with known standard errors, printed to two decimals with stars"

SITUATIONS = {"wide impacts": 3.0, "impacts of the size of an SE": 1.0}
"""SD of the impacts in standard errors of the design."""

COARSE = {"ACROSS": 24, "ALONG": 600}
GRID = 1e-3
"""What a coarse grid is good for, as a share of a width."""

LOG_RATIO = (0.05, 0.2)
HALF_UNIT = 0.005
WORDS = {"none": "no star", "*": "one star", "**": "two stars", "***": "three stars"}


class Task(NamedTuple):
    situation: str
    seed: int


def recovered_trials(task, change=lambda cells: cells):
    """Recover the standard errors of one set of trials; ``change`` is what a sabotaged twin does to what is printed."""
    rows, se, design, stars = simulated(impact_sds=SITUATIONS[task.situation], seed=task.seed)
    with mock.patch.multiple(recovery, **COARSE):
        quantiles = recovered(rows, load_impact_spec("primary"), change=change)
    estimate = np.array([float(one["estimate"]) for one in rows])
    return {"se": se, "design": design, "stars": stars, "estimate": estimate, "quantiles": quantiles}


def width_by_quadrature(estimate, design, star):
    """Width {cell} of the 89% interval: the prior of the SE times the part of the rounding that fits the star."""
    low, high = STARS["" if star == "none" else star]
    nodes = np.linspace(-6, 6, 4801)
    s = design[:, None] * np.exp(LOG_RATIO[0] + LOG_RATIO[1] * nodes)
    left, right = (estimate[:, None] + end for end in (-HALF_UNIT, HALF_UNIT))
    length = np.zeros_like(s)
    for one, other in ((left, right), (-right, -left)):
        length += np.clip(np.minimum(other, high * s) - np.maximum(one, low * s), 0.0, None)
    # A step of the density where the star begins or ends is no wider than one node.
    summed = np.cumsum(length * norm.pdf(nodes), axis=1)
    ends = [
        np.array([np.interp(p * total[-1], total, one) for total, one in zip(summed, s, strict=True)])
        for p in (PROBABILITIES[0], PROBABILITIES[2])
    ]
    return ends[1] - ends[0]


def rows_of(trials, situation):
    """Set coverage and width beside what they should be."""
    se, design, stars, estimate, q = (
        np.concatenate([one[name] for one in trials]) for name in ("se", "design", "stars", "estimate", "quantiles")
    )
    rows = [
        share_row(situation, "89% interval", "true SE", (q[:, 0] < se) & (se < q[:, 2]), 0.89),
        share_row(situation, "below the interval", "true SE", se <= q[:, 0], 0.055),
        share_row(situation, "below the median", "true SE", se < q[:, 1], 0.5),
    ]
    alone = design * np.subtract(*np.exp(LOG_RATIO[0] + LOG_RATIO[1] * norm.ppf([0.945, 0.055])))
    for star, words in WORDS.items():
        chosen = stars == star
        found = ((q[:, 2] - q[:, 0]) / alone)[chosen].mean()
        expected = (width_by_quadrature(estimate[chosen], design[chosen], star) / alone[chosen]).mean()
        name = "as a share of that by sample sizes"
        rows.append(row(situation, f"width, {words}", name, found=found, expected=expected, se=GRID * expected))
    return rows


def part(*, seed, sets=5, situations=tuple(SITUATIONS), workers=None, journal=None, progress=None):
    """Recover ``sets`` times ``CELLS`` standard errors in each situation."""
    begin = time.perf_counter()
    tasks = [Task(one, stream_seed(seed, f"{one}, set {i}")) for one in situations for i in range(sets)]
    results = run_tasks(
        recovered_trials, tasks, workers=workers, journal=journal, progress=progress, stage="Recovering SEs"
    )
    rows = []
    for one in situations:
        trials = [result for task, result in zip(tasks, results, strict=True) if task.situation == one]
        rows += rows_of(trials, one)
    how_many = f"{sets * CELLS:,} trials in each of {len(situations)} situations"
    return Part(NAME, SIMULATED, how_many, seed, time.perf_counter() - begin, judged(rows))
