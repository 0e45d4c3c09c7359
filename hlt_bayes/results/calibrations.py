"""Calibration results of the shipped specs, stored beside the specs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hlt_bayes.inference.calibration.study import COLUMNS
from hlt_bayes.specs import models_folder


def write_calibrations(records: pd.DataFrame, file: Path) -> None:
    """Write calibration results, keeping existing rows for other specs and engines."""
    kept = records
    if file.exists():
        old = pd.read_csv(file)
        again = old.set_index(["spec", "engine"]).index.isin(records.set_index(["spec", "engine"]).index)
        kept = pd.concat([old[~again], records], ignore_index=True)
    draft = file.with_suffix(".csv.new")
    kept.sort_values(["spec", "engine"]).to_csv(draft, index=False)
    draft.replace(file)


def read_calibrations() -> pd.DataFrame:
    """Read the calibration results of the shipped specs; an empty table if there are none."""
    file = calibrations_file()
    return pd.read_csv(file) if file.exists() else pd.DataFrame(columns=list(COLUMNS))


def calibrations_file() -> Path:
    """Path of the calibration results of the shipped specs."""
    return models_folder() / "calibration.csv"
