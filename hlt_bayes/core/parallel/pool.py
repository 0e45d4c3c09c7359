"""Runs many independent tasks over worker processes, here or on a Dask cluster, and keeps what is finished."""

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
"""Tasks handed out at a time per worker."""

RETRIES = 3
"""New pools at most without a task that finishes."""

LOOK_SECONDS = 0.2
"""How often Ctrl-C is looked for."""

CONNECT_SECONDS = 10.0
"""Time in which a scheduler must answer, and have a worker."""

Keep = Callable[[int, bytes], None]
"""Called with the position of a finished task and its pickled result."""


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
    """Apply a function to every task, over worker processes; what a killed worker had not finished is run again.

    Parameters
    ----------
    function
        Of module level, so that workers can import it; a Dask cluster needs this package as well. A script must
        call ``run_tasks`` under ``if __name__ == "__main__":``.
    tasks
        Anything that can be pickled. A task that draws random numbers carries its own seed.
    workers
        Processes on this machine, of one thread each; by default one a core. 1 runs in this process, which keeps
        its threads: a long sum in BLAS may there differ in the last bit.
    scheduler
        Address of a Dask scheduler, whose workers run the tasks; needs ``hlt-bayes[dask]``.
    journal
        File that keeps each result as soon as it is there; made where missing. A later call runs only what is not
        in it, told by the name of ``function`` and a hash of the task: where ``function`` itself has changed, start a
        new one. Results must then be numbers, text, arrays, data frames, or tuples, lists and dicts of them.
    progress
        Told ``stage``, the tasks done and the tasks in all, from this thread.

    Returns
    -------
    list
        The results in the order of ``tasks``, the same for any number of workers.

    Raises
    ------
    TaskError
        The function is not of module level, workers die again and again, the scheduler does not answer, or the
        journal cannot be used or does not keep such results. What ``function`` raises ends the run as it is. The
        journal keeps what is finished.
    """
    if workers is not None and (workers < 1 or scheduler is not None):
        raise TaskError(f"workers={workers}, scheduler={scheduler!r}: give either at least one worker or a scheduler")
    try:
        digest(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise TaskError(f"{function!r} cannot be sent to workers ({error}); give a function of module level") from error
    results: dict[int, R] = {}
    with contextlib.ExitStack() as stack:
        book = None
        if journal is not None:
            book = stack.enter_context(contextlib.closing(Journal(Path(journal))))
            keys = [digest((function, task)) for task in tasks]
            kept = book.read(set(keys))
            for position, key in enumerate(keys):
                if key in kept:
                    results[position] = cast(R, from_bytes(kept[key]))

        def keep(position: int, payload: bytes) -> None:
            result: R = pickle.loads(payload)  # noqa: S301 -- from our own workers
            if book is not None:
                book.append(keys[position], to_bytes(result))
            results[position] = result
            if progress is not None:
                progress(stage, len(results), len(tasks))

        if progress is not None:
            progress(stage, len(results), len(tasks))
        missing = {position: None for position in range(len(tasks)) if position not in results}
        if missing and scheduler is not None:
            with _interrupts_held() as look, _cluster(scheduler) as (executor, limit):
                _gather(executor, limit, function, tasks, missing, keep, look)
        elif workers == 1:
            for position in missing:
                keep(position, _pickled(function, tasks[position]))
        else:
            with _interrupts_held() as look:
                _run_in_pools(workers or os.cpu_count() or 1, function, tasks, missing, keep, look)
    return [results[position] for position in range(len(tasks))]


def _pickled[T](function: Callable[[T], object], task: T) -> bytes:
    """Run a task, in the worker; pickled even where that is this process, so that results do not depend on it."""
    return pickle.dumps(function(task), protocol=5)


def _gather[T](
    executor: Executor,
    limit: Callable[[], int],
    function: Callable[[T], object],
    tasks: Sequence[T],
    missing: dict[int, None],
    keep: Keep,
    look: Callable[[], None],
) -> None:
    """Keep the results of ``missing``, begun in its order, and take each out of it as it comes."""
    queue = iter(list(missing))
    running: dict[Future[bytes], int] = {}
    while missing:
        try:
            for position in itertools.islice(queue, max(0, limit() - len(running))):
                running[executor.submit(_pickled, function, tasks[position])] = position
        except BrokenProcessPool:
            # Some of those running may have finished before it broke: they are kept below.
            if not running:
                raise
        failed = None
        look()
        for future in wait(running, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED).done:
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
    look: Callable[[], None],
) -> None:
    fruitless = 0
    while missing:
        before = len(missing)
        size = 1 if fruitless else min(workers, before)
        try:
            with _pool(size) as pool:
                _gather(pool, lambda: IN_FLIGHT * workers, function, tasks, missing, keep, look)
        except BrokenProcessPool as error:
            # Those that ran as it broke go last, so that one that kills its worker does not keep the others waiting.
            for position in list(missing)[:size]:
                missing[position] = missing.pop(position)
            fruitless = fruitless + 1 if len(missing) == before else 0
            if fruitless > RETRIES:
                raise TaskError(
                    f"worker processes died {fruitless} times without a task finished in between; {before} tasks are "
                    "not done. If memory ran out, use fewer workers; if each died at its start, call run_tasks under "
                    '`if __name__ == "__main__":`, with a function that workers can import'
                ) from error


@contextlib.contextmanager
def _interrupts_held() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C back until the function that this gives is called, or all is over.

    Raised inside ``wait`` it may leave a future locked, on which the pool's own thread would then wait for ever.
    """
    pressed = False

    def press(*_: object) -> None:
        nonlocal pressed
        pressed = True

    def look() -> None:
        if pressed:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield look
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield look
        look()
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool that ends at once where anything goes wrong, whatever its workers are at."""
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
        # Not in the initializer: a script that the worker imports before may load BLAS.
        before = dict(os.environ)
        cap_blas_threads()
        os.environ.setdefault("NUMBA_NUM_THREADS", "1")
        try:
            super().start()
        finally:
            for name in set(os.environ) - set(before):
                del os.environ[name]


class _WorkerContext(SpawnContext):
    """Knows the processes that it started, which a pool does not tell."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[_Worker] = []

    def Process(self, **options: object) -> _Worker:  # type: ignore[override]  # noqa: N802
        self.started.append(_Worker(**options))  # type: ignore[arg-type]
        return self.started[-1]


def _start_worker() -> None:
    # Ctrl-C reaches the whole group; it is the parent that ends the workers then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent is gone; it would wait for tasks for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _cluster(address: str) -> Iterator[tuple[Executor, Callable[[], int]]]:
    """Give the executor of a Dask scheduler, and how many tasks may now be in flight."""
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise TaskError(f"scheduler {address}: needs Dask; install it by pip install 'hlt-bayes[dask]'") from error
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise TaskError(f"scheduler {address}: none answers ({error}); give one such as tcp://host:8786") from error

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
            raise TaskError(f"scheduler {address}: has no worker; start one by dask worker {address}") from error
        try:
            # Not pure: Dask would take what another client left under the same names.
            yield client.get_executor(pure=False), limit
        except distributed.KilledWorker as error:
            raise TaskError(f"scheduler {address}: gave a task up, whose workers died one by one; {error}") from error
        except CancelledError as error:
            raise TaskError(f"scheduler {address}: lost the tasks; see whether it still runs") from error
