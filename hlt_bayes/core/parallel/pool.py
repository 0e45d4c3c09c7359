"""Runs independent tasks in worker processes, on this machine or on a Dask cluster, and stores finished results."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import cast

from hlt_bayes.core.errors import TaskError
from hlt_bayes.core.parallel.journal import Journal, digest
from hlt_bayes.core.parallel.serialise import from_bytes, to_bytes
from hlt_bayes.core.threads import cap_blas_threads

IN_FLIGHT = 4
"""Maximum number of tasks submitted at a time, per worker."""

RETRIES = 3
"""Maximum number of consecutive new pools in which no task finishes."""

POLL_SECONDS = 0.2
"""Interval between checks for Ctrl-C."""

CONNECT_SECONDS = 10.0
"""Timeout for a scheduler to answer, and then to have a worker."""

Keep = Callable[[int, bytes], None]
"""Callback that takes the position of a finished task and its pickled result."""


def run_tasks[T, R](
    function: Callable[[T], R],
    tasks: Sequence[T],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    journal: str | os.PathLike[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    stage: str = "Running",
) -> list[R]:
    """Apply a function to every task in worker processes; unfinished tasks of a killed worker run again.

    Parameters
    ----------
    function
        A module-level function, so that workers can import it; a Dask cluster also needs this package installed. A
        script must call ``run_tasks`` under ``if __name__ == "__main__":``.
    tasks
        Picklable objects. A task that draws random numbers must carry its own seed.
    workers
        Processes on this machine, one per core by default, each with one thread unless the environment sets a number.
        1 runs in the current process, which keeps its threads: a long BLAS sum may differ there in the last bit.
    scheduler
        Address of a Dask scheduler whose workers run the tasks; requires ``hlt-bayes[dask]``.
    journal
        File that stores each result as soon as it is available; created if missing. A later call runs only tasks not
        yet in it, identified by a hash of the function's name and the task: if the code of ``function`` has changed,
        start a new journal. Results must then be numbers, text, arrays, data frames, or tuples, lists and dicts of
        them.
    progress
        Called from this thread with ``stage``, the tasks done and the total number of tasks.

    Returns
    -------
    list
        The results in the order of ``tasks``, the same for any number of workers.

    Raises
    ------
    TaskError
        The function is not at module level, workers die repeatedly, the scheduler does not answer, or the journal
        cannot be used or cannot store such results. An exception raised by ``function`` ends the run and is passed
        on unchanged. The journal keeps the finished results.
    """
    if workers is not None and (workers < 1 or scheduler is not None):
        raise TaskError(f"workers={workers}, scheduler={scheduler!r}: give either at least one worker or a scheduler")
    try:
        digest(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TaskError(f"{function!r} cannot be sent to workers ({error}); use a module-level function") from error
    results: dict[int, R] = {}
    with contextlib.ExitStack() as stack:
        store = None
        if journal is not None:
            store = stack.enter_context(contextlib.closing(Journal(Path(journal))))
            keys = [digest((function, task)) for task in tasks]
            kept = store.read(set(keys))
            for position, key in enumerate(keys):
                if key in kept:
                    results[position] = cast(R, from_bytes(kept[key]))

        def keep(position: int, payload: bytes) -> None:
            result: R = pickle.loads(payload)  # noqa: S301 -- from our own workers
            if store is not None:
                store.append(keys[position], to_bytes(result))
            results[position] = result
            if progress is not None:
                progress(stage, len(results), len(tasks))

        if progress is not None:
            progress(stage, len(results), len(tasks))
        missing = {position: None for position in range(len(tasks)) if position not in results}
        if missing and scheduler is not None:
            with _interrupts_deferred() as raise_if_interrupted, _cluster(scheduler) as (executor, limit):
                _gather(executor, limit, function, tasks, missing, keep, raise_if_interrupted)
        elif workers == 1:
            for position in missing:
                keep(position, _pickled(function, tasks[position]))
        else:
            with _interrupts_deferred() as raise_if_interrupted:
                _run_in_pools(workers or os.cpu_count() or 1, function, tasks, missing, keep, raise_if_interrupted)
    return [results[position] for position in range(len(tasks))]


def _pickled[T](function: Callable[[T], object], task: T) -> bytes:
    """Run a task in the worker; pickle its result even in the current process, so that results are the same."""
    return pickle.dumps(function(task), protocol=5)


def _gather[T](
    executor: Executor,
    limit: Callable[[], int],
    function: Callable[[T], object],
    tasks: Sequence[T],
    missing: dict[int, None],
    keep: Keep,
    raise_if_interrupted: Callable[[], None],
) -> None:
    """Run the tasks in ``missing`` in its order; pass each result to ``keep`` and remove its task from ``missing``."""
    queue = iter(list(missing))
    running: dict[Future[bytes], int] = {}
    while missing:
        try:
            for position in itertools.islice(queue, max(0, limit() - len(running))):
                running[executor.submit(_pickled, function, tasks[position])] = position
        except BrokenProcessPool:
            # Some running tasks may have finished before the pool broke: their results are kept below.
            if not running:
                raise
        failed = None
        raise_if_interrupted()
        for future in wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
            position = running.pop(future)
            if future.cancelled() or future.exception() is not None:
                failed = future
            else:
                keep(position, future.result())
                del missing[position]
        if failed is not None:
            failed.result()


def _run_in_pools[T](
    workers: int,
    function: Callable[[T], object],
    tasks: Sequence[T],
    missing: dict[int, None],
    keep: Keep,
    raise_if_interrupted: Callable[[], None],
) -> None:
    failures = 0
    while missing:
        before = len(missing)
        size = 1 if failures else min(workers, before)
        try:
            with _pool(size) as pool:
                _gather(pool, lambda: IN_FLIGHT * workers, function, tasks, missing, keep, raise_if_interrupted)
        except BrokenProcessPool as error:
            # Tasks running when the pool broke go last, so that one that kills its worker does not hold up the others.
            for position in list(missing)[:size]:
                missing[position] = missing.pop(position)
            failures = failures + 1 if len(missing) == before else 0
            if failures > RETRIES:
                raise TaskError(
                    f"worker processes died {failures} times without finishing a task; {before} tasks remain. "
                    "If memory ran out, use fewer workers; if workers died at start-up, call run_tasks under "
                    '`if __name__ == "__main__":`, with a function that workers can import'
                ) from error


@contextlib.contextmanager
def _interrupts_deferred() -> Iterator[Callable[[], None]]:
    """Defer Ctrl-C until the yielded function is called or the context ends.

    An interrupt inside ``wait`` could leave a future locked, and the pool's own thread would wait for it forever.
    """
    interrupted = False

    def note_interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True

    def raise_if_interrupted() -> None:
        if interrupted:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield raise_if_interrupted
        return
    before = signal.signal(signal.SIGINT, note_interrupt)
    try:
        yield raise_if_interrupted
        raise_if_interrupted()
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Yield a process pool; kill its workers on any error, even in mid-task."""
    context = _WorkerContext()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in context.started:
            worker.kill()
        raise
    finally:
        pool.shutdown()


