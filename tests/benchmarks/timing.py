"""How long commands in fresh processes take, and how much memory: what every part of the benchmarks shares."""

import multiprocessing
import os
import resource
import statistics
import subprocess
import threading
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd

REFERENCE = Path(__file__).parents[1] / "reference"
EVERY = 0.05
"""Seconds between two looks at memory."""


class Finished(NamedTuple):
    """``seconds`` from start to end and of all processors; peak memory of the process and its children; its print."""

    seconds: float
    cpu_seconds: float
    peak_gib: float
    output: str


def run_fresh(command, *, environment=None):
    """Run a command in a process of its own; what it prints of errors is shown if it fails."""
    began, before = time.perf_counter(), of_children()
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    peaks, ended = [0], threading.Event()
    watcher = threading.Thread(target=watch, args=(process.pid, peaks, ended))
    watcher.start()
    output, errors = process.communicate()
    seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{errors}")
    return Finished(seconds, of_children() - before, peaks[0] / 2**30, output)


def of_children():
    """Seconds of processor that children which have ended took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def watch(pid, peaks, ended):
    """Keep in ``peaks[0]`` the most bytes that a process and its children held at one time."""
    while not ended.wait(EVERY):
        peaks[0] = max(peaks[0], sum(resident(one) for one in family(pid)))


def family(pid):
    """A process and all that it started."""
    found, children = [pid], children_of_all()
    for one in found:
        found.extend(children.get(one, []))
    return found


def children_of_all():
    """Processes {parent: children}, as far as they are still there."""
    children = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                # The name, in brackets, may hold spaces; the parent is the second field after it.
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(folder.name))
    return children


def resident(pid):
    """Bytes of memory that a process holds; 0 once it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def environment_with_cache(folder):
    """Give the environment in which all compiled code is kept in, and taken from, a folder of its own.

    PyTensor keeps its own and numba's code of its functions under ``base_compiledir``; numba keeps that of other
    packages under ``NUMBA_CACHE_DIR``; nutpie keeps none of PyMC models.
    """
    flags = [flag for flag in os.environ.get("PYTENSOR_FLAGS", "").split(",") if flag and "compiledir" not in flag]
    return {
        **os.environ,
        "PYTENSOR_FLAGS": ",".join([*flags, f"base_compiledir={folder}/pytensor"]),
        "NUMBA_CACHE_DIR": f"{folder}/numba",
        "XDG_CACHE_HOME": f"{folder}/other",
    }


def best_and_median(function, tries):
    """Seconds of the fastest and of the middle call."""
    times = []
    for _ in range(tries):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return min(times), statistics.median(times)


def keep(table, name):
    """Write a table to tests/reference/bench_<name>.csv, at five digits, and print it."""
    path = REFERENCE / f"bench_{name}.csv"
    table.to_csv(path, index=False, float_format="%.5g", lineterminator="\n")
    say(f"{path.name}\n{table.to_string(index=False)}")


def kept(name):
    """Read what ``keep`` wrote."""
    return pd.read_csv(REFERENCE / f"bench_{name}.csv")


def afresh(function, *arguments):
    """Call a function in a process of its own, which finds the cache of compiled code as the one before left it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def say(text):
    """Print at once."""
    print(text, flush=True)


def brms_is_there():
    """Whether Rscript finds brms, and what it needs here."""
    asked = "for (name in c('brms', 'rstan', 'posterior', 'jsonlite')) loadNamespace(name)"
    try:
        return subprocess.run(["Rscript", "-e", asked], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
