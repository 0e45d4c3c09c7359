"""Loads a result folder: its specs, evidence and draws, with all derived quantities recomputed."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import pydantic
import pydantic_core
import xarray as xr

from hlt_bayes.analysis import Analysis, analyse
from hlt_bayes.core.errors import EvidenceError, ImpactError, ResultFolderError
from hlt_bayes.core.strict_json import validated_json
from hlt_bayes.evidence import Evidence, load_evidence
from hlt_bayes.evidence.kept import evidence_from_json
from hlt_bayes.impacts.draws import impact_draws
from hlt_bayes.impacts.external_files import read_netcdf
from hlt_bayes.impacts.moderation import moderation_summary
from hlt_bayes.inference.fit import Engine
from hlt_bayes.likelihood import reported_results
from hlt_bayes.results.contents import DRAWS, EVIDENCE, MODERATED_DRAWS, SPECS
from hlt_bayes.results.manifest import RECORDS, Input, Manifest, read_manifest, unchanged_bytes
from hlt_bayes.specs import EconomicSpec, ImpactSpec, IndividualSpec, Spec

SPEC_CLASSES: dict[str, type[Spec]] = {
    "impact": ImpactSpec,
    "individual": IndividualSpec,
    "moderators": ImpactSpec,
    "economic": EconomicSpec,
    "components": EconomicSpec,
}
"""Class of each spec of a result, by its role."""

_STATED = pydantic.TypeAdapter(dict[Literal["impact", "individual", "moderators", "economic", "components"], Any])

PUBLISHED = "reported"
"""Group of the published results that draws were fitted to."""

DERIVED_GROUPS = ("economics", "appraisal")
"""Groups of derived draws, which are recomputed on loading."""


class Kept(NamedTuple):
    """What a result folder keeps to be computed again: its manifest, specs by role, evidence and draws.

    ``draws`` are those of the analysis and, if it has them, of the moderators, as they are in their files.
    """

    manifest: Manifest
    specs: Mapping[str, Any]
    evidence: Evidence
    draws: xr.DataTree
    moderated: xr.DataTree | None


def load_result(folder: str | Path, *, evidence: Evidence | str | Path | None = None) -> Analysis:
    """Load a result folder written by ``hlt_bayes.write_result``, with the same draws and tables.

    Parameters
    ----------
    folder
        The result folder.
    evidence
        Only for a folder of version 0.1.0, which does not keep it: the evidence it was fitted to, or its path, if
        that is not the published evidence of the package.

    Raises
    ------
    ResultFolderError
        ``folder`` contains no analysis result; its files have changed, or do not belong together; or it was fitted to
        other evidence.
    """
    kept = read_kept(Path(folder), evidence=evidence)
    with refusing_malformed_draws(Path(folder), kept.manifest):
        return analysis_of(kept)


@contextlib.contextmanager
def refusing_malformed_draws(folder: Path, manifest: Manifest) -> Iterator[None]:
    """Turn what computing with a stranger's draws may raise into one line; the cause is kept.

    Raises
    ------
    ResultFolderError
        A group, variable or label in the draws is not what this package writes.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ResultFolderError(
            f"{folder}: its draws do not have the form of a result ({why[:300]}); make the result again: "
            f"{command_of(manifest)}"
        ) from error


def read_kept(folder: Path, *, evidence: Evidence | str | Path | None = None) -> Kept:
    """Read what a result folder keeps, and check that its parts were made from each other; see ``load_result``."""
    manifest = read_manifest(folder)
    for name in (SPECS, DRAWS):
        if name not in manifest.outputs:
            raise ResultFolderError(
                f"{folder}: not an analysis result (no {name}); give a folder written by hlt-bayes run"
            )
    specs = _specs(folder, manifest)
    loaded = _evidence(folder, manifest, evidence)
    draws = _draws(folder / DRAWS, manifest)
    moderated = _draws(folder / MODERATED_DRAWS, manifest) if "moderators" in specs else None
    fitted = specs.get("individual", specs["impact"])
    _check_origin(folder / DRAWS, draws, fitted, loaded)
    _check_making(folder / DRAWS, draws, manifest)
    if moderated is not None:
        _check_origin(folder / MODERATED_DRAWS, moderated, specs["moderators"], loaded)
    return Kept(manifest, specs, loaded, draws, moderated)


