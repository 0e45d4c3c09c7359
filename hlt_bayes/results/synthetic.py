"""Writes a synthetic dataset and its true values; overwrites only synthetic datasets written by this package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.core.files import read_bytes
from hlt_bayes.display.synthetic import SYNTHETIC
from hlt_bayes.ipd.data.schema import COLUMNS
from hlt_bayes.ipd.synthetic import Twin
from hlt_bayes.results.locking import OLD, refuse_unwritable, sole_writer, written_whole
from hlt_bayes.results.manifest import file_sha256
from hlt_bayes.results.parquet import write_parquet

TRUTH_FORMAT = "hlt-bayes twin 1"

STATA_LABEL = 80
"""Longest label of a Stata variable or data set."""


def check_twin_target(path: Path, *, overwrite: bool) -> None:
    """Raise, before any work is done, if a synthetic dataset may not be written to ``path``.

    Raises
    ------
    ResultFolderError
        The suffix is not allowed; the file or its truth file exists and ``overwrite`` is False, or they are not an
        unchanged synthetic dataset; or they cannot be written.
    """
    if path.suffix not in _WRITERS:
        endings = ", ".join(_WRITERS)
        raise ResultFolderError(f"{path}: suffix {path.suffix!r} given; allowed suffixes: {endings}")
    present = [one for one in (path, truth_path(path)) if one.exists() or one.is_symlink()]
    if present:
        if not _is_unchanged_pair(path):
            raise ResultFolderError(
                f"{present[0]}: exists but is not an unchanged hlt-bayes synthetic dataset, and was left as it is; "
                "give another name (--out)"
            )
        if not overwrite:
            raise ResultFolderError(
                f"{present[0]}: already exists; replace it (--overwrite) or give another name (--out)"
            )
    refuse_unwritable(path)


def truth_path(path: Path) -> Path:
    """Path of the truth file that accompanies a file of synthetic records."""
    return path.with_name(f"{path.stem}.truth.json")


def write_twin(twin: Twin, path: Path, *, overwrite: bool = False) -> Path:
    """Write synthetic records as CSV, Parquet or Stata (by suffix) together with their true values, atomically.

    Returns
    -------
    Path
        Truth file, ``<stem>.truth.json``.

    Raises
    ------
    ResultFolderError
        As ``check_twin_target``, or a file could not be written.
    """
    truth = truth_path(path)
    with sole_writer(path):
        check_twin_target(path, overwrite=overwrite)
        with written_whole(path) as work:
            data, beside = work / path.name, work / truth.name
            _WRITERS[path.suffix](twin, data)
            content = truth_content(twin.truth) | {"file": path.name, "file_sha256": file_sha256(data)}
            beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            check_twin_target(path, overwrite=overwrite)
            _put_both(((data, path), (beside, truth)), work)
    return truth


def truth_content(truth: xr.Dataset) -> dict[str, Any]:
    """Nest the true values by outcome and group, with units, for JSON."""
    values = {}
    for name, array in truth.data_vars.items():
        dims = [dim for dim in ("moderator", "outcome", "baseline_health", "group") if dim in array.dims]
        units = array.attrs["unit"]
        by_outcome = dict(part.split(": ", 1) for part in units.split("; ")) if "outcome" in dims else {}
        values[str(name)] = {
            "description": array.attrs["description"],
            **({} if by_outcome else {"unit": units}),
            **_nested(array.transpose(*dims), by_outcome),
        }
    return {"format": TRUTH_FORMAT, **truth.attrs, "truth": values}


def _nested(array: xr.DataArray, units: dict[str, str]) -> dict[str, Any]:
    first, *rest = (str(dim) for dim in array.dims)
    found: dict[str, Any] = {}
    for position, label in enumerate(array[first].to_numpy()):
        part = array[position]
        inner: Any = _nested(part, units) if rest else _figure(float(part))
        if first == "outcome":
            inner = {"unit": units[label], **(inner if rest else {"value": inner})}
        found[str(label)] = inner
    return found


def _figure(value: float) -> float | None:
    """Round off numerical noise; missing values become null in JSON."""
    return None if np.isnan(value) else float(f"{value:.9g}")


def _is_unchanged_pair(path: Path) -> bool:
    """Return True if both files are a synthetic dataset unchanged since it was written."""
    try:
        content = json.loads(read_bytes(truth_path(path), ResultFolderError, follow=False))
        return bool(
            not path.is_symlink()
            and content["format"] == TRUTH_FORMAT
            and content["file"] == path.name
            and content["file_sha256"] == file_sha256(path)
        )
    except (ResultFolderError, OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def _put_both(moves: tuple[tuple[Path, Path], ...], folder: Path) -> None:
    """Move files into place; if one move fails, restore the previous files."""
    kept = [(place, folder / f"{place.name}{OLD}") for _, place in moves]
    done: list[Path] = []
    try:
        for place, old in kept:
            if place.exists():
                place.rename(old)
        for new, place in moves:
            new.rename(place)
            done.append(place)
    except BaseException:
        for place in done:
            place.unlink()
        for place, old in kept:
            if old.exists():
                old.rename(place)
        raise


def _write_csv(twin: Twin, path: Path) -> None:
    twin.records.frame.to_csv(path, index=False, date_format="%Y-%m-%d", lineterminator="\n")


def _write_parquet(twin: Twin, path: Path) -> None:
    write_parquet(twin.records.frame, path, {"synthetic": _label(twin)})


def _write_stata(twin: Twin, path: Path) -> None:
    frame = twin.records.frame
    labels = {name: COLUMNS[name].label[:STATA_LABEL] for name in frame.columns}
    frame = pd.DataFrame({name: _stata(frame[name]) for name in frame.columns})
    frame.to_stata(
        path,
        write_index=False,
        version=118,
        data_label=_label(twin)[:STATA_LABEL],
        variable_labels=labels,
        convert_dates={"randomised": "td"},
    )


def _stata(values: pd.Series) -> pd.Series:
    """Convert nullable Booleans to numbers with Stata's missing value, and strings to objects."""
    if isinstance(values.dtype, pd.BooleanDtype):
        return values.astype("Int8")
    if isinstance(values.dtype, pd.StringDtype):
        return values.astype(object)
    return values


def _label(twin: Twin) -> str:
    attrs = twin.truth.attrs
    return f"{SYNTHETIC}: spec {attrs['spec']}, seed {attrs['seed']}, n {attrs['n']}"


_WRITERS: dict[str, Callable[[Twin, Path], None]] = {
    ".csv": _write_csv,
    ".parquet": _write_parquet,
    ".dta": _write_stata,
}
