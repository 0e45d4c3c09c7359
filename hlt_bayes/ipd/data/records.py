"""Individual records in memory, in a container whose representation shows no data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data.key import content_digest, keyed_digest, row_hashes

if TYPE_CHECKING:
    import pandas as pd

NO_KEY = b"records without a key"

ROUNDED_TO = 5
"""Base to which the number of people is rounded down where it is told."""


@dataclass(frozen=True, repr=False)
class Records:
    """Records that passed the schema, one row per person randomised.

    The representation shows the number of people, rounded, and nothing else.

    Parameters
    ----------
    synthetic
        True if every row is marked as synthetic.
    """

    synthetic: bool
    _frame: pd.DataFrame = field(repr=False)
    _key: bytes | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """Show the number of people only."""
        about = len(self) // ROUNDED_TO * ROUNDED_TO
        return f"Records of {about:,} {'synthetic people' if self.synthetic else 'people'}"

    def __len__(self) -> int:
        """Count the people, exactly."""
        return len(self._frame)

    @property
    def frame(self) -> pd.DataFrame:
        """Copy of the records, with those columns of ``hlt_bayes.ipd.data.COLUMNS`` that are present."""
        return self._frame.copy()

    def columns(self, names: Collection[str]) -> pd.DataFrame:
        """Return a copy of the named columns.

        Raises
        ------
        RecordsError
            A column is missing; the message names every missing column.
        """
        missing = [name for name in names if name not in self._frame]
        if missing:
            raise RecordsError(
                f"the records have no column {', '.join(map(repr, missing))}; map a column of the file to each, or use "
                "a spec that does not need them"
            )
        return self._frame[list(names)].copy()

    @property
    def keyed(self) -> bool:
        """Whether a key was given."""
        return self._key is not None

    @property
    def fingerprint(self) -> str | None:
        """HMAC-SHA256 of the records under their key, in hexadecimal; ``None`` without a key.

        It tells whoever has the key which records a result was made from, and nobody else anything.
        """
        return None if self._key is None else keyed_digest(self._key, "fingerprint", self._digest).hex()

    def chance(self, purpose: str) -> float:
        """Return a number from 0 to 1 fixed by the records, their key and a purpose, and otherwise random."""
        drawn = keyed_digest(self._secret, "chance", purpose.encode())
        return (int.from_bytes(drawn[:8], "big") >> 11) / 2.0**53

    def sample(self, share: float) -> Records:
        """Draw people, each with the same probability; the same ones whatever the order of the records.

        The records drawn have the same chances and fingerprint.
        """
        drawn = np.random.default_rng(int(self.chance("sample") * 2**53)).random(len(self)) < share
        rows = drawn[np.argsort(np.argsort(row_hashes(self._frame), kind="stable"), kind="stable")]
        one = replace(self, _frame=self._frame[rows].reset_index(drop=True))
        one.__dict__["_secret"], one.__dict__["_digest"] = self._secret, self._digest
        return one

    @cached_property
    def _digest(self) -> bytes:
        return content_digest(self._frame)

    @cached_property
    def _secret(self) -> bytes:
        return keyed_digest(self._key or NO_KEY, "secret", self._digest)
