"""One thread for linear algebra: matrices here are small, and further threads of BLAS mostly wait for each other."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

BLAS_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Environment variables that BLAS libraries read when NumPy or SciPy loads them."""


def cap_blas_threads() -> None:
    """Set BLAS to one thread, unless any of ``BLAS_THREADS`` is set already.

    Has an effect only before NumPy is imported, so it is for programs: the command line, workers, tests, benchmarks.
    """
    if not any(name in os.environ for name in BLAS_THREADS):
        os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread within the block, also where NumPy is loaded already, as in a notebook.

    Does nothing where any of ``BLAS_THREADS`` is set.
    """
    if any(name in os.environ for name in BLAS_THREADS):
        yield
    else:
        # Not at the top: the command line imports this module and never gets here.
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1, user_api="blas"):
            yield
