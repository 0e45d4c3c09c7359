"""Findings about records: row, column and what is allowed, never the content of a record."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import pandas as pd

from hlt_bayes.core.errors import RecordsError

SHOWN_LINES = 20
"""Maximum number of lines of findings in an error."""

SHOWN_ROWS = 5
"""Maximum number of rows named in a line of findings."""


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
    """Count findings by column and problem, most frequent first, with their first rows."""
    kinds = findings.assign(problem=findings["problem"].str.replace(r" \(row \d+\)$", "", regex=True))
    rows = kinds.groupby(["column", "problem"], sort=False)["row"]
    first = rows.agg(lambda found: ", ".join(str(row) for row in found.dropna().head(SHOWN_ROWS)))
    summary = pd.DataFrame({"findings": rows.size(), "rows": first})
    return summary.sort_values("findings", ascending=False, kind="stable").reset_index()


def raise_for(findings: pd.DataFrame, *, where: str, people: int) -> None:
    """Raise all findings as one error, if there are any.

    Raises
    ------
    RecordFindings
        Its attribute ``findings`` is the full table.
    """
    if findings.empty:
        return
    summary = findings_by_column(findings)
    lines = [f"{where}: {_counted(len(findings), 'finding')} in the records of {people:,} people"]
    lines += [_line(*row) for row in summary.head(SHOWN_LINES).itertuples(index=False, name=None)]
    if len(summary) > SHOWN_LINES:
        lines.append(f"and findings of {len(summary) - SHOWN_LINES} more kinds")
    lines.append(
        "Row 1 is the first record, not counting the header. For all findings, run hlt-bayes records check --csv on "
        "the file, or use the attribute findings of this error"
    )
    raise RecordFindings("\n".join(lines), findings)


def _line(column: str, problem: str, count: int, rows: str) -> str:
    more = ", ..." if count > SHOWN_ROWS else ""
    return f"column {column!r}: {problem}" + (f" [{_counted(count, 'row')}: {rows}{more}]" if rows else "")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"
