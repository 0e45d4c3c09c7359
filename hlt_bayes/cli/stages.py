"""Progress display on standard error."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID


class Stages:
    """Shows progress on standard error, if ``shown``, and records the duration of each stage."""

    def __init__(self, *, shown: bool = True) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._display = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not shown,
        )
        self._interrupted = False
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Stages:
        """Start the display."""
        self._display.start()
        self._handler = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the display, leaving the finished stages on screen unless there was an error."""
        signal.signal(signal.SIGINT, self._handler)
        if exception[0] is None:
            self._finish()
        else:
            self._display.live.transient = True
        self._display.stop()

    def _interrupt(self, *_: object) -> None:
        # An exception raised inside a compiler callback is lost, so the interruption is recorded as well.
        self._interrupted = True
        raise KeyboardInterrupt

    def enter(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Start or update a stage; raise KeyboardInterrupt here if an earlier one was lost."""
        if self._interrupted and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        if stage not in self._tasks:
            self._finish()
            self._began[stage] = time.perf_counter()
            self._tasks[stage] = self._display.add_task(stage, total=total or None)
        self._display.update(self._tasks[stage], completed=done)

    def seconds(self) -> dict[str, float]:
        """Duration of each stage so far."""
        now = time.perf_counter()
        return {stage: self._ended.get(stage, now) - began for stage, began in self._began.items()}

    def _finish(self) -> None:
        for stage, task in self._tasks.items():
            if stage not in self._ended:
                self._ended[stage] = time.perf_counter()
                self._display.update(task, total=1, completed=1)
