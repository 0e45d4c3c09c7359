"""Result folders: draws, tables, figures, a page to read, and a manifest."""

from hlt_bayes.report.folder import check_target
from hlt_bayes.report.reading import load_result
from hlt_bayes.report.reporting import write_report
from hlt_bayes.report.result import write_calibrations, write_check, write_result, write_trials

__all__ = [
    "check_target",
    "load_result",
    "write_calibrations",
    "write_check",
    "write_report",
    "write_result",
    "write_trials",
]
