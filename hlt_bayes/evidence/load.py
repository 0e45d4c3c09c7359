"""Reads the embedded evidence or the user's own trials, applies corrections and validates the result."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from io import StringIO
from pathlib import Path

import pandas as pd

from hlt_bayes.core.errors import EvidenceError, HltBayesWarning, unknown_name
from hlt_bayes.core.text import alike, composed, text_findings
from hlt_bayes.core.toml import parse_strict
from hlt_bayes.core.vocabulary import ARMS, OUTCOMES, POOLED_GROUPS, SITES
from hlt_bayes.evidence.claims import Relations, Sources, Tables
from hlt_bayes.evidence.files import EvidenceFiles
from hlt_bayes.evidence.ledger import Contents, Evidence
from hlt_bayes.evidence.own_trials import COLUMNS, MAX_COLUMNS, complete_row, own_trials_ledger, read_own_trials
from hlt_bayes.evidence.printed_text import parse_printed
from hlt_bayes.evidence.schema import (
    CELL,
    CELL_KEY,
    CORRECTIONS,
    LEDGER,
    MEASURES,
    QUANTITY,
    TRIAL,
    cell_findings,
    column_findings,
    range_findings,
    row_findings,
)

EMBEDDED = Path(__file__).parent
"""Folder of the embedded evidence: ``sources.toml``, ``tables.toml``, ``relations.toml`` and ``tables/``."""


def load_evidence(path: str | Path | None = None, *, as_printed: bool = False) -> Evidence:
    """Load the published evidence, or trials of your own.

    Parameters
    ----------
    path
        CSV file of your own trials (columns: ``hlt_bayes.evidence.own_trials.COLUMNS``), or a folder in the format of
        the embedded evidence. Default: the embedded evidence.
    as_printed
        True omits the corrections: misprints stay as printed.

    Raises
    ------
    EvidenceError
        A file is missing or unreadable, or its content violates the format; the message gives one finding per line,
        with file, line, column, what was found and what is allowed.
    """
    if path is None:
        return _embedded(as_printed=as_printed)
    if Path(path).suffix.lower() == ".csv":
        return _own_trials(EvidenceFiles(Path(path).parent), Path(path).name, as_printed=as_printed)
    return _from_folder(EvidenceFiles(Path(path)), as_printed=as_printed)


@cache
def _embedded(*, as_printed: bool) -> Evidence:
    """Load the embedded evidence, which is immutable, once per process."""
    return _from_folder(EvidenceFiles(EMBEDDED), as_printed=as_printed)


def is_embedded(contents: Contents) -> bool:
    """Return True if contents are the files of the embedded evidence."""
    return _embedded(as_printed=False).contents == contents


def evidence_of_files(contents: Mapping[str, bytes], path: Path, *, as_printed: bool) -> Evidence:
    """Build evidence from the contents of its files, as ``load_evidence`` does from ``path``.

    Raises
    ------
    EvidenceError
        As ``load_evidence``.
    """
    if path.suffix.lower() == ".csv":
        return _own_trials(EvidenceFiles(path.parent, kept=contents), path.name, as_printed=as_printed)
    return _from_folder(EvidenceFiles(path, kept=contents), as_printed=as_printed)


def _from_folder(files: EvidenceFiles, *, as_printed: bool) -> Evidence:
    root = files.root
    sources = parse_strict(files.read("sources.toml"), root / "sources.toml", Sources, EvidenceError)
    structure = parse_strict(files.read("tables.toml"), root / "tables.toml", Tables, EvidenceError)
    relations = parse_strict(files.read("relations.toml"), root / "relations.toml", Relations, EvidenceError)
    _raise_for([f"{root / 'sources.toml'}: {line}" for line in _wrong_names(sources)])
    cells = _checked(files, [f"tables/{name}" for name in sources.tables], LEDGER)
    corrections = _checked(files, ["tables/corrections.csv"], CORRECTIONS)
    ledger = _with_values(cells)
    _raise_for([f"{root / 'tables'}: {line}" for line in [*_repeated_cells(ledger), *_missing_cells(ledger)]])
    if not as_printed:
        ledger, problems = _corrected(ledger, _with_lines(corrections))
        _raise_for([f"{root / 'tables/corrections.csv'}, {line}" for line in problems])
    evidence = Evidence(
        path=root,
        as_printed=as_printed,
        files=files.hashes(),
        sites=SITES,
        tables=tuple(structure.table),
        relations=tuple(relations.relation),
        contents=files.contents,
        _ledger=ledger,
        _sources=sources.documents,
    )
    _raise_for([f"{root / 'relations.toml'}: {line}" for line in _unknown_cells(evidence)])
    return evidence


def _own_trials(files: EvidenceFiles, name: str, *, as_printed: bool) -> Evidence:
    path = files.root / name
    ledger, sites = read_own_trials(files.read(name), path)
    return _evidence_of_trials(ledger, sites, path, files.contents, files.hashes(), as_printed=as_printed)


def evidence_of_rows(rows: Sequence[Mapping[str, str]], *, name: str) -> Evidence:
    """Build evidence from rows with the columns of a CSV file of your own trials; ``name`` replaces the file name.

    Raises
    ------
    EvidenceError
        As ``load_evidence`` for such a file; the first row is line 1.
    """
    for row in rows:
        for column in row:
            if column not in COLUMNS:
                raise EvidenceError(f"{name}: column {unknown_name(column, COLUMNS)}")
            if not isinstance(row[column], str):
                raise EvidenceError(f"{name}, {column!r}: {row[column]!r} given; write it as text with all its digits")
    ledger, sites = own_trials_ledger([(i + 1, complete_row(row)) for i, row in enumerate(rows)], Path(name))
    return _evidence_of_trials(ledger, sites, Path(name), tuple(map(dict, rows)), {}, as_printed=False)


def _evidence_of_trials(
    ledger: pd.DataFrame,
    sites: dict[str, str],
    path: Path,
    contents: Contents,
    files: dict[str, str],
    *,
    as_printed: bool,
) -> Evidence:
    for finding in alike(sites):
        warnings.warn(f"{path}: group {finding}", HltBayesWarning, stacklevel=4)
    return Evidence(
        path=path,
        as_printed=as_printed,
        files=files,
        sites=sites,
        tables=(),
        relations=(),
        contents=contents,
        _ledger=_with_values(ledger),
        _sources={},
    )


def _raise_for(problems: list[str]) -> None:
    if problems:
        raise EvidenceError("\n".join(problems))


def _wrong_names(sources: Sources) -> list[str]:
    """Return one message per table name that points outside ``tables/`` or is not a CSV file."""
    return [
        f"key 'tables.{name}': must be the name of a .csv file in tables/, without a folder"
        for name in sources.tables
        if not name.endswith(".csv") or not name.isprintable() or "/" in name or "\\" in name
    ]


def _read_table(files: EvidenceFiles, name: str) -> pd.DataFrame:
    root = files.root
    try:
        text = composed(files.read(name).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{root / name}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    rows: dict[int, list[str]] = {}
    try:
        header = next(reader, [])
        for fields in reader:
            if fields and len(fields) != len(header):
                raise EvidenceError(
                    f"{root / name}, line {reader.line_num}: {len(fields)} fields, but the first line names "
                    f"{len(header)} columns; quote any field that contains a comma"
                )
            if fields:
                rows[reader.line_num] = fields
    except csv.Error as error:
        raise EvidenceError(f"{root / name}, line {reader.line_num}: not a table ({error})") from error
    if len(header) > MAX_COLUMNS:
        raise EvidenceError(f"{root / name}, line 1: {len(header):,} columns; at most {MAX_COLUMNS} are read")
    twice = [column for column in dict.fromkeys(header) if header.count(column) > 1]
    if not header or twice:
        why = f"column {twice[0]!r} appears twice" if twice else "it is empty"
        raise EvidenceError(f"{root / name}: not a table ({why}); the first line must name each column once")
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=header, dtype=str)


def _checked(files: EvidenceFiles, names: list[str], columns: Sequence[str]) -> pd.DataFrame:
    """Read tables with the same columns into one frame, all text; raise if anything is wrong."""
    root = files.root
    tables = {name: _read_table(files, name) for name in names}
    problems = [f"{root / name}, {text}" for name, table in tables.items() for text in column_findings(table, columns)]
    _raise_for(problems)
    where = [f"{root / name}, line {line}" for name, table in tables.items() for line in table.index]
    together = pd.concat(list(tables.values()), ignore_index=True)
    problems = [*row_findings(together, where), *_wrong_numbers(together, where), *_formulas(together, where)]
    if columns is LEDGER:
        named = together["measure"].isin(list(MEASURES)) & together["outcome"].isin(["", *OUTCOMES])
        problems += cell_findings(together[named], [place for place, known in zip(where, named, strict=True) if known])
    _raise_for(problems)
    return together


def _with_values(ledger: pd.DataFrame) -> pd.DataFrame:
    ledger = _with_lines(ledger.assign(text=ledger["printed"], correction=""))
    for name in ("value", "decimals", "base"):
        ledger[name] = [float(text) if text else float("nan") for text in ledger[name]]
    return ledger


def _formulas(table: pd.DataFrame, where: Sequence[str]) -> list[str]:
    """Return one message per field that a spreadsheet would run as a formula."""
    return [
        f"{place}, column {name!r}: {finding}"
        for name in table
        for place, text in zip(where, table[name], strict=True)
        for finding in text_findings(text)
    ]


def _wrong_numbers(table: pd.DataFrame, where: Sequence[str]) -> list[str]:
    """Return one message per malformed number in the columns that accompany the printed text."""
    return [
        f"{place}, column {name!r}: {text!r} given; {allowed}"
        for name, (pattern, allowed) in _NUMBERS.items()
        if name in table
        for place, text in zip(where, table[name], strict=True)
        if not re.fullmatch(pattern, text)
    ]


_NUMBERS = {
    "line": (r"[0-9]{1,9}", "must be the row number in the table"),
    "base": (r"([0-9]{1,9})?", "must be a whole number above 0, or empty"),
    "value": (r"(-?[0-9]{1,12}(\.[0-9]{1,15})?)?", "must be the printed number in plain digits, or empty"),
    "decimals": (r"([0-9]|1[0-5])?", "must be the number of decimal places, 0 to 15, or empty"),
}


def _with_lines(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.assign(line=cells["line"].astype(int))


def _repeated_cells(ledger: pd.DataFrame) -> list[str]:
    """Return one message per quantity used in analyses that a table states twice."""
    used = ledger[ledger["measure"].isin(list(TRIAL))]
    cells = used[
        used.duplicated(["document", "place", *QUANTITY], keep="first") & used["place"].str.startswith("Table")
    ]
    return [
        f"{_named(row)} is stated again in {row['place']}, {row['row']}, {row['column']}; keep one"
        for _, row in cells.iterrows()
    ]


def _missing_cells(ledger: pd.DataFrame) -> list[str]:
    """Return one message per missing quantity that an analysis needs for each trial group."""
    used = ledger[ledger["measure"].isin(list(TRIAL))]
    stated = {tuple(row) for row in used.dropna(subset="value")[QUANTITY].to_numpy()}
    cells = {tuple(row) for row in used[QUANTITY].to_numpy()}
    impacts = [key for key in cells if key[0] == "impact"]
    if not impacts:
        return ["no impact in any table; nothing can be analysed"]
    groups = sorted({key[3] for key in impacts} - set(POOLED_GROUPS))
    rows = sorted({key[3] for key in impacts})
    needed = [("impact", "", outcome, group, "") for outcome in sorted({key[2] for key in impacts}) for group in rows]
    needed += [
        (name, "", "", group, arm)
        for name in ("recruits", "12-month survey sample")
        for group in groups
        for arm in ARMS
    ]
    # Employment rates may be absent, but not in one arm alone.
    rates = [key for key in stated if key[:2] == ("employment rate", "")]
    needed += [(*key[:4], arm) for key in sorted(rates) for arm in ARMS]
    needed += [("cost per head", "", "", group, "") for group in rows]
    lines = [f"no number for {_named(dict(zip(QUANTITY, key, strict=True)))}" for key in needed if key not in stated]
    returns = [(f"{name} return", "", "", group, "") for name in ("financial", "economic") for group in rows]
    lines += [
        f"no cell for {_named(dict(zip(QUANTITY, key, strict=True)))}; enter n/c if it was not calculated"
        for key in returns
        if key not in cells
    ]
    return list(dict.fromkeys(lines))


def _named(cell: Mapping[str, str] | pd.Series) -> str:
    return ", ".join(str(cell[key]) for key in QUANTITY if cell[key])


def _unknown_cells(evidence: Evidence) -> list[str]:
    """Return one message per cell that a relation names and no table contains."""
    known = set(evidence.ledger[CELL_KEY].itertuples(index=False, name=None))
    return [
        f"relation {relation.what!r}: no such cell: {name.document}, {name.place}, line {name.line}, "
        f"column {name.column!r}"
        for relation in evidence.relations
        for name in [*relation.terms, *([relation.result] if relation.result else [])]
        if name.key not in known
    ]


def _corrected(ledger: pd.DataFrame, corrections: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    ledger = ledger.copy()
    problems = []
    for position, correction in corrections.iterrows():
        where = f"line {int(str(position)) + 2}"
        cell = (ledger[CELL] == correction[CELL]).all(axis=1)
        printed = parse_printed(correction["corrected"])
        if not cell.any():
            problems.append(f"{where}: no such cell in the tables; document, place, line, row and column must match")
        elif ledger.loc[cell, "printed"].item() != correction["printed"]:
            problems.append(
                f"{where}, column 'printed': {correction['printed']!r} given, but the table has "
                f"{ledger.loc[cell, 'printed'].item()!r}; make them agree"
            )
        elif printed is None or not correction["reason"]:
            problems.append(f"{where}: a correction needs a number in 'corrected' and a reason")
        else:
            wrong = range_findings(ledger.loc[cell, "measure"].item(), printed.value)
            problems += [f"{where}, column 'corrected': {text}" for text in wrong]
            values = [correction["corrected"], correction["reason"], printed.value, printed.decimals, printed.stars]
            ledger.loc[cell, ["text", "correction", "value", "decimals", "stars"]] = values
    return ledger, problems
