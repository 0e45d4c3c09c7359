"""How fast models of individual records are: python tests/benchmarks/individual.py engines|rows.

``engines``: one hierarchical logistic regression, three groups, six columns of covariates, on the synthetic twin of
9,785, by brms (R with the packages brms, posterior and jsonlite must be there), by our NUTS and by our Laplace engine,
one after the other in one run; NUTS twice, with an empty and a filled cache of compiled code. ``rows``: the Laplace
engine and NUTS, its cache filled by a fit to 10,000, on twins of 10,000 to 1,000,000 people, each in a process of its
own, whose peak memory is that of everything it holds. Both write what they print to tests/reference/.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import arviz_stats as azs
import numpy as np
import pandas as pd
from timing import afresh, brms_is_there, say

from hlt_bayes.inference.nuts import sample_model
from hlt_bayes.ipd.models.fitting import laplace_draws
from hlt_bayes.ipd.models.model import individual_model
from hlt_bayes.ipd.models.outcome_model import problem_of
from hlt_bayes.ipd.synthetic import make_twin
from hlt_bayes.specs import load_individual_spec

HERE = Path(__file__).parent
REFERENCE = HERE.parents[0] / "reference"
COVARIATES = ["age", "baseline_eq5d", "baseline_swemwbs", "baseline_jsse"]
"""Six columns: three bands of age, and three scales that tell everybody apart."""

ROWS = (10_000, 100_000, 1_000_000)


def continuous_spec():
    spec = load_individual_spec("log-odds")
    return spec.model_copy(update={"covariates": {"employment": COVARIATES}})


def silent(_stage, _done, _total):
    pass


def worst_ess(posterior):
    """Fewest effective draws, of bulk and tails, of impacts, mu and tau."""
    chosen = posterior[["impact", "mu", "tau"]]
    found = [azs.ess(chosen, method=method) for method in ("bulk", "tail")]
    return min(float(one[name].min()) for one in found for name in chosen)


def by_brms(records, folder):
    problem = problem_of(continuous_spec(), records, "employment")
    people, profiles = problem.people, problem.people.profiles
    group = profiles.group[people.profile]
    frame = pd.DataFrame(
        profiles.covariates[people.profile],
        columns=[f"component{position}" for position in range(profiles.covariates.shape[1])],
    )
    frame["group"] = np.array(profiles.groups)[group]
    frame["step"] = people.treated - profiles.treated_share[group]
    frame["events"] = people.outcome.astype(int)
    frame.to_csv(folder / "people.csv", index=False)
    script = HERE / "hierarchical_logistic.R"
    subprocess.run(["Rscript", script, folder / "people.csv", folder / "brms.json"], check=True)
    return json.loads((folder / "brms.json").read_text())


def by_nuts(model, spec):
    """Draws, and the seconds of compiling and of drawing."""
    begin = time.perf_counter()
    stages = {}

    def note(stage, _done, _total):
        stages.setdefault(stage, time.perf_counter())

    sampled = sample_model(model, spec.sampling, seed=1, progress=note)
    return sampled, stages["Sampling"] - begin, time.perf_counter() - stages["Sampling"]


def row_of_nuts():
    spec = continuous_spec()
    sampled, compiling, drawing = by_nuts(individual_model(spec, twin_records(), "employment"), spec)
    return {
        "prepare": compiling,
        "draw": drawing,
        "effective_draws": worst_ess(sampled["posterior"].dataset),
        "divergences": int(sampled["sample_stats"]["diverging"].sum()),
    }


def twin_records():
    return make_twin(n=9785, seed=1).records


def engines():
    records, spec = twin_records(), continuous_spec()
    rows = []
    begin = time.perf_counter()
    found = laplace_draws(spec, records, "employment", seed=1, report=silent)
    seconds = time.perf_counter() - begin
    ess = min(worst_ess(found.posterior), float(found.statistics["effective_draws"]))
    of_laplace = {"prepare": 0.0, "draw": seconds, "effective_draws": ess, "divergences": 0}
    rows.append({"engine": "laplace", "cache": "unused", **of_laplace})
    rows += [{"engine": "nuts", "cache": cache, **afresh(row_of_nuts)} for cache in ("empty", "filled")]
    with tempfile.TemporaryDirectory() as folder:
        brms = by_brms(records, Path(folder))
    rows.append(
        {
            "engine": "brms",
            "cache": "none kept",
            "prepare": brms["compile"],
            "draw": brms["sample"],
            "effective_draws": min(brms["ess"].values()),
            "divergences": brms["divergences"],
        }
    )
    table = pd.DataFrame(rows)
    # Compiling is done once; drawing goes on until there are as many effective draws as asked for.
    table["to_1000"] = table["prepare"] + 1000 * table["draw"] / table["effective_draws"]
    table["to_1000_without_preparing"] = 1000 * table["draw"] / table["effective_draws"]
    for name in ("to_1000", "to_1000_without_preparing"):
        table[f"brms_over_{name}"] = table.loc[table["engine"] == "brms", name].item() / table[name]
    return table.round(3)


def measure(kind, outcome, engine, n, path):
    """Time and memory of one fit, in a process of its own."""
    records = pd.read_pickle(path)  # noqa: S301 - made by this script
    spec = continuous_spec() if (kind, outcome) == ("continuous", "employment") else load_individual_spec("records")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    if engine == "laplace":
        found = laplace_draws(spec, records, outcome, seed=1, report=silent)
        posterior, ess = found.posterior, float(found.statistics["effective_draws"])
        seconds = time.perf_counter() - begin
        ess = min(ess, worst_ess(posterior))
        compiling = 0.0
    else:
        sampled, _, drawing = by_nuts(individual_model(spec, records, outcome), spec)
        seconds, ess = time.perf_counter() - begin, worst_ess(sampled["posterior"].dataset)
        # Building the model counts as compiling it.
        compiling = seconds - drawing
    return {
        "covariates": kind,
        "outcome": outcome,
        "engine": engine,
        "rows": n,
        "seconds": seconds,
        "of_which_compiling": compiling,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "records_gib": before / 2**20,
        "effective_draws_per_second": ess / seconds,
    }


def keep_twin(n, path):
    """Make a twin in a process of its own: a process is charged with what its parent held when it began."""
    pd.to_pickle(make_twin(n=n, seed=1).records, path)


KINDS = [
    ("categories", "employment", "laplace"),
    ("categories", "earnings", "laplace"),
    ("continuous", "employment", "laplace"),
    ("continuous", "health", "laplace"),
    ("categories", "employment", "nuts"),
    ("continuous", "health", "nuts"),
]


def rows():
    found = []
    with tempfile.TemporaryDirectory() as folder:
        paths = {n: Path(folder) / f"{n}.pkl" for n in ROWS}
        for n, path in paths.items():
            afresh(keep_twin, n, path)
        for kind in KINDS:
            if "nuts" in kind:
                # Not kept: it fills the cache of compiled code, so that it does not matter who comes first.
                afresh(measure, *kind, ROWS[0], paths[ROWS[0]])
        for n, path in paths.items():
            for kind in KINDS:
                found.append(afresh(measure, *kind, n, path))
                print(found[-1], file=sys.stderr, flush=True)
    return pd.DataFrame(found).round(3)


def main(asked):
    if asked == "engines" and not brms_is_there():
        say("individual_engines: skipped, Rscript with brms is not there; the kept table stays as it is")
        return
    table = {"engines": engines, "rows": rows}[asked]()
    table.to_csv(REFERENCE / f"individual_{asked}.csv", index=False)
    say(table.to_string(index=False))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "engines")
