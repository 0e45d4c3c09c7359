"""What more evidence is worth: our regressions and moment matching beside nested Monte Carlo.

Nested Monte Carlo values with ``tests/economics_by_hand.py``, which has no code of the package, and takes impacts and
quantities from pools of draws. Learning quantities that are independent of all others: for each value of them an
average over many draws of the rest. A new trial: for each of its simulated results the pool weighed by how likely the
result is. Half as many inner draws show the bias of the maximum of an average, which is taken off. Both sides are
repeated with draws of their own, so that the standard errors hold all of the chance.
"""

import sys
import time

import numpy as np
import pandas as pd
from timing import REFERENCE, keep, say

import hlt_bayes as hb
from hlt_bayes.economics import evppi, new_trial
from hlt_bayes.economics.parameters import parameters_of
from hlt_bayes.economics.value_of_information import error_variances, parts_to_learn
from hlt_bayes.inference.exact import exact_posterior

sys.path.append(str(REFERENCE.parent))
from economics_by_hand import green_book

GROUP = "WMCA"
LEARNT = ("Health impact", "Share gained by non-respondents", "What wellbeing and earnings add")
"""Independent of all else in this spec and under this impact spec: what holds for none of them is not here."""

PER_ARM = (1000, 5000)
DRAWS = (1000, 4000, 16_000)
NESTED = ((250, 500), (1000, 2000))
"""Outer and inner draws."""

POOL = 50_000
REPEATS = 8
OUTCOMES = ["employment", "earnings", "health", "wellbeing"]


