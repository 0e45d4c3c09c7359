"""Reads the user's own trials: one CSV row per impact, with whatever the report gives on its standard error."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.core.text import composed, label_findings, text_findings
from hlt_bayes.core.vocabulary import ARMS, OUTCOMES, RESERVED
from hlt_bayes.evidence.printed_text import Printed, parse_printed
from hlt_bayes.evidence.schema import CELL, MARKS, QUANTITY

COLUMNS = {
    "outcome": f"one of {', '.join(OUTCOMES)}",
    "group": "your name for the trial or trial group",
    "site": "trial site; empty: same as group",
    "estimate": "impact as published, with all digits (0.10, not 0.1); may be empty if events are given",
    "unit": "; ".join(f"{name}: {outcome.printed_unit}" for name, outcome in OUTCOMES.items()),
    "stars": "*, ** or *** (90, 95, 99 % confidence); none: no star where others have one; empty: no stars used",
    "se": "standard error as published, in the unit of the estimate",
    "ci_lower": "lower confidence limit as published",
    "ci_upper": "upper confidence limit as published",
    "ci_level": "confidence level in %; empty: 95",
    "p": "two-sided p-value as published: 0.03, <0.001 or >0.1",
    "n_treatment": "people analysed in the treatment group",
    "n_control": "people analysed in the control group",
    "events_treatment": "employment: people with the outcome in the treatment group",
    "events_control": "employment: people with the outcome in the control group",
    "percent_treatment": "employment: per cent with the outcome in the treatment group, as published",
    "percent_control": "employment: per cent with the outcome in the control group, as published",
    "sd": "SD of the outcome across people, in the unit of the estimate",
    "source": "where it is published",
}
"""Columns of the file with a description of each; those in ``REQUIRED`` must be present."""

REQUIRED = ("outcome", "group")
MAX_COLUMNS = 100
MAX_ROWS = 500
"""Maximum number of columns and of impacts in a file: each impact adds three parameters, and their draws."""

SHOWN_PROBLEMS = 20
LARGEST_SD = 5.0

LARGEST, MOST_DECIMALS = 1e9, 15
"""Largest accepted absolute value, and most decimal places."""

_NUMBER = re.compile(
    r"[-+]?£?([1-9]\d{0,2}(,\d{3})+|\d+)?(\.\d+)?(?P<unit>ppt|pp|%|sd)?", flags=re.IGNORECASE | re.ASCII
)
_UNIT_OF = {"ppt": "employment", "pp": "employment", "sd": "health wellbeing earnings"}
_IMPACT_CELLS = {
    "estimate": ("impact", ""),
    "se": ("standard error", ""),
    "ci_lower": ("interval lower", ""),
    "ci_upper": ("interval upper", ""),
    "sd": ("outcome sd", ""),
    "p": ("p", ""),
    **{f"n_{arm}": ("analysed sample", arm) for arm in ARMS},
    **{f"events_{arm}": ("events", arm) for arm in ARMS},
    **{f"percent_{arm}": ("employment rate", arm) for arm in ARMS},
}
_OF_OUTCOME = ("estimate", "se", "ci_lower", "ci_upper", "sd")
_UNITS = {"n": "people", "events": "people", "percent": "%", "p": "p"}


def read_own_trials(content: bytes, path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Convert the bytes of a CSV file to ledger rows (all text), and return the site of each group.

    Raises
    ------
    EvidenceError
        Violations of the format, each with line, column, what was found and what is allowed.
    """
    return own_trials_ledger(list(_rows(content, path)), path)


