"""How long an appraisal of many draws takes, and how much memory: python tests/benchmarks/economics.py [draws ...].

Impacts are made piece by piece, as an engine would hand them on, so that what is measured is the appraisal. For each
number of draws it prints seconds and peak memory of all five rows under each of the five shipped specs.
"""

import resource
import sys
import time

import numpy as np
import xarray as xr

from hlt_bayes.economics import stream_returns
from hlt_bayes.evidence import load_evidence
from hlt_bayes.specs import load_economic_spec, shipped_specs

MEAN = np.array([[0.026, -0.006, 0.034], [147, -64, 96], [0.085, 0.085, 0.07], [0.143, 0.123, 0.113]])
SD = np.array([[0.015, 0.018, 0.012], [246, 188, 158], [0.04, 0.04, 0.041], [0.044, 0.047, 0.047]])
SIZES = [10**power for power in range(3, 8)]
PIECE = 1_000_000
"""Draws of impact that are held at a time."""


def impacts(draws, seed):
    values = np.random.default_rng(seed).standard_normal((4, draws // 4, 4, 3))
    values *= SD
    values += MEAN
    return xr.DataArray(
        values,
        dims=("chain", "draw", "outcome", "group"),
        coords={"outcome": ["employment", "earnings", "health", "wellbeing"], "group": ["SCR IW", "SCR OOW", "WMCA"]},
    )


def measure(draws, specs, evidence):
    """Seconds of the appraisals alone, over pieces of impacts."""
    seconds = 0.0
    for number, start in enumerate(range(0, draws, PIECE)):
        piece = impacts(min(PIECE, draws - start), number)
        begin = time.perf_counter()
        for spec in specs:
            table = stream_returns(piece, spec, evidence, seed=number)
        seconds += time.perf_counter() - begin
    assert len(table) == 10
    return seconds


def rows(sizes):
    evidence = load_evidence()
    specs = [load_economic_spec(name) for name in shipped_specs("economic")]
    measure(1000, specs, evidence)
    for draws in sizes:
        seconds = measure(draws, specs, evidence)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        yield {"draws": draws, "specs": len(specs), "seconds": seconds, "peak_gib": peak}


def main(sizes):
    print(f"{'draws':>12} {'seconds':>9} {'peak GiB':>9}")
    for row in rows(sizes):
        print(f"{row['draws']:12,} {row['seconds']:9.2f} {row['peak_gib']:9.2f}", flush=True)


def kept():
    """Measure all sizes, for the kept table; memory is that of the process so far, which wants to be a new one."""
    return list(rows(SIZES))


if __name__ == "__main__":
    main([int(text) for text in sys.argv[1:]] or SIZES)
