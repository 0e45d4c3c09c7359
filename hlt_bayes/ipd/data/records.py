"""Records of people in memory: a container that shows nothing of what it holds."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlt_bayes.core.errors import RecordsError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Records:
    """Records that passed the schema, one row a person randomised.

    Printed, it says how many people it holds and no more.

    Parameters
    ----------
    synthetic
        True where every row says that it is of no real person.
    sha256
        Hash of the file, or of what made a twin.
    """

    synthetic: bool
    sha256: str
    _frame: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        """Say how many people there are."""
        return f"Records of {len(self):,} {'synthetic people' if self.synthetic else 'people'}"

    def __len__(self) -> int:
        """Count the people."""
        return len(self._frame)

    @property
    def frame(self) -> pd.DataFrame:
        """The records themselves, a copy; columns as in ``hlt_bayes.ipd.data.COLUMNS``, those that are there."""
        return self._frame.copy()

    def columns(self, names: Collection[str]) -> pd.DataFrame:
        """Take some columns of the records.

        Raises
        ------
        RecordsError
            A column is not there; the message names all that are missing.
        """
        missing = [name for name in names if name not in self._frame]
        if missing:
            raise RecordsError(
                f"the records have no column {', '.join(map(repr, missing))}; map one of the file to it, or take a "
                "spec that does not need it"
            )
        return self._frame[list(names)].copy()
