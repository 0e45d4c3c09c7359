"""Reads a result folder again, whole: what it was made from, its draws, and all that follows from them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
import xarray as xr

from hlt_bayes.analysis import Analysis, analyse
from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.evidence import Evidence, load_evidence
from hlt_bayes.impacts.moderation import Moderation, moderation_summary
from hlt_bayes.results.folder import SPECS
from hlt_bayes.results.manifest import read_manifest, unchanged_bytes
from hlt_bayes.specs import EconomicSpec, ImpactSpec, IndividualSpec, Spec

SPEC_CLASSES: dict[str, type[Spec]] = {
    "impact": ImpactSpec,
    "individual": IndividualSpec,
    "moderators": ImpactSpec,
    "economic": EconomicSpec,
    "components": EconomicSpec,
}
"""What a result's specs are, by what each is for."""

DERIVED_GROUPS = ("economics", "appraisal")
"""Groups of draws that follow from the others, and are made of them again."""


def load_result(folder: str | Path, *, evidence: Evidence | str | Path | None = None) -> Analysis:
    """Read a result folder of ``hlt_bayes.write_result``; draws and tables are as they were.

    Parameters
    ----------
    folder
        The folder.
    evidence
        What it was made from, or its path, where that is not the published evidence of the package.

    Raises
    ------
    ResultFolderError
        ``folder`` holds no result of an analysis, or one whose files have changed since; or its evidence is another.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    for name in (SPECS, "posterior.nc"):
        if name not in manifest["outputs"]:
            raise ResultFolderError(f"{path}: has no {name}, so it is not the result of an analysis; give one of run")
    specs = _specs(path, manifest)
    impact_spec = specs["impact"]
    loaded = _evidence(path, manifest, evidence)
    tree = _draws(path / "posterior.nc", manifest)
    for name in DERIVED_GROUPS:
        if name in tree.children:
            del tree[name]
    return analyse(
        tree,
        loaded,
        impact_spec,
        specs.get("economic"),
        seed=manifest["seed"],
        smallest=manifest["settings"]["smallest"],
        moderation=_moderation(path, manifest, specs),
        components=specs.get("components"),
        individual_spec=specs.get("individual"),
    )


def _specs(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Read the specs as they were resolved; a dict of spec classes by kind, which only their names tell apart."""
    content = unchanged_bytes(folder / SPECS, manifest)
    try:
        stated = json.loads(content)
        return {kind: SPEC_CLASSES[kind].model_validate_json(json.dumps(spec)) for kind, spec in stated.items()}
    except (ValueError, KeyError, pydantic.ValidationError) as error:
        raise ResultFolderError(
            f"{folder / SPECS}: its specs are not those of this version of hlt-bayes ({error}); run the analysis again"
        ) from error


def _evidence(folder: Path, manifest: Mapping[str, Any], given: Evidence | str | Path | None) -> Evidence:
    loaded = given if isinstance(given, Evidence) else load_evidence(given)
    made_from = manifest["inputs"]["evidence"]
    if loaded.sha256 != made_from["sha256"]:
        files = ", ".join(made_from["files"]) or "other evidence"
        told = loaded.path if given is not None else "the evidence of this package"
        raise ResultFolderError(
            f"{folder}: was not made from {told} as it is now, but from {files}; give that as its evidence (--evidence)"
        )
    return loaded


def _draws(file: Path, manifest: Mapping[str, Any]) -> xr.DataTree:
    content = unchanged_bytes(file, manifest)
    try:
        return xr.load_datatree(io.BytesIO(content), engine="h5netcdf")
    except (OSError, ValueError) as error:
        raise ResultFolderError(f"{file}: cannot be read as netCDF ({error}); run the analysis again") from error


def _moderation(folder: Path, manifest: Mapping[str, Any], specs: Mapping[str, Any]) -> Moderation | None:
    if "moderators" not in specs:
        return None
    return moderation_summary(_draws(folder / "moderators.nc", manifest), specs["moderators"])
