"""Reads TOML into closed, frozen tables: unknown keys are errors, and all errors in a file are reported at once."""

from __future__ import annotations

import copy
import hashlib
import re
import tomllib
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from hlt_bayes.core.errors import HltBayesError, unknown_name
from hlt_bayes.core.files import read_bytes
from hlt_bayes.core.text import composed, text_findings

LEAST_POSITIVE = 1e-9
MAX_DEPTH = 30
"""Maximum nesting of tables and lists in a file; no spec comes near it."""

DEEP_KEY = re.compile(
    r"""(?:^|[\[{,])[ \t]*(?:(?:[A-Za-z0-9_-]{1,99}|"[^"\n]{0,99}"|'[^'\n]{0,99}')[ \t]*\.[ \t]*)"""
    rf"{{{MAX_DEPTH}}}",
    flags=re.MULTILINE,
)
"""A dotted key of more parts, each of which would be a table."""

MAX_BASES = 20
"""Most files that a file is based on, one on the other."""

INTEGER_LIMIT = 2**63
"""TOML integers have 64 bits, although Python reads larger ones."""

Positive = Annotated[float, Field(ge=LEAST_POSITIVE, le=1e9)]
Finite = Annotated[float, Field(ge=-1e9, le=1e9)]
Words = Annotated[str, Field(min_length=1)]


REPLACING = {"family", "method", "index"}
"""Keys that make a table replace the one it is based on rather than merge with it: another family has other parameters,
and two price indices must not be mixed."""


class Frozen(BaseModel):
    """A table of a file: unknown keys are errors, and values cannot be changed once read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def read_strict[T: Frozen](
    path: Path,
    table: type[T],
    error: type[HltBayesError],
    *,
    base: Callable[[str, Path], Path] | None = None,
    hashes: dict[str, str] | None = None,
) -> T:
    """Read a TOML file as ``table``; one ``error`` lists every violation on a line with file and key.

    If ``base`` is given, a file may state ``based_on = "name"``. It then holds only the keys that differ from the base
    file, and ``without = ["key", "table.key"]`` drops keys of the base file. ``base(name, file)`` returns the path of
    the base file that ``file`` names. ``hashes`` collects the SHA-256 of each file read, by file name.
    """

    def read(file: Path, allowed: str = "") -> dict[str, Any]:
        content = read_bytes(file, error, allowed=allowed)
        if hashes is not None:
            name = file.name if file.name not in hashes else f"{file.parent.name}/{file.name}"
            hashes[name] = hashlib.sha256(content).hexdigest()
        return _toml(content, file, error)

    content = read(path)
    seen = [path]
    while base is not None and "based_on" in content:
        name, without = content.pop("based_on"), content.pop("without", [])
        if not isinstance(name, str):
            raise error(f"{path}: key 'based_on': {name!r} given; it must be the name of a spec or a path")
        other = base(name, seen[-1])
        if other.resolve() in [one.resolve() for one in seen]:
            raise error(f"{path}: key 'based_on': circular: {' is based on '.join(map(str, [*seen, other]))}")
        named = f"; it is named by key 'based_on' of {seen[-1]}: correct the key or add the file"
        seen.append(other)
        if len(seen) > MAX_BASES:
            raise error(f"{path}: key 'based_on': based on more than {MAX_BASES} files, one on the other: merge them")
        content = _overlaid(_without(read(other, named), without, path, error), content)
    return _validated(content, path, table, error)


def parse_strict[T: Frozen](content: bytes, path: Path, table: type[T], error: type[HltBayesError]) -> T:
    """Parse the bytes of a TOML file, as ``read_strict`` does."""
    return _validated(_toml(content, path, error), path, table, error)


def _toml(content: bytes, path: Path, error: type[HltBayesError]) -> dict[str, Any]:
    try:
        text = content.decode("utf-8-sig")
        if DEEP_KEY.search(text):
            raise error(f"{path}: {_TOO_DEEP}")
        parsed = tomllib.loads(text)
    except UnicodeDecodeError as found:
        raise error(f"{path}: byte {found.start} is not UTF-8; save the file as UTF-8") from found
    except ValueError as found:
        # Either a TOMLDecodeError or a number with thousands of digits.
        raise error(f"{path}: not TOML: {found}") from found
    except RecursionError as found:
        raise error(f"{path}: {_TOO_DEEP}") from found
    _refuse_unusable_values(parsed, path, error)
    tidy: dict[str, Any] = _composed(parsed)
    return tidy


_TOO_DEEP = f"tables or lists nested more than {MAX_DEPTH} deep; no key needs that many levels: flatten them"


def _refuse_unusable_values(parsed: dict[str, Any], path: Path, error: type[HltBayesError]) -> None:
    """Refuse extreme nesting, integers beyond 64 bits, spreadsheet formulas and characters that do not print."""
    level: list[tuple[str, Any]] = list(parsed.items())
    for _ in range(MAX_DEPTH):
        for key, value in level:
            if isinstance(value, int) and not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
                raise error(f"{path}: key '{key}': an integer beyond 64 bits; allowed: -2**63 to 2**63 - 1")
            for text in [value] if isinstance(value, str) else value if isinstance(value, dict) else []:
                for finding in text_findings(text):
                    raise error(f"{path}: key '{key}': {finding}")
        tables = ((key, value) for key, value in level if isinstance(value, dict))
        lists = ((key, value) for key, value in level if isinstance(value, list))
        level = [
            *((f"{key}.{name}", one) for key, table in tables for name, one in table.items()),
            *((f"{key}.{place}", one) for key, values in lists for place, one in enumerate(values)),
        ]
        if not level:
            return
    raise error(f"{path}: {_TOO_DEEP}")


def _composed(value: Any) -> Any:  # noqa: ANN401 - TOML values
    """Value with all its text in one spelling."""
    if isinstance(value, str):
        return composed(value)
    if isinstance(value, list):
        return [_composed(one) for one in value]
    if isinstance(value, dict):
        return {composed(key): _composed(one) for key, one in value.items()}
    return value


def _overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Merge table ``above`` into ``below``, key by key; a sub-table with a key in ``REPLACING`` replaces its base."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        whole = not (isinstance(value, dict) and isinstance(old, dict)) or bool(REPLACING & set(value))
        merged[key] = value if whole else _overlaid(old, value)  # type: ignore[arg-type]
    if set(above) - {"unit"} and "why" in below and not any(isinstance(value, dict) for value in above.values()):
        # A changed figure needs its own reason and source.
        merged = {key: value for key, value in merged.items() if key in above or key not in ("why", "source")}
    return merged


def _without(content: dict[str, Any], keys: object, path: Path, error: type[HltBayesError]) -> dict[str, Any]:
    """Drop ``keys`` from the base file's content; a key that it does not have is an error."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise error(f"{path}: key 'without': {keys!r} given; it must be a list of keys such as 'priors.tau'")
    content = copy.deepcopy(content)
    for key in keys:
        *tables, last = key.split(".")
        table: Any = content
        for name in tables:
            table = table.get(name, {}) if isinstance(table, dict) else {}
        if not isinstance(table, dict) or last not in table:
            raise error(f"{path}: key 'without': {key!r} is not in the spec that this one is based on; remove it")
        del table[last]
    return content


