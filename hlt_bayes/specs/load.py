"""Finds a spec by name or path and reads it: strict keys, every error of a file in one message."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import PrivateAttr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.toml import Frozen, Words, read_strict
from hlt_bayes.specs.priors import Reasoned

SpecKind = Literal["impact", "individual", "economic", "meta", "twin"]


class Spec(Frozen):
    """A named spec; ``fingerprint`` is a hash of its content, whatever the layout of its file.

    Two are equal where their content is, whichever ``files`` they were read from.
    """

    name: Words
    title: Words
    _files: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 of each file that it was read from, those it is based on included, by name; none if it was made."""
        return dict(self._files)

    def __eq__(self, other: object) -> bool:
        """Compare what is stated."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        """Hash what is stated."""
        return hash(self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of every value of the spec."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_spec[T: Spec](name: str | Path, kind: SpecKind, table: type[T]) -> T:
    """Read a spec of one kind by name or path, and the specs that it is based on."""
    path = spec_path(name, kind)
    hashes: dict[str, str] = {}
    spec = read_strict(
        path, table, SpecError, base=lambda other, beside: spec_path(other, kind, beside=beside), hashes=hashes
    )
    spec._files.update(hashes)
    return spec


def models_folder() -> Path:
    """Folder of the shipped specs: inside an installed wheel, else beside the package in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "_models", package.parent / "models"):
        if folder.is_dir():
            return folder
    raise SpecError(f"{package / '_models'}: the shipped specs are missing; install the package again")


def shipped_specs(kind: SpecKind) -> dict[str, Path]:
    """Files of the shipped specs of one kind, by name."""
    return {path.stem: path for path in sorted((models_folder() / kind).glob("*.toml"))}


def spec_path(name: str | Path, kind: SpecKind, *, beside: Path | None = None) -> Path:
    """File of a spec: ``name`` itself where it is a path to a TOML file, else that of the shipped spec.

    Where a file says it, that is ``beside``: a path is then taken from its folder, and must not lead out of it.
    """
    said = f"{beside}: key 'based_on': " if beside else ""
    if str(name).endswith(".toml"):
        return _below(beside.parent, name, said) if beside else Path(name)
    shipped = shipped_specs(kind)
    if name not in shipped:
        raise SpecError(f"{said}{kind} spec {unknown_name(name, shipped)} (or the path of a .toml file)")
    return shipped[str(name)]


def _below(folder: Path, name: str | Path, said: str) -> Path:
    """Join a path to the folder of the file that names it, which need not be trusted with others."""
    path = folder / name
    try:
        inside = not Path(name).is_absolute() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        # A circle of links, or a character that no path can have.
        raise SpecError(f"{said}{str(name)!r} is no path of a file ({error})") from error
    if not inside:
        raise SpecError(
            f"{said}{str(name)!r} lies outside the folder of this file; it may name a shipped spec, or a .toml file in "
            "that folder or below: copy the other file there"
        )
    return path


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