def analysis_of(kept: Kept) -> Analysis:
    """Compute everything that follows from what a result folder keeps."""
    tree, specs, manifest = kept.draws.copy(), kept.specs, kept.manifest
    for name in DERIVED_GROUPS:
        if name in tree.children:
            del tree[name]
    moderation = None if kept.moderated is None else moderation_summary(kept.moderated, specs["moderators"])
    return analyse(
        tree,
        kept.evidence,
        specs["impact"],
        specs.get("economic"),
        seed=manifest.seed,
        smallest=manifest.settings.smallest if manifest.settings else {},
        moderation=moderation,
        components=specs.get("components"),
        individual_spec=specs.get("individual"),
    )


def _specs(folder: Path, manifest: Manifest) -> dict[str, Any]:
    """Read the resolved specs by role; untyped, as the class depends on the role."""
    file = folder / SPECS
    content = unchanged_bytes(file, manifest)
    try:
        stated = validated_json(content, _STATED.validate_json)
        specs: dict[str, Any] = {
            role: validated_json(pydantic_core.to_json(spec), SPEC_CLASSES[role].model_validate_json)
            for role, spec in stated.items()
        }
    except ValueError as error:
        raise ResultFolderError(
            f"{file}: not specs of this version of hlt-bayes ({error}); make the result again: {command_of(manifest)}"
        ) from error
    if "impact" not in specs:
        raise ResultFolderError(f"{file}: has no spec 'impact'; give the folder as it was written")
    for role, spec in specs.items():
        used = manifest.inputs.get(f"{role} spec")
        if used is None or used.sha256 != spec.fingerprint or used.name not in (None, spec.name):
            raise ResultFolderError(
                f"{file}: its {role} spec is not the one that the manifest names; make the result again: "
                f"{command_of(manifest)}"
            )
    absent = [name for name in manifest.inputs if name.endswith(" spec") and name.removesuffix(" spec") not in specs]
    if absent:
        raise ResultFolderError(f"{file}: has no {absent[0]}, which the manifest names; give the folder as written")
    return specs


def _evidence(folder: Path, manifest: Manifest, given: Evidence | str | Path | None) -> Evidence:
    made_from = manifest.inputs.get("evidence")
    if made_from is None:
        raise ResultFolderError(f"{folder}: its manifest names no evidence; give the folder as written")
    kept = EVIDENCE in manifest.outputs
    if given is not None:
        loaded = given if isinstance(given, Evidence) else load_evidence(given)
    elif kept:
        try:
            loaded = evidence_from_json(unchanged_bytes(folder / EVIDENCE, manifest), folder / EVIDENCE)
        except EvidenceError as error:
            raise ResultFolderError(f"{error}; make the result again: {command_of(manifest)}") from error
    else:
        loaded = load_evidence()
    own = given is None and kept
    if loaded.sha256 == made_from.sha256 and (not own or loaded.files == made_from.files):
        return loaded
    if own:
        raise ResultFolderError(
            f"{folder / EVIDENCE}: is not the evidence that the manifest names; make the result again: "
            f"{command_of(manifest)}"
        )
    files = ", ".join(made_from.files) or "other evidence"
    told = loaded.path if given is not None else "the evidence of this package"
    raise ResultFolderError(
        f"{folder}: was fitted to {files}, not to the current version of {told}; give the original evidence "
        f"(--evidence), or make the result again: {command_of(manifest)}"
    )


