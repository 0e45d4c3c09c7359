"""Reading of draws from netCDF and CSV files, from this package or from elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError, unknown_name
from hlt_bayes.core.files import LARGEST_DRAWS, open_regular, read_bytes, size_of, too_large
from hlt_bayes.impacts import netcdf_reader
from hlt_bayes.impacts.draws import impact_draws
from hlt_bayes.specs import ImpactSpec

NUMBERS = (".chain", ".iteration", ".draw")
"""Columns that number the draws of R's posterior."""

MAX_COLUMNS = 100_000
"""Most columns of a CSV file of draws."""

MAX_COMMENTS = 100_000
"""Most comments and empty lines of a CSV file of draws."""

BEFORE_COMMENT = re.compile(r'[^"#]*(?:"[^"]*"[^"#]*)*')

PATIENCE = 300
"""Seconds to wait for a reader, whose CPU time is limited where the system can."""


def read_result(path: Path, spec: ImpactSpec) -> xr.DataTree:
    """Read the draws of a result of this package, ``posterior.nc``.

    Raises
    ------
    ImpactError
        The file cannot be read, contains no impacts, or its draws come from another spec.
    """
    tree = read_netcdf(path, "give the posterior.nc of a result")
    impact = impact_draws(tree)
    if impact.attrs.get("spec_sha256", "") != spec.fingerprint:
        made_by = f"impact spec {impact.attrs['spec']!r}" if "spec" in impact.attrs else "an unknown spec"
        raise ImpactError(
            f"{path}: its draws were made by {made_by}, not by the current {spec.name!r}; give the spec that made "
            "them, or convert external draws with hlt_bayes.from_posterior"
        )
    return tree


def read_netcdf(
    source: str | Path | bytes,
    otherwise: str,
    *,
    name: str = "",
    groups: Collection[str] | None = None,
    variable: str | None = None,
    strict: bool = False,
) -> xr.DataTree:
    """Read a netCDF file, or its bytes, in a process of its own that a damaged file cannot keep busy.

    Missing values and scales are decoded, times are not; links to other files are refused.

    Parameters
    ----------
    source
        The file or its content.
    otherwise
        What to do instead, the end of the message if it cannot be read.
    name
        Name of the file in messages, if its bytes are given.
    groups, variable
        Groups to read, by default all; or, with ``variable``, where it may be: in the first of them that exists, or
        else at the root. Only that variable and its labels are then read.
    strict
        Refuse a file in which there is more than is read.

    Raises
    ------
    ImpactError
        The file cannot be read.
    """
    place = name or str(source)
    wanted = {"groups": None if groups is None else list(groups), "variable": variable, "strict": strict}
    request = json.dumps(wanted)
    if isinstance(source, bytes):
        answer = _answer(request, io.BytesIO(source), place, otherwise)
    else:
        try:
            file = open_regular(source)
        except OSError as error:
            raise ImpactError(f"{source}: cannot be read ({error.strerror}); {otherwise}") from error
        except ValueError as error:
            raise ImpactError(f"{str(source)!r}: cannot be read ({error}); {otherwise}") from error
        with file:
            if size_of(file) > LARGEST_DRAWS:
                raise ImpactError(f"{place}: {too_large(size_of(file), LARGEST_DRAWS)}")
            answer = _answer(request, file, place, otherwise)
    line, _, numbers = answer.partition(b"\n")
    content = json.loads(line)
    if "unknown" in content:
        raise ImpactError(f"{place}: variable {unknown_name(content['unknown'], content['there'])}")
    if "refused" in content:
        raise ImpactError(f"{place}: {content['refused']}")
    if "unreadable" in content:
        raise ImpactError(f"{place}: cannot be read as netCDF ({content['unreadable']}); {otherwise}")
    try:
        return _tree(content["groups"], numbers)
    except Exception as error:  # xarray decodes what a stranger wrote
        raise ImpactError(f"{place}: cannot be read as netCDF ({error}); {otherwise}") from error


def _answer(request: str, file: BinaryIO, place: str, otherwise: str) -> bytes:
    """Run the reader on a file; its whole answer."""
    command = [sys.executable, "-I", netcdf_reader.__file__, request]
    # No plug-ins of HDF5: code that a file asks for.
    environment = {**os.environ, "HDF5_PLUGIN_PRELOAD": "::"}
    content, stdin = (file.getvalue(), None) if isinstance(file, io.BytesIO) else (None, file)
    try:
        done = subprocess.run(  # noqa: S603 - our own script, by our own interpreter
            command, input=content, stdin=stdin, capture_output=True, timeout=PATIENCE, check=False, env=environment
        )
    except subprocess.TimeoutExpired as error:
        raise ImpactError(f"{place}: cannot be read in {PATIENCE} seconds, so it is damaged; {otherwise}") from error
    except OSError as error:
        raise ImpactError(f"{place}: the process that reads netCDF cannot be started ({error.strerror})") from error
    if done.returncode:
        raise ImpactError(f"{place}: cannot be read as netCDF: the reader stopped, so it is damaged; {otherwise}")
    return done.stdout


