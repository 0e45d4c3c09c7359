"""Opens and reads regular files only: a pipe or a device could keep a reader waiting for ever."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from hlt_bayes.core.errors import HltBayesError

MEGABYTE = 1_000_000
LARGEST_TEXT, LARGEST_DRAWS = 5 * MEGABYTE, 2000 * MEGABYTE
"""Largest file that is read: of evidence, specs or settings; and of draws or records. A sparse file may claim
terabytes."""

KINDS = (
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: str | Path, *, follow: bool = True) -> BufferedReader:
    """Open a regular file for reading; ``follow=False`` refuses a link, for a name that the user did not give.

    Raises
    ------
    OSError
        It cannot be opened, or is not a regular file.
    ValueError
        The name contains a character that is not allowed in a path.
    """
    more = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    if not follow:
        _refuse_other(os.lstat(path).st_mode, path)
        more |= getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, os.O_RDONLY | more)
    try:
        _refuse_other(os.fstat(handle).st_mode, path)
        return os.fdopen(handle, "rb")
    except OSError:
        os.close(handle)
        raise


def read_bytes(
    path: str | Path,
    error: type[HltBayesError],
    *,
    what: str = "",
    allowed: str = "",
    follow: bool = True,
    largest: int = LARGEST_TEXT,
) -> bytes:
    """Read a regular file of at most ``largest`` bytes; see ``open_regular`` for ``follow``.

    If that fails, ``error`` says ``what`` it is, the reason, and what is ``allowed`` instead.
    """
    try:
        with open_regular(path, follow=follow) as file:
            size = size_of(file)
            if size <= largest:
                return file.read()
    except OSError as found:
        raise error(f"{path}: {what}cannot be read ({found.strerror}){allowed}") from found
    except ValueError as found:
        raise error(f"{str(path)!r}: {what}cannot be read ({found}){allowed}") from found
    raise error(f"{path}: {what}{too_large(size, largest)}")


def size_of(file: BufferedReader) -> int:
    """Bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def too_large(size: int, largest: int) -> str:
    """Say that a file is too large to be read."""
    return f"has {size:,} bytes; at most {largest:,} are read: check that it is the right file"


def kind_of(mode: int) -> str:
    """Return what a file is that is not a regular one."""
    return next((kind for matches, kind in KINDS if matches(mode)), "something else")


def _refuse_other(mode: int, path: str | Path) -> None:
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"it is {kind_of(mode)}, not a file", str(path))
