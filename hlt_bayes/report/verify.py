"""Verifies a result folder: its files against its manifest, its parts against each other, and all that follows."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.core.progress import Progress, silent
from hlt_bayes.core.text import printable
from hlt_bayes.display.table import Table
from hlt_bayes.evidence import Evidence
from hlt_bayes.evidence.load import is_embedded
from hlt_bayes.impacts.external_files import read_netcdf
from hlt_bayes.report.write import complete
from hlt_bayes.results.contents import DRAWS, EVIDENCE, MODERATED_DRAWS, OUTPUT_CHECK, PAGE, SPECS
from hlt_bayes.results.findings import AS_WRITTEN, MISSING, file_findings
from hlt_bayes.results.manifest import (
    MANIFEST,
    RECORDS,
    Manifest,
    file_sha256,
    read_manifest,
    unchanged_bytes,
    write_manifest,
)
from hlt_bayes.results.read import DERIVED_GROUPS, Kept, analysis_of, command_of, read_kept, refusing_malformed_draws
from hlt_bayes.results.write import write_result
from hlt_bayes.specs.load import is_shipped

FOLLOWS = "follows from the draws"
DEPARTS = "does not follow from the draws"
GIVEN = "taken as given"
SHIPPED = "that of this package"
RETURNS_FOLLOW = "returns follow; the rest taken as given"
NOT_CHECKED = "not checked"
DOES_NOT_BELONG = "does not belong to this result"

UNKEYED = (
    "holds a hash of the records without a key, which confirms guesses at them; make the result again before it leaves"
)

TOLERANCE = 1e-9
"""Relative difference of two numbers that count as equal: another processor may add in another order."""

ORIGINS = (DRAWS, MODERATED_DRAWS, SPECS, EVIDENCE)
"""Files that all others follow from; the returns in ``DRAWS`` follow too, from the impacts beside them."""

PLAIN = re.compile(r"[-+]?[0-9]+(\.[0-9]+(e[-+]?[0-9]+)?|e[-+]?[0-9]+)")
"""A number that was computed, as tables of this package have it; whole numbers may be names."""


def verify_result(
    folder: str | Path,
    *,
    recompute: bool = False,
    evidence: Evidence | str | Path | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Compare every file of a result folder with its manifest, and the parts of an analysis with each other.

    An analysis has the files that its specs call for, and its specs, evidence and draws name each other by hash.
    Whoever edits a file can edit these hashes too: ``recompute`` makes all tables, figures and the page again from
    draws, specs and evidence, and says whether specs and evidence are those of this package. What remains is false
    draws, or specs and evidence of the sender's own; against these helps a signature on the manifest, or the command
    that draws again.

    Parameters
    ----------
    folder
        A result folder, written by any verb.
    recompute
        Also make again what follows from the draws of an analysis, and compare: numbers in tables to a relative
        difference of 1e-9, everything else exactly.
    evidence
        As in ``hlt_bayes.load_result``.

    Returns
    -------
    DataFrame
        One row per file: ``file``; ``finding``, "as written" or what is wrong; ``again``, with ``recompute`` of an
        analysis "follows from the draws", "does not follow from the draws", "that of this package", "taken as given"
        or "not checked" with the reason, else empty.

    Raises
    ------
    ResultFolderError
        ``folder`` is not a result or cannot be read; or, with ``recompute``, its draws, specs or evidence have changed.
    """
    path, tell = Path(folder), progress or silent
    tell("Reading the result", 0, 0)
    found = file_findings(path)
    again: dict[str, str] = {}
    if recompute:
        kept = read_kept(path, evidence=evidence)
        again = _made_again(path, kept, tell)
        found |= {name: _absent(kept.manifest) for name in again if name not in found}
    elif SPECS in found and all(found.get(name, AS_WRITTEN) == AS_WRITTEN for name in ORIGINS):
        try:
            read_kept(path, evidence=evidence)
        except ResultFolderError as error:
            found[SPECS] = f"{DOES_NOT_BELONG} ({error})"
    if RECORDS in (inputs := read_manifest(path).inputs) and inputs[RECORDS].sha256 is not None:
        found[MANIFEST] = UNKEYED
    rows = [(printable(name, keep=""), finding, again.get(name, "")) for name, finding in found.items()]
    return pd.DataFrame(rows, columns=["file", "finding", "again"])


def _made_again(folder: Path, kept: Kept, progress: Progress) -> dict[str, str]:
    """Make the files of an analysis again in a temporary folder, and compare."""
    manifest = kept.manifest
    with tempfile.TemporaryDirectory(prefix="hlt-bayes.") as name:
        again = Path(name) / "again"
        progress("Making tables and figures again", 0, 0)
        with refusing_malformed_draws(folder, manifest):
            analysis = analysis_of(kept)
            write_result(analysis, again)
            if PAGE in manifest.outputs:
                complete(analysis, again, write_manifest(again, manifest), progress=progress)
        compared = {name: _compared(folder / name, again / name, kept) for name in manifest.outputs}
        more = {path.name for path in again.iterdir()} - {MANIFEST, *compared}
        if manifest.number == 1:
            more -= {EVIDENCE, OUTPUT_CHECK}
        return compared | dict.fromkeys(sorted(more), "")


