"""The table of calibrations of the shipped specs, kept beside them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hlt_bayes.inference.calibration.study import COLUMNS
from hlt_bayes.specs import models_folder


def write_calibrations(records: pd.DataFrame, file: Path) -> None:
    """Write the table of calibrations, rows of other specs and engines kept."""
    kept = records
    if file.exists():
        old = pd.read_csv(file)
        again = old.set_index(["spec", "engine"]).index.isin(records.set_index(["spec", "engine"]).index)
        kept = pd.concat([old[~again], records], ignore_index=True)
    draft = file.with_suffix(".csv.new")
    kept.sort_values(["spec", "engine"]).to_csv(draft, index=False)
    draft.replace(file)


def read_calibrations() -> pd.DataFrame:
    """Read the table of the calibrations of the shipped specs; empty where there is none."""
    file = calibrations_file()
    return pd.read_csv(file) if file.exists() else pd.DataFrame(columns=list(COLUMNS))


def calibrations_file() -> Path:
    """Table of the calibrations of the shipped specs, beside them."""
    return models_folder() / "calibration.csv"
