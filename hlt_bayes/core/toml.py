"""Reads TOML into closed, frozen tables: unknown keys are errors, and all errors of a file come at once."""

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

LEAST_POSITIVE = 1e-9
DEEPEST = 30
"""Tables and lists of a file may stand so deep in one another; no spec comes near."""

WHOLE = 2**63
"""Whole numbers beyond it are no TOML, though Python reads them."""

FORMULA = re.compile(r"[=@\t\r]|[-+](?!$|\s*[£$€]?\.?\d[\d.,]*\s*(%|ppt|pp|SD|p)?\**$)")
"""How a text begins that a spreadsheet, opening a table with it, would run; a signed number or a dash is none."""

Positive = Annotated[float, Field(ge=LEAST_POSITIVE, le=1e9)]
Finite = Annotated[float, Field(ge=-1e9, le=1e9)]
Words = Annotated[str, Field(min_length=1)]


REPLACING = {"family", "method", "index"}
"""Keys by which a table replaces the one that it is based on: another family has other parameters, and the years of
two price indices cannot stand in one."""


class Frozen(BaseModel):
    """A table of a file: its keys are closed and it cannot be changed once read."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def read_strict[T: Frozen](
    path: Path,
    table: type[T],
    error: type[HltBayesError],
    *,
    base: Callable[[str, Path], Path] | None = None,
    hashes: dict[str, str] | None = None,
) -> T:
    """Read a TOML file as ``table``; every departure from it is a line of one ``error``, with file and key.

    Where ``base`` is given, a file may say ``based_on = "name"``: it then holds only what differs from the file
    that ``base`` finds by that name and the file that says it, key by key, and ``without = ["key", "table.key"]``
    leaves out keys of that file. ``hashes`` is given the SHA-256 of each file as it was read, by its name.
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
            raise error(f"{path}: key 'based_on': {name!r} given; it must be the name of a spec, or a path")
        other = base(name, seen[-1])
        if other.resolve() in [one.resolve() for one in seen]:
            raise error(f"{path}: key 'based_on': {' is based on '.join(map(str, [*seen, other]))}, in a circle")
        named = f"; key 'based_on' of {seen[-1]} names it: correct that, or put the file there"
        seen.append(other)
        content = _overlaid(_without(read(other, named), without, path, error), content)
    return _validated(content, path, table, error)


def parse_strict[T: Frozen](content: bytes, path: Path, table: type[T], error: type[HltBayesError]) -> T:
    """Parse the bytes of a TOML file, as ``read_strict`` does."""
    return _validated(_toml(content, path, error), path, table, error)


def formula_findings(text: str) -> list[str]:
    """Say of a text that a spreadsheet would run it as a formula, from whichever table it gets into."""
    if not FORMULA.match(text):
        return []
    return [f"{text!r} begins as a formula of a spreadsheet does, and would be run as one; begin it with a letter"]


def read_bytes(path: Path, error: type[HltBayesError], *, what: str = "", allowed: str = "") -> bytes:
    """Read a file; where it cannot be, ``error`` says ``what`` it is, why not, and what is ``allowed`` in its place."""
    try:
        return path.read_bytes()
    except OSError as found:
        raise error(f"{path}: {what}cannot be read ({found.strerror}){allowed}") from found
    except ValueError as found:
        # A name with a character that no path can have.
        raise error(f"{str(path)!r}: {what}cannot be read ({found}){allowed}") from found


def _toml(content: bytes, path: Path, error: type[HltBayesError]) -> dict[str, Any]:
    try:
        parsed = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as found:
        raise error(f"{path}: byte {found.start} is not UTF-8; save the file as UTF-8") from found
    except ValueError as found:
        # TOMLDecodeError is one; a number of thousands of digits is another.
        raise error(f"{path}: not TOML: {found}") from found
    except RecursionError as found:
        raise error(f"{path}: {_TOO_DEEP}") from found
    _refuse_what_no_key_takes(parsed, path, error)
    return parsed


_TOO_DEEP = f"tables or lists stand more than {DEEPEST} deep in one another; no key takes so many: take them apart"


def _refuse_what_no_key_takes(parsed: dict[str, Any], path: Path, error: type[HltBayesError]) -> None:
    """Refuse what could be neither merged nor shown: nesting and numbers without end, and formulas."""
    level: list[tuple[str, Any]] = list(parsed.items())
    for _ in range(DEEPEST):
        for key, value in level:
            if isinstance(value, int) and not -WHOLE <= value < WHOLE:
                raise error(f"{path}: key '{key}': a whole number beyond 64 bits; give one from -2**63 to below 2**63")
            for text in [value] if isinstance(value, str) else value if isinstance(value, dict) else []:
                for finding in formula_findings(text):
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


def _overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Put one table over another, key by key; what names its family or method, or an index, anew replaces it whole."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        whole = not (isinstance(value, dict) and isinstance(old, dict)) or bool(REPLACING & set(value))
        merged[key] = value if whole else _overlaid(old, value)  # type: ignore[arg-type]
    if set(above) - {"unit"} and "why" in below and not any(isinstance(value, dict) for value in above.values()):
        # A figure that moves needs a reason and a source of its own.
        merged = {key: value for key, value in merged.items() if key in above or key not in ("why", "source")}
    return merged


def _without(content: dict[str, Any], keys: object, path: Path, error: type[HltBayesError]) -> dict[str, Any]:
    """Leave ``keys`` out of the file below; a key that is not there is an error."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise error(f"{path}: key 'without': {keys!r} given; it must be a list of keys such as 'priors.tau'")
    content = copy.deepcopy(content)
    for key in keys:
        *tables, last = key.split(".")
        table: Any = content
        for name in tables:
            table = table.get(name, {}) if isinstance(table, dict) else {}
        if not isinstance(table, dict) or last not in table:
            raise error(f"{path}: key 'without': {key!r} is not in the spec that this one is based on")
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
    annotation, keys = _walk(table, location[:-1] if of_key else location)
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
    """Names out of pydantic's list of them: ``'a', 'b' or 'c'``."""
    return [name.strip(" '") for name in expected.replace(" or ", ",").split(",")]


def _walk(annotation: Any, location: tuple[str | int, ...]) -> tuple[Any, list[str]]:  # noqa: ANN401
    """Follow pydantic's location through the types: the type that stands there, and the TOML keys."""
    keys: list[str] = []
    for step in location:
        annotation = _bare(annotation)
        members = [_bare(member) for member in typing.get_args(annotation)]
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
    return _bare(annotation), keys


def _is_table(annotation: Any) -> bool:  # noqa: ANN401
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _bare(annotation: Any) -> Any:  # noqa: ANN401
    """Take what is annotated, and of something that may be left out, what it is where it is not."""
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
