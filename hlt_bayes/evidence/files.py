"""Files of evidence: read once from a folder, or given as a result kept them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.core.files import read_bytes

ALLOWED = (
    "; give a CSV file of trials, or a folder with sources.toml, tables.toml, relations.toml and, in tables/, the "
    "files that sources.toml lists"
)


class EvidenceFiles:
    """The files of one body of evidence in ``root``; ``contents`` collects each that was read, by relative path.

    ``kept`` are their contents where there is no such folder.
    """

    def __init__(self, root: Path, *, kept: Mapping[str, bytes] | None = None) -> None:
        self.root = root
        self.contents: dict[str, bytes] = {}
        self._kept = kept

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises
        ------
        EvidenceError
            It is missing, cannot be read or is not a regular file.
        """
        if self._kept is None:
            content = read_bytes(self.root / name, EvidenceError, what="evidence file ", allowed=ALLOWED)
        elif name in self._kept:
            content = self._kept[name]
        else:
            raise EvidenceError(f"{self.root}: the evidence kept in this result lacks {name!r}")
        self.contents[name] = content
        return content

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file read, by relative path."""
        return {name: hashlib.sha256(content).hexdigest() for name, content in self.contents.items()}
