"""Individual records in memory, in a container whose representation shows no data."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hlt_bayes.core.errors import RecordsError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class Records:
    """Records that passed the schema, one row per person randomised.

    The representation shows the number of people and nothing else.

    Parameters
    ----------
    synthetic
        True if every row is marked as synthetic.
    sha256
        SHA-256 of the file or, for synthetic records, of their spec, evidence, seed and size.
    """

    synthetic: bool
    sha256: str
    _frame: pd.DataFrame = field(repr=False)

    def __repr__(self) -> str:
        """Show the number of people only."""
        return f"Records of {len(self):,} {'synthetic people' if self.synthetic else 'people'}"

    def __len__(self) -> int:
        """Count the people."""
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
