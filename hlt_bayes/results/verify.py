"""Verifies that a result folder is unchanged and that its tables can be reproduced from its draws."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from hlt_bayes.core.errors import ResultFolderError
from hlt_bayes.display.table import Table
from hlt_bayes.evidence import Evidence
from hlt_bayes.results.manifest import MANIFEST, file_sha256, output_hashes, read_manifest
from hlt_bayes.results.read import load_result
from hlt_bayes.results.write import tables_of

AS_WRITTEN = "as written"
CHANGED = "changed"
MISSING = "missing"
FOREIGN = "not of this result"
FOLLOWS = "follows from the draws"
DEPARTS = "does not follow from the draws"


def verify_result(
    folder: str | Path, *, recompute: bool = False, evidence: Evidence | str | Path | None = None
) -> pd.DataFrame:
    """Compare every file of a result folder with the hashes in its manifest.

    Hashes do not detect a file that was edited together with its hash in the manifest. ``recompute`` derives the tables
    from the draws again, so that an edited table is detected unless the draws were replaced as well.

    Parameters
    ----------
    folder
        A result folder, written by any verb.
    recompute
        Also derive the tables of an analysis from its draws again, and compare them.
    evidence
        As in ``hlt_bayes.load_result``, for ``recompute``.

    Returns
    -------
    DataFrame
        One row per file and finding: ``file``, and ``finding``, "as written", "changed", "missing" or "not of this
        result"; each recomputed table has another row, "follows from the draws" or "does not follow from the draws".

    Raises
    ------
    ResultFolderError
        ``folder`` is not a result or cannot be read; or, with ``recompute``, its draws or specs have changed.
    """
    path = Path(folder)
    told = read_manifest(path)["outputs"]
    try:
        found = output_hashes(path)
    except OSError as error:
        raise ResultFolderError(f"{path}: cannot be read ({error}); give a readable folder") from error
    rows = []
    for name in [*told, *(name for name in found if name not in told)]:
        if name not in found:
            rows.append((name, MISSING))
        elif name not in told:
            rows.append((name, FOREIGN))
        else:
            rows.append((name, AS_WRITTEN if found[name] == told[name] else CHANGED))
    if recompute:
        for name, table in tables_of(load_result(path, evidence=evidence)).items():
            file = f"{name}.csv"
            if file in found:
                again = hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
                rows.append((file, FOLLOWS if again == found[file] else DEPARTS))
    return pd.DataFrame(rows, columns=["file", "finding"])


def discrepancies(findings: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``verify_result`` that report a discrepancy."""
    return findings[~findings["finding"].isin([AS_WRITTEN, FOLLOWS])]


def verification_table(findings: pd.DataFrame, folder: Path) -> Table:
    """Table of ``verify_result``, discrepancies first."""
    wrong = discrepancies(findings)
    shown = pd.concat([wrong, findings.drop(wrong.index)])
    title = f"{folder}: discrepancies: {len(wrong)}" if len(wrong) else f"{folder}: no discrepancies"
    return Table(
        title=title,
        columns=("File", "Finding"),
        rows=tuple(shown.itertuples(index=False, name=None)),
        notes=(
            f"Compared with the hashes in {MANIFEST}, whose own SHA-256 is {file_sha256(folder / MANIFEST)}: keep this "
            "hash elsewhere, to detect changes to the manifest. --recompute derives the tables from the draws again.",
        ),
        frame=shown,
    )
