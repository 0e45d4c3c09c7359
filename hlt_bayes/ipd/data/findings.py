"""Findings about records: row, column and what is allowed, never the content of a record."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import pandas as pd

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data.records import ROUNDED_TO

SHOWN_LINES = 20
"""Maximum number of lines of findings in an error."""

FEWEST_TOLD = 10
"""Smallest number of rows that an error tells, rounded down: it may end up in a log."""


class RecordFindings(RecordsError):  # noqa: N818 - it holds findings
    """Records that break the schema or are inconsistent.

    Parameters
    ----------
    message
        Number of findings, and the most frequent.
    findings
        All findings: row (missing if about a whole column), column, problem.
    """

    def __init__(self, message: str, findings: pd.DataFrame) -> None:
        super().__init__(message)
        self.findings = findings


def findings_at(rows: Iterable[Hashable], column: str, problem: str | pd.Series) -> pd.DataFrame:
    """Tabulate findings about one column; ``problem`` is one text for all rows, or a series in their order."""
    places = pd.Series(list(rows), dtype="Int64")
    problems = problem.to_numpy() if isinstance(problem, pd.Series) else problem
    return pd.DataFrame(
        {
            "row": places,
            "column": pd.Series(column, index=places.index, dtype="str"),
            "problem": pd.Series(problems, index=places.index, dtype="str"),
        }
    )


def finding_of_column(column: str, problem: str) -> pd.DataFrame:
    """Tabulate a finding about a column as a whole."""
    return findings_at([pd.NA], column, problem)


def together(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Combine findings into one table: whole columns first, then by row."""
    found = [part for part in parts if not part.empty]
    if not found:
        return findings_at([], "", "")
    joined = pd.concat(found, ignore_index=True).drop_duplicates()
    return joined.sort_values("row", kind="stable", na_position="first", ignore_index=True)


def findings_by_column(findings: pd.DataFrame) -> pd.DataFrame:
    """Count findings by column and problem, most frequent first; ``rows`` is the number of rows, 0 if about none."""
    kinds = findings.assign(problem=findings["problem"].str.replace(r" \(row \d+\)$", "", regex=True))
    grouped = kinds.groupby(["column", "problem"], sort=False)["row"]
    summary = pd.DataFrame({"findings": grouped.size(), "rows": grouped.count()})
    return summary.sort_values("findings", ascending=False, kind="stable").reset_index()


def raise_for(findings: pd.DataFrame, *, where: str) -> None:
    """Raise all findings as one error, if there are any; its message names no row.

    Raises
    ------
    RecordFindings
        Its attribute ``findings`` is the full table.
    """
    if findings.empty:
        return
    summary = findings_by_column(findings)
    lines = [f"{where}: the records break the schema or are inconsistent"]
    lines += [
        f"column {column!r}: {problem}" + (f" [{_about(rows)}]" if rows else "")
        for column, problem, _, rows in summary.head(SHOWN_LINES).itertuples(index=False, name=None)
    ]
    if len(summary) > SHOWN_LINES:
        lines.append(f"and findings of {len(summary) - SHOWN_LINES} more kinds")
    lines.append(
        "For all findings by row, run hlt-bayes records check on the file, or use the attribute findings of this "
        "error; they are for whoever holds the records, not for release"
    )
    raise RecordFindings("\n".join(lines), findings)


def _about(rows: int) -> str:
    return f"fewer than {FEWEST_TOLD} rows" if rows < FEWEST_TOLD else f"about {rows // ROUNDED_TO * ROUNDED_TO:,} rows"