def _compared(file: Path, again: Path, kept: Kept) -> str:
    if file.name == MODERATED_DRAWS:
        return GIVEN
    if not again.exists():
        return DEPARTS + _or_otherwise(kept.manifest, "made it")
    if not os.path.lexists(file):
        return ""
    content, other = unchanged_bytes(file, kept.manifest), again.read_bytes()
    same = content == other
    if not same and file.suffix == ".csv":
        same = same_table(content, other)
    elif not same and file.name == DRAWS:
        same = _same_returns(kept.draws, read_netcdf(other, "", name=DRAWS))
    if same:
        return _origin(file.name, kept)
    changed = [name for name, number in kept.manifest.versions.items() if name in DRAWN_BY and number != version(name)]
    if file.suffix in PICTURED and changed:
        return f"{NOT_CHECKED}: made with another version of {', '.join(changed)}"
    return DEPARTS + _or_otherwise(kept.manifest, "wrote it otherwise")


def _origin(name: str, kept: Kept) -> str:
    """Return where a file comes from that is the same when made again."""
    if name == SPECS:
        return SHIPPED if all(map(is_shipped, kept.specs.values())) else GIVEN
    if name == EVIDENCE:
        return SHIPPED if is_embedded(kept.evidence.contents) else GIVEN
    return RETURNS_FOLLOW if name == DRAWS else FOLLOWS


def _absent(manifest: Manifest) -> str:
    return MISSING + _or_otherwise(manifest, "did not make it")


def _or_otherwise(manifest: Manifest, did: str) -> str:
    """Return what else may explain a difference, if another version of this package made the result."""
    made_by = manifest.versions.get("hlt-bayes", "")
    return "" if made_by == version("hlt-bayes") else f", or hlt-bayes {made_by} {did}"


PICTURED = (".html", ".png", ".svg")

DRAWN_BY = ("hlt-bayes", "matplotlib", "jinja2", "numpy", "pandas")
"""Packages whose versions a figure or page depends on beyond its numbers."""


def same_table(content: bytes, other: bytes) -> bool:
    """Return True if two CSV files have the same text, and numbers that are equal to ``TOLERANCE``."""
    try:
        first, second = (list(csv.reader(io.StringIO(one.decode("utf-8"), newline=""))) for one in (content, other))
    except (UnicodeDecodeError, csv.Error):
        return False
    if [len(row) for row in first] != [len(row) for row in second]:
        return False
    fields = zip((one for row in first for one in row), (one for row in second for one in row), strict=True)
    return all(one == two or _close(one, two) for one, two in fields)


def _close(one: str, two: str) -> bool:
    if not (PLAIN.fullmatch(one) and PLAIN.fullmatch(two)):
        return False
    return math.isclose(float(one), float(two), rel_tol=TOLERANCE, abs_tol=1e-12)


def _same_returns(first: xr.DataTree, second: xr.DataTree) -> bool:
    """Return True if two trees of draws have the same groups, and derived ones with equal numbers, labels and units."""
    if set(first.children) != set(second.children):
        return False
    pairs = [(first[name].dataset, second[name].dataset) for name in DERIVED_GROUPS if name in first.children]
    return all(_same_dataset(one, two) for one, two in pairs)


def _same_dataset(one: xr.Dataset, two: xr.Dataset) -> bool:
    try:
        xr.testing.assert_allclose(one, two, rtol=TOLERANCE, atol=1e-12)
    except AssertionError:
        return False
    return one.attrs == two.attrs and all(one[name].attrs == two[name].attrs for name in one.variables)


def discrepancies(findings: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``verify_result`` that report a discrepancy; what was not checked is none."""
    return findings[(findings["finding"] != AS_WRITTEN) | findings["again"].str.startswith(DEPARTS)]


def verification_table(findings: pd.DataFrame, folder: Path) -> Table:
    """Table of ``verify_result``, discrepancies first."""
    wrong = discrepancies(findings)
    unchecked = int(findings["again"].str.startswith(NOT_CHECKED).sum())
    shown = pd.concat([wrong, findings.drop(wrong.index)])
    recomputed = (findings["again"] != "").any()
    columns = ["file", "finding", "again"] if recomputed else ["file", "finding"]
    title = f"{folder}: discrepancies: {len(wrong)}" if len(wrong) else f"{folder}: no discrepancies"
    if unchecked:
        title += f"; not checked: {unchecked} of {len(findings)} files"
    return Table(
        title=title,
        columns=("File", "Finding", "Made again")[: len(columns)],
        rows=tuple(shown[columns].itertuples(index=False, name=None)),
        notes=tuple(_notes(findings, folder)),
        frame=shown,
    )


def _notes(findings: pd.DataFrame, folder: Path) -> Iterable[str]:
    yield (
        f"Compared with the hashes in {MANIFEST}, whose own SHA-256 is {file_sha256(folder / MANIFEST)}: keep or sign "
        "this hash elsewhere, to detect changes to the manifest."
    )
    again = findings["again"]
    if not (again != "").any():
        yield "Nothing was made again; --recompute makes tables, figures and page again from the draws."
        return
    made = int(again.str.startswith((FOLLOWS, DEPARTS)).sum())
    unchecked = findings.loc[again.str.startswith(NOT_CHECKED), "file"]
    others = f" Not checked: {', '.join(unchecked)}." if len(unchecked) else ""
    yield (
        f"Made again from the draws, and compared: {made} files.{others} The draws themselves were not sampled again; "
        f"that is: {command_of(read_manifest(folder))}"
    )
