"""Measure how fast everything is, beside others, in one run: python tests/benchmarks/run_all.py [part ...].

Tables are written to tests/reference/bench_*.csv and individual_*.csv. Parts: machine, exact, main_job, information,
peers, economics, individual_engines, individual_rows; all of them if none is named. Then every target is said to be
met or missed. Other work on the machine makes all times wrong.
"""

import sys
import tempfile
import time
from pathlib import Path

from hlt_bayes.core.threads import cap_blas_threads

cap_blas_threads()  # before NumPy is imported, here and in every process that is started

import economics  # noqa: E402
import exact  # noqa: E402
import information  # noqa: E402
import machine  # noqa: E402
import main_job  # noqa: E402
import pandas as pd  # noqa: E402
import peers  # noqa: E402
from targets import TARGETS, verdicts  # noqa: E402
from timing import REFERENCE, afresh, environment_with_cache, keep, run_fresh, say  # noqa: E402


def of_individual(asked):
    """Compile afresh, in a process that has imported nothing yet."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, Path(__file__).with_name("individual.py"), asked]
        say(run_fresh(command, environment=environment_with_cache(folder)).output)


def of_economics():
    # Peak memory is that of a process so far.
    keep(pd.DataFrame(afresh(economics.kept)), "economics")


PARTS = {
    "machine": machine.main,
    "exact": exact.main,
    "main_job": main_job.main,
    "information": information.main,
    "peers": peers.main,
    "economics": of_economics,
    "individual_engines": lambda: of_individual("engines"),
    "individual_rows": lambda: of_individual("rows"),
}


def main(asked):
    unknown = [name for name in asked if name not in PARTS]
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: no such part; there are {', '.join(PARTS)}")
    for name in asked or PARTS:
        say(f"== {name}")
        began = time.perf_counter()
        PARTS[name]()
        say(f"== {name}: {time.perf_counter() - began:.0f} s\n")
    missing = {one.table for one in TARGETS if not (REFERENCE / f"bench_{one.table}.csv").exists()}
    if missing:
        say(f"targets: not judged, as these tables are not there: {', '.join(sorted(missing))}")
        return
    keep(verdicts(REFERENCE), "targets")


if __name__ == "__main__":
    main(sys.argv[1:])
