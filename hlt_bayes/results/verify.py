"""Says whether a result folder still is what was written, and whether its tables follow from its draws."""

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

    Who edits a file and its hash in the manifest as well is not found out by hashes; ``recompute`` works the tables
    out again, so that who edits a table would have to make the draws anew.

    Parameters
    ----------
    folder
        A result of ours, whichever verb wrote it.
    recompute
        Read the draws of an analysis, and make its tables again.
    evidence
        As in ``hlt_bayes.load_result``, for ``recompute``.

    Returns
    -------
    DataFrame
        ``file`` and ``finding``: "as written", "changed", "missing" or "not of this result"; of a table that was made
        again, besides, "follows from the draws" or "does not follow from the draws". A row a file and finding.

    Raises
    ------
    ResultFolderError
        ``folder`` is no result of ours, or cannot be read; or, for ``recompute``, its draws or specs have changed.
    """
    path = Path(folder)
    told = read_manifest(path)["outputs"]
    try:
        found = output_hashes(path)
    except OSError as error:
        raise ResultFolderError(f"{path}: cannot be read ({error}); give a folder that can be") from error
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
    """Rows of ``verify_result`` that tell of a result which is not what was written."""
    return findings[~findings["finding"].isin([AS_WRITTEN, FOLLOWS])]


def verification_table(findings: pd.DataFrame, folder: Path) -> Table:
    """Show ``verify_result``, what departs first."""
    wrong = discrepancies(findings)
    shown = pd.concat([wrong, findings.drop(wrong.index)])
    title = f"{folder}: {len(wrong)} finding(s)" if len(wrong) else f"{folder}: every file is as it was written"
    return Table(
        title=title,
        columns=("File", "Finding"),
        rows=tuple(shown.itertuples(index=False, name=None)),
        notes=(
            f"By the hashes in {MANIFEST}, whose own SHA-256 is {file_sha256(folder / MANIFEST)}: keep that elsewhere, "
            "and nobody can change both. --recompute makes the tables again from the draws.",
        ),
        frame=shown,
    )
