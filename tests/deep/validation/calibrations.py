"""Part 1: simulation-based calibration of every shipped impact spec and engine, with a seed that no test has used."""

import time

import numpy as np
from scipy.stats import norm

from hlt_bayes.inference.calibration import REPLICATES, calibrate, engines_of, stale
from hlt_bayes.results.calibrations import read_calibrations
from hlt_bayes.specs import load_impact_spec, shipped_specs
from validation.rows import Part, judged, row

RANKS = 100

NAME = "Calibration"
SIMULATED = "impacts drawn from each spec's prior, their results printed, the spec fitted to the print alone"


def rank_rows(what, summary):
    """Test the ranks of each quantity twice: chi-square over bins, and their mean."""
    rows = []
    for _, one in summary.iterrows():
        # Of ranks 0 to 99, each as likely: a share of the last.
        sd = np.sqrt((RANKS**2 - 1) / 12) / (RANKS - 1)
        numbers = {"found": one["mean_rank"], "expected": 0.5, "se": sd / np.sqrt(one["replicates"])}
        z = (numbers["found"] - 0.5) / numbers["se"]
        rows.append(row(what, "uniform ranks", one["quantity"], **numbers, p=one["p"]))
        rows.append(row(what, "mean rank", one["quantity"], **numbers, p=2 * norm.sf(abs(z))))
    return rows


def part(evidence, *, seed, specs=None, replicates=None, workers=None, journal=None, progress=None):
    """Calibrate the specs, all that are shipped unless named as {name: engines}; replicates by engine."""
    begin = time.perf_counter()
    wanted = specs or {name: engines_of(load_impact_spec(name)) for name in shipped_specs("impact")}
    number = REPLICATES | (replicates or {})
    rows, refused = [], 0
    for name, engines in wanted.items():
        for engine in engines:
            summary = calibrate(
                load_impact_spec(name),
                evidence,
                engine=engine,
                replicates=number[engine],
                seed=seed,
                workers=workers,
                journal=journal,
                progress=progress,
            )
            rows += rank_rows(f"{name}, {engine}", summary)
            refused += number[engine] - int(summary["replicates"].max())
    engines = {engine for each in wanted.values() for engine in each}
    how_many = ", ".join(f"{number[engine]:,} replicates by {engine}" for engine in sorted(engines))
    how_many += f" of each ({refused} refused)"
    return Part(NAME, SIMULATED, how_many, seed, time.perf_counter() - begin, judged(rows))


def kept_table(evidence):
    """Say whether models/calibration.csv is of today's models."""
    specs = [load_impact_spec(name) for name in shipped_specs("impact")]
    records = read_calibrations()
    old = stale(records, specs, evidence)
    wanted = {(one.name, engine) for one in specs for engine in engines_of(one)}
    missing = sorted(wanted - set(zip(records["spec"], records["engine"], strict=True)))
    if old or missing:
        named = ", ".join(f"{name} ({engine})" for name, engine in dict.fromkeys([*old, *missing]))
        return f"models/calibration.csv is OUT OF DATE for {named}."
    passed = int(records["calibrated"].sum())
    return f"models/calibration.csv is of today's models; {passed} of its {len(records)} calibrations passed."
