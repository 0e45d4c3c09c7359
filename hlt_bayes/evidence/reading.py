"""Reads the ledger of printed cells, applies the corrections, and gives frames in natural units."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from io import StringIO
from pathlib import Path

import pandas as pd

from hlt_bayes.errors import EvidenceError
from hlt_bayes.evidence.printed import parse_printed
from hlt_bayes.evidence.schema import CELL, CORRECTIONS, LEDGER, cell_findings, findings, range_findings
from hlt_bayes.strict import Frozen, Words, parse_strict
from hlt_bayes.vocabulary import ARMS, GROUPS, OUTCOMES, POOLED_GROUPS

EMBEDDED = Path(__file__).parent
"""The folder with ``sources.toml`` and ``tables/`` that the package carries."""

_KEY = ["measure", "outcome", "group", "arm"]
"""Columns that together name one quantity, wherever it is printed."""


class Document(Frozen):
    """Where the printed cells come from."""

    title: Words
    authors: list[Words]
    institution: Words
    series: Words
    isbn: Words
    published: date
    licence: Words


class Sources(Frozen):
    """The documents, by the name that the ledger uses, and the ledger's files with what each holds."""

    documents: dict[str, Document]
    tables: dict[str, Words]


@dataclass(frozen=True)
class Evidence:
    """The published evidence; every property gives a fresh frame, so that nothing here can change.

    Parameters
    ----------
    folder
        Where it was read: ``sources.toml`` and ``tables/``.
    as_printed
        True where the corrections were left out.
    files
        SHA-256 of every file read, by its path below ``folder``.
    """

    folder: Path
    as_printed: bool
    files: dict[str, str]
    _ledger: pd.DataFrame = field(repr=False)
    _sources: dict[str, Document] = field(repr=False)

    @property
    def ledger(self) -> pd.DataFrame:
        """One row a printed cell: place, text as printed, value, unit, digits, stars, what it measures.

        ``value``, ``decimals`` and ``stars`` are those of ``text``, which is the printed text or, where
        ``correction`` gives a reason, the corrected one.
        """
        return self._ledger.copy()

    @property
    def sources(self) -> dict[str, Document]:
        """Title, authors, series, ISBN, date and licence of each document."""
        return dict(self._sources)

    @cached_property
    def sha256(self) -> str:
        """Hash of the ledger as used, corrections included: what a result was computed from."""
        return hashlib.sha256(self._ledger.to_json(orient="records").encode()).hexdigest()

    @property
    def groups(self) -> tuple[str, ...]:
        """Trial groups that have impacts, in the reports' order; pooled rows are not among them."""
        printed = set(self.impacts["group"])
        return tuple(group for group in GROUPS if group in printed)

    @property
    def impacts(self) -> pd.DataFrame:
        """Printed impacts, treatment minus control, per outcome and group (pooled rows included).

        ``estimate`` and ``half_unit`` (half of the last printed digit) are in the natural unit of the
        outcome: a proportion, £, SD.
        """
        cells = self._cells("impact")
        cells["unit"] = cells["outcome"].map(lambda outcome: OUTCOMES[outcome].unit)
        scale = cells["outcome"].map(lambda outcome: OUTCOMES[outcome].display_scale)
        cells["estimate"] = cells["value"] / scale
        cells["half_unit"] /= scale
        return cells[["outcome", "group", "estimate", "half_unit", "stars", "unit", "text", "correction", *CELL]]

    @property
    def samples(self) -> pd.DataFrame:
        """People per ``measure`` (recruits, samples achieved by each survey), group and arm."""
        ledger = self._ledger.dropna(subset="value")
        cells = ledger[(ledger["unit"] == "people") & (ledger["arm"] != "")]
        cells = cells.rename(columns={"value": "people"}).astype({"people": int})
        return cells[["measure", "group", "arm", "people", *CELL]].reset_index(drop=True)

    def arm_sizes(self, measure: str) -> pd.DataFrame:
        """People of one measure of ``samples``: a row per trial group, a column per arm."""
        samples = self.samples
        return samples[samples["measure"] == measure].pivot(index="group", columns="arm", values="people")

    @property
    def treated(self) -> pd.Series:
        """Recruits randomised to treatment per trial group: the weights of every pooled row."""
        return self.arm_sizes("recruits")["treatment"].reindex(list(self.groups))

    @property
    def employment_rates(self) -> pd.DataFrame:
        """Printed share of people with the employment outcome: a row per trial group, a column per arm.

        For SCR OOW the text says "in work at the 12-month point"; the two rates differ by the printed impact
        on employment for 13+ weeks, so they are taken as rates of that outcome.
        """
        return self._cells("employment rate").pivot(index="group", columns="arm", values="value") / 100.0

    @property
    def costs(self) -> pd.DataFrame:
        """Printed cost per recruit to the treatment group in £ (``cost_per_head_gbp``)."""
        cells = self._cells("cost per head")
        return cells.rename(columns={"value": "cost_per_head_gbp"})[["group", "cost_per_head_gbp", "half_unit", *CELL]]

    @property
    def returns(self) -> pd.DataFrame:
        """Printed return per £1 by ``perspective`` and group; missing where the report prints n/c."""
        cells = pd.concat(
            [self._cells(f"{name} return").assign(perspective=name) for name in ("financial", "economic")]
        )
        columns = ["perspective", "group", "benefit_cost_ratio", "half_unit", "text", *CELL]
        return cells.rename(columns={"value": "benefit_cost_ratio"})[columns].reset_index(drop=True)

    @property
    def corrections(self) -> pd.DataFrame:
        """Cells that are used otherwise than printed, with both texts and the reason."""
        cells = self._ledger[self._ledger["correction"] != ""]
        return cells[[*CELL, "printed", "text", "correction"]].reset_index(drop=True)

    def _cells(self, measure: str) -> pd.DataFrame:
        cells = self._ledger[self._ledger["measure"] == measure].reset_index(drop=True)
        return cells.assign(half_unit=0.5 * 10.0 ** -cells["decimals"])


