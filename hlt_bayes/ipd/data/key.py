"""The key of a file of records: it fixes what is random in disclosure control, and stays beside the records."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.core.files import read_bytes

SUFFIX = ".key"
"""Suffix that the name of a key adds to that of its file of records."""

BYTES = 32
LARGEST = 1000
FEWEST_DIFFERENT = 16
"""Different bytes that a random key has at least: with fewer it was typed."""

OF_OTHERS = 0o077
NOT_A_KEY = f"not a key ({2 * BYTES} random hexadecimal digits); make one with hlt-bayes records key"


def key_path(records: str | Path) -> Path:
    """Path of the key beside a file of records."""
    path = Path(records)
    return path.with_name(path.name + SUFFIX)


def load_key(path: str | Path, *, follow: bool = True) -> bytes:
    """Load a key, through a link only to ``follow`` it.

    Raises
    ------
    RecordsError
        It cannot be read, others can read or write it, or it is not a random key; the message does not quote it.
    """
    content = read_bytes(Path(path), RecordsError, largest=LARGEST, follow=follow).strip()
    if os.name == "posix" and Path(path).stat().st_mode & OF_OTHERS:
        raise RecordsError(f"{path}: others can read or write it; allow it to its owner only (chmod 600)")
    if not re.fullmatch(rb"[0-9a-fA-F]{%d}" % (2 * BYTES), content):
        raise RecordsError(f"{path}: {NOT_A_KEY}")
    key = bytes.fromhex(content.decode("ascii"))
    if len(set(key)) < FEWEST_DIFFERENT:
        raise RecordsError(f"{path}: {NOT_A_KEY}")
    return key


def row_hashes(frame: pd.DataFrame) -> npt.NDArray[np.uint64]:
    """Hash {person} of all that a record holds but the person's identifier."""
    rows = pd.util.hash_pandas_object(frame.drop(columns="person", errors="ignore"), index=False)
    return np.asarray(rows, dtype=np.uint64)


def digest_of(names: list[str], hashes: npt.NDArray[np.uint64]) -> bytes:
    """Digest of records with columns ``names``, whatever their order, file format or person identifiers."""
    return hashlib.sha256(" ".join(names).encode() + np.sort(hashes).astype("<u8").tobytes()).digest()


def keyed_digest(key: bytes, purpose: str, content: bytes) -> bytes:
    """HMAC-SHA256 of ``content`` for one purpose."""
    return hmac.digest(key, purpose.encode() + b"\0" + content, "sha256")