def _draws(file: Path, manifest: Manifest) -> xr.DataTree:
    try:
        return read_netcdf(unchanged_bytes(file, manifest), "make the result again", name=str(file), strict=True)
    except ImpactError as error:
        raise ResultFolderError(f"{error} ({command_of(manifest)})") from error


def _check_origin(file: Path, draws: xr.DataTree, spec: Spec, evidence: Evidence) -> None:
    """Raise if draws that name the spec or evidence behind them name others, or keep other published data.

    Those made elsewhere name none.
    """
    try:
        attrs = impact_draws(draws).attrs
    except ImpactError as error:
        raise ResultFolderError(f"{file}: {error}") from error
    named = {"spec": ("spec", spec.name), "spec_sha256": ("spec", spec.fingerprint)}
    named["evidence_sha256"] = ("evidence", evidence.sha256)
    for key, (what, expected) in named.items():
        if attrs.get(key, expected) != expected:
            raise ResultFolderError(
                f"{file}: its draws were made from another {what} than the one in this folder; give the folder as it "
                "was written"
            )
    if isinstance(spec, ImpactSpec) and PUBLISHED in draws.children:
        try:
            xr.testing.assert_allclose(
                draws[PUBLISHED].to_dataset(), reported_results(evidence, spec), rtol=1e-9, atol=1e-12
            )
        except AssertionError as error:
            raise ResultFolderError(
                f"{file}: its group {PUBLISHED!r}, the published results, is not that of the evidence; give the folder "
                "as it was written"
            ) from error


def _check_making(file: Path, draws: xr.DataTree, manifest: Manifest) -> None:
    """Raise if draws and manifest differ on the records or the engine that draws were made with."""
    attrs = draws["posterior"]["impact"].attrs
    records = manifest.inputs.get(RECORDS)
    stated = {
        "records_sha256": records.sha256 if records else None,
        "records_hmac_sha256": records.hmac_sha256 if records else None,
    }
    if manifest.number > 1:
        stated["engine"] = manifest.settings.engine if manifest.settings else None
    for key, expected in stated.items():
        found = attrs.get(key)
        if (None if found is None else str(found)) != expected:
            raise ResultFolderError(
                f"{file}: its {key} is not the one that the manifest names; give the folder as it was written"
            )


OPTIONS = {"moderators": "--moderators", "economic": "--economics", "components": "--components"}


def command_of(manifest: Manifest) -> str:
    """Command that makes an analysis again, from files of these names where they are not shipped."""
    specs = {name.removesuffix(" spec"): one for name, one in manifest.inputs.items() if name.endswith(" spec")}
    words = ["hlt-bayes", "run"]
    fitted = specs.get("individual", specs.get("impact"))
    if fitted is not None:
        words += ["--spec", _stated_name(fitted)]
    for role, option in OPTIONS.items():
        if role in specs:
            words += [option, _stated_name(specs[role])]
        elif role != "economic":
            words += [option, "none"]
    evidence = manifest.inputs.get("evidence")
    if RECORDS in manifest.inputs:
        words += ["--records", "RECORDS"]
    elif evidence is not None and evidence.sha256 != load_evidence().sha256:
        own = "EVIDENCE" if "sources.toml" in evidence.files else next(iter(evidence.files), "EVIDENCE.csv")
        words += ["--evidence", own]
    engine = manifest.settings.engine if manifest.settings else None
    if engine is not None and engine in get_args(Engine):
        words += ["--engine", engine]
    words += ["--seed", str(manifest.seed)]
    for name, value in (manifest.settings.smallest if manifest.settings else {}).items():
        words += ["--smallest", f"{name}={value:g}"]
    return shlex.join(words)


def _stated_name(used: Input) -> str:
    """Name of a spec, or the file that it was read from if that has another name."""
    file = next(iter(used.files), "")
    return used.name if used.name and file in ("", f"{used.name}.toml") else file or "SPEC.toml"
