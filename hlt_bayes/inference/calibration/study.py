"""Calibrate whole specs in parallel, and record the model that each calibration belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.core.parallel import run_tasks
from hlt_bayes.core.progress import Progress
from hlt_bayes.evidence import Evidence
from hlt_bayes.inference.calibration.ranks import (
    LEVEL,
    MOST_REFUSED,
    CalibratedEngine,
    calibration_summary,
    calibration_tasks,
    is_calibrated,
    model_sha256,
    ranks_of_block,
)
from hlt_bayes.inference.exact import is_exact
from hlt_bayes.specs import ImpactSpec

REPLICATES = {"exact": 2000, "nuts": 200}
"""Replicates of a calibration, by engine."""

SEED = 20181001

COLUMNS = (
    "spec",
    "engine",
    "model_sha256",
    "replicates",
    "quantities",
    "least_p",
    "of_quantity",
    "threshold",
    "calibrated",
    "seed",
)
"""Columns of the table of calibrations."""


def engines_of(spec: ImpactSpec) -> list[CalibratedEngine]:
    """Engines for which a spec is calibrated."""
    return ["nuts", "exact"] if is_exact(spec) else ["nuts"]


def calibrate(
    spec: ImpactSpec,
    evidence: Evidence,
    *,
    engine: CalibratedEngine,
    replicates: int | None = None,
    seed: int = SEED,
    workers: int | None = None,
    scheduler: str | None = None,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Simulate published results from the prior of a spec, fit each, and test whether true values rank uniformly.

    Parameters
    ----------
    spec, evidence
        The model; the sample sizes and the rounding of the results.
    engine
        Engine whose draws are ranked.
    replicates
        Number of replicates; ``REPLICATES`` by default.
    seed
        Seed of all draws.
    workers, scheduler, journal, progress
        As in ``hlt_bayes.run_tasks``.

    Returns
    -------
    DataFrame
        As ``calibration_summary``; ``replicates`` counts those that the engine did not reject.

    Raises
    ------
    ConvergenceError
        The engine rejected more than ``MOST_REFUSED`` of the replicates.
    """
    number = replicates or REPLICATES[engine]
    tasks = calibration_tasks(spec, evidence, engine=engine, replicates=number, seed=seed)
    stage = f"Calibrating {spec.name} ({engine})"
    ranks = run_tasks(
        ranks_of_block, tasks, workers=workers, scheduler=scheduler, journal=journal, progress=progress, stage=stage
    )
    summary = calibration_summary(ranks)
    refused = number - int(summary["replicates"].max())
    if refused > MOST_REFUSED * number:
        raise ConvergenceError(
            f"spec {spec.name!r}, engine {engine!r}: {refused} of {number} replicates were rejected, more than "
            f"{MOST_REFUSED:.0%}, so the ranks of the rest may be biased; use the other engine"
        )
    return summary


def calibration_record(
    spec: ImpactSpec, evidence: Evidence, summary: pd.DataFrame, *, engine: CalibratedEngine, seed: int = SEED
) -> dict[str, object]:
    """Return a calibration as one row of the table with ``COLUMNS``."""
    worst = summary.sort_values("p").iloc[0]
    return {
        "spec": spec.name,
        "engine": engine,
        "model_sha256": model_sha256(spec, evidence),
        "replicates": int(worst["replicates"]),
        "quantities": len(summary),
        "least_p": round(float(worst["p"]), 6),
        "of_quantity": worst["quantity"],
        "threshold": round(LEVEL / len(summary), 6),
        "calibrated": is_calibrated(summary),
        "seed": seed,
    }


def stale(records: pd.DataFrame, specs: Sequence[ImpactSpec], evidence: Evidence) -> list[tuple[str, str]]:
    """Return spec and engine of each calibration whose model has changed, or that is missing."""
    found = records.set_index(["spec", "engine"])["model_sha256"]
    old = []
    for spec in specs:
        engines = [str(engine) for name, engine in found.index if name == spec.name] or ["nuts"]
        today = model_sha256(spec, evidence)
        old += [(spec.name, engine) for engine in engines if found.get((spec.name, engine)) != today]
    return old
