"""Finds a spec by name or path and reads it with strict keys; one message lists every error of a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import PrivateAttr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.toml import Frozen, Words, read_strict
from hlt_bayes.specs.priors import Reasoned

SpecKind = Literal["impact", "individual", "economic", "meta", "twin"]


class Spec(Frozen):
    """A named spec; ``fingerprint`` is a hash of its content, independent of the layout of its file.

    Specs are equal if their content is, whichever ``files`` they were read from.
    """

    kind: ClassVar[SpecKind]

    name: Words
    title: Words
    _files: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """SHA-256 by name of each file read, including those that it is based on; empty if not read from a file."""
        return dict(self._files)

    def __eq__(self, other: object) -> bool:
        """Compare type and content."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        """Hash the content."""
        return hash(self.fingerprint)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of every value of the spec."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def read_spec[T: Spec](name: str | Path, table: type[T]) -> T:
    """Read a spec of one kind by name or path, and the specs that it is based on."""
    path = spec_path(name, table.kind)
    hashes: dict[str, str] = {}
    spec = read_strict(
        path, table, SpecError, base=lambda other, beside: spec_path(other, table.kind, beside=beside), hashes=hashes
    )
    spec._files.update(hashes)
    return spec


def models_folder() -> Path:
    """Folder of the shipped specs: in an installed wheel, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    for folder in (package / "_models", package.parent / "models"):
        if folder.is_dir():
            return folder
    raise SpecError(f"{package / '_models'}: the shipped specs are missing; reinstall the package")


def shipped_specs(kind: SpecKind) -> dict[str, Path]:
    """Files of the shipped specs of one kind, by name."""
    return {path.stem: path for path in sorted((models_folder() / kind).glob("*.toml"))}


def is_shipped(spec: Spec) -> bool:
    """Return True if a spec has the content of the shipped one of its name."""
    return spec.name in shipped_specs(spec.kind) and read_spec(spec.name, type(spec)) == spec


def spec_path(name: str | Path, kind: SpecKind, *, beside: Path | None = None) -> Path:
    """File of a spec: ``name`` itself if it is the path of a TOML file, else the shipped spec of that name.

    ``beside`` is the file whose key 'based_on' gives ``name``: a path is relative to its folder and must stay in it.
    """
    said = f"{beside}: key 'based_on': " if beside else ""
    if str(name).endswith(".toml"):
        return _below(beside.parent, name, said) if beside else Path(name)
    shipped = shipped_specs(kind)
    if name not in shipped:
        raise SpecError(f"{said}{kind} spec {unknown_name(name, shipped)} (a path must end in .toml)")
    return shipped[str(name)]


def _below(folder: Path, name: str | Path, said: str) -> Path:
    """Join a path to the folder of the file that names it, which may be untrusted; raise if it leaves the folder."""
    path = folder / name
    try:
        inside = not Path(name).is_absolute() and path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        # A symlink loop, or a character that is not allowed in a path.
        raise SpecError(f"{said}{str(name)!r} is not a valid path ({error})") from error
    if not inside:
        raise SpecError(
            f"{said}{str(name)!r} lies outside the folder of this file; name a shipped spec, or copy the other file "
            "into that folder"
        )
    return path


def stated_figures(node: object, key: str = "") -> Iterator[tuple[str, Reasoned]]:
    """Yield every choice or figure of a spec that states a reason and a source, with its key."""
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
