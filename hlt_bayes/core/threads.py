"""One thread for linear algebra: matrices here are small, and further threads of BLAS mostly wait for each other."""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

BLAS_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Environment variables that BLAS libraries read when NumPy or SciPy loads them."""


def cap_blas_threads(environment: MutableMapping[str, str] | None = None) -> None:
    """Set BLAS to one thread, unless any of ``BLAS_THREADS`` is set already.

    Has an effect only before NumPy is imported, so it is for programs: the command line, workers, tests, benchmarks.

    Parameters
    ----------
    environment
        Where to set the variables; by default ``os.environ``.
    """
    environment = os.environ if environment is None else environment
    if not any(name in environment for name in BLAS_THREADS):
        environment.update(dict.fromkeys(BLAS_THREADS, "1"))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread within the block, also where NumPy is loaded already, as in a notebook.

    Does nothing where any of ``BLAS_THREADS`` is set.
    """
    if any(name in os.environ for name in BLAS_THREADS):
        yield
    else:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
