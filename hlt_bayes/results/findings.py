"""Verifies that the files of a result folder are those that were written, and belong together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.results.contents import EVIDENCE, OUTPUT_CHECK, PAGE, allowed_files, required_files
from hlt_bayes.results.manifest import MANIFEST, Manifest, output_hashes, read_manifest

AS_WRITTEN = "as written"
CHANGED = "changed"
MISSING = "missing"
FOREIGN = "not of this result"


def file_findings(folder: Path) -> dict[str, str]:
    """Compare the files of a result folder with its manifest, and those of an analysis with what an analysis has.

    Raises
    ------
    ResultFolderError
        ``folder`` is not a result or cannot be read.
    """
    manifest = read_manifest(folder)
    told = manifest.outputs
    expected, allowed = _names_of_kind(manifest)
    try:
        found = output_hashes(folder, of={*told, *expected})
    except OSError as error:
        raise ResultFolderError(f"{folder}: cannot be read ({error}); give a readable folder") from error
    names = dict.fromkeys([*told, *sorted(expected), *found])
    return {name: _finding(name, told, found, expected, allowed) for name in names}


def _finding(
    name: str, told: Mapping[str, str], found: Mapping[str, str], expected: set[str], allowed: set[str]
) -> str:
    if name not in found:
        return MISSING
    if name not in allowed:
        return FOREIGN
    if name not in told:
        return f"not in {MANIFEST}" if name in expected else FOREIGN
    if len(found[name]) != len(told[name]):
        return f"{CHANGED}: {found[name]}"
    return AS_WRITTEN if found[name] == told[name] else CHANGED


def _names_of_kind(manifest: Manifest) -> tuple[set[str], set[str]]:
    """Files that a result of this kind must and may have; those of a check are any that its manifest lists."""
    if not manifest.is_analysis:
        return set(), set(manifest.outputs)
    roles = [name.removesuffix(" spec") for name in manifest.inputs if name.endswith(" spec")]
    reported = PAGE in manifest.outputs
    required = required_files(roles, reported=reported)
    later = {EVIDENCE, OUTPUT_CHECK} if manifest.number == 1 else set()
    return required - later, allowed_files(roles, reported=reported)
