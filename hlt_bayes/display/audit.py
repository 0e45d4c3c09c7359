"""What an audit finds, as a reader sees it."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.audit import SEVERITIES, UNUSED
from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.display.table import Table


def of_severity(findings: pd.DataFrame, severity: str) -> pd.DataFrame:
    """Keep the findings of one severity, or all without one."""
    if severity and severity not in SEVERITIES:
        raise EvidenceError(f"--severity: {unknown_name(severity, SEVERITIES)}")
    return findings[findings["severity"] == severity] if severity else findings


def of_used_cells(findings: pd.DataFrame) -> pd.DataFrame:
    """Keep the findings in numbers that an analysis uses."""
    return findings[findings["treatment"] != UNUSED]


def audit_table(findings: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.audit_evidence``, a row a finding; what is done, where an analysis uses a cell of it."""
    rows = [
        (
            row["severity"],
            f"{row['document']}, {row['place']}",
            f"{row['check']}: {row['arithmetic']}" + ("" if row["treatment"] == UNUSED else f" [{row['treatment']}]"),
        )
        for _, row in findings.iterrows()
    ]
    counts = findings["severity"].value_counts()
    found = [f"{counts[name]} {name}{'s' if counts[name] != 1 else ''}" for name in SEVERITIES if name in counts]
    return Table(
        title=f"Audit: {', '.join(found) or 'no finding'}",
        columns=("Severity", "Place", "Finding"),
        rows=tuple(rows),
        notes=(
            "error: cannot be true as printed; warning: doubtful, cut, or named otherwise elsewhere; note: worth "
            "knowing. In brackets what is done where an analysis uses a cell; the others are kept as printed. --used "
            "shows these alone, --csv the cells of each.",
        ),
        frame=findings,
    )
