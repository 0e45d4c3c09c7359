"""Reads records and checks them; what a record holds never leaves in a message."""

from __future__ import annotations

import difflib
import hashlib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hlt_bayes.core.errors import RecordsError, unknown_name
from hlt_bayes.ipd.data.conversion import Converted, converted
from hlt_bayes.ipd.data.files import Contents, contents_of, numbered
from hlt_bayes.ipd.data.findings import finding_of_column, findings_at, raise_for, together
from hlt_bayes.ipd.data.mapping import RecordsMapping, load_mapping
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.data.rules import rule_findings
from hlt_bayes.ipd.data.schema import COLUMNS, records_schema

NO_VALUE = "not a single\nvalue"
"""Text that no column takes, in place of a list."""


@dataclass(frozen=True, repr=False)
class Checked:
    """Records and all that is wrong with them."""

    records: Records
    findings: pd.DataFrame


def load_records(path: str | Path, *, mapping: str | Path | None = None) -> Records:
    """Load individual records.

    Parameters
    ----------
    path
        A CSV file (UTF-8, the first line names the columns), Parquet or Stata file, by its suffix. Columns are those of
        ``hlt_bayes.ipd.data.COLUMNS``. Flags may be true or false, yes or no, 1 or 0; dates are YYYY-MM-DD, and a
        time of day is left out; what is missing is blank, or missing as the format has it.
    mapping
        A TOML file that gives columns and codes of the file their names here.

    Raises
    ------
    RecordsError
        The file or the mapping cannot be read.
    RecordFindings
        Records that break the schema or contradict themselves: all findings at once, by row and column. No message
        says what a record holds.
    """
    checked = _checked_file(Path(path), mapping)
    raise_for(checked.findings, where=str(path), people=len(checked.records))
    return checked.records


def check_records(path: str | Path, *, mapping: str | Path | None = None) -> pd.DataFrame:
    """Find all that keeps ``load_records`` from loading a file.

    Returns
    -------
    pandas.DataFrame
        A row a finding: row (1 for the first record, the header not counted; missing where a column as a whole is
        meant), column, problem. Empty where the records are fine.

    Raises
    ------
    RecordsError
        The file or the mapping cannot be read.
    """
    return _checked_file(Path(path), mapping).findings


def records_of_frame(frame: pd.DataFrame, *, sha256: str) -> Records:
    """Check records in memory, as ``load_records`` does those of a file.

    Parameters
    ----------
    frame
        A row a person, columns as in ``hlt_bayes.ipd.data.COLUMNS``.
    sha256
        Hash of what the records were made from.

    Raises
    ------
    RecordsError
        There is nobody in it.
    RecordFindings
        As ``load_records``; row 1 is the first of the frame.
    """
    if not len(frame):
        raise RecordsError("data frame: no record in it")
    checked = _quietly(lambda: _checked(Contents(numbered(frame)), None, sha256), "data frame")
    raise_for(checked.findings, where="data frame", people=len(checked.records))
    return checked.records


def _checked_file(path: Path, mapping: str | Path | None) -> Checked:
    chosen = None if mapping is None else load_mapping(mapping)
    return _quietly(lambda: _read(path, chosen), str(path))


def _quietly(work: Callable[[], Checked], where: str) -> Checked:
    """Do the work; an error is raised anew, as the frames and messages of the one below may hold records."""
    try:
        return work()
    except RecordsError as error:
        problem = str(error)
    except Exception as error:
        # Whatever it is, its message may quote a record.
        place = traceback.extract_tb(error.__traceback__)[-1]
        problem = (
            f"cannot be read ({type(error).__name__} in {place.name}, line {place.lineno}); is the file whole, and of "
            "the kind that its suffix says?"
        )
    raise RecordsError(f"{where}: {problem}")


