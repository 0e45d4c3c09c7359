"""Lists specs and how each differs from the spec it is based on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

DESCRIPTIVE_KEYS = ("based_on", "without", "name", "title")
"""Keys that describe a spec rather than its content."""


def specs_listing(files: Iterable[tuple[str, Path]]) -> pd.DataFrame:
    """List specs from their kinds and files: ``kind``, ``name``, ``title``, ``based_on``, ``changes``, ``without``.

    ``changes`` lists the keys that the file states, to two levels; ``without`` lists keys of the base that it drops.
    Both are empty for a spec without a base.
    """
    rows = []
    for kind, path in files:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        base = content.get("based_on", "")
        rows.append(
            {
                "kind": kind,
                "name": content["name"],
                "title": content["title"],
                "based_on": base,
                "changes": ", ".join(_keys(content)) if base else "",
                "without": ", ".join(content.get("without", [])),
            }
        )
    return pd.DataFrame(rows)


def _keys(content: Mapping[str, object]) -> Iterator[str]:
    for name, value in content.items():
        if name in DESCRIPTIVE_KEYS:
            continue
        nested = [key for key, part in value.items() if isinstance(part, dict)] if isinstance(value, dict) else []
        yield from (f"{name}.{key}" for key in nested)
        if not nested:
            yield name
