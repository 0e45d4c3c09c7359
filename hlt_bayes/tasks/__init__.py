"""Many independent tasks over worker processes, here or on a Dask cluster."""

from hlt_bayes.tasks.running import run_tasks

__all__ = ["run_tasks"]
