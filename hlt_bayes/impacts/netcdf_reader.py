"""Reads arrays from a netCDF file of unknown origin; run as a script, in a process with limits on time and memory.

A damaged file can send the HDF5 library into a loop, or take all memory; HDF5 also follows links to other files. This
script looks at the structure before it reads, touches only the arrays asked for, and may be killed without harm.
Standard input is the file; the argument is a request as JSON: the arguments ``groups``, ``variable`` and ``strict`` of
``read``.
Standard output is a line of JSON: ``{"groups": [...]}``, followed by the bytes of all numeric arrays in that order, or
why there is nothing, as ``refused``, ``unreadable`` or ``unknown``. It imports nothing of the package, which would make
each read slower.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np

HDF5 = b"\x89HDF\r\n\x1a\n"
NETCDF3 = (b"CDF\x01", b"CDF\x02")
NETCDF5 = b"CDF\x05"

MAX_LINKS = 1000
"""Most entries of a group."""

MAX_GROUPS = 30
"""Most groups at the root of a file that is read whole."""

MAX_DIMS = 12
MAX_TEXTS, MAX_TEXT, MAX_CHARACTERS = 200_000, 1000, 10_000_000
MAX_BYTES, TIMES_FILE = 2**30, 2
"""Limits of what is read: dims of an array; labels in all, characters of each, and characters of an array whose labels
all take the room of the longest; bytes in all, or so many times the size of the file if that is more. Draws hardly
compress: a small file that unpacks to more is no draws."""

MAX_ATTRIBUTE, MAX_ATTRIBUTES = 100_000, 2_000_000
"""Longest attribute that is read, in characters of a text or numbers in an array, longer ones being dropped; and the
most in all."""

FILTERS = {1: "deflate", 2: "shuffle", 3: "fletcher32"}
"""Filters that netCDF uses, by HDF5's number; any other is code loaded from elsewhere."""

