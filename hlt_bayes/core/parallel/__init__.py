"""Independent tasks in worker processes, on this machine or on a Dask cluster."""

from hlt_bayes.core.parallel.pool import run_tasks

__all__ = ["run_tasks"]
