"""Result folders: draws, tables, figures, a page to read, and a manifest."""

from hlt_bayes.report.folder import check_target
from hlt_bayes.report.result import write_calibrations, write_check, write_result, write_trials

__all__ = ["check_target", "write_calibrations", "write_check", "write_result", "write_trials"]
