"""Part 4: the posterior of what is printed, by each engine, against computations that share no code with the package.

``tests/importance.py`` has every impact model but that of the pooled rows; the latter's is that of ``primary`` by the
exact engine, weighed by the probability of the pooled rows as written again in ``comparing``. The model of the other
trials of IPS is held to the quadrature of ``tests/statistical/test_meta.py``. Runs of several seeds are pooled: one is
no reference.
"""

import time
from typing import NamedTuple

import numpy as np
from importance import FAMILY, reference

from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.core.parallel import run_tasks
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.evidence import load_evidence, load_ips_counts
from hlt_bayes.inference.exact import is_exact
from hlt_bayes.inference.fit import fit
from hlt_bayes.meta import fit_trials, included, load_meta_spec
from hlt_bayes.specs import load_impact_spec
from validation.comparing import (
    missing_rows,
    pooled,
    rows_against,
    rows_between,
    rows_of_pooled_rows,
    rows_of_trials,
)
from validation.rows import Part, judged
from validation.tails import tail_probabilities

NAME = "Engines"
SIMULATED = "the posterior of the printed tables, each engine against an independent computation"

EXACT_DRAWS = 10_000
"""Draws of a chain of the exact engine."""

READINGS = (("odds ratio", False), ("odds ratio", True), ("risk ratio", True))


class Fit(NamedTuple):
    """A run of one engine; ``quantities`` are variables and their labels, ``seed`` its own."""

    spec: str
    engine: str
    quantities: tuple
    seed: int


class Tails(NamedTuple):
    """Points at which tail probabilities of a spec are wanted, by quantity."""

    spec: str
    points: dict
    batches: int
    seed: int


class Trials(NamedTuple):
    """A run of the model of the other trials."""

    reading: str
    adjusted: bool
    seed: int


def moments(task):
    """Reference means and SDs of a spec, and their errors, by quantity: (name, batches)."""
    name, batches = task
    found = reference(FAMILY[name], batches=batches)
    return {"mean": found.mean, "sd": found.sd, "mean_error": found.mean_error, "sd_error": found.sd_error}


def tails(task):
    """Reference tail probabilities, from draws other than those of the moments."""
    return tail_probabilities(FAMILY[task.spec], task.points, batches=task.batches, size=5000, seed=task.seed)


def run(task):
    """Draws {chain, draw, quantity} of a fit and how many they are worth; None where the gate refuses them."""
    spec = load_impact_spec(task.spec)
    if task.engine == "exact":
        spec = spec.model_copy(update={"sampling": spec.sampling.model_copy(update={"draws": EXACT_DRAWS})})
    try:
        tree = fit(spec, load_evidence(), engine=task.engine, seed=task.seed)
    except ConvergenceError:
        return None
    draws = tree["posterior"].dataset
    columns = [
        draws[name].sel(dict(zip(draws[name].dims[2:], labels, strict=True))).to_numpy()
        for name, *labels in task.quantities
    ]
    values = np.stack(columns, axis=-1)
    worth = tree["importance"]["effective_draws"].min().item() if "importance" in tree.children else None
    return values, worth


def run_trials(task):
    """Draws {chain, draw} of the other trials' model by quantity; None where the gate refuses them."""
    spec = load_meta_spec("ips")
    counts = included(load_ips_counts(), spec.trials.outcome_classes)
    try:
        tree = fit_trials(counts, spec, reading=task.reading, adjust_for_size=task.adjusted, seed=task.seed)
    except ConvergenceError:
        return None
    names = ["mu", "tau", "theta_new", *(["size_slope"] if task.adjusted else [])]
    return {name: tree["posterior"][name].to_numpy() for name in names}


def fits_of(specs, quantities, *, seed, seeds):
    """Name the runs: NUTS of every spec, the exact engine where there is one."""
    tasks = []
    for name in specs:
        engines = ["nuts", "exact"] if is_exact(load_impact_spec(name)) else ["nuts"]
        tasks += [
            Fit(name, engine, quantities[name], stream_seed(seed, f"{name}, {engine}, run {i}"))
            for engine in engines
            for i in range(seeds[engine])
        ]
    return tasks


