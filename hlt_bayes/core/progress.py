"""Progress of long work: who does it calls a function with the stage, the steps done and the steps in all."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the stage, the steps done and the steps in all (0 where not known)."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """Report nothing."""