def load_evidence(folder: str | Path | None = None, *, as_printed: bool = False) -> Evidence:
    """Load the published evidence.

    Parameters
    ----------
    folder
        A folder with ``sources.toml`` and ``tables/*.csv`` in the ledger's format; the embedded evidence
        of the Health-led Employment Trials without it.
    as_printed
        True leaves out the corrections: misprints stay as they were printed.

    Raises
    ------
    EvidenceError
        A file that is missing or cannot be read, or cells that the schema does not allow: all findings of
        all files in one message, each with file, line, column, what was found and what is allowed.
    """
    root = EMBEDDED if folder is None else Path(folder)
    hashes: dict[str, str] = {}
    sources = parse_strict(_content(root, "sources.toml", hashes), root / "sources.toml", Sources, EvidenceError)
    problems: list[str] = []
    tables = []
    for name in sources.tables:
        table = _read_table(root, f"tables/{name}", hashes)
        found = findings(table, LEDGER) or cell_findings(table)
        problems += [f"{root / 'tables' / name}, {line}" for line in found]
        tables.append(table)
    corrections = _read_table(root, "tables/corrections.csv", hashes)
    problems += [f"{root / 'tables/corrections.csv'}, {line}" for line in findings(corrections, CORRECTIONS)]
    _raise_for(problems)

    ledger = _with_values(pd.concat(tables, ignore_index=True))
    _raise_for([f"{root / 'tables'}: {line}" for line in [*_repeated_cells(ledger), *_missing_cells(ledger)]])
    if not as_printed:
        ledger, problems = _corrected(ledger, corrections)
        _raise_for([f"{root / 'tables/corrections.csv'}, {line}" for line in problems])
    return Evidence(folder=root, as_printed=as_printed, files=hashes, _ledger=ledger, _sources=sources.documents)


def _raise_for(problems: list[str]) -> None:
    if problems:
        raise EvidenceError("\n".join(problems))


