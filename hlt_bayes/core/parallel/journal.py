"""Journal of finished results with checksums, from which an interrupted run resumes."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import struct
import sys
from collections.abc import Collection
from pathlib import Path

from hlt_bayes.core.errors import TaskError

HEADER = b"hlt-bayes journal 2\n"
HEAD = struct.Struct(">32sQ32s32s")
"""Header of a journal record: key, length of the result in bytes, its SHA-256, and the SHA-256 of these three."""


LARGEST_RESULT = 1_000_000_000
"""Bytes of a result; a sparse file may claim terabytes."""


class Journal:
    """Append-only file of results, as bytes, by key; used by one run at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.is_fifo():
            raise TaskError(f"{path}: cannot be written (it is a pipe); choose another path for the journal")
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise TaskError(f"{path}: cannot be written ({error}); choose another path for the journal") from error
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                self._file.close()
                raise TaskError(
                    f"{path}: in use by another run ({error}); choose another path for the journal"
                ) from error

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()

    def read(self, keys: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the results stored under ``keys``, and truncate an incomplete last record."""
        found = {}
        with self._path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            header = file.read(len(HEADER))
            if not HEADER.startswith(header):
                raise TaskError(f"{self._path}: not an hlt-bayes journal, so left unchanged; choose another path")
            end = len(header) if header == HEADER else 0
            while len(head := file.read(HEAD.size)) == HEAD.size:
                key, length, digest, check = HEAD.unpack(head)
                if hashlib.sha256(head[:-32]).digest() != check or length > LARGEST_RESULT:
                    raise TaskError(
                        f"{self._path}: damaged at byte {end} of {size}, so left unchanged; choose another path, or "
                        f"keep the results before the damage: truncate --size {end} {self._path}"
                    )
                if file.tell() + length > size:
                    break
                payload = file.read(length)
                # A task whose result is damaged runs again.
                if key in keys and hashlib.sha256(payload).digest() == digest:
                    found[key] = payload
                end = file.tell()
        self._file.truncate(end)
        if end == 0:
            self._write(HEADER)
        return found

    def append(self, key: bytes, payload: bytes) -> None:
        """Append a finished result; one that is too large to be read again is not kept."""
        if len(payload) > LARGEST_RESULT:
            return
        head = key + struct.pack(">Q", len(payload)) + hashlib.sha256(payload).digest()
        self._write(head + hashlib.sha256(head).digest() + payload)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise TaskError(f"{self._path}: cannot be written ({error}); the results already in it are kept") from error


class _StablePickler(pickle.Pickler):
    """Pickler that writes a set as the sorted digests of its members, whose own order differs between processes."""

    def persistent_id(self, value: object) -> object:
        return [type(value), *sorted(map(digest, value))] if isinstance(value, set | frozenset) else None


def digest(value: object) -> bytes:
    """SHA-256 of the pickled value, identical in every process because members of sets are sorted."""
    pickled = io.BytesIO()
    pickler = _StablePickler(pickled, protocol=5)
    # No memo: equal values must hash alike whether or not their equal parts are the same object.
    pickler.fast = True
    pickler.dump(value)
    return hashlib.sha256(pickled.getvalue()).digest()