def _validated[T: Frozen](content: dict[str, Any], path: Path, table: type[T], error: type[HltBayesError]) -> T:
    try:
        return table.model_validate(content)
    except pydantic.ValidationError as found:
        lines = [line for one in found.errors() for line in _describe(one, table).splitlines()]
        raise error("\n".join(f"{path}: {line}" for line in lines)) from found


def _describe(found: Any, table: type[Frozen]) -> str:  # noqa: ANN401 - pydantic's own untyped error details
    location, kind = found["loc"], found["type"]
    if not location:
        return str(found["ctx"]["error"])
    of_key = kind == "extra_forbidden" or location[-1] == "[key]"
    annotation, keys = _resolve(table, location[:-1] if of_key else location)
    key = ".".join(keys)
    if kind == "extra_forbidden":
        allowed = annotation.model_fields if _is_table(annotation) else []
        return f"key '{'.'.join([*keys, str(location[-1])])}': {unknown_name(location[-1], allowed)}"
    if kind == "literal_error":
        return f"key '{key}': {unknown_name(found['input'], _names(found['ctx']['expected']))}"
    if kind == "union_tag_invalid":
        tag = found["ctx"]["discriminator"].strip("'")
        return f"key '{key}.{tag}': {unknown_name(found['ctx']['tag'], _names(found['ctx']['expected_tags']))}"
    if kind == "union_tag_not_found":
        return f"key '{key}.{found['ctx']['discriminator'].strip(chr(39))}' is missing"
    if kind == "missing":
        return f"key '{key}' is missing"
    if kind == "greater_than_equal" and found["ctx"]["ge"] == LEAST_POSITIVE:
        return f"key '{key}': {found['input']!r} given; must be above 0"
    given = "a table" if isinstance(found["input"], dict) else repr(found["input"])
    if kind == "value_error":
        return f"key '{key}': {given} given; {found['ctx']['error']}"
    return f"key '{key}': {given} given; {found['msg'][0].lower()}{found['msg'][1:]}"


def _names(expected: str) -> list[str]:
    """Names in pydantic's list ``'a', 'b' or 'c'``."""
    return [name.strip(" '") for name in expected.replace(" or ", ",").split(",")]


def _resolve(annotation: Any, location: tuple[str | int, ...]) -> tuple[Any, list[str]]:  # noqa: ANN401
    """Follow pydantic's location through the type annotations; return the type found there and the TOML keys."""
    keys: list[str] = []
    for step in location:
        annotation = _unwrapped(annotation)
        members = [_unwrapped(member) for member in typing.get_args(annotation)]
        if _is_table(annotation):
            field = annotation.model_fields.get(str(step))
            annotation = field.annotation if field else None
        elif typing.get_origin(annotation) is dict:
            annotation = members[1]
        elif typing.get_origin(annotation) is list:
            annotation = members[0]
        elif any(_is_table(member) for member in members):
            annotation = next(member for member in members if step in _tags(member))
            continue
        keys.append(str(step))
    return _unwrapped(annotation), keys


def _is_table(annotation: Any) -> bool:  # noqa: ANN401
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _unwrapped(annotation: Any) -> Any:  # noqa: ANN401
    """Strip ``Annotated`` and ``| None`` from a type."""
    while True:
        members = typing.get_args(annotation)
        if typing.get_origin(annotation) is Annotated:
            annotation = members[0]
        elif len(members) == 2 and types.NoneType in members:
            annotation = next(member for member in members if member is not types.NoneType)
        else:
            return annotation


def _tags(member: type[BaseModel]) -> set[str]:
    names = (member.model_fields.get(name) for name in ("family", "method"))
    return {tag for field in names if field for tag in typing.get_args(field.annotation)}
