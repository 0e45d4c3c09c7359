"""Individual records in memory, in a container whose representation shows no data."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data.key import digest_of, keyed_digest, row_hashes

if TYPE_CHECKING:
    import pandas as pd

Rows = slice | npt.NDArray[np.bool_]

NO_KEY = b"records without a key"

ROUNDED_TO = 5
"""Base to which the number of people is rounded down where it is told."""


@dataclass(frozen=True, repr=False, eq=False)
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
        return None if self._key is None else keyed_digest(self._key, "fingerprint", self._digest(slice(None))).hex()

    def chance(self, purpose: str, rows: Rows = slice(None)) -> float:
        """Return a number from 0 to 1 fixed by the records in ``rows``, the key and a purpose, and otherwise random."""
        return self.chances(rows)(purpose)

    def chances(self, rows: Rows = slice(None)) -> Callable[[str], float]:
        """Return ``chance`` as a function of the purpose, for many numbers about the same ``rows``."""
        content = self._digest(rows)

        def chance(purpose: str) -> float:
            drawn = keyed_digest(self._key or NO_KEY, purpose, content)
            return (int.from_bytes(drawn[:8], "big") >> 11) / 2.0**53

        return chance

    def in_order(self, rows: Rows) -> npt.NDArray[np.int64]:
        """Positions of the records in ``rows``, in an order that depends on their content alone."""
        places = np.arange(len(self))[rows]
        return places[np.argsort(self._hashes[places], kind="stable")]

    def only(self, places: npt.NDArray[np.int64]) -> Records:
        """Return the records at some positions, with the same key."""
        return replace(self, _frame=self._frame.iloc[np.sort(places)].reset_index(drop=True))

    @cached_property
    def _hashes(self) -> npt.NDArray[np.uint64]:
        return row_hashes(self._frame)

    def _digest(self, rows: Rows) -> bytes:
        return digest_of(list(map(str, self._frame)), self._hashes[rows])
