"""JSON of unknown origin: validated, and each key once, as readers differ in which of two they take."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pydantic


def validated_json[T](content: bytes, validate: Callable[[bytes], T]) -> T:
    """Validate JSON by a method of pydantic.

    Raises
    ------
    ValueError
        It is not valid, or has a key twice; the message says where, in one line.
    """
    try:
        found = validate(content)
    except pydantic.ValidationError as error:
        raise ValueError(_first_problem(error)) from error
    json.loads(content, object_pairs_hook=_unique)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {twice!r} occurs more than once")
    return found


def _first_problem(error: pydantic.ValidationError) -> str:
    """Say where JSON is not what it should be, and how many more such places there are."""
    first, *others = error.errors()
    place = f"key '{'.'.join(map(str, first['loc']))}': " if first["loc"] else ""
    more = f", and {len(others)} more" if others else ""
    return f"{place}{first['msg'][0].lower()}{first['msg'][1:]}{more}"
