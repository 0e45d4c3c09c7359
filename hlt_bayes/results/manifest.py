"""The manifest of a result folder: date, software versions, inputs, and the SHA-256 of each file."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hlt_bayes.core.errors import ResultFolderError

MANIFEST = "manifest.json"
FORMAT = "hlt-bayes result 1"
PACKAGES = ("hlt-bayes", "pymc", "pytensor", "nutpie", "numba", "arviz-stats", "numpy", "pandas", "xarray", "h5netcdf")


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a result folder except its manifest, by name; empty for anything that is not a file."""
    return {
        path.name: file_sha256(path) if path.is_file() else ""
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the manifest of a result folder.

    Raises
    ------
    ResultFolderError
        It is missing or invalid.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        valid = manifest["format"] == FORMAT and {"inputs", "seed"} <= set(manifest)
        valid = valid and isinstance(manifest["outputs"], dict)
    except (OSError, ValueError, TypeError, KeyError):
        valid = False
    if not valid:
        raise ResultFolderError(f"{folder}: not an hlt-bayes result (no valid {MANIFEST}); give the folder of a result")
    return manifest


def unchanged_bytes(file: Path, manifest: Mapping[str, Any]) -> bytes:
    """Read a file of a result once, so that the content used is the content checked.

    Raises
    ------
    ResultFolderError
        It is missing, or its hash differs from the manifest.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ResultFolderError(
            f"{file}: missing, or cannot be read ({error.strerror}); run the analysis again"
        ) from error
    if hashlib.sha256(content).hexdigest() != manifest["outputs"].get(file.name):
        raise ResultFolderError(f"{file}: changed since it was written; run the analysis again")
    return content


def made_now(
    *,
    seed: int,
    inputs: Mapping[str, object],
    seconds: Mapping[str, float] | None = None,
    settings: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return the manifest entries on the date, software, machine and inputs of a result."""
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "machine": {"system": platform.platform(), "processors": os.cpu_count()},
        "inputs": inputs,
        **({} if settings is None else {"settings": settings}),
        **({} if seconds is None else {"seconds": {stage: round(taken, 2) for stage, taken in seconds.items()}}),
    }


def write_manifest(folder: Path, made: Mapping[str, Any]) -> None:
    """Write the entries of ``made_now`` and the hashes of all files now in the folder."""
    text = json.dumps({**made, "outputs": output_hashes(folder)}, indent=2)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
