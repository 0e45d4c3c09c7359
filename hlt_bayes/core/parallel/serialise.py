"""Converts results to bytes and back without pickle, so that reading a journal cannot execute code."""

from __future__ import annotations

import io
import json
import struct
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.core.errors import TaskError

if TYPE_CHECKING:
    import pandas as pd

LENGTH = struct.Struct(">Q")
"""Prefix of each part: its length in bytes."""

UNREADABLE = (
    *(ValueError, LookupError, TypeError, OSError, EOFError, ArithmeticError, MemoryError, RecursionError),
    struct.error,
)
"""Errors that JSON, NumPy and Arrow may raise on bytes that are something else."""

ALLOWED = "None, text, numbers, arrays of numbers, data frames, and tuples, lists and dicts of them"


def to_bytes(result: object) -> bytes:
    """Serialise a result as JSON followed by its arrays and data frames.

    Raises
    ------
    TaskError
        The result contains a type other than those in ``ALLOWED``.
    """
    blobs: list[bytes] = []
    parts = [json.dumps(_plain(result, blobs), allow_nan=True).encode(), *blobs]
    return b"".join(LENGTH.pack(len(part)) + part for part in parts)


def from_bytes(content: bytes) -> object:
    """Read the output of ``to_bytes``; number types, key order and every bit survive the round trip.

    Raises
    ------
    TaskError
        The bytes are something else, such as a pickle.
    """
    file = io.BytesIO(content)
    parts = []
    try:
        while head := file.read(LENGTH.size):
            # No part is longer than the whole, whatever its length says.
            parts.append(file.read(min(LENGTH.unpack(head)[0], len(content))))
        return _result(json.loads(parts[0]), parts[1:])
    except UNREADABLE as error:
        raise TaskError(
            f"a result in the journal cannot be read ({error}); choose another path for the journal"
        ) from error


def _plain(value: object, blobs: list[bytes]) -> object:
    """Convert a value to JSON types: anything but a scalar becomes a list of its kind and its content."""
    import pandas as pd

    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind in (tuple, list):
        return [kind.__name__, *(_plain(one, blobs) for one in value)]  # type: ignore[attr-defined]
    if kind is dict:
        return ["dict", *([_plain(key, blobs), _plain(one, blobs)] for key, one in value.items())]  # type: ignore[attr-defined]
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        blobs.append(_array_bytes(np.asarray(value)))
        return ["array" if isinstance(value, np.ndarray) else "number", len(blobs) - 1]
    if kind is pd.DataFrame:
        blobs.append(_frame_bytes(value))  # type: ignore[arg-type]
        return ["frame", len(blobs) - 1]
    raise TaskError(f"a task returned a {kind.__name__}, which a journal cannot store; allowed: {ALLOWED}")


def _result(plain: object, blobs: list[bytes]) -> object:
    if not isinstance(plain, list):
        return plain
    kind, *rest = plain
    if kind == "dict":
        return {_result(key, blobs): _result(one, blobs) for key, one in rest}
    if kind in ("tuple", "list"):
        made = [_result(one, blobs) for one in rest]
        return tuple(made) if kind == "tuple" else made
    blob = io.BytesIO(blobs[rest[0]])
    if kind == "frame":
        return _frame(blob)
    array = np.lib.format.read_array(blob, allow_pickle=False)
    return array if kind == "array" else array[()]


def _array_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _frame_bytes(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa

    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TaskError(f"a task returned a data frame that a journal cannot store ({error})") from error
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _frame(file: io.BytesIO) -> pd.DataFrame:
    import pyarrow as pa

    with pa.ipc.open_stream(file) as stream:
        table = stream.read_all()
    table.validate(full=True)
    frame: pd.DataFrame = table.to_pandas()
    return frame
