"""The manifest of a result folder: date, software versions, inputs, and the SHA-256 of each file."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import stat
from collections.abc import Container, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, get_args

import pydantic
from pydantic import AfterValidator, Field, StringConstraints

from hlt_bayes.core.errors import ResultFolderError, unknown_name
from hlt_bayes.core.files import LARGEST_DRAWS, MEGABYTE, kind_of, open_regular, read_bytes, too_large
from hlt_bayes.core.strict_json import validated_json
from hlt_bayes.core.text import text_findings
from hlt_bayes.core.toml import Frozen
from hlt_bayes.results.contents import DRAWS, SPECS

MANIFEST = "manifest.json"
LARGEST_MANIFEST, LARGEST_TABLE = MEGABYTE, 100 * MEGABYTE
"""Largest manifest, and largest other file but draws, that is read."""

MOST_FILES = 1000
"""Most files of a folder that is looked at, far more than any result has."""

FORMAT = 2
PACKAGES = (
    *("hlt-bayes", "pymc", "pytensor", "nutpie", "numba", "arviz-stats", "numpy", "scipy", "pandas", "xarray"),
    *("h5netcdf", "matplotlib", "jinja2"),
)

ROLES = ("impact", "individual", "moderators", "economic", "components", "meta")
"""Roles of the specs that a result is made from."""

RECORDS = "records"
INPUTS = ("evidence", RECORDS, *(f"{role} spec" for role in ROLES))

Kind = Literal["analysis", "check", "trials"]
"""What a result folder holds: an analysis, the tables of a check, or the pooled other trials."""


def _clean(text: str) -> str:
    for finding in text_findings(text):
        raise ValueError(finding)
    return text


Line = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_clean)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.(csv|html|json|nc|png|svg)$")]
"""Name of a file of a result: in its folder, and of a kind that this package writes."""


class Machine(Frozen):
    """Where a result was made."""

    system: Line
    processors: int | None = None


class Input(Frozen):
    """What a result was made from: its name and files as far as it has any, and the hash of its content.

    Of records, only version 0.1.0 wrote a hash, which confirms guesses; now it is an HMAC under the key of the records,
    if they have one.
    """

    sha256: Sha256 | None = None
    hmac_sha256: Sha256 | None = None
    name: Line | None = None
    files: dict[Line, Sha256] = Field(default_factory=dict, exclude_if=lambda files: not files)


class Settings(Frozen):
    """Settings of an analysis that no spec states: smallest effects of interest by outcome, and the engine used."""

    smallest: dict[Line, Annotated[float, Field(allow_inf_nan=False)]]
    engine: Line | None = None


class Manifest(Frozen):
    """What ``manifest.json`` states; format 1, of version 0.1.0, has no ``kind``."""

    format: Annotated[str, StringConstraints(pattern=rf"^hlt-bayes result [1-{FORMAT}]$")]
    kind: Kind | None = None
    created: Line
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    versions: dict[Line, Line]
    machine: Machine
    inputs: dict[Line, Input]
    settings: Settings | None = None
    seconds: dict[Line, Annotated[float, Field(allow_inf_nan=False)]] | None = None
    outputs: dict[FileName, Sha256] = Field(default_factory=dict)

    @pydantic.model_validator(mode="after")
    def _says_what_it_is(self) -> Manifest:
        if (self.kind is None) != (self.number == 1):
            raise ValueError(f"key 'kind' belongs to format 2; allowed: {', '.join(get_args(Kind))}")
        foreign = [name for name in self.inputs if name not in INPUTS]
        if self.is_analysis and foreign:
            raise ValueError(f"key 'inputs': {unknown_name(foreign[0], INPUTS)}")
        for name, used in self.inputs.items():
            if name != RECORDS and (used.sha256 is None or used.hmac_sha256 is not None):
                raise ValueError(f"key 'inputs.{name}': 'sha256' is needed, and 'hmac_sha256' is for records only")
        return self

    @property
    def is_analysis(self) -> bool:
        """Whether the folder has an analysis, whatever it says: one with specs or draws is never a mere check."""
        return self.kind == "analysis" or SPECS in self.outputs or DRAWS in self.outputs

    @property
    def number(self) -> int:
        """Number of the format."""
        return int(self.format.rsplit(" ", 1)[1])


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a result folder.

    Raises
    ------
    ResultFolderError
        It is missing, invalid, or of a later version.
    """
    file = folder / MANIFEST
    if not os.path.lexists(file):
        raise ResultFolderError(f"{folder}: not an hlt-bayes result (no {MANIFEST}); give the folder of a result")
    content = read_bytes(file, ResultFolderError, follow=False, largest=LARGEST_MANIFEST)
    later = re.search(rb'"format"\s*:\s*"hlt-bayes result (\d{1,9})"', content)
    if later and int(later[1]) > FORMAT:
        raise ResultFolderError(
            f"{folder}: written by a newer version of hlt-bayes (format {int(later[1])}; this version reads up to "
            f"{FORMAT}); update hlt-bayes"
        )
    try:
        return validated_json(content, Manifest.model_validate_json)
    except ValueError as error:
        raise ResultFolderError(
            f"{folder}: not an hlt-bayes result (no valid {MANIFEST}: {error}); give the folder of a "
            "result, as it was written"
        ) from error


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; a link is not followed."""
    with open_regular(path, follow=False) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_hashes(folder: Path, *, of: Container[str] | None = None) -> dict[str, str]:
    """SHA-256 of the files of a result folder except its manifest, by name; of anything else, what it is.

    Only files in ``of`` are read, if given; others have an empty hash.

    Raises
    ------
    ResultFolderError
        It has more files than any result.
    """
    paths = sorted(islice(folder.iterdir(), MOST_FILES + 1))
    if len(paths) > MOST_FILES:
        raise ResultFolderError(f"{folder}: has more than {MOST_FILES:,} files; give the folder of a result")
    return {path.name: _hash(path) if of is None or path.name in of else "" for path in paths if path.name != MANIFEST}


def _hash(path: Path) -> str:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return f"it is {kind_of(found.st_mode)}"
    largest = _largest(path.name)
    return file_sha256(path) if found.st_size <= largest else f"it {too_large(found.st_size, largest)}"


def _largest(name: str) -> int:
    return LARGEST_DRAWS if name.endswith(".nc") else LARGEST_TABLE


def unchanged_bytes(file: Path, manifest: Manifest) -> bytes:
    """Read a file of a result once, so that the content used is the content checked.

    Raises
    ------
    ResultFolderError
        It is missing, a link, or its hash differs from the manifest.
    """
    if not os.path.lexists(file):
        raise ResultFolderError(f"{file}: missing; run the analysis again")
    again = "; run the analysis again"
    content = read_bytes(file, ResultFolderError, allowed=again, follow=False, largest=_largest(file.name))
    if hashlib.sha256(content).hexdigest() != manifest.outputs.get(file.name):
        raise ResultFolderError(f"{file}: changed since it was written; run the analysis again")
    return content


def made_now(
    kind: Kind,
    *,
    seed: int,
    inputs: Mapping[str, Input],
    seconds: Mapping[str, float] | None = None,
    settings: Settings | None = None,
) -> Manifest:
    """Return a manifest without outputs, with the date, software, machine and inputs of a result."""
    return Manifest(
        format=f"hlt-bayes result {FORMAT}",
        kind=kind,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seed=seed,
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        machine=Machine(system=platform.platform(), processors=os.cpu_count()),
        inputs=dict(inputs),
        settings=settings,
        seconds=None if seconds is None else {stage: round(taken, 2) for stage, taken in seconds.items()},
    )


def write_manifest(folder: Path, made: Manifest) -> Manifest:
    """Write a manifest with the hashes of all files now in the folder, and return it."""
    manifest = made.model_copy(update={"outputs": output_hashes(folder)})
    text = manifest.model_dump_json(indent=2, exclude_none=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    return manifest
