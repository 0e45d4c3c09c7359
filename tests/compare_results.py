"""Compare two result folders, number for number: what did a change move?

    .venv/bin/python tests/compare_results.py BEFORE AFTER

Prints a line for each number, label or file that differs, and ends with exit code 1 where there is one. When, where and
by which versions a result was made is not compared; nor are figures and page, whose numbers are those of the tables.
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

WHEN_AND_WHERE = {"created", "seconds", "versions", "machine", "outputs"}
DRAWN = {".png", ".svg", ".html"}
SHOWN = 20


def differences(before: Path, after: Path) -> Iterator[str]:
    """Say how the files of one folder differ from those of the other."""
    names = {path.relative_to(before) for path in before.rglob("*") if path.is_file()}
    others = {path.relative_to(after) for path in after.rglob("*") if path.is_file()}
    yield from (f"{name}: only before" for name in sorted(names - others))
    yield from (f"{name}: only after" for name in sorted(others - names))
    for name in sorted(names & others):
        one, other = before / name, after / name
        if one.read_bytes() != other.read_bytes():
            found = list(COMPARED.get(name.suffix, text_differences)(one, other))
            yield from (f"{name}: {line}" for line in found[:SHOWN])
            if len(found) > SHOWN:
                yield f"{name}: and {len(found) - SHOWN} more"


def csv_differences(one: Path, other: Path) -> Iterator[str]:
    """Compare tables cell by cell, as text."""
    old, new = (pd.read_csv(path, dtype=str, keep_default_na=False, comment="#") for path in (one, other))
    if list(old) != list(new) or len(old) != len(new):
        yield f"{len(old)} rows of {', '.join(old)}; then {len(new)} of {', '.join(new)}"
        return
    for row, column in np.argwhere((old != new).to_numpy()):
        yield f"row {row + 1}, {old.columns[column]}: {old.iloc[row, column]}; then {new.iloc[row, column]}"


def json_differences(one: Path, other: Path) -> Iterator[str]:
    """Compare what two JSON files say, but when and where a result was made."""
    old, new = (dict(_leaves(json.loads(path.read_text(encoding="utf-8")))) for path in (one, other))
    for key in sorted(old.keys() | new.keys()):
        if key.split(".")[0] not in WHEN_AND_WHERE and not _same(old.get(key), new.get(key)):
            yield f"{key}: {old.get(key)}; then {new.get(key)}"


def _leaves(node: object, key: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(node, dict | list) and node:
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(value, f"{key}.{name}".removeprefix("."))
    else:
        yield key, node


def _same(old: object, new: object) -> bool:
    both_nan = all(isinstance(one, float) and math.isnan(one) for one in (old, new))
    return both_nan or old == new


def netcdf_differences(one: Path, other: Path) -> Iterator[str]:
    """Compare arrays bit for bit, with their labels; attributes but those of versions."""
    old, new = (xr.load_datatree(path, engine="h5netcdf") for path in (one, other))
    yield from (f"group {name}: in one alone" for name in sorted(set(old.groups) ^ set(new.groups)))
    for group in sorted(set(old.groups) & set(new.groups)):
        before, after = old[group].dataset, new[group].dataset
        yield from (f"{group}/{name}: in one alone" for name in sorted(set(map(str, before)) ^ set(map(str, after))))
        for name in sorted(set(map(str, before.variables)) & set(map(str, after.variables))):
            if not before[name].variable.equals(after[name].variable):
                size = ""
                if before[name].shape == after[name].shape and before[name].dtype.kind == "f":
                    size = f" by up to {float(abs(before[name].variable - after[name].variable).max()):.3g}"
                yield f"{group}/{name}: differs{size}"


def text_differences(one: Path, other: Path) -> Iterator[str]:
    """Of any other file say no more than that it differs."""
    yield f"differs ({one.stat().st_size:,} bytes; then {other.stat().st_size:,})"


def nothing(_one: Path, _other: Path) -> Iterator[str]:
    """Let pass what is drawn."""
    return iter(())


COMPARED = {
    ".csv": csv_differences,
    ".json": json_differences,
    ".nc": netcdf_differences,
    **dict.fromkeys(DRAWN, nothing),
}
"""What compares two files, by their ending."""


def main(before: str, after: str) -> int:
    """Print all differences between two folders."""
    found = list(differences(Path(before), Path(after)))
    print("\n".join(found) or f"{after}: every number as in {before}")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