INTERNAL = {
    *("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "DIMENSION_LABELS"),
    *("_Netcdf4Dimid", "_Netcdf4Coordinates", "_nc3_strict", "_NCProperties"),
}
"""Attributes of the format itself."""

NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
"""How the attribute ``NAME`` of a dim without labels begins."""

NON_COORDINATE = "_nc4_non_coord_"
"""Prefix by which netCDF-4 stores a variable that has the name of a dim but is not its labels."""

SECONDS, BYTES_A_SECOND = 8, 30e6
"""Seconds of CPU to open a file and look at it, and the least number of bytes read in each further second."""

MEMORY, TIMES_READ = 2 * 2**30, 3
"""Address space of the process: this, and so many times what may be read."""


class RefusedError(Exception):
    """Why a file is not read, and what to change."""


class NotNetcdfError(Exception):
    """What is wrong with a file that no change of its arrays would mend."""


class UnknownError(Exception):
    """A variable that the file does not have, and those that it has."""

    def __init__(self, name: str, there: Iterable[str]) -> None:
        self.name, self.there = name, [str(one) for one in there]


class Variable(NamedTuple):
    """A variable: its dims, attributes and values."""

    dims: tuple[str, ...]
    attrs: dict[str, Any]
    values: np.ndarray | list[Any]


Found = dict[str, tuple[dict[str, Any], dict[str, Variable]]]
"""Attributes and variables of each group; the root is the group ``""``."""


def read(
    file: BinaryIO,
    *,
    groups: list[str] | None = None,
    variable: str | None = None,
    strict: bool = False,
    largest: int = MAX_BYTES,
    allow_seconds: Callable[[float], object] = lambda _: None,
) -> Found:
    """Read groups at the root of a netCDF file, all by default, and of each all variables or one with its labels.

    With ``variable``, the first of ``groups`` that exists is read, or else the root. ``strict`` refuses a file with
    arrays at the root or groups in groups, which are not read. ``largest`` is the limit in bytes; ``allow_seconds`` is
    told, before each array, how many seconds reading may take from the start.
    """
    head = file.read(8)
    file.seek(0)
    if head.startswith(NETCDF5):
        raise RefusedError("it is netCDF in format CDF-5; write it as netCDF-4, in R: nc_create(..., force_v4 = TRUE)")
    if head.startswith(NETCDF3):
        return _netcdf3(file, variable, _Budget(largest, allow_seconds))
    if head != HDF5:
        raise NotNetcdfError("it is neither netCDF-4 nor netCDF-3")
    import h5py

    with h5py.File(file, "r") as root:
        _check_links(root)
        there = [name for name in root if _is_group(root, name)]
        budget = _Budget(largest, allow_seconds)
        if variable is None:
            wanted = there if groups is None else [name for name in groups if name in there]
            if len(wanted) > MAX_GROUPS:
                raise RefusedError(f"it has {len(wanted)} groups; at most {MAX_GROUPS} are read")
            named = {name: _object(root, name) for name in wanted}
            if strict:
                beside = [name for name in root if name not in there]
                inside = [f"{name}/{one}" for name, group in named.items() for one in group if _is_group(group, one)]
                for name in (*beside, *inside):
                    raise RefusedError(f"it has {name!r}, which is not read; no result of this package has that")
            return {"": (_attributes(root, budget), {})} | {name: _group(one, budget) for name, one in named.items()}
        name = next((name for name in groups or [] if name in there), "")
        group = _object(root, name) if name else root
        return {name: ({}, _one(group, variable, budget))}


class _Budget:
    """What may still be read of a file."""

    def __init__(self, largest: int, allow_seconds: Callable[[float], object]) -> None:
        self.largest, self.bytes, self.texts, self.attributes = largest, 0, 0, 0
        self._allow_seconds = allow_seconds

    def take(self, name: str, *, size: int = 0, texts: int = 0) -> None:
        """Reserve bytes or texts of an array, and CPU time to read them."""
        self.bytes, self.texts = self.bytes + size, self.texts + texts
        if self.bytes > self.largest or self.texts > MAX_TEXTS:
            raise RefusedError(
                f"{name!r} is too large: at most {self.largest:,} bytes and {MAX_TEXTS:,} labels are read; "
                "thin the draws, or store only the impacts"
            )
        self._allow_seconds(SECONDS + self.bytes / BYTES_A_SECOND)

    def take_attribute(self, size: int) -> bool:
        """Reserve numbers or characters of an attribute; False if it is too long."""
        self.attributes += size if size <= MAX_ATTRIBUTE else 0
        if self.attributes > MAX_ATTRIBUTES:
            raise RefusedError(f"it has attributes of more than {MAX_ATTRIBUTES:,} numbers or characters; remove them")
        return size <= MAX_ATTRIBUTE


def _check_links(group: Any) -> None:  # noqa: ANN401 - h5py is untyped
    count = group.id.get_num_objs()
    if count > MAX_LINKS:
        raise RefusedError(f"group {group.name!r} has {count:,} entries; at most {MAX_LINKS:,} are allowed")


def _object(group: Any, name: str) -> Any:  # noqa: ANN401
    """Object behind a link of a group, which must be a hard link."""
    import h5py

    kind = group.id.links.get_info(name.encode()).type
    if kind != h5py.h5l.TYPE_HARD:
        what = {h5py.h5l.TYPE_SOFT: "a soft link", h5py.h5l.TYPE_EXTERNAL: "a link to another file"}.get(kind, "a link")
        raise RefusedError(f"{name!r} is {what}, which is not followed; store the array itself")
    return group[name]


def _is_group(root: Any, name: str) -> bool:  # noqa: ANN401
    import h5py

    info = root.id.links.get_info(name.encode())
    return info.type != h5py.h5l.TYPE_HARD or isinstance(root[name], h5py.Group)


def _group(group: Any, budget: _Budget) -> tuple[dict[str, Any], dict[str, Variable]]:  # noqa: ANN401
    """All variables of a group; its subgroups are not looked at."""
    import h5py

    if not isinstance(group, h5py.Group):
        raise RefusedError(f"{group.name!r} is not a group")
    _check_links(group)
    arrays = {name: one for name in group if isinstance(one := _object(group, name), h5py.Dataset)}
    found: dict[str, Variable] = {}
    for name, one in arrays.items():
        if _only_a_dim(one):
            continue
        if _plain_name(name) in found:
            raise RefusedError(f"{group.name!r} has two arrays {_plain_name(name)!r}; store one")
        found[_plain_name(name)] = _variable(one, budget)
    return _attributes(group, budget), found


def _one(group: Any, name: str, budget: _Budget) -> dict[str, Variable]:  # noqa: ANN401
    """One variable of a group, and the labels of its dims."""
    import h5py

    _check_links(group)
    if name not in group:
        raise UnknownError(name, group)
    array = _object(group, name)
    if not isinstance(array, h5py.Dataset):
        raise RefusedError(f"{name!r} is a group, not an array")
    found = {name: _variable(array, budget)}
    for axis, dim in enumerate(found[name].dims):
        scale = array.dims[axis][0] if len(array.dims[axis]) else None
        beside = _object(group, dim) if dim in group else None
        labels = scale if scale is not None and not _only_a_dim(scale) else beside
        if isinstance(labels, h5py.Dataset) and dim not in found and not _only_a_dim(labels):
            found[dim] = _variable(labels, budget)
    return found


def _plain_name(name: str) -> str:
    return name.removeprefix(NON_COORDINATE)


def _only_a_dim(array: Any) -> bool:  # noqa: ANN401
    name = array.attrs.get("NAME", b"") if "CLASS" in array.attrs else b""
    return isinstance(name, bytes) and name.startswith(NO_VARIABLE)


def _variable(array: Any, budget: _Budget) -> Variable:  # noqa: ANN401
    name = _plain_name(array.name.rsplit("/", 1)[-1])
    _check_storage(array, name)
    dims = _dims(array, name)
    count = int(np.prod(array.shape, dtype=object))
    budget.take(name, size=count * array.dtype.itemsize, texts=count if _is_text(array.dtype) else 0)
    return _made(name, dims, _attributes(array, budget), array[()])


def _made(name: str, dims: tuple[str, ...], attrs: dict[str, Any], values: Any) -> Variable:  # noqa: ANN401
    """Variable with decoded text; characters along a last dim are joined."""
    if len(set(dims)) < len(dims):
        raise RefusedError(f"{name!r} has the same dim twice: {', '.join(dims)}")
    values = np.asarray(values)
    if values.dtype.kind == "S" and values.dtype.itemsize == 1 and values.ndim and dims != (name,):
        values = np.ascontiguousarray(values).view(f"S{values.shape[-1] or 1}").reshape(values.shape[:-1])
        dims = dims[:-1]
    if values.dtype.kind in "SOU":
        attrs.pop("_Encoding", None)
        return Variable(dims, attrs, _decoded(values, name))
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise RefusedError(f"{name!r} has values of type {values.dtype}; allowed: numbers and text")
    return Variable(dims, attrs, values.astype(values.dtype.newbyteorder("<"), copy=False))


def _decoded(values: np.ndarray, name: str) -> list[Any]:
    try:
        texts = [one if isinstance(one, str) else bytes(one).rstrip(b"\0 ").decode() for one in values.ravel()]
    except (UnicodeDecodeError, TypeError) as error:
        raise RefusedError(f"{name!r} has labels that are not text in UTF-8 ({error})") from error
    if any(len(text) > MAX_TEXT for text in texts):
        raise RefusedError(f"{name!r} has a label of more than {MAX_TEXT:,} characters; shorten it")
    if len(texts) * max(map(len, texts), default=0) > MAX_CHARACTERS:
        raise RefusedError(f"{name!r} has too many long labels: {len(texts):,}; shorten them")
    nested: list[Any] = np.array(texts, dtype=object).reshape(values.shape).tolist()
    return nested


def _is_text(kind: np.dtype) -> bool:
    return kind.kind in "SO"


def _check_storage(array: Any, name: str) -> None:  # noqa: ANN401
    """Refuse an array whose values lie elsewhere, were never written, or need code of others."""
    import h5py

    if array.ndim > MAX_DIMS:
        raise RefusedError(f"{name!r} has {array.ndim} dims; at most {MAX_DIMS} are read")
    if array.dtype.kind not in "biufSO" or (array.dtype.kind == "O" and h5py.check_string_dtype(array.dtype) is None):
        raise RefusedError(f"{name!r} has values of type {array.dtype}; allowed: numbers and text")
    stored = array.id.get_create_plist()
    if stored.get_layout() == h5py.h5d.VIRTUAL:
        raise RefusedError(f"{name!r} is a virtual data set, made of other files; store the array itself")
    if stored.get_external_count():
        raise RefusedError(f"{name!r} has its values in another file; store the array itself")
    filters = [stored.get_filter(number)[0] for number in range(stored.get_nfilters())]
    foreign = [number for number in filters if number not in FILTERS]
    if foreign:
        raise RefusedError(
            f"{name!r} is compressed by HDF5 filter {foreign[0]}; allowed: {', '.join(FILTERS.values())}"
        )
    if array.size and not _is_written(array, stored):
        raise RefusedError(f"{name!r} was never written, or only in part; write its values")


def _is_written(array: Any, stored: Any) -> bool:  # noqa: ANN401
    import h5py

    layout = stored.get_layout()
    if layout == h5py.h5d.COMPACT:
        return True
    if layout == h5py.h5d.CHUNKED:
        chunks = [-(-size // step) for size, step in zip(array.shape, array.chunks, strict=True)]
        return bool(array.id.get_num_chunks() == int(np.prod(chunks, dtype=object)))
    return bool(array.id.get_space_status() == h5py.h5d.SPACE_STATUS_ALLOCATED)


def _dims(array: Any, name: str) -> tuple[str, ...]:  # noqa: ANN401
    """Names of the dims of an array, from the scales attached to it."""
    if not array.ndim:
        return ()
    if array.attrs.get("CLASS", b"") == b"DIMENSION_SCALE":
        if array.ndim == 1:
            return (name,)
        by_number = {int(one.attrs["_Netcdf4Dimid"]): _plain_name(key) for key, one in _scales(array.parent)}
        numbers = [int(number) for number in np.atleast_1d(array.attrs.get("_Netcdf4Coordinates", []))]
        if len(numbers) == array.ndim and all(number in by_number for number in numbers):
            return tuple(by_number[number] for number in numbers)
    elif all(len(dim) for dim in array.dims):
        return tuple(_plain_name(str(dim[0].name).rsplit("/", 1)[-1]) for dim in array.dims)
    raise RefusedError(f"{name!r} has no names for its dims; attach dimension scales, as every netCDF library does")


def _scales(group: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    import h5py

    _check_links(group)
    for name in group:
        one = _object(group, name)
        if isinstance(one, h5py.Dataset) and "_Netcdf4Dimid" in one.attrs and "CLASS" in one.attrs:
            yield name, one


def _attributes(owner: Any, budget: _Budget) -> dict[str, Any]:  # noqa: ANN401
    """Attributes that are text, a number, or a list of numbers; others are dropped."""
    found = {}
    for name in list(owner.attrs)[:MAX_LINKS]:
        if name in INTERNAL:
            continue
        kind = owner.attrs.get_id(name)
        count = int(np.prod(kind.shape, dtype=object)) if kind.shape is not None else 0
        if kind.dtype.kind not in "biufSO" or not budget.take_attribute(count * max(1, kind.dtype.itemsize // 8)):
            continue
        plain = _plain(owner.attrs[name])
        if plain is not None:
            found[str(name)] = plain
    return found


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Value of an attribute as JSON; None if there is no such thing."""
    if isinstance(value, bytes):
        value = bytes(value).decode("utf-8", "replace")
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return value.item() if np.ndim(value) == 0 or value.size == 1 else value.ravel().tolist()
    return value if isinstance(value, str) and len(value) <= MAX_ATTRIBUTE else None


def _netcdf3(file: BinaryIO, variable: str | None, budget: _Budget) -> Found:
    """Read a netCDF-3 file, which has no groups."""
    from scipy.io import netcdf_file

    with netcdf_file(file, "r", mmap=False) as root:
        there = root.variables
        if variable is not None and variable not in there:
            raise UnknownError(variable, there)
        names = list(there) if variable is None else [variable, *there[variable].dimensions]
        found = {}
        for name in dict.fromkeys(names):
            if name not in there:
                continue
            one = there[name]
            budget.take(name, size=int(np.prod(one.shape, dtype=object)) * one.data.dtype.itemsize)
            attrs = {key: _plain(value) for key, value in one._attributes.items()}
            kept = {key: value for key, value in attrs.items() if value is not None}
            found[name] = _made(name, tuple(one.dimensions), kept, one.data.copy())
    return {"": ({}, found)}


def _allow_seconds(seconds: float) -> None:
    """Limit the CPU time of this process, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        hardest = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(seconds), hardest))


def _limit(largest: int) -> None:
    """Limit memory and the size of files, so that nothing is written, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        seconds = SECONDS + math.ceil(largest / BYTES_A_SECOND)
        memory = MEMORY + TIMES_READ * largest
        for what, limit in (
            (resource.RLIMIT_CPU, seconds),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, 0),
            (resource.RLIMIT_AS, memory),
        ):
            resource.setrlimit(what, (limit, limit))


def answer(
    file: BinaryIO,
    request: dict[str, Any],
    *,
    largest: int = MAX_BYTES,
    allow_seconds: Callable[[float], object] = lambda _: None,
) -> Iterator[bytes]:
    """Yield the answer to a request: a line of JSON, then the arrays; see ``read`` for the limits."""
    try:
        found = read(file, **request, largest=largest, allow_seconds=allow_seconds)
    except RefusedError as refused:
        said: dict[str, Any] = {"refused": str(refused)}
    except UnknownError as unknown:
        said = {"unknown": unknown.name, "there": unknown.there}
    except NotNetcdfError as error:
        said = {"unreadable": str(error)}
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        said = {"unreadable": f"it is damaged: {why[:300]}"}
    else:
        yield from _found(found)
        return
    yield json.dumps(said).encode() + b"\n"


def _found(found: Found) -> Iterator[bytes]:
    """Yield the line of JSON, then the arrays."""
    groups: list[dict[str, Any]] = []
    arrays: list[np.ndarray] = []
    for name, (attrs, variables) in found.items():
        described = {}
        for key, one in variables.items():
            line: dict[str, Any] = {"dims": one.dims, "attrs": one.attrs}
            if isinstance(one.values, np.ndarray):
                line |= {"dtype": one.values.dtype.str, "shape": one.values.shape}
                arrays.append(one.values)
            else:
                line["texts"] = one.values
            described[key] = line
        groups.append({"name": name, "attrs": attrs, "variables": described})
    yield json.dumps({"groups": groups}).encode() + b"\n"
    yield from (np.ascontiguousarray(array).tobytes() for array in arrays)


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.argv[1])
    stdin = sys.stdin.buffer
    file = stdin if stdin.seekable() else io.BytesIO(stdin.read())
    largest = max(MAX_BYTES, TIMES_FILE * file.seek(0, io.SEEK_END))
    file.seek(0)
    _limit(largest)
    _allow_seconds(SECONDS)
    for part in answer(file, request, largest=largest, allow_seconds=_allow_seconds):
        sys.stdout.buffer.write(part)


if __name__ == "__main__":
    main()
