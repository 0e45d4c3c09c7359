"""Evidence as one JSON text, so that a result can be read without the files it was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.core.strict_json import validated_json
from hlt_bayes.core.toml import Frozen
from hlt_bayes.evidence.ledger import Evidence
from hlt_bayes.evidence.load import evidence_of_files, evidence_of_rows, is_embedded, load_evidence

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^/\\\x00]+$")]
"""Name of the file or folder that was read, without its folder, which is nobody's business."""


class KeptEvidence(Frozen):
    """Content of ``evidence.json``: the text of each file, by relative path, or the rows that were given."""

    format: Literal["hlt-bayes evidence 1"]
    name: Name
    as_printed: bool
    files: dict[str, str] = Field(default_factory=dict)
    rows: list[dict[str, str]] = Field(default_factory=list)


def evidence_json(evidence: Evidence) -> str:
    """Return evidence as JSON, with the text of every file that it was read from."""
    given = evidence.contents
    kept = KeptEvidence(
        format="hlt-bayes evidence 1",
        name=evidence.path.name,
        as_printed=evidence.as_printed,
        files={} if isinstance(given, tuple) else {name: content.decode() for name, content in given.items()},
        rows=[dict(row) for row in given] if isinstance(given, tuple) else [],
    )
    return kept.model_dump_json(indent=1) + "\n"


def evidence_from_json(content: bytes, place: Path) -> Evidence:
    """Read the output of ``evidence_json``; ``place`` is the file that holds it.

    Raises
    ------
    EvidenceError
        It is something else, or its evidence is not valid.
    """
    try:
        kept = validated_json(content, KeptEvidence.model_validate_json)
    except ValueError as error:
        raise EvidenceError(f"{place}: not evidence as hlt-bayes keeps it ({error})") from error
    try:
        return _evidence(kept)
    except EvidenceError as error:
        raise EvidenceError(f"{place}: {error}") from error


def _evidence(kept: KeptEvidence) -> Evidence:
    if kept.rows:
        return evidence_of_rows(kept.rows, name=kept.name)
    contents = {name: text.encode() for name, text in kept.files.items()}
    if is_embedded(contents):
        return load_evidence(as_printed=kept.as_printed)
    evidence = evidence_of_files(contents, Path(kept.name), as_printed=kept.as_printed)
    unread = sorted(set(contents) - set(evidence.files))
    if unread:
        raise EvidenceError(f"has files that are not evidence: {', '.join(unread[:5])}")
    return evidence
