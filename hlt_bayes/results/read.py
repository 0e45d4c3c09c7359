"""Loads a result folder: its specs, evidence and draws, with all derived quantities recomputed."""

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
"""Class of each spec of a result, by its role."""

DERIVED_GROUPS = ("economics", "appraisal")
"""Groups of derived draws, which are recomputed on loading."""


def load_result(folder: str | Path, *, evidence: Evidence | str | Path | None = None) -> Analysis:
    """Load a result folder written by ``hlt_bayes.write_result``, with the same draws and tables.

    Parameters
    ----------
    folder
        The result folder.
    evidence
        The evidence it was fitted to, or its path, if that is not the published evidence of the package.

    Raises
    ------
    ResultFolderError
        ``folder`` contains no analysis result; its files have changed; or it was fitted to other evidence.
    """
    path = Path(folder)
    manifest = read_manifest(path)
    for name in (SPECS, "posterior.nc"):
        if name not in manifest["outputs"]:
            raise ResultFolderError(
                f"{path}: not an analysis result (no {name}); give a folder written by hlt-bayes run"
            )
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
    """Read the resolved specs by role; untyped, as the class depends on the role."""
    content = unchanged_bytes(folder / SPECS, manifest)
    try:
        stated = json.loads(content)
        return {kind: SPEC_CLASSES[kind].model_validate_json(json.dumps(spec)) for kind, spec in stated.items()}
    except (ValueError, KeyError, pydantic.ValidationError) as error:
        raise ResultFolderError(
            f"{folder / SPECS}: specs incompatible with this version of hlt-bayes ({error}); run the analysis again"
        ) from error


def _evidence(folder: Path, manifest: Mapping[str, Any], given: Evidence | str | Path | None) -> Evidence:
    loaded = given if isinstance(given, Evidence) else load_evidence(given)
    made_from = manifest["inputs"]["evidence"]
    if loaded.sha256 != made_from["sha256"]:
        files = ", ".join(made_from["files"]) or "other evidence"
        told = loaded.path if given is not None else "the evidence of this package"
        raise ResultFolderError(
            f"{folder}: was fitted to {files}, not to the current version of {told}; give the original evidence "
            "(--evidence)"
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
