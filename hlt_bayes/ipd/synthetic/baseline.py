"""Baseline data of synthetic recruits: correlated through a few latent factors, and independent of the arm."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from hlt_bayes.core.vocabulary import ARMS, GROUPS
from hlt_bayes.ipd.data.schema import BASELINE, COLUMNS, FIRST_DAY, LAST_DAY, SCALES_AT_START
from hlt_bayes.ipd.synthetic.arrays import Flags, Floats, Integers, Values, column_of, figures, group_means, stream
from hlt_bayes.ipd.synthetic.targets import SITE_OF_GROUP, Published
from hlt_bayes.specs import TwinSpec
from hlt_bayes.specs.synthetic import Coefficients, Normal

Latent = Callable[[str], Floats]
"""Latent normal variable of a column, by its name."""

EXCLUSIVE = {
    "condition": ("condition_unknown",),
    "reason": ("reason_unknown",),
    "barrier": ("barrier_nothing", "barrier_not_applicable", "barrier_unknown"),
}
"""Answers that exclude every other answer to the same question."""

IN_WHOLE_POINTS = ("baseline_swemwbs", "baseline_jsse")


@dataclass(frozen=True)
class Recruits:
    """Complete baseline data of the recruits; ``missing`` marks what their records lack.

    Parameters
    ----------
    group
        Position of the trial group in ``GROUPS``.
    treated
        Whether randomised to treatment.
    codes
        By column, the position of the code, or 1 if a flag is True.
    missing
        By column, whether the record lacks it.
    scales
        Scales at baseline, in their own units.
    """

    seed: int
    group: Integers
    treated: Flags
    codes: dict[str, Integers | Flags]
    missing: dict[str, Flags]
    scales: dict[str, Floats]

    @property
    def site(self) -> Integers:
        """Position of the site among the sites."""
        return SITE_OF_GROUP[self.group]

    def standardised(self, scale: str) -> Floats:
        """Baseline scale with mean 0 and SD 1 within each trial group."""
        values = self.scales[scale]
        centred = values - group_means(values, self.group, len(GROUPS))[self.group]
        spread = np.sqrt(group_means(centred**2, self.group, len(GROUPS)))
        return centred / np.where(spread > 0, spread, 1.0)[self.group]

    def score(self, covariates: Mapping[str, Coefficients]) -> Floats:
        """Sum the covariate effects, centred within each trial group."""
        total = np.zeros(len(self.group))
        for name, table in covariates.items():
            values = np.array(table.values)
            total += values[0] * self.standardised(name) if name in self.scales else values[self.codes[name]]
        return total - group_means(total, self.group, len(GROUPS))[self.group]

    def columns(self) -> dict[str, Values]:
        """Columns of design and baseline in the schema."""
        columns: dict[str, Values] = {
            "site": column_of("site", self.site),
            "group": column_of("group", self.group),
            "arm": column_of("arm", np.where(self.treated, ARMS.index("treatment"), ARMS.index("control"))),
        }
        columns |= {name: column_of(name, codes, self.missing[name]) for name, codes in self.codes.items()}
        return columns | {name: column_of(name, values) for name, values in self.scales.items()}


def values_needed() -> dict[str, int]:
    """Count the coefficients that each baseline column needs."""
    names = [*BASELINE, *SCALES_AT_START]
    return {name: len(COLUMNS[name].codes) if COLUMNS[name].kind == "category" else 1 for name in names}


def arm_sizes(recruits: Floats, n: int) -> Integers:
    """Allocate ``n`` people to groups and arms in proportion to the recruits, by largest remainders."""
    exact = n * recruits / recruits.sum()
    sizes = np.floor(exact + 1e-9).astype(int)
    first = np.argsort(-(exact - sizes).ravel(), kind="stable")[: n - sizes.sum()]
    # Not ravel(), which copies an array in Fortran order.
    sizes.flat[first] += 1
    return sizes


def recruit(known: Published, spec: TwinSpec, *, n: int, seed: int) -> Recruits:
    """Generate randomised recruits."""
    sizes = arm_sizes(known.recruits, n)
    cells = stream(seed, "order").permutation(np.repeat(np.arange(sizes.size), sizes.ravel()))
    group = (cells // len(ARMS)).astype(np.int8)
    treated = cells % len(ARMS) == ARMS.index("treatment")
    factors = stream(seed, "factors").standard_normal((4, n))

    def latent(name: str) -> Floats:
        loadings = spec.loadings_of(name)
        values: Floats = stream(seed, name).standard_normal(n)
        values *= np.sqrt(1.0 - sum(loading**2 for loading in loadings))
        # Term by term, not as a matrix product, whose last bits depend on the linear algebra library.
        for loading, factor in zip(loadings, factors, strict=True):
            if loading:
                values += loading * factor
        return values

    codes: dict[str, Integers | Flags] = {}
    for name, column in BASELINE.items():
        if column.kind == "category":
            cuts = ndtri(np.cumsum(known.shares[name][:, :-1], axis=1).clip(0.0, 1.0))
            values = latent(name)
            codes[name] = sum(
                (values > cuts[group, position] for position in range(cuts.shape[1])), start=np.zeros(n, np.int8)
            )
    missing = _missing(known, group, codes, seed)
    for stem in EXCLUSIVE:
        codes |= _flags(stem, known, group, missing, latent, seed)
    codes["dependent_children"] = _above("dependent_children", latent, known.shares["dependent_children"][:, 0], group)
    scales = {}
    tables: Mapping[str, Mapping[Any, Normal]] = dict(spec.scales.items())
    for name, column in SCALES_AT_START.items():
        mean, sd = (figures(tables[name], one) for one in ("mean", "sd"))
        scales[name] = (mean[group] + sd[group] * latent(name)).clip(column.lower, column.upper)
        if name in IN_WHOLE_POINTS:
            scales[name] = scales[name].round()
    ordered = {name: codes[name] for name in BASELINE}
    return Recruits(seed, group, treated, ordered, missing, scales)


def dates(known: Published, spec: TwinSpec, *, n: int, seed: int) -> npt.NDArray[np.datetime64]:
    """Dates of randomisation: a slow rise, and the published surge in the last month."""
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY) + np.timedelta64(1, "D"))
    month = days.astype("datetime64[M]").astype(int)
    month -= month[0]
    last = month == month[-1]
    weight = 1.0 + (spec.recruitment.rise.value - 1.0) * month / (month[-1] - 1)
    weight = np.where(last, known.last_month / last.sum(), (1.0 - known.last_month) * weight / weight[~last].sum())
    rng = stream(seed, "randomised")
    found = np.searchsorted(np.cumsum(weight), rng.random(n) * weight.sum(), side="right")
    return np.asarray(days[found.clip(max=len(days) - 1)], dtype="datetime64[s]")


def identifiers(n: int) -> Values:
    """Name people by zero-padded number."""
    return column_of("person", np.char.add("P", np.char.zfill(np.arange(1, n + 1).astype(str), max(5, len(str(n))))))


def _missing(known: Published, group: Integers, codes: dict[str, Integers | Flags], seed: int) -> dict[str, Flags]:
    """Item non-response at the rate that the published bases imply, whatever the answer."""
    size = known.recruits.sum(axis=1)
    missing: dict[str, Flags] = {}
    by_measure: dict[str, Flags] = {}
    for name, column in BASELINE.items():
        if column.measure not in by_measure:
            asked = size
            if column.people == "not always in work":
                asked = size * (1.0 - known.shares["work_history"][:, 0])
            lacking = (1.0 - known.bases[column.measure] / asked).clip(0.0, 1.0)
            absent = stream(seed, f"missing {column.measure}").random(len(group)) < lacking[group]
            if column.people == "not always in work":
                absent |= codes["work_history"] == 0
            by_measure[column.measure] = absent
        missing[name] = by_measure[column.measure]
    return missing


def _flags(
    stem: str, known: Published, group: Integers, missing: dict[str, Flags], latent: Latent, seed: int
) -> dict[str, Flags]:
    """Answers to a multiple-response question, exclusive answers first."""
    names = [name for name in BASELINE if name.startswith(f"{stem}_")]
    uniform = stream(seed, f"{stem} exclusive").random(len(group))
    flags: dict[str, Flags] = {}
    below = np.zeros(len(GROUPS))
    for name in EXCLUSIVE[stem]:
        above = below + known.shares[name][:, 0]
        flags[name] = (uniform >= below[group]) & (uniform < above[group])
        below = above
    others = uniform >= below[group]
    asked = None if BASELINE[names[0]].people == "everyone" else others & ~missing[names[0]]
    for name in names:
        if name not in flags:
            share = (known.shares[name][:, 0] / (1.0 - below)).clip(max=1.0)
            flags[name] = _above(name, latent, share, group, asked) & others
    return flags


def _above(name: str, latent: Latent, share: Floats, group: Integers, asked: Flags | None = None) -> Flags:
    """Cut a column's latent normal so that ``share`` lies above, of everyone or of the selected subset ``asked``."""
    values = latent(name)
    if asked is None:
        return np.asarray(values > ndtri(1.0 - share)[group])
    cuts = np.full(len(GROUPS), np.inf)
    for position in range(len(GROUPS)):
        of_group = values[asked & (group == position)]
        if len(of_group):
            cuts[position] = np.quantile(of_group, 1.0 - share[position])
    return np.asarray(values > cuts[group])
