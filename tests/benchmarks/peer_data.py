"""What our NUTS and brms are given: the same data and priors, and what is exact of mu and tau.

The primary data set (four outcomes of three trial groups), the eight schools (Rubin 1981, in tenths of the points) and
the 13 trials of BCG (Colditz et al. 1994).
"""

import sys

import numpy as np
import pandas as pd
from known_se import Meta, integrate
from timing import REFERENCE

import hlt_bayes as hb
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.likelihood import recovered_se

sys.path.append(str(REFERENCE.parent))
from printed_numbers import PRINTED
from quadrature import posterior as posterior_of_print

SPEC = """\
based_on = "primary"
name = "{name}"
title = "Trials with known standard errors"
outcomes = ["health"]
without = [{without}]

[priors.mu.health]
family = "normal"
mean = 0.0
sd = {mu_sd}
unit = "SD of EQ-5D-5L"
why = "As brms has it."
source = "assumption"

[priors.tau.health]
{tau}
unit = "SD of EQ-5D-5L"
why = "As brms has it."
source = "assumption"
"""
TAU = {
    "half-normal": 'family = "half-normal"\nsd = {scale}',
    "half-cauchy": 'family = "half-student-t"\ndegrees_of_freedom = 1.0\nscale = {scale}',
}


def eight_schools():
    """Priors as in posteriordb's ``eight_schools``."""
    estimate, se = [28, 8, -3, 7, -1, 1, 18, 12], [15, 10, 16, 11, 9, 11, 10, 18]
    return list("ABCDEFGH"), Meta(np.array(estimate) / 10, np.array(se) / 10, 0.5, 0.5, "half-cauchy")


def bcg():
    """Log risk ratios; mu and tau as Roever (2020, doi 10.18637/jss.v093.i06) suggests for logs of ratios."""
    trials = pd.read_csv(REFERENCE / "bcg.csv")
    ratio = np.log(trials["events_t"] / trials["n_t"]) - np.log(trials["events_c"] / trials["n_c"])
    variance = 1 / trials["events_t"] - 1 / trials["n_t"] + 1 / trials["events_c"] - 1 / trials["n_c"]
    names = [f"trial {number}" for number in range(1, len(trials) + 1)]
    # As many digits as are written into the file that our engine reads.
    return names, Meta(ratio.round(6).to_numpy(), np.sqrt(variance).round(6).to_numpy(), 2.82, 0.5, "half-normal")


def known(name, groups, meta, folder):
    """Jobs of both engines for trials with known standard errors, written to a folder."""
    rows = [
        {"outcome": "health", "group": group, "estimate": f"{x:.6f}", "unit": "SD", "se": f"{se:.6f}"}
        for group, x, se in zip(groups, meta.estimate, meta.se, strict=True)
    ]
    pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    others = [outcome for outcome in OUTCOMES if outcome != "health"]
    places = ("priors.mu", "priors.tau", "standard_error.design")
    without = ", ".join(f'"{place}.{outcome}"' for place in places for outcome in others)
    tau = TAU[meta.tau_family].format(scale=meta.tau_scale)
    spec = SPEC.format(name=name, without=without, mu_sd=meta.mu_sd, tau=tau)
    (folder / f"{name}.toml").write_text(spec)
    exact = {"health": of_grid(meta)}
    ours = {"evidence": str(folder / f"{name}.csv"), "spec": str(folder / f"{name}.toml")}
    sets = {"health": brms_set(groups, meta)}
    return {
        "ours": ours,
        "brms": {"tau_family": meta.tau_family, "sets": sets},
        "exact": {"nuts": exact, "brms": exact},
        "standard_errors": "known to both",
    }


def primary_sets():
    """Groups and known-SE data sets {outcome} of the printed evidence, SEs at their recovered medians."""
    spec, evidence = hb.load_impact_spec("primary"), hb.load_evidence()
    cells = hb.reported_results(evidence, spec)
    medians = recovered_se(cells, [0.5]).sel(quantity="se")["quantile"].to_numpy().ravel()
    found = {}
    for outcome in spec.outcomes:
        here = cells["outcome"].to_numpy() == outcome
        scales = spec.priors.mu[outcome].sd, spec.priors.tau[outcome].sd
        meta = Meta(cells["estimate"].to_numpy()[here], medians[here], *scales, "half-normal")
        found[outcome] = [str(group) for group in cells["group"].to_numpy()[here]], meta
    return found


def primary():
    """Jobs for the printed evidence; brms, which has no likelihood for a print, takes the SEs as known."""
    sets = primary_sets()
    of_print = {}
    for outcome, printed in PRINTED.items():
        found = posterior_of_print(printed)
        of_print[outcome] = {name: found[name][:2] for name in ("mu", "tau")}
    return {
        "ours": {"evidence": None, "spec": "primary"},
        "brms": {
            "tau_family": "half-normal",
            "sets": {outcome: brms_set(groups, meta) for outcome, (groups, meta) in sets.items()},
        },
        "exact": {"nuts": of_print, "brms": {outcome: of_grid(meta) for outcome, (_, meta) in sets.items()}},
        "standard_errors": "ours: latent, from the print; brms: known, at their medians, which favours brms",
    }


def brms_set(groups, meta):
    arrays = {"estimate": meta.estimate.tolist(), "se": meta.se.tolist()}
    return {"group": groups, **arrays, "mu_sd": meta.mu_sd, "tau_scale": meta.tau_scale}


def of_grid(meta):
    found = integrate(meta)
    return {name: found.mean_and_sd(name) for name in ("mu", "tau")}