def _tree(groups: list[dict[str, Any]], numbers: bytes) -> xr.DataTree:
    """Build the tree of what the reader found."""
    at = 0
    datasets = {}
    for group in groups:
        variables = {}
        for name, one in group["variables"].items():
            if "texts" in one:
                values = np.array(one["texts"], dtype=str)
            else:
                kind, size = np.dtype(one["dtype"]), int(np.prod(one["shape"]))
                values = np.frombuffer(numbers, kind, size, at).reshape(one["shape"]).copy()
                at += values.nbytes
            variables[name] = xr.Variable(one["dims"], values, one["attrs"])
        labels = {name for name, one in variables.items() if one.dims == (name,)}
        dataset = xr.Dataset(variables, attrs=group["attrs"]).set_coords(labels)
        datasets[group["name"] or "/"] = xr.decode_cf(dataset, decode_times=False)
    return xr.DataTree.from_dict(datasets)


def read_csv_draws(paths: Sequence[str | Path], columns: Collection[str]) -> pd.DataFrame:
    """Read draws in columns from CSV files of CmdStan or R: one per chain, or one with a column ``.chain``.

    Parameters
    ----------
    paths, columns
        The files; the columns to read of each, besides the numbers of chains and draws.

    Raises
    ------
    ImpactError
        A file cannot be read, lacks a column or has it twice, or contains warm-up draws.
    """
    tables = []
    for number, path in enumerate(paths):
        try:
            text = read_bytes(path, ImpactError, largest=LARGEST_DRAWS).decode("utf-8-sig")
            names = _header(text, path)
            wanted = [name for name in names if name in columns or name in NUMBERS]
            for name in columns:
                if name not in wanted:
                    raise ImpactError(f"{path}: column {unknown_name(name, names)}")
            if len(set(wanted)) < len(wanted):
                twice = next(name for name in wanted if wanted.count(name) > 1)
                raise ImpactError(f"{path}: column {twice!r} occurs more than once; give each column a unique name")
            _refuse_ragged(text, len(names), path)
            table = pd.read_csv(io.StringIO(text), comment="#", usecols=wanted)
            words = [name for name in wanted if table[name].dtype.kind == "b"]
            if words:
                raise ImpactError(f"{path}: column {words[0]!r} holds True or False; draws must be numbers")
        except (csv.Error, ValueError) as error:
            raise ImpactError(f"{path}: cannot be read as CSV ({error})") from error
        if re.search(r"^#.*save_warmup = (1|true)", text, flags=re.MULTILINE):
            raise ImpactError(f"{path}: contains warm-up draws; run CmdStan without save_warmup")
        if len(paths) > 1:
            own = table[".chain"] if ".chain" in table else pd.Series(1, index=table.index)
            table[".chain"] = own.map(lambda chain, file=number: f"{file:06d} {chain}", na_action="ignore")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _refuse_ragged(text: str, width: int, path: str | Path) -> None:
    """Raise if a line has another number of fields than the header: its values would move to other columns."""
    for number, line in _lines(text, path):
        quoted = '"' in line
        values = _before_comment(line) if quoted else line.partition("#")[0]
        fields = len(next(csv.reader([values], strict=True))) if quoted else values.count(",") + 1
        if fields != width:
            raise ImpactError(
                f"{path}: line {number} has {fields:,} fields, the header {width:,}; write one field per column (in R: "
                "write.csv(draws, row.names = FALSE))"
            )


def _lines(text: str, path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither empty nor comments, with their numbers."""
    others = 0
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line
        else:
            others += 1
            if others > MAX_COMMENTS:
                raise ImpactError(f"{path}: more than {MAX_COMMENTS:,} comments and empty lines; keep the draws")


def _before_comment(line: str) -> str:
    """Return a line without its comment, as a sign in quotation marks begins none; whole if a mark is not closed."""
    found = BEFORE_COMMENT.match(line)
    end = found.end() if found else 0
    return line if line[end : end + 1] == '"' else line[:end]


def _header(text: str, path: str | Path) -> list[str]:
    """Names in the first line of a CSV file that is not a comment."""
    lines = (line for _, line in _lines(text, path))
    names = next(csv.reader(lines), [])
    if not names:
        raise ImpactError(f"{path}: cannot be read as CSV (it is empty)")
    if len(names) > MAX_COLUMNS:
        raise ImpactError(f"{path}: {len(names):,} columns; at most {MAX_COLUMNS:,} are read: keep the impacts")
    return names