def _read(path: Path, mapping: RecordsMapping | None) -> Checked:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RecordsError(f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise RecordsError(f"no path of a file ({error})") from None
    return _checked(contents_of(content, path.suffix.lower()), mapping, hashlib.sha256(content).hexdigest())


def _checked(contents: Contents, mapping: RecordsMapping | None, sha256: str) -> Checked:
    sources, found = _sources(contents.frame, mapping)
    found.append(contents.findings)
    columns = {}
    for name in [name for name in COLUMNS if name in sources]:
        one = _column(contents, sources[name], name, mapping)
        columns[name] = one.column
        if one.bad.any():
            found.append(findings_at(contents.frame.index[one.bad], name, one.allowed))
    frame = pd.DataFrame(columns, index=contents.frame.index)
    found.append(_schema_findings(frame, together(found)))
    found.append(rule_findings(frame, together(found)))
    synthetic = "synthetic" in frame and bool(frame["synthetic"].fillna(value=False).all())
    frame = frame.reset_index(drop=True)
    return Checked(Records(synthetic=synthetic, sha256=sha256, _frame=frame), together(found))


def _sources(frame: pd.DataFrame, mapping: RecordsMapping | None) -> tuple[dict[str, int], list[pd.DataFrame]]:
    """Place in the file of the column behind each of ours; what is mapped goes before what has a name of ours."""
    names = [str(name) for name in frame]
    mapped = {} if mapping is None else {name: column.from_ for name, column in mapping.columns.items()}
    taken = set(mapped.values())
    if not set(names) & (set(COLUMNS) | taken):
        # A CSV file without a header has a record in its place, which must not be shown.
        raise RecordsError(
            "no column has a name that the schema or the mapping knows; the first line of a CSV file must name the "
            "columns, and hlt-bayes records columns lists the names"
        )
    sources = {name: name for name in names if name in COLUMNS and name not in taken} | mapped
    others = [name for name in dict.fromkeys(names) if name not in COLUMNS and name not in taken]
    found = [
        *(
            finding_of_column(name, "stands twice in the file; keep one")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ),
        *(
            finding_of_column(
                name, f"is mapped from a column that the file does not have: {unknown_name(source, names)}"
            )
            for name, source in mapped.items()
            if source not in names
        ),
        *(
            finding_of_column(name, "required; add it to the file, or map a column of the file to it")
            for name, column in COLUMNS.items()
            if column.required and name not in sources
        ),
        *(
            finding_of_column(name, f"unknown{_nearest(name)}; leave it out, or map it")
            for name in others
            if mapping is None or not mapping.drop_others
        ),
    ]
    return {name: names.index(source) for name, source in sources.items() if source in names}, found


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, COLUMNS, n=1)
    return f"; the nearest name is {near[0]!r}" if near else ""


def _column(contents: Contents, place: int, name: str, mapping: RecordsMapping | None) -> Converted:
    """Convert the column of the file at ``place``."""
    series = contents.frame.iloc[:, place]
    if series.dtype == object:
        # What cannot be hashed, lists for one, stands for no value of ours.
        series = series.where(series.map(pd.api.types.is_hashable), NO_VALUE)
    mapped = None if mapping is None else mapping.columns.get(name)
    missing = mapping.missing if mapped and mapping else ()
    return converted(series, name, mapped=mapped, missing=missing, labels=contents.labels.get(str(series.name)))


def _schema_findings(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Find what departs from the schema of single columns, but for cells that are ``known`` to be wrong."""
    cases = _failure_cases(frame)
    cases = cases[cases["check"].ne("field_uniqueness") & cases["index"].notna()]
    problems = cases["check"].where(cases["check"].ne("not_nullable"), "blank; it must be given")
    found = findings_at(cases["index"], "", problems).assign(column=cases["column"].to_numpy(str))
    wrong = pd.MultiIndex.from_frame(known[["row", "column"]])
    return found[~pd.MultiIndex.from_frame(found[["row", "column"]]).isin(wrong)]


def _failure_cases(frame: pd.DataFrame) -> pd.DataFrame:
    """Take what pandera says of rows, without the values that failed; repeated identifiers are found by the rules."""
    import pandera.pandas as pa

    try:
        records_schema().validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return pd.DataFrame(errors.failure_cases, columns=["index", "column", "check"]).astype({"check": "str"})
    return pd.DataFrame({"index": [], "column": [], "check": []}, dtype="str")