def _content(root: Path, name: str, hashes: dict[str, str]) -> bytes:
    path = root / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EvidenceError(
            f"{path}: evidence file cannot be read ({error.strerror}); evidence is a folder with sources.toml "
            "and the tables it lists under tables/"
        ) from error
    hashes[name] = hashlib.sha256(content).hexdigest()
    return content


def _read_table(root: Path, name: str, hashes: dict[str, str]) -> pd.DataFrame:
    try:
        text = _content(root, name, hashes).decode("utf-8")
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{root / name}: byte {error.start} is not UTF-8; save the file as UTF-8") from error
    try:
        return pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        why = " ".join(str(error).split())
        raise EvidenceError(f"{root / name}: not a table ({why}); the first line must name the columns") from error


def _with_values(ledger: pd.DataFrame) -> pd.DataFrame:
    ledger = ledger.assign(text=ledger["printed"], correction="")
    ledger["value"] = pd.to_numeric(ledger["value"])
    ledger["decimals"] = pd.to_numeric(ledger["decimals"])
    return ledger


def _repeated_cells(ledger: pd.DataFrame) -> list[str]:
    """Quantities that two cells state."""
    cells = ledger[ledger.duplicated(_KEY, keep="first")]
    return [
        f"{_named(row)} is stated a second time in {row['place']}, {row['row']}, {row['column']}; keep one"
        for _, row in cells.iterrows()
    ]


def _missing_cells(ledger: pd.DataFrame) -> list[str]:
    """Quantities without which no analysis can be made."""
    numbers = [("impact", outcome, group, "") for outcome in OUTCOMES for group in (*GROUPS, *POOLED_GROUPS)]
    numbers += [
        (name, "", group, arm) for name in ("recruits", "12-month survey sample") for group in GROUPS for arm in ARMS
    ]
    numbers += [("cost per head", "", group, "") for group in (*GROUPS, *POOLED_GROUPS)]
    stated = {tuple(row) for row in ledger.dropna(subset="value")[_KEY].to_numpy()}
    # Employment rates may be absent, but not those of one arm alone.
    rates = {key for key in stated if key[0] == "employment rate"}
    numbers += [(*key[:3], arm) for key in sorted(rates) for arm in ARMS]
    lines = [f"no number for {_named(dict(zip(_KEY, key, strict=True)))}" for key in numbers if key not in stated]
    cells = {tuple(row) for row in ledger[_KEY].to_numpy()}
    returns = [
        (f"{name} return", "", group, "") for name in ("financial", "economic") for group in (*GROUPS, *POOLED_GROUPS)
    ]
    lines += [
        f"no cell for {_named(dict(zip(_KEY, key, strict=True)))}; n/c stands for one that was not calculated"
        for key in returns
        if key not in cells
    ]
    return list(dict.fromkeys(lines))


def _named(cell: Mapping[str, str] | pd.Series) -> str:
    return ", ".join(str(cell[key]) for key in _KEY if cell[key])


def _corrected(ledger: pd.DataFrame, corrections: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    ledger = ledger.copy()
    problems = []
    for position, correction in corrections.iterrows():
        where = f"line {int(str(position)) + 2}"
        cell = (ledger[CELL] == correction[CELL]).all(axis=1)
        printed = parse_printed(correction["corrected"])
        if not cell.any():
            problems.append(f"{where}: no such cell in the tables; name document, place, row and column as there")
        elif ledger.loc[cell, "printed"].item() != correction["printed"]:
            problems.append(f"{where}, column 'printed': the table prints {ledger.loc[cell, 'printed'].item()!r}")
        elif printed is None or not correction["reason"]:
            problems.append(f"{where}: a correction needs a number in 'corrected' and a reason")
        else:
            wrong = range_findings(ledger.loc[cell, "measure"].item(), printed.value)
            problems += [f"{where}, column 'corrected': {text}" for text in wrong]
            values = [correction["corrected"], correction["reason"], printed.value, printed.decimals, printed.stars]
            ledger.loc[cell, ["text", "correction", "value", "decimals", "stars"]] = values
    return ledger, problems
