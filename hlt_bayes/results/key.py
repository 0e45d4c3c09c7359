"""Writes the key of a file of records."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data.key import BYTES, key_path


def write_key(records: str | Path) -> Path:
    """Write a new key beside a file of records, readable by its owner only; an existing key is never replaced.

    Returns
    -------
    Path
        The file of the key.

    Raises
    ------
    RecordsError
        There is a key, there are no such records, or the key cannot be written.
    """
    path = key_path(records)
    if not Path(records).is_file():
        raise RecordsError(f"{records}: no such file; give the file of records that the key is for")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise RecordsError(f"{path}: exists and was left as it is; another key would give other numbers") from None
    except OSError as error:
        raise RecordsError(f"{path}: cannot be written ({error.strerror}); give a folder that you may write") from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(BYTES) + "\n")
    return path
