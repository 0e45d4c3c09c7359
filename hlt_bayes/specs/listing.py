"""The shipped specs, and what each changes of what it is based on."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pandas as pd

OF_ITSELF = ("based_on", "without", "name", "title")
"""Keys by which a spec says what it is, not what it holds."""


def specs_listing(files: Iterable[tuple[str, Path]]) -> pd.DataFrame:
    """List specs from their kinds and files: ``kind``, ``name``, ``title``, ``based_on``, ``changes``, ``without``.

    ``changes`` are the keys that the file states, to two levels, ``without`` those that it leaves out of what it is
    based on; of a spec that is based on none both are empty.
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
        if name in OF_ITSELF:
            continue
        nested = [key for key, part in value.items() if isinstance(part, dict)] if isinstance(value, dict) else []
        yield from (f"{name}.{key}" for key in nested)
        if not nested:
            yield name
