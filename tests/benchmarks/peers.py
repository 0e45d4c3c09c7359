"""Our NUTS beside brms: the same data, the same priors, as many chains and draws, each phase apart.

Every timed run is a process of its own; engines take turns, and of the repeats of each the quickest counts. Ours runs
with an empty cache of compiled code, and again with what that left; brms compiles anew in every process, as it does
for everybody. Draws of ten seeds of each are held against integration without any draw.
"""

import json
import sys
import tempfile
from pathlib import Path

import arviz_stats as azs
import numpy as np
import pandas as pd
import peer_data
import xarray as xr
from timing import brms_is_there, environment_with_cache, keep, run_fresh, say

import hlt_bayes as hb

HERE = Path(__file__).parent
REPEATS = 2
SEEDS = list(range(1, 11))
PHASES = ["import", "build", "compile", "sample", "prior", "summarise"]


def run_nuts(job, settings, folder, *, cache, seeds):
    path = folder / "nuts.json"
    path.write_text(json.dumps({**job["ours"], "seeds": seeds}))
    command = [sys.executable, HERE / "nuts_process.py", path, folder]
    finished = run_fresh(command, environment=environment_with_cache(cache))
    result = json.loads((folder / "result.json").read_text())
    draws = {}
    for seed in seeds:
        arrays = np.load(folder / f"{seed}.npz")
        draws[seed] = {
            outcome: np.concatenate([arrays["mu"][at][None], arrays["tau"][at][None], arrays["impact"][at]])
            for at, outcome in enumerate(job["brms"]["sets"])
        }
    assert draws[seeds[0]][next(iter(job["brms"]["sets"]))].shape[1:] == (settings.chains, settings.draws)
    return finished, result, draws


def run_brms(job, settings, folder, *, seeds, timed):
    numbers = {name: getattr(settings, name) for name in ("chains", "tune", "draws", "target_accept")}
    path = folder / "brms.json"
    path.write_text(json.dumps({**job["brms"], **numbers, "seeds": seeds, "timed": timed}))
    finished = run_fresh(["Rscript", HERE / "peers.R", path, folder])
    result = json.loads((folder / "result.json").read_text())
    draws = {
        seed: {
            outcome: np.fromfile(folder / f"{seed}_{outcome}.bin").reshape(-1, settings.chains, settings.draws)
            for outcome in job["brms"]["sets"]
        }
        for seed in seeds
    }
    return finished, result, draws


def worst_ess(of_outcomes):
    """Fewest effective draws of bulk and of tails, over mu, tau and the effects of all outcomes."""
    found = {"bulk": [], "tail": []}
    for draws in of_outcomes.values():
        values = xr.Dataset({"value": (("quantity", "chain", "draw"), draws)})
        for method, kept in found.items():
            kept.append(float(azs.ess(values, method=method)["value"].min()))
    return {f"{method}_ess": min(kept) for method, kept in found.items()}


def accuracy(of_seeds, exact):
    """Mean and SD of mu and tau, pooled over seeds, in Monte Carlo standard errors from the exact ones."""
    rows = []
    for outcome, answers in exact.items():
        for position, quantity in enumerate(("mu", "tau")):
            pooled = np.concatenate([draws[outcome][position] for draws in of_seeds.values()])
            values = xr.Dataset({"value": (("chain", "draw"), pooled)})
            for statistic, found, answer in zip(
                ("mean", "sd"), (pooled.mean(), pooled.std(ddof=1)), answers[quantity], strict=True
            ):
                error = float(azs.mcse(values, method=statistic)["value"])
                row = {"outcome": outcome, "quantity": quantity, "statistic": statistic, "exact": answer}
                rows.append({**row, "found": found, "mcse": error, "z": (found - answer) / error})
    return rows


def one_row(name, engine, cache, settings, run, standard_errors):
    finished, result, draws = run
    ess = worst_ess(draws[SEEDS[0]])
    return {
        "data": name,
        "engine": engine,
        "cache": cache,
        "chains": settings.chains,
        "draws": settings.draws,
        **{phase: result.get(phase, 0.0) for phase in PHASES},
        "total": finished.seconds,
        "cpu_seconds": finished.cpu_seconds,
        "peak_gib": finished.peak_gib,
        **ess,
        "ess_per_second": min(ess.values()) / result["sample"],
        "standard_errors": standard_errors,
    }


def measure(name, job, settings, folder):
    """Timed rows and the accuracy of both engines on one data set."""
    timed = []
    for repeat in range(REPEATS):
        cache = folder / f"cache-{name}-{repeat}"
        for label in ("empty", "filled"):
            run = run_nuts(job, settings, folder, cache=cache, seeds=SEEDS[:1])
            timed.append(one_row(name, "nuts", label, settings, run, job["standard_errors"]))
            say_total(timed[-1])
        run = run_brms(job, settings, folder, seeds=SEEDS[:1], timed=True)
        timed.append(one_row(name, "brms", "none kept", settings, run, job["standard_errors"]))
        say_total(timed[-1])
    checked = []
    for engine, run in (
        ("nuts", run_nuts(job, settings, folder, cache=folder / f"cache-{name}-0", seeds=SEEDS)),
        ("brms", run_brms(job, settings, folder, seeds=SEEDS, timed=False)),
    ):
        _, result, draws = run
        same = {"data": name, "engine": engine, "seeds": len(draws), "divergences": result["divergences"]}
        checked += [{**same, **row} for row in accuracy(draws, job["exact"][engine])]
        say(f"{name}, {engine}: greatest |z| over {len(draws)} seeds {max(abs(row['z']) for row in checked):.2f}")
    return timed, checked


def say_total(row):
    say(f"{row['data']}, {row['engine']}, cache {row['cache']}: {row['total']:.1f} s")


def with_ratios(timed):
    """The quickest repeat of each, with how many times longer brms takes, and our ESS a second over that of brms."""
    table = pd.DataFrame(timed)
    quickest = table.loc[table.groupby(["data", "engine", "cache"], sort=False)["total"].idxmin()].copy()
    quickest.insert(3, "repeats", REPEATS)
    brms = quickest[quickest["engine"] == "brms"].set_index("data")
    quickest["brms_total_over_this"] = quickest["data"].map(brms["total"]) / quickest["total"]
    quickest["ess_per_second_over_brms"] = quickest["ess_per_second"] / quickest["data"].map(brms["ess_per_second"])
    return quickest


def main():
    if not brms_is_there():
        say("peers: skipped, Rscript with brms, posterior and jsonlite is not there; the kept tables stay as they are")
        return
    settings = hb.load_impact_spec("primary").sampling
    timed, checked = [], []
    with tempfile.TemporaryDirectory() as kept:
        folder = Path(kept)
        jobs = {
            "primary": peer_data.primary(),
            "eight schools": peer_data.known("schools", *peer_data.eight_schools(), folder),
            "BCG": peer_data.known("bcg", *peer_data.bcg(), folder),
        }
        for name, job in jobs.items():
            more_timed, more_checked = measure(name, job, settings, folder)
            timed += more_timed
            checked += more_checked
    keep(with_ratios(timed), "peers")
    keep(pd.DataFrame(checked), "peers_accuracy")