def part(
    evidence, *, seed, seeds, specs=(*FAMILY, "pooled-rows"), batches=40, readings=READINGS, workers=None, **running
):
    """Compare the specs, of each ``seeds[engine]`` runs; ``running`` are journal and progress of ``run_tasks``.

    ``pooled-rows`` needs ``primary`` among the specs.
    """
    begin = time.perf_counter()
    running |= {"workers": workers}
    own = [name for name in specs if name in FAMILY]
    references = dict(
        zip(own, run_tasks(moments, [(name, batches) for name in own], stage="References", **running), strict=True)
    )
    quantities = {name: tuple(one["mean"]) for name, one in references.items()}
    if "pooled-rows" in specs:
        quantities["pooled-rows"] = quantities["primary"]
    tasks = fits_of(specs, quantities, seed=seed, seeds=seeds)
    results = run_tasks(run, tasks, stage="Runs of engines", **running)
    runs = {}
    for task, one in zip(tasks, results, strict=True):
        runs.setdefault((task.spec, task.engine), []).append(one)
    passed = {key: [one for one in found if one is not None] for key, found in runs.items()}
    rows = []
    for (name, engine), found in passed.items():
        if 2 * len(found) < seeds[engine] or not found:
            rows += missing_rows(f"{name}: {engine}", len(found), seeds[engine])
    ready = {key: pooled(found) for key, found in passed.items() if found}
    rows += _rows_of_family(own, ready, references, quantities, batches=batches, seed=seed, running=running)
    if {("pooled-rows", "nuts"), ("primary", "exact")} <= set(ready):
        nuts, exact = ready["pooled-rows", "nuts"], ready["primary", "exact"]
        rows += rows_of_pooled_rows(nuts, exact, quantities["pooled-rows"], evidence)
    rows += _rows_of_readings(readings, seed=seed, seeds=seeds["nuts"], running=running)
    refused = sum(one is None for one in results)
    how_many = (
        f"{len(specs)} impact specs and {len(readings)} readings of the other trials; {seeds['nuts']} runs by nuts and "
        f"{seeds['exact']} by exact of each ({refused} refused by the gate)"
    )
    return Part(NAME, SIMULATED, how_many, seed, time.perf_counter() - begin, judged(rows))


def _rows_of_family(own, ready, references, quantities, *, batches, seed, running):
    engines = {name: [engine for spec, engine in ready if spec == name] for name in own}
    tasks = []
    for name in own:
        stacked = np.concatenate([ready[name, engine].points for engine in engines[name]], axis=1)
        points = dict(zip(quantities[name], stacked, strict=True))
        tasks.append(Tails(name, points, batches, stream_seed(seed, f"tails of {name}")))
    found = run_tasks(tails, tasks, stage="Tails of references", **running)
    rows = []
    for name, shares in zip(own, found, strict=True):
        truth = references[name]
        mean, sd = (
            {quantity: (number[quantity], error[quantity]) for quantity in quantities[name]}
            for number, error in ((truth["mean"], truth["mean_error"]), (truth["sd"], truth["sd_error"]))
        )
        for place, engine in enumerate(engines[name]):
            here = slice(2 * place, 2 * place + 2)
            own_shares = {quantity: (one[here], error[here]) for quantity, (one, error) in shares.items()}
            what = f"{name}: {engine} v reference"
            rows += rows_against(what, ready[name, engine], quantities[name], mean, sd, own_shares)
        if len(engines[name]) == 2:
            rows += rows_between(name, ready[name, "nuts"], ready[name, "exact"], quantities[name])
    return rows


def _rows_of_readings(readings, *, seed, seeds, running):
    tasks = [Trials(*one, stream_seed(seed, f"{one}, run {i}")) for one in readings for i in range(seeds)]
    results = run_tasks(run_trials, tasks, stage="Other trials", **running)
    rows = []
    for reading, adjusted in readings:
        found = [
            one
            for task, one in zip(tasks, results, strict=True)
            if (task.reading, task.adjusted) == (reading, adjusted) and one is not None
        ]
        if 2 * len(found) < seeds:
            rows += missing_rows(f"ips, {reading}, {adjusted}", len(found), seeds)
        else:
            rows += rows_of_trials(found, reading, adjusted)
    return rows
