"""Calibrations of whole specs: run over workers, and kept as a table that says which model they were of."""

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
    """Engines of which a spec is calibrated."""
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
    """Simulate printed results from the prior of a spec, fit each, and test whether the truths' ranks are uniform.

    Parameters
    ----------
    spec, evidence
        The model; how many people there were, and how their results were rounded.
    engine
        Whose draws are ranked.
    replicates
        How many; ``REPLICATES`` without it.
    seed
        Of everything drawn here.
    workers, scheduler, journal, progress
        As in ``hlt_bayes.run_tasks``.

    Returns
    -------
    DataFrame
        Of ``calibration_summary``, whose ``replicates`` are those that the engine did not refuse.

    Raises
    ------
    ConvergenceError
        It refused more than ``MOST_REFUSED``.
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
            f"spec {spec.name!r}, engine {engine!r}: {refused} of {number} replicates were refused, more than "
            f"{MOST_REFUSED:.0%}, so that ranks of the rest tell little of all; calibrate its other engine"
        )
    return summary


def calibration_record(
    spec: ImpactSpec, evidence: Evidence, summary: pd.DataFrame, *, engine: CalibratedEngine, seed: int = SEED
) -> dict[str, object]:
    """Write a calibration as one row of the table, ``COLUMNS``."""
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
    """Name spec and engine of each calibration whose model is no longer what it was, or that was never made."""
    found = records.set_index(["spec", "engine"])["model_sha256"]
    old = []
    for spec in specs:
        engines = [str(engine) for name, engine in found.index if name == spec.name] or ["nuts"]
        today = model_sha256(spec, evidence)
        old += [(spec.name, engine) for engine in engines if found.get((spec.name, engine)) != today]
    return old