def own_trials_ledger(rows: list[tuple[int, dict[str, str]]], path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """Convert pairs of line number and row to ledger rows, as ``read_own_trials`` does."""
    if not rows:
        raise EvidenceError(f"{path}: no trials; add one row per impact below the column names")
    if len(rows) > MAX_ROWS:
        raise EvidenceError(
            f"{path}: {len(rows):,} rows; at most {MAX_ROWS:,} are allowed, because each adds an impact to the "
            "model: fit a subset, or pool rows of the same trial first"
        )
    problems = [problem for line, row in rows for problem in _problems(line, row)]
    problems += _repeated(rows)
    if problems:
        shown = [f"{path}, {problem}" for problem in problems[:SHOWN_PROBLEMS]]
        if len(problems) > SHOWN_PROBLEMS:
            shown.append(f"{path}: and {len(problems) - SHOWN_PROBLEMS:,} more")
        raise EvidenceError("\n".join(shown))
    cells = [cell for line, row in rows for cell in _cells(line, row, path.stem)]
    columns = [*CELL, "printed", "value", "unit", "decimals", "stars", "base", *QUANTITY]
    sites = {row["group"]: row["site"] or row["group"] for _, row in rows}
    return pd.DataFrame(cells, columns=columns), sites


def _rows(content: bytes, path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        text = composed(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise EvidenceError(f"{path}: byte {error.start} is not UTF-8; save the file as CSV in UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(header, path)
        for fields in reader:
            if not any(field.strip() for field in fields):
                continue
            if len(fields) != len(header):
                raise EvidenceError(
                    f"{path}, line {reader.line_num}: {len(fields)} fields, but the first line names {len(header)} "
                    "columns; quote any field that contains a comma"
                )
            yield reader.line_num, complete_row(dict(zip(header, fields, strict=True)))
    except csv.Error as error:
        raise EvidenceError(f"{path}, line {reader.line_num}: not CSV ({error})") from error


def complete_row(fields: Mapping[str, str]) -> dict[str, str]:
    """Return a row with all ``COLUMNS``; absent ones are empty."""
    return dict.fromkeys(COLUMNS, "") | {name: composed(field.strip()) for name, field in fields.items()}


def _check_header(header: list[str], path: Path) -> None:
    if not any(header):
        raise EvidenceError(f"{path}: empty; the first line must name the columns: {', '.join(COLUMNS)}")
    if len(header) > MAX_COLUMNS:
        raise EvidenceError(
            f"{path}, line 1: {len(header):,} columns; at most {MAX_COLUMNS} are read, and these are known: "
            f"{', '.join(COLUMNS)}"
        )
    if len(header) == 1 and re.search(r"[;\t]", header[0]):
        raise EvidenceError(f"{path}, line 1: one column {header[0]!r}; separate the columns by commas")
    problems = [f"column {unknown_name(name, COLUMNS)}" for name in header if name not in COLUMNS]
    problems += [f"column {name!r} appears twice" for name in dict.fromkeys(header) if header.count(name) > 1]
    problems += [f"column {name!r} is missing: {COLUMNS[name]}" for name in REQUIRED if name not in header]
    if "estimate" in header and "unit" not in header:
        problems.append(f"column 'unit' is missing: {COLUMNS['unit']}")
    if not {"estimate", "events_treatment"} & set(header):
        problems.append("column 'estimate' is missing; give it, or events and people of both arms instead")
    if problems:
        raise EvidenceError("\n".join(f"{path}, line 1: {problem}" for problem in problems))


def _problems(line: int, row: dict[str, str]) -> Iterator[str]:
    """Yield every error in one row."""
    numbers: dict[str, Printed] = {}
    for name in [*_IMPACT_CELLS, "ci_level"]:
        text = row[name].lstrip("<>= ") if name == "p" else row[name]
        if not text:
            continue
        number, found = parse_printed(_plain(text)), _NUMBER.fullmatch(_plain(text))
        unit = (found["unit"] or "").lower() if found else ""
        fits = unit == "" or (unit == "%" and name.startswith(("percent", "ci_level")))
        fits = fits or (name in _OF_OUTCOME and row["outcome"] in _UNIT_OF.get(unit, ""))
        if number is None or found is None or not fits:
            yield (
                f"line {line}, column {name!r}: {row[name]!r} is not a valid number for this column; write it "
                "as published, with a decimal point (0.10)"
            )
        elif abs(number.value) > LARGEST or number.decimals > MOST_DECIMALS:
            yield (
                f"line {line}, column {name!r}: a number of {len(_plain(text))} characters; at most {LARGEST:,.0f} "
                f"and {MOST_DECIMALS} decimal places are allowed: check it against the report"
            )
        else:
            numbers[name] = number
    for name, text in row.items():
        yield from (f"line {line}, column {name!r}: {finding}" for finding in text_findings(text))
    if row["outcome"] not in OUTCOMES:
        yield f"line {line}, column 'outcome': {unknown_name(row['outcome'], OUTCOMES)}"
        return
    if not row["group"]:
        yield f"line {line}, column 'group': empty; name the trial or its group"
    elif row["group"] in RESERVED:
        yield f"line {line}, column 'group': {row['group']!r} is reserved for pooled results; use another name"
    elif not text_findings(row["group"]):
        yield from (f"line {line}, column 'group': {finding}" for finding in label_findings(row["group"]))
    if row["stars"] not in ("", "none", *MARKS[1:]):
        yield f"line {line}, column 'stars': {unknown_name(row['stars'], ['', 'none', *MARKS[1:]])}"
    unit = OUTCOMES[row["outcome"]].printed_unit
    if row["estimate"] and row["unit"] != unit:
        yield (
            f"line {line}, column 'unit': {row['unit']!r} given; the unit of {row['outcome']} must be {unit!r}"
            + (" (a proportion of 0.03 is 3 ppt)" if unit == "ppt" else "")
        )
    yield from _count_problems(line, row, numbers)
    yield from _estimate_problems(line, row, numbers)


def _count_problems(line: int, row: dict[str, str], numbers: dict[str, Printed]) -> Iterator[str]:
    """Yield errors in numbers of people, events and percentages."""
    for kind in ("n", "events", "percent"):
        names = [f"{kind}_{arm}" for arm in ARMS]
        if kind != "n" and row["outcome"] != "employment":
            yield from (
                f"line {line}, column {name!r}: {row[name]!r} given; allowed only for employment"
                for name in names
                if row[name]
            )
        if bool(row[names[0]]) != bool(row[names[1]]):
            empty = next(name for name in names if not row[name])
            yield f"line {line}, column {empty!r}: empty, but given for the other arm; give both or neither"
        for name in names:
            if name not in numbers:
                continue
            value = numbers[name].value
            if kind != "percent" and value != int(value):
                yield f"line {line}, column {name!r}: {row[name]!r} given; must be a whole number"
            if kind == "n" and value < 1:
                yield f"line {line}, column {name!r}: {row[name]!r} given; must be 1 or more"
            if kind == "percent" and not 0 < value < 100:
                yield f"line {line}, column {name!r}: {row[name]!r} given; must lie between 0 and 100"
    for arm in ARMS:
        events, people = numbers.get(f"events_{arm}"), numbers.get(f"n_{arm}")
        if events and not people:
            yield f"line {line}, column 'n_{arm}': empty; required where events are given"
        elif events and people and not 0 <= events.value <= people.value:
            yield f"line {line}, column 'events_{arm}': {events.value:g} events in {people.value:g} people; check both"


def _estimate_problems(line: int, row: dict[str, str], numbers: dict[str, Printed]) -> Iterator[str]:
    """Yield errors in the estimate and the results that inform its standard error."""
    estimate, unit = numbers.get("estimate"), OUTCOMES[row["outcome"]].printed_unit
    if "se" in numbers and numbers["se"].value <= 0:
        yield f"line {line}, column 'se': {row['se']!r} given; must be above 0"
    if "sd" in numbers and numbers["sd"].value <= 0:
        yield f"line {line}, column 'sd': {row['sd']!r} given; must be above 0"
    if "p" in numbers and not 0 <= numbers["p"].value <= 1:
        yield f"line {line}, column 'p': {row['p']!r} given; must lie between 0 and 1"
    if "ci_level" in numbers and not 50 <= numbers["ci_level"].value < 100:
        yield f"line {line}, column 'ci_level': {row['ci_level']!r} given; must be a percentage from 50 to below 100"
    if bool(row["ci_lower"]) != bool(row["ci_upper"]):
        yield f"line {line}, column 'ci_lower': give both confidence limits or neither"
    if "ci_lower" in numbers and "ci_upper" in numbers:
        lower, upper = numbers["ci_lower"], numbers["ci_upper"]
        if lower.value >= upper.value:
            yield f"line {line}, column 'ci_lower': {row['ci_lower']!r} is not below ci_upper {row['ci_upper']!r}"
        elif estimate and not (
            lower.value - lower.half_unit <= estimate.value + estimate.half_unit
            and estimate.value - estimate.half_unit <= upper.value + upper.half_unit
        ):
            yield (
                f"line {line}, column 'estimate': {row['estimate']!r} lies outside its interval, {row['ci_lower']!r} "
                f"to {row['ci_upper']!r}; check signs and units"
            )
    if estimate and row["outcome"] == "employment" and abs(estimate.value) > 100:
        yield f"line {line}, column 'estimate': {row['estimate']!r} given; must lie between -100 and 100 ppt"
    if estimate and unit == "SD" and abs(estimate.value) > LARGEST_SD:
        yield f"line {line}, column 'estimate': {row['estimate']!r} given; at most {LARGEST_SD:g} SD is allowed"
    if row["stars"] and not row["estimate"]:
        yield f"line {line}, column 'estimate': empty; stars need the published estimate"
    if not estimate and not row["estimate"] and not row["events_treatment"]:
        yield f"line {line}, column 'estimate': empty; give it, or events and people of both arms"
    if not any(row[name] for name in ("se", "ci_lower", "p", "n_treatment")) and row["stars"] in ("", "none"):
        yield (
            f"line {line}, column 'se': no information on the standard error; give se, confidence limits, p, stars, or "
            "n of both arms"
        )


def _repeated(rows: list[tuple[int, dict[str, str]]]) -> Iterator[str]:
    first: dict[tuple[str, str], int] = {}
    for line, row in rows:
        key = (row["outcome"], row["group"])
        if key in first:
            yield (
                f"line {line}: {key[0]} of {key[1]!r} is already in line {first[key]}; keep one, or use two group names"
            )
        first.setdefault(key, line)
    sites: dict[str, str] = {}
    for line, row in rows:
        if sites.setdefault(row["group"], row["site"]) != row["site"]:
            yield (
                f"line {line}, column 'site': {row['site']!r} given, but {row['group']!r} has site "
                f"{sites[row['group']]!r} in an earlier line"
            )


def _cells(line: int, row: dict[str, str], document: str) -> Iterator[dict[str, str]]:
    """Yield the ledger rows of one row of the file: one per field."""
    outcome = OUTCOMES[row["outcome"]]
    for column, (measure, arm) in _IMPACT_CELLS.items():
        if not row[column]:
            continue
        printed = parse_printed(_plain(row[column]))
        assert printed is not None  # noqa: S101 - _problems reported all others
        text, stars = row[column], ""
        if measure == "impact":
            stars = {"": "not used", "none": ""}.get(row["stars"], row["stars"])
            text = _formatted(text, outcome.printed_unit, "" if row["stars"] == "none" else row["stars"])
        yield {
            "document": document,
            "place": f"line {line}" + (f" ({row['source']})" if row["source"] else ""),
            "line": str(line),
            "row": row["group"],
            "column": f"{row['outcome']} {column}",
            "printed": text,
            "value": f"{printed.value!r}",
            "unit": _UNITS.get(column.split("_")[0], outcome.printed_unit),
            "decimals": str(printed.decimals),
            "stars": stars,
            "base": "",
            "measure": measure,
            "category": _level(row["ci_level"]) if measure.startswith("interval") else "",
            "outcome": row["outcome"],
            "group": row["group"],
            "arm": arm,
        }


def _level(text: str) -> str:
    level = parse_printed(_plain(text)) if text else None
    return f"{level.value:g}" if level else "95"


def _formatted(estimate: str, unit: str, stars: str) -> str:
    """Format an estimate with unit and stars, as in the reports of the Health-led Trials."""
    number = _plain(estimate).lower().removesuffix(unit.lower()).replace("£", "")
    sign = "-" if number.startswith("-") else ""
    text = f"{sign}£{number.lstrip('+-')}" if unit == "GBP" else f"{number} {unit.replace('SD', 'sd')}"
    return f"{text} {stars}".strip()


def _plain(text: str) -> str:
    """Normalise a published number: ASCII signs, no spaces."""
    return re.sub(r"\s+", "", text.replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-"))
