"""Many independent tasks over worker processes, here or on a Dask cluster."""

from hlt_bayes.core.parallel.pool import run_tasks

__all__ = ["run_tasks"]
