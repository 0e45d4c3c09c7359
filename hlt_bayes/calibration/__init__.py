"""Whether the models find what is known to be there: simulation-based calibration of printed results."""

from hlt_bayes.calibration.ranks import calibration_summary, is_calibrated, model_sha256
from hlt_bayes.calibration.simulation import marks_of, simulated_results
from hlt_bayes.calibration.study import (
    COLUMNS,
    REPLICATES,
    calibrate,
    calibration_record,
    calibrations_file,
    engines_of,
    read_calibrations,
    stale,
)

__all__ = [
    "COLUMNS",
    "REPLICATES",
    "calibrate",
    "calibration_record",
    "calibration_summary",
    "calibrations_file",
    "engines_of",
    "is_calibrated",
    "marks_of",
    "model_sha256",
    "read_calibrations",
    "simulated_results",
    "stale",
]
