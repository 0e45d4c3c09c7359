"""Result folders: draws, tables, figures, a page to read, and a manifest."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hlt_bayes.report.folder import check_target
    from hlt_bayes.report.reading import load_result
    from hlt_bayes.report.reporting import write_report
    from hlt_bayes.report.result import write_calibrations, write_check, write_result, write_trials
    from hlt_bayes.report.verifying import verify_result

_HOMES = {
    "check_target": "folder",
    "load_result": "reading",
    "verify_result": "verifying",
    "write_calibrations": "result",
    "write_check": "result",
    "write_report": "reporting",
    "write_result": "result",
    "write_trials": "result",
}
"""Where each name lives; a table of the sources must not wait for what only a page needs."""

__all__ = [
    "check_target",
    "load_result",
    "verify_result",
    "write_calibrations",
    "write_check",
    "write_report",
    "write_result",
    "write_trials",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