class _Worker(SpawnProcess):
    def start(self) -> None:
        # Not in the initializer: the worker imports the user's script first, which may load BLAS.
        before = dict(os.environ)
        cap_blas_threads()
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
        try:
            super().start()
        finally:
            for name in set(os.environ) - set(before):
                del os.environ[name]


class _WorkerContext(SpawnContext):
    """Keeps the processes that it started, which a pool does not expose."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[_Worker] = []

    def Process(self, **options: object) -> _Worker:  # type: ignore[override]  # noqa: N802
        self.started.append(_Worker(**options))  # type: ignore[arg-type]
        return self.started[-1]


def _start_worker() -> None:
    # Ctrl-C reaches the whole process group; the parent ends the workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent has gone; otherwise it would wait for tasks forever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[tuple[Executor, Callable[[], int]]]:
    """Yield the executor of a Dask scheduler, and a function for the number of tasks that may be submitted."""
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise TaskError(f"scheduler {address}: needs Dask; run pip install 'hlt-bayes[dask]'") from error
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TaskError(f"scheduler {address}: no answer ({error}); give an address such as tcp://host:8786") from error

    def limit() -> int:
        try:
            threads: dict[str, int] = client.nthreads()
        except OSError as error:
            raise CancelledError from error
        return IN_FLIGHT * max(1, sum(threads.values()))

    with client:
        try:
            client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise TaskError(f"scheduler {address}: has no workers; start one with dask worker {address}") from error
        try:
            # Not pure: Dask would reuse another client's results under the same names.
            yield client.get_executor(pure=False), limit
        except distributed.KilledWorker as error:
            raise TaskError(
                f"scheduler {address}: a task repeatedly killed its worker, possibly for lack of memory: {error}"
            ) from error
        except CancelledError as error:
            raise TaskError(
                f"scheduler {address}: the tasks were lost; check that the scheduler is still running"
            ) from error
