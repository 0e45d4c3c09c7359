"""The exact engine beside plain NumPy: draws, and numbers without draws."""

import sys

import numpy as np
import pandas as pd
import peer_data
from known_se import integrate
from timing import REFERENCE, best_and_median, keep

import hlt_bayes as hb
from hlt_bayes.inference.exact import exact_posterior
from hlt_bayes.specs.priors import prior

sys.path.append(str(REFERENCE.parent))
from printed_numbers import PRINTED
from quadrature import posterior as posterior_of_print

DRAWS = 4000
TRIES = 20
PROBABILITIES = (0.055, 0.5, 0.945)
GRID = 2000
"""Values of tau among which plain NumPy draws."""


def arguments_of(groups, meta):
    """Of our functions of rows."""
    tau = {"family": "half-normal", "sd": meta.tau_scale}
    if meta.tau_family == "half-cauchy":
        tau = {"family": "half-student-t", "degrees_of_freedom": 1.0, "scale": meta.tau_scale}
    of_groups = [dict(zip(groups, values.tolist(), strict=True)) for values in (meta.estimate, meta.se)]
    return of_groups, {"mu": prior({"family": "normal", "mean": 0.0, "sd": meta.mu_sd}), "tau": prior(tau)}


def drawn_from_grid(meta, rng):
    """Joint draws of mu, tau and impacts in plain NumPy: tau from a grid, the rest given it."""
    t = (np.arange(GRID) + 0.5) / GRID
    tau = meta.tau_scale * t / (1 - t)
    precision = 1 / (meta.se**2 + tau[:, None] ** 2)
    variance = 1 / (1 / meta.mu_sd**2 + precision.sum(axis=1))
    mean = variance * (precision @ meta.estimate)
    scaled = tau / meta.tau_scale
    log_prior = -0.5 * scaled**2 if meta.tau_family == "half-normal" else -np.log1p(scaled**2)
    log_mass = log_prior - 2 * np.log1p(-t) + 0.5 * np.log(variance) + 0.5 * mean**2 / variance
    log_mass += 0.5 * (np.log(precision).sum(axis=1) - precision @ meta.estimate**2)
    shares = np.exp(log_mass - log_mass.max())
    at = np.searchsorted(np.cumsum(shares) / shares.sum(), rng.random(DRAWS))
    mu = mean[at] + np.sqrt(variance[at]) * rng.standard_normal(DRAWS)
    towards = tau[at][:, None] ** 2 / (tau[at][:, None] ** 2 + meta.se**2)
    centre = towards * meta.estimate + (1 - towards) * mu[:, None]
    return mu, tau[at], centre + np.sqrt(towards) * meta.se * rng.standard_normal(centre.shape)


def timed(task, name, engine, function, **others):
    best, median = best_and_median(function, TRIES)
    return {"task": task, "data": name, "engine": engine, "best": best, "median": median, **others}


def greatest_z(draws, exact):
    """Of means and SDs {quantity: draws} of independent draws."""
    found = []
    for name, values in draws.items():
        mean, sd = exact[name]
        centred = values - values.mean()
        kurtosis = (centred**4).mean() / values.var() ** 2
        found.append((values.mean() - mean) / (values.std() / np.sqrt(values.size)))
        found.append((values.std() - sd) / (values.std() * np.sqrt((kurtosis - 1) / 4 / values.size)))
    return max(map(abs, found))


