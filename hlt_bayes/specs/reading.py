"""Finds a spec by name or path and reads it: strict keys, every error of a file in one message."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from hlt_bayes.errors import SpecError, unknown_name
from hlt_bayes.priors import Reasoned
from hlt_bayes.strict import Frozen, Words, read_strict

Kind = Literal["impact", "individual", "economic", "meta", "twin"]


class Spec(Frozen):
    """A named spec; ``fingerprint`` is a hash of its content, whatever the layout of its file."""

    name: Words
    title: Words

    @property
    def fingerprint(self) -> str:
        """SHA-256 of every value of the spec."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_spec[T: Spec](name: str | Path, kind: Kind, table: type[T]) -> T:
    """Read a spec of one kind by name or path, and the specs that it is based on."""
    path = spec_path(name, kind)
    return read_strict(path, table, SpecError, base=lambda other: spec_path(other, kind, beside=path))


def models_folder() -> Path:
    """Folder of the shipped specs: inside an installed wheel, else beside the package in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "_models", package.parent / "models"):
        if folder.is_dir():
            return folder
    raise SpecError(f"{package / '_models'}: the shipped specs are missing; install the package again")


def shipped_specs(kind: Kind) -> dict[str, Path]:
    """Files of the shipped specs of one kind, by name."""
    return {path.stem: path for path in sorted((models_folder() / kind).glob("*.toml"))}


def spec_path(name: str | Path, kind: Kind, *, beside: Path | None = None) -> Path:
    """File of a spec: ``name`` itself where it is a path to a TOML file, else that of the shipped spec.

    A relative path is taken from the folder of the file ``beside``, where that is given.
    """
    if str(name).endswith(".toml"):
        return beside.parent / name if beside else Path(name)
    shipped = shipped_specs(kind)
    if name not in shipped:
        raise SpecError(f"{kind} spec {unknown_name(name, shipped)} (or the path of a .toml file)")
    return shipped[str(name)]


def stated_figures(node: object, key: str = "") -> Iterator[tuple[str, Reasoned]]:
    """Every choice or figure of a spec that states why it is so and where it comes from, by its key."""
    if isinstance(node, Reasoned):
        yield key, node
    if isinstance(node, Frozen):
        for name in type(node).model_fields:
            yield from stated_figures(getattr(node, name), f"{key}.{name}".removeprefix("."))
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from stated_figures(value, f"{key}.{name}")
    elif isinstance(node, list):
        for position, value in enumerate(node, start=1):
            yield from stated_figures(value, f"{key}[{position}]")
