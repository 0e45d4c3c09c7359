"""Progress reporting for long-running work."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Callback that takes the stage, the steps done and the total number of steps (0 if unknown)."""


def silent(_stage: str, _done: int, _total: int) -> None:
    """Report nothing."""
