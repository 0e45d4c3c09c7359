"""Read and check individual records; no message discloses the content of a record."""

from __future__ import annotations

import difflib
import os
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from hlt_bayes.core.errors import RecordsError, unknown_name
from hlt_bayes.core.files import LARGEST_DRAWS, open_regular, size_of, too_large
from hlt_bayes.ipd.data.conversion import Converted, converted
from hlt_bayes.ipd.data.files import Contents, contents_of, numbered
from hlt_bayes.ipd.data.findings import finding_of_column, findings_at, raise_for, together
from hlt_bayes.ipd.data.key import key_path, load_key
from hlt_bayes.ipd.data.mapping import RecordsMapping, load_mapping
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.data.rules import rule_findings
from hlt_bayes.ipd.data.schema import COLUMNS, records_schema

NO_VALUE = "not a single\nvalue"
"""Stands in for an unhashable value, such as a list; no column accepts it."""


@dataclass(frozen=True, repr=False)
class Checked:
    """Records and the findings about them."""

    records: Records
    findings: pd.DataFrame


def load_records(path: str | Path, *, mapping: str | Path | None = None, key: str | Path | None = None) -> Records:
    """Load individual records.

    Parameters
    ----------
    path
        CSV (UTF-8, column names in the first line), Parquet or Stata file, recognised by its suffix. Columns are those
        of ``hlt_bayes.ipd.data.COLUMNS``. Flags are true or false, yes or no, 1 or 0; dates are YYYY-MM-DD or of the
        format's date type, without a time of day; missing values are blank, or the format's own.
    mapping
        TOML file that maps the columns and codes of the file to those of the schema.
    key
        File of the key that fixes what is random in disclosure control (``hlt-bayes records key`` makes one); by
        default the one beside the records, of the same name with ``.key`` added, if there is one.

    Raises
    ------
    RecordsError
        The file, the mapping or the key cannot be read.
    RecordFindings
        The records break the schema or are inconsistent: all findings at once, by row and column. No message
        discloses the content of a record.
    """
    beside = key_path(path)
    secret = None if key is None else load_key(key)
    if key is None and os.path.lexists(beside):
        # Whoever can put a link there must not choose the key.
        secret = load_key(beside, follow=False)
    checked = _checked_file(Path(path), mapping)
    raise_for(checked.findings, where=str(path))
    return replace(checked.records, _key=secret)


def check_records(path: str | Path, *, mapping: str | Path | None = None) -> pd.DataFrame:
    """List everything that prevents ``load_records`` from loading a file.

    Returns
    -------
    pandas.DataFrame
        One row per finding: row (1 is the first record, not counting the header; missing if the finding is about the
        whole column), column, problem. Empty if the records are valid.

    Raises
    ------
    RecordsError
        The file or the mapping cannot be read.
    """
    return _checked_file(Path(path), mapping).findings


def records_of_frame(frame: pd.DataFrame, *, key: bytes | None = None) -> Records:
    """Check records in memory as ``load_records`` checks those of a file.

    Parameters
    ----------
    frame
        One row per person, columns as in ``hlt_bayes.ipd.data.COLUMNS``.
    key
        Key that fixes what is random in disclosure control.

    Raises
    ------
    RecordsError
        The frame has no rows.
    RecordFindings
        As in ``load_records``; row 1 is the first row of the frame.
    """
    if not len(frame):
        raise RecordsError("data frame: it has no records; one row per person is needed")
    checked = _without_disclosure(lambda: _checked(Contents(numbered(frame)), None), "data frame")
    raise_for(checked.findings, where="data frame")
    return replace(checked.records, _key=key)


def _checked_file(path: Path, mapping: str | Path | None) -> Checked:
    chosen = None if mapping is None else load_mapping(mapping)
    return _without_disclosure(lambda: _read(path, chosen), str(path))


def _without_disclosure(work: Callable[[], Checked], where: str) -> Checked:
    """Run ``work``; raise errors afresh, as the traceback or message of the original may contain records."""
    try:
        return work()
    except RecordsError as error:
        problem = str(error)
    except Exception as error:
        # Its message may quote a record.
        place = traceback.extract_tb(error.__traceback__)[-1]
        problem = (
            f"cannot be read ({type(error).__name__} in {place.name}, line {place.lineno}); check that the file "
            "is complete and of the type that its suffix indicates"
        )
    raise RecordsError(f"{where}: {problem}")


