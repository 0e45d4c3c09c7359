"""Reads the trials of Individual Placement and Support (IPS) other than the Health-led Trials.

Two files beside this module: ``ips_trials.csv`` has the published results with their sources, a row per study and
follow-up; ``ips_counts.csv`` has the people and events for analysis (of those analysed, where these are fewer than
those randomised), how each was obtained, and whether to include the trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd

from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.core.files import read_bytes
from hlt_bayes.core.text import composed
from hlt_bayes.evidence.load import EMBEDDED
from hlt_bayes.evidence.schema import column_findings

if TYPE_CHECKING:
    import pandera.pandas as pa

OutcomeClass = Literal["any employment", "employment or education", "steady employment"]
OUTCOME_CLASSES: tuple[OutcomeClass, ...] = get_args(OutcomeClass)
"""Definitions of an event: any paid job; a job or a course; a job held for months."""

_WORDS = ["citation", "population", "outcome", "source_url"]
_WORDS_OR_BLANK = ["country", "design", "comparator", "events_provenance", "measure", "p", "second_measure"]
_WORDS_OR_BLANK += ["second_source_url", "suggest_include", "notes"]
_PEOPLE = ["n_t", "n_c", "events_t", "events_c"]
_FIGURES = ["estimate", "ci_low", "ci_high", "second_estimate", "second_ci_low", "second_ci_high"]

_ABOVE_0, _FROM_0 = "must be above 0", "must be 0 or more"

_NOT_ABOVE = [("events_t", "n_t"), ("events_c", "n_c"), ("ci_low", "ci_high"), ("second_ci_low", "second_ci_high")]


@cache
def _trials_schema() -> pa.DataFrameSchema:
    """Columns of ``ips_trials.csv``."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "study_id": pa.Column(str, unique=True),
            **{name: pa.Column(str, nullable=name == "outcome") for name in _WORDS},
            **{name: pa.Column(str, nullable=True) for name in _WORDS_OR_BLANK},
            "followup_months": pa.Column(float, pa.Check.gt(0, error=_ABOVE_0), nullable=True, coerce=True),
            **{name: pa.Column(float, pa.Check.ge(0, error=_FROM_0), nullable=True, coerce=True) for name in _PEOPLE},
            **{
                name: pa.Column(
                    float, pa.Check.in_range(0, 100, error="must lie between 0 and 100"), nullable=True, coerce=True
                )
                for name in ("pct_t", "pct_c")
            },
            **{name: pa.Column(float, nullable=True, coerce=True) for name in _FIGURES},
        },
        strict=True,
    )


@cache
def _counts_schema() -> pa.DataFrameSchema:
    """Columns of ``ips_counts.csv``."""
    import pandera.pandas as pa

    return pa.DataFrameSchema(
        {
            "study_id": pa.Column(str, unique=True),
            **{name: pa.Column(int, pa.Check.ge(0, error=_FROM_0), coerce=True) for name in ("events_t", "events_c")},
            **{name: pa.Column(int, pa.Check.gt(0, error=_ABOVE_0), coerce=True) for name in ("n_t", "n_c")},
            "outcome_class": pa.Column(str, pa.Check.isin(OUTCOME_CLASSES)),
            "include": pa.Column(str, pa.Check.isin(["yes", "no"])),
            "source": pa.Column(str),
            "reason": pa.Column(str),
        },
        strict=True,
    )


def load_ips_trials(path: str | Path | None = None) -> pd.DataFrame:
    """Load the results, as published, of trials of IPS outside severe mental illness.

    Parameters
    ----------
    path
        CSV file with the same columns. Default: the embedded file.

    Returns
    -------
    DataFrame
        One row per study and follow-up, and rows ``POOLED_*`` with published pooled estimates, for comparison only.
        Blanks are missing (not found; never zero); ratios are as published, not logs. Each call returns a new frame.

    Raises
    ------
    EvidenceError
        The file cannot be read or violates the schema; the message has one finding per line.
    """
    return _read(EMBEDDED / "ips_trials.csv" if path is None else Path(path), _trials_schema())


def load_ips_counts(path: str | Path | None = None) -> pd.DataFrame:
    """Load the event counts and arm sizes of the trials of IPS for which counts are known.

    The Health-led Trials are not among them.

    Parameters
    ----------
    path
        CSV file with the same columns. Default: the embedded file.

    Returns
    -------
    DataFrame
        ``events_t`` of ``n_t`` people with the outcome under IPS and ``events_c`` of ``n_c`` in the control
        arm, indexed by ``study_id``; ``outcome_class`` (one of ``OUTCOME_CLASSES``), ``include`` ("yes" or
        "no") with its ``reason``, and ``source``: how the counts were obtained.

    Raises
    ------
    EvidenceError
        The file cannot be read or violates the schema; the message has one finding per line.
    """
    return _read(EMBEDDED / "ips_counts.csv" if path is None else Path(path), _counts_schema()).set_index("study_id")


def _read(path: Path, schema: pa.DataFrameSchema) -> pd.DataFrame:
    try:
        text = composed(read_bytes(path, EvidenceError).decode("utf-8-sig"))
        kinds = {name: str for name, column in schema.columns.items() if not column.coerce}
        table = pd.read_csv(StringIO(text), dtype=kinds)
    except ValueError as error:
        raise EvidenceError(f"{path}: cannot be read as a table of trials ({error})") from error
    where = [f"line {i + 2}" for i in range(len(table))]
    _raise_for([*column_findings(table, list(schema.columns)), *_findings(table, schema, where)], path)
    valid: pd.DataFrame = schema.validate(table)
    crossed = [
        f"{line}, column {low!r}: {row[low]:g} is above {high!r} ({row[high]:g}); check both"
        for low, high in _NOT_ABOVE
        if low in valid
        for line, row in zip(where, valid.to_dict("records"), strict=True)
        if row[low] > row[high]
    ]
    _raise_for(crossed, path)
    return valid


def _findings(frame: pd.DataFrame, schema: pa.DataFrameSchema, where: Sequence[str]) -> list[str]:
    """Return one message per violation of ``schema``; ``where`` names the rows."""
    import pandera.pandas as pa

    try:
        schema.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        lines = [_describe(case, schema, where) for _, case in errors.failure_cases.iterrows()]
        return [line for line in dict.fromkeys(lines) if line]
    return []


def _describe(case: pd.Series, schema: pa.DataFrameSchema, where: Sequence[str]) -> str:
    """Message for one violation; empty if ``column_findings`` or another line for the cell reports it."""
    found, check = case["failure_case"], str(case["check"])
    if pd.isna(case["index"]) or check.startswith(("column_in_", "dtype")):
        return ""
    field = f"{where[int(case['index'])]}, column {case['column']!r}"
    if check.startswith("isin"):
        return f"{field}: {unknown_name(found, schema.columns[case['column']].checks[0].statistics['allowed_values'])}"
    if check.startswith("coerce"):
        return f"{field}: {found!r} is not a number"
    if check == "field_uniqueness":
        return f"{field}: {found!r} appears twice; keep one"
    if check == "not_nullable":
        return f"{field} is blank; a value is required"
    return f"{field}: {found!r} given; {check}"


def _raise_for(lines: list[str], path: Path) -> None:
    if lines:
        raise EvidenceError("\n".join(f"{path}, {line}" for line in lines))
