"""A result folder is written whole or not at all, and only ever replaces one of ours."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from hlt_bayes.errors import ResultFolderError
from hlt_bayes.report.claim import put, refuse_unwritable, sole_writer, written_whole

MANIFEST = "manifest.json"
SPECS = "specs.json"
PAGE = "report.html"
FORMAT = "hlt-bayes result 1"
FILES = frozenset(
    {
        MANIFEST,
        SPECS,
        "posterior.nc",
        "impacts.csv",
        "estimands.csv",
        "moderators.csv",
        "counterfactuals.csv",
        "moderators.nc",
        "returns.csv",
        "appraisal.csv",
        "benefits.csv",
        "walk.csv",
        "comparison.csv",
        "impacts.png",
        "impacts.svg",
        "returns.png",
        "returns.svg",
        "walk.png",
        "walk.svg",
        PAGE,
        "checklists.csv",
        *(f"{name}.csv" for name in ("diagnostics", "audit", "specs", "specs_returns", "power_scaling", "assumptions")),
        *(f"{name}.csv" for name in ("prior_predictive", "posterior_predictive", "tornado")),
        *(f"{name}.csv" for name in ("acceptability", "acceptability_qaly")),
    }
)
"""All that a result of an analysis holds, and its report adds."""

TRIAL_FILES = frozenset(
    {
        MANIFEST,
        "effects.csv",
        "pooled.csv",
        "methods.csv",
        "priors.csv",
        "forest.png",
        "forest.svg",
        "funnel.png",
        "funnel.svg",
    }
)
"""All that a result of the other trials holds."""


CHECK_FILES = frozenset(
    {
        MANIFEST,
        "specs.csv",
        "specs.png",
        "specs.svg",
        "returns.csv",
        "grid.csv",
        "grid.png",
        "grid.svg",
    }
)
"""All that a written check may hold."""

APPRAISAL_FILES = frozenset(
    {
        MANIFEST,
        *(f"{name}.csv" for name in ("returns", "benefits", "prices", "cost_effectiveness", "walk", "volume")),
        *(f"{name}.csv" for name in ("acceptability", "acceptability_qaly", "tornado", "evppi", "trials", "unprinted")),
        *(
            f"{name}.{ending}"
            for name in ("returns", "walk", "volume", "acceptability", "acceptability_qaly", "tornado", "trials")
            for ending in ("png", "svg")
        ),
        *(f"plane_{name}.{ending}" for name in ("jobs", "qalys") for ending in ("png", "svg")),
    }
)
"""All that a written appraisal, or what more evidence is worth to it, may hold."""


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a folder that may not be written, before any work is done.

    Raises
    ------
    ResultFolderError
        ``target`` is something else than a result of ours, holds more than a result of ours, is one but
        ``overwrite`` is False, cannot be read, or lies where nothing can be written.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ResultFolderError(f"{target}: not a folder; give --out a folder that is ours, empty or not there yet")
    try:
        names = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    except OSError as error:
        # Another program may remove it at any moment.
        raise ResultFolderError(
            f"{target}: cannot be read ({error}); see that it is there, and give it again"
        ) from error
    if names:
        foreign = foreign_content(target, names)
        if foreign:
            raise ResultFolderError(
                f"{target}: holds what is not ours ({foreign}), so it is left alone; give --out another folder"
            )
        if not overwrite:
            raise ResultFolderError(
                f"{target}: holds a result already; replace it with --overwrite or give another --out"
            )
    refuse_unwritable(target)


def foreign_content(folder: Path, names: list[str]) -> str:
    """Name something in ``folder``, which holds ``names``, that no result of ours holds; empty where all is ours."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT:
            return MANIFEST
    except (OSError, ValueError, TypeError, KeyError):
        return f"no {MANIFEST} of ours"
    ours = FILES | TRIAL_FILES | CHECK_FILES | APPRAISAL_FILES
    return next((name for name in names if name not in ours or (folder / name).is_dir()), "")


@contextlib.contextmanager
def claimed(target: Path | None, *, overwrite: bool) -> Iterator[None]:
    """Be the ``sole_writer`` of a result folder that passes ``check_target``; without a folder do nothing."""
    with sole_writer(target):
        if target is not None:
            check_target(target, overwrite=overwrite)
        yield


@contextlib.contextmanager
def replacing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a new folder to fill; it becomes ``target`` by rename when all went well, else it vanishes."""
    with claimed(target, overwrite=overwrite), written_whole(target) as work:
        staging = work / target.name
        staging.mkdir()
        yield staging
        check_target(target, overwrite=overwrite)
        put(staging, target)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def output_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a result folder but its manifest, by name; empty of what is no file."""
    return {
        path.name: file_sha256(path) if path.is_file() else ""
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