def known_ses(name, groups, meta):
    (estimate, se), priors = arguments_of(groups, meta)
    names = {"mu": "mu", "tau": "tau", **{position: f"impact[{group}]" for position, group in enumerate(groups)}}
    finer = integrate(meta, fineness=3)
    truth, check = (
        np.array([[*grid.mean_and_sd(q), *(grid.quantile(q, p) for p in PROBABILITIES)] for q in names])
        for grid in (finer, integrate(meta, fineness=2))
    )

    def exactly():
        return hb.exact_posterior_of_rows(estimate, se, **priors, probabilities=PROBABILITIES)

    def drawn():
        return hb.exact_draws_of_rows(estimate, se, **priors, draws=DRAWS, seed=1)

    found = exactly().sel(quantity=list(names.values()))
    ours = np.column_stack([found["mean"], found["sd"], found["quantile"]])
    # In posterior SDs: what has a mean near 0 has few digits of its own.
    error, own = (float((abs(one - truth) / truth[:, 1:2]).max()) for one in (ours, check))
    numbers = "means, SDs, quantiles"
    rows = [
        timed(numbers, name, "exact", exactly, error_in_sd=error, draws=0),
        timed(numbers, name, "grid of mu and tau", lambda: by_grid(meta, names), error_in_sd=own, draws=0),
    ]
    exact = {label: truth[at, :2] for at, label in enumerate(names.values())}
    of_ours = drawn()
    values = {"mu": of_ours["mu"].to_numpy(), "tau": of_ours["tau"].to_numpy()}
    values |= {f"impact[{group}]": of_ours["impact"].sel(group=group).to_numpy() for group in groups}
    rng = np.random.default_rng(1)
    mu, tau, impact = drawn_from_grid(meta, rng)
    plain = {"mu": mu, "tau": tau, **{f"impact[{group}]": impact[:, at] for at, group in enumerate(groups)}}
    task = "independent joint draws, known SEs"
    rows.append(timed(task, name, "exact", drawn, greatest_z=greatest_z(values, exact), draws=DRAWS))
    by_numpy = greatest_z(plain, exact)
    rows.append(timed(task, name, "plain NumPy", lambda: drawn_from_grid(meta, rng), greatest_z=by_numpy, draws=DRAWS))
    return rows


def by_grid(meta, names):
    grid = integrate(meta, fineness=2)
    return [(grid.mean_and_sd(q), [grid.quantile(q, p) for p in PROBABILITIES]) for q in names]


def reported_outcomes():
    """Draws of the four outcomes as printed, and the quadrature of the tests, which gives means and SDs alone."""
    evidence, spec = hb.load_evidence(), hb.load_impact_spec("primary")
    cells = hb.reported_results(evidence, spec)

    def drawn():
        return exact_posterior(cells, spec, chains=4, draws=DRAWS // 4, seed=1)[0]

    posterior, worst = drawn(), []
    quadratures = {outcome: posterior_of_print(printed) for outcome, printed in PRINTED.items()}
    for outcome, answers in quadratures.items():
        of_outcome = posterior.sel(outcome=outcome)
        values = {name: of_outcome[name].to_numpy().ravel() for name in ("mu", "tau")}
        values |= {g: of_outcome["impact"].isel(group=g).to_numpy().ravel() for g in range(3)}
        worst.append(greatest_z(values, {name: answers[name][:2] for name in values}))
    task = "independent joint draws, as printed"
    best, median = best_and_median(lambda: [posterior_of_print(printed) for printed in PRINTED.values()], 1)
    same = {"data": "primary", "engine": "quadrature, no draws", "draws": 0}
    return [
        timed(task, "primary", "exact", drawn, greatest_z=max(worst), draws=DRAWS),
        {"task": task, **same, "best": best, "median": median},
    ]


def main():
    rows = []
    health = peer_data.primary_sets()["health"]
    for name, (groups, meta) in {
        "health": health,
        "eight schools": peer_data.eight_schools(),
        "BCG": peer_data.bcg(),
    }.items():
        rows += known_ses(name, groups, meta)
    table = pd.DataFrame(rows + reported_outcomes())
    others = table[table["engine"] != "exact"].set_index(["task", "data"])["best"]
    over = [others[task, name] for task, name in zip(table["task"], table["data"], strict=True)]
    table["peer_over_this"] = np.array(over) / table["best"]
    keep(table, "exact")