class Setting:
    """Evidence and specs, and draws from them."""

    def __init__(self):
        self.evidence, self.impact_spec = hb.load_evidence(), hb.load_impact_spec("primary")
        self.spec = hb.load_economic_spec("green-book")
        self.cells = hb.reported_results(self.evidence, self.impact_spec)
        keys = [*(f"impact.{name}" for name in OUTCOMES), *parameters_of(self.spec, self.evidence)]
        self.parts = {name: keys for name, keys in parts_to_learn(self.spec, keys).items() if name in LEARNT}
        self.variance = error_variances(self.evidence, self.impact_spec, GROUP, OUTCOMES)

    def draws(self, count, seed):
        """Impacts, and their appraisal."""
        posterior, _ = exact_posterior(self.cells, self.impact_spec, chains=4, draws=count // 4, seed=seed)
        return posterior["impact"], hb.appraise(posterior["impact"], self.spec, self.evidence, seed=seed)

    def pool(self, seed):
        """Impacts {outcome: sample} of the group, and quantities {key: sample}, as arrays."""
        impact, economics = self.draws(POOL, seed)
        impact = impact.sel(group=GROUP)
        impacts = {name: impact.sel(outcome=name).to_numpy().ravel() for name in OUTCOMES}
        quantities = {key: economics[key].to_numpy().ravel() for key in parameters_of(self.spec, self.evidence)}
        return impacts, quantities


def net_benefit(impacts, quantities):
    found = green_book(impacts, quantities, GROUP)
    return sum(found["economic"].values()) - found["cost"]


def gain(means, halves):
    """What deciding on each of ``means`` adds to deciding on all; ``halves`` {half, ...} of the inner draws."""
    biased = np.maximum(means, 0).mean()
    twice_biased = np.maximum(halves, 0).mean()
    return 2 * biased - twice_biased - max(0.0, means.mean())


def nested_part(pool, keys, outer, inner, rng):
    impacts, quantities = pool
    means = np.empty((outer, 2))
    for i, known in enumerate(rng.integers(POOL, size=outer)):
        at = rng.integers(POOL, size=inner)
        given = {key: values[known] if key in keys else values[at] for key, values in quantities.items()}
        impact = {name: values[known] if f"impact.{name}" in keys else values[at] for name, values in impacts.items()}
        net = net_benefit(impact, given)
        means[i] = net[: inner // 2].mean(), net[inner // 2 :].mean()
    return gain(means.mean(axis=1), means.T)


def nested_trial(pool, variance, per_arm, outer, inner, rng):
    """Each result is weighed over as many draws as ``outer * inner`` leaves for it, ten times ``inner``."""
    net = net_benefit(*pool)
    theta, error = np.stack([pool[0][name] for name in OUTCOMES]), np.sqrt(variance / per_arm)[:, None]
    means, halves = np.empty(outer), np.empty((2, outer))
    for i, true in enumerate(rng.integers(POOL, size=outer)):
        at = rng.integers(POOL, size=10 * inner)
        seen = theta[:, [true]] + error * rng.standard_normal((len(OUTCOMES), 1))
        log_weight = -0.5 * (((seen - theta[:, at]) / error) ** 2).sum(axis=0)
        weight = np.exp(log_weight - log_weight.max())
        weighed = weight * net[at]
        means[i] = weighed.sum() / weight.sum()
        halves[:, i] = weighed.reshape(2, -1).sum(axis=1) / weight.reshape(2, -1).sum(axis=1)
    return gain(means, halves)


def by_nested(setting):
    pools = [setting.pool(100 + repeat) for repeat in range(REPEATS)]
    rows = []
    for outer, inner in NESTED:
        tasks = {name: (nested_part, (keys,)) for name, keys in setting.parts.items()}
        tasks |= {f"trial of {size:,} per arm": (nested_trial, (setting.variance, size)) for size in PER_ARM}
        for name, (function, arguments) in tasks.items():
            values, began = [], time.perf_counter()
            for repeat, pool in enumerate(pools):
                values.append(function(pool, *arguments, outer, inner, np.random.default_rng(repeat)))
            seconds = (time.perf_counter() - began) / REPEATS
            rows.append(row(name, "nested Monte Carlo", f"{outer:,} x {inner:,}", values, seconds))
            say(f"nested, {name}, {outer} x {inner}: {seconds:.2f} s")
    return rows


def by_package(setting):
    rows = []
    for count in DRAWS:
        values, seconds = {}, {}
        for repeat in range(REPEATS):
            impact, economics = setting.draws(count, 200 + repeat)
            for name, keys in setting.parts.items():
                began = time.perf_counter()
                table = evppi(economics, impact, setting.spec, setting.evidence, parts={name: keys})
                # It values all five rows in both perspectives; one of these ten is compared.
                seconds.setdefault(name, []).append(time.perf_counter() - began)
                values.setdefault(name, []).append(of_group(table))
            for size in PER_ARM:
                name, began = f"trial of {size:,} per arm", time.perf_counter()
                arguments = economics, impact, setting.spec, setting.impact_spec, setting.evidence
                table = new_trial(*arguments, group=GROUP, sizes=[size])
                seconds.setdefault(name, []).append(time.perf_counter() - began)
                values.setdefault(name, []).append(of_group(table))
        rows += [row(name, "hlt-bayes", f"{count:,}", values[name], np.mean(seconds[name])) for name in values]
        say(f"hlt-bayes, {count} draws: done")
    return rows


def of_group(table):
    return table[(table["perspective"] == "economic") & (table["group"] == GROUP)]["value_gbp"].item()


def row(what, method, size, values, seconds):
    """Mean of the repeats with its standard error, and that of one repeat."""
    error = np.std(values, ddof=1)
    return {
        "what": what,
        "method": method,
        "size": size,
        "seconds": seconds,
        "value_gbp": np.mean(values),
        "se": error / np.sqrt(len(values)),
        "se_of_one": error,
        "repeats": len(values),
    }


def with_differences(table):
    """Each of ours against the largest nested run: the difference in its standard errors, and the times."""
    largest = table[table["method"] == "nested Monte Carlo"].groupby("what").last()
    peer = largest.loc[table["what"]].reset_index()
    ours = (table["method"] == "hlt-bayes").to_numpy()
    z = (table["value_gbp"] - peer["value_gbp"]) / np.hypot(table["se"], peer["se"])
    return table.assign(z=z.where(ours), nested_over_this=peer["seconds"] / table["seconds"])


def main():
    setting = Setting()
    table = pd.DataFrame([*by_nested(setting), *by_package(setting)])
    keep(with_differences(table.sort_values("what", kind="stable", ignore_index=True)), "information")
