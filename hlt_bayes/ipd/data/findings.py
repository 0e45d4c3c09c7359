"""What is wrong with records: row, column and what is allowed, never what a record holds."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import pandas as pd

from hlt_bayes.core.errors import RecordsError

SHOWN_LINES = 20
"""Lines of findings that an error shows at most."""

SHOWN_ROWS = 5
"""Rows that a line of findings names at most."""


class RecordFindings(RecordsError):  # noqa: N818 - it holds findings
    """Records that depart from the schema.

    Parameters
    ----------
    message
        How many findings there are, and the commonest.
    findings
        All of them: row (of a whole column, missing), column, problem.
    """

    def __init__(self, message: str, findings: pd.DataFrame) -> None:
        super().__init__(message)
        self.findings = findings


def findings_at(rows: Iterable[Hashable], column: str, problem: str | pd.Series) -> pd.DataFrame:
    """Say the same of one column in several rows; a ``problem`` for each may be given in their order."""
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
    """Say something of a column as a whole."""
    return findings_at([pd.NA], column, problem)


def together(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join findings into one table: those of whole columns first, then row by row."""
    found = [part for part in parts if not part.empty]
    if not found:
        return findings_at([], "", "")
    joined = pd.concat(found, ignore_index=True).drop_duplicates()
    return joined.sort_values("row", kind="stable", na_position="first", ignore_index=True)


def findings_by_column(findings: pd.DataFrame) -> pd.DataFrame:
    """Count findings by column and problem, commonest first, with their first rows."""
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
        The whole table is its attribute ``findings``.
    """
    if findings.empty:
        return
    summary = findings_by_column(findings)
    lines = [f"{where}: {_counted(len(findings), 'finding')} in the records of {people:,} people"]
    lines += [_line(*row) for row in summary.head(SHOWN_LINES).itertuples(index=False, name=None)]
    if len(summary) > SHOWN_LINES:
        lines.append(f"and findings of {len(summary) - SHOWN_LINES} more kinds")
    lines.append(
        "Row 1 is the first record; a header is not counted. For all findings, run hlt-bayes records check --csv on "
        "the file, or take the attribute findings of this error"
    )
    raise RecordFindings("\n".join(lines), findings)


def _line(column: str, problem: str, count: int, rows: str) -> str:
    more = ", ..." if count > SHOWN_ROWS else ""
    return f"column {column!r}: {problem}" + (f" [{_counted(count, 'row')}: {rows}{more}]" if rows else "")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count != 1 else ''}"