def _read(path: Path, mapping: RecordsMapping | None) -> Checked:
    try:
        with open_regular(path) as file:
            if size_of(file) > LARGEST_DRAWS:
                raise RecordsError(too_large(size_of(file), LARGEST_DRAWS))
            content = file.read()
    except OSError as error:
        raise RecordsError(f"cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise RecordsError(f"not a valid file path ({error})") from None
    return _checked(contents_of(content, path.suffix.lower()), mapping)


def _checked(contents: Contents, mapping: RecordsMapping | None) -> Checked:
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
    return Checked(Records(synthetic=synthetic, _frame=frame), together(found))


def _sources(frame: pd.DataFrame, mapping: RecordsMapping | None) -> tuple[dict[str, int], list[pd.DataFrame]]:
    """Position in the file of each schema column, and findings; a mapping takes precedence over a matching name."""
    names = [str(name) for name in frame]
    mapped = {} if mapping is None else {name: column.from_ for name, column in mapping.columns.items()}
    taken = set(mapped.values())
    _refuse_doubtful_header(names, mapped)
    sources = {name: name for name in names if name in COLUMNS and name not in taken} | mapped
    others = [name for name in dict.fromkeys(names) if name not in COLUMNS and name not in taken]
    found = [
        *(
            finding_of_column(name, "occurs more than once in the file; keep one")
            for name in dict.fromkeys(names)
            if names.count(name) > 1
        ),
        *(
            finding_of_column(name, f"is mapped from a column that is not in the file: {unknown_name(source, names)}")
            for name, source in mapped.items()
            if source not in names
        ),
        *(
            finding_of_column(name, f"unknown{_nearest(name)}; remove it, or map it")
            for name in others
            if mapping is None or not mapping.drop_others
        ),
    ]
    return {name: names.index(source) for name, source in sources.items() if source in names}, found


def _refuse_doubtful_header(names: list[str], mapped: Mapping[str, str]) -> None:
    """Raise, without showing any name of the file, unless all required columns are there.

    In a CSV file without a header the first line is a record, some of whose values may be names of columns.
    """
    missing = [name for name, column in COLUMNS.items() if column.required and mapped.get(name, name) not in names]
    if not missing:
        return
    alike = [one.strip().casefold() for one in names]
    near = [f"column {alike.index(name) + 1} differs from {name!r} in case only" for name in missing if name in alike]
    raise RecordsError(
        f"required columns are missing: {', '.join(missing)}; the first line of a CSV file must name the columns. Add "
        "them, or map columns of the file to them; hlt-bayes records columns lists the names"
        + "".join(f"; {one}" for one in near)
    )


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, COLUMNS, n=1)
    return f"; the nearest name is {near[0]!r}" if near else ""


def _column(contents: Contents, place: int, name: str, mapping: RecordsMapping | None) -> Converted:
    """Convert the column of the file at ``place``."""
    series = contents.frame.iloc[:, place]
    if series.dtype == object:
        # Unhashable values, such as lists, are never allowed.
        series = series.where(series.map(pd.api.types.is_hashable), NO_VALUE)
    mapped = None if mapping is None else mapping.columns.get(name)
    missing = mapping.missing if mapped and mapping else ()
    return converted(series, name, mapped=mapped, missing=missing, labels=contents.labels.get(str(series.name)))


def _schema_findings(frame: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Find violations of the column schema, except in cells already ``known`` to be wrong."""
    cases = _failure_cases(frame)
    # Duplicate identifiers are left to the rules.
    cases = cases[cases["check"].ne("field_uniqueness") & cases["index"].notna()]
    problems = cases["check"].where(cases["check"].ne("not_nullable"), "blank; a value is required")
    found = findings_at(cases["index"], "", problems).assign(column=cases["column"].to_numpy(str))
    wrong = pd.MultiIndex.from_frame(known[["row", "column"]])
    return found[~pd.MultiIndex.from_frame(found[["row", "column"]]).isin(wrong)]


def _failure_cases(frame: pd.DataFrame) -> pd.DataFrame:
    """Failure cases of pandera, without the values that failed."""
    import pandera.pandas as pa

    try:
        records_schema().validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return pd.DataFrame(errors.failure_cases, columns=["index", "column", "check"]).astype({"check": "str"})
    return pd.DataFrame({"index": [], "column": [], "check": []}, dtype="str")
