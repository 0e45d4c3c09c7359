"""Simulation-based calibration of the models, on simulated published results."""

from hlt_bayes.inference.calibration.ranks import calibration_summary, is_calibrated, model_sha256
from hlt_bayes.inference.calibration.simulation import marks_of, simulated_results
from hlt_bayes.inference.calibration.study import COLUMNS, REPLICATES, calibrate, calibration_record, engines_of, stale

__all__ = [
    "COLUMNS",
    "REPLICATES",
    "calibrate",
    "calibration_record",
    "calibration_summary",
    "engines_of",
    "is_calibrated",
    "marks_of",
    "model_sha256",
    "simulated_results",
    "stale",
]
