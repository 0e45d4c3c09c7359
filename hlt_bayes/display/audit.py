"""Table of audit findings."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.audit import SEVERITIES, UNUSED
from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.display.table import Table


def of_severity(findings: pd.DataFrame, severity: str) -> pd.DataFrame:
    """Keep the findings of one severity; all if ``severity`` is empty."""
    if severity and severity not in SEVERITIES:
        raise EvidenceError(f"--severity: {unknown_name(severity, SEVERITIES)}")
    return findings[findings["severity"] == severity] if severity else findings


def of_used_cells(findings: pd.DataFrame) -> pd.DataFrame:
    """Keep the findings about cells that an analysis uses."""
    return findings[findings["treatment"] != UNUSED]


def audit_table(findings: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.audit_evidence``, one row per finding, with the treatment of cells that an analysis uses."""
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
        title=f"Audit: {', '.join(found) or 'no findings'}",
        columns=("Severity", "Place", "Finding"),
        rows=tuple(rows),
        notes=(
            "error: cannot be true as printed; warning: doubtful, truncated, or labelled differently elsewhere; note: "
            "worth knowing. Brackets: how the analysis treats a cell that it uses; all others are kept as printed. "
            "hlt-bayes audit --used lists only the findings in cells used, --csv the cells of each finding.",
        ),
        frame=findings,
    )
