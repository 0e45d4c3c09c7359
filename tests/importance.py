"""The family of impact models computed again without the package: plain numpy, importance sampling, no MCMC.

Of each printed cell ``x`` is drawn evenly from its rounding interval and ``s`` from its prior, until both fit the
stars; all SDs, correlations, moderators and the like are drawn from their priors. Given these every impact is a sum of
standard normals, and so is ``x`` with its sampling error. So a draw weighs what the normal density of ``x`` is there,
and the mean and variance of every impact given the draw are those of a normal vector given a part of it:

    q = a + B e,  x = c + D e + error,  e ~ Normal(0, I),  error ~ Normal(0, R),  S = D D' + R
    q | x ~ Normal(a + B D' S^-1 (x - c), B B' - B D' S^-1 D B')

Numbers are typed in, here and in ``printed_numbers``, from the report and from ``models/impact``.
"""

from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
from printed_numbers import PRINTED
from quadrature import STARS

OUTCOMES = tuple(PRINTED)
GROUPS = ("SCR IW", "SCR OOW", "WMCA")
SITES = {"SCR IW": "SCR", "SCR OOW": "SCR", "WMCA": "WMCA"}

RECRUITS = {"SCR IW": (1260, 1259), "SCR OOW": (1799, 1792), "WMCA": (1837, 1838)}
ANSWERED = {"SCR IW": (640, 541), "SCR OOW": (762, 726), "WMCA": (754, 664)}
"""People in treatment and in control: randomised, and with health and wellbeing seen."""


@dataclass(frozen=True)
class Cell:
    """What is printed of one impact, and the SE that the number of people implies."""

    estimate: float
    half_unit: float
    stars: str
    design_se: float


CELLS = {
    (outcome, group): Cell(one.estimate[i], one.half_unit, one.stars[i], one.design_se[i])
    for outcome, one in PRINTED.items()
    for i, group in enumerate(GROUPS)
}
WIDE, NARROW = ({outcome: getattr(one, key) for outcome, one in PRINTED.items()} for key in ("mu_sd", "tau_sd"))
"""Scales of the priors of mu, and of all that may differ between groups."""


@dataclass(frozen=True)
class Moderator:
    """``sites``: of each site the two numbers of its ``kind``: the ends of an interval, or mean and SD."""

    reference: float
    per: float
    sites: dict[str, tuple[str, float, float]]


def _known(scr, wmca):
    return {"SCR": ("within", scr, scr), "WMCA": ("within", wmca, wmca)}


MODERATORS = {
    "caseload": Moderator(18.0, 8.0, {"SCR": ("within", 18.0, 26.0), "WMCA": ("within", 10.0, 18.0)}),
    "short_meetings": Moderator(0.2, 0.4, {"SCR": ("within", 0.0, 0.1), "WMCA": ("within", 0.37, 0.54)}),
    "contacts": Moderator(12.0, 4.0, {"SCR": ("about", 10.0, 1.5), "WMCA": ("about", 14.0, 4.0)}),
    "rapid_start": Moderator(0.25, 0.15, {"SCR": ("within", 0.0, 0.31), "WMCA": ("within", 0.305, 0.315)}),
    "employer_time": Moderator(1.15, 0.3, {"SCR": ("within", 1.0, 1.0), "WMCA": ("about", 1.3, 0.1)}),
    "mixed_caseload": Moderator(0.5, 1.0, _known(1.0, 0.0)),
    "local_employment": Moderator(70.5, 5.0, {"SCR": ("within", 72.5, 73.5), "WMCA": ("within", 67.5, 68.5)}),
}


@dataclass(frozen=True)
class Family:
    """A model: what is printed, and the priors; what is ``None`` or empty it lacks.

    ``mu`` holds parts (weight, mean, SD) of the prior of each outcome. Without ``mu_common`` each group has an impact
    of its own with that prior; ``tau``, ``site``, ``in_work`` and ``slope`` are scales of priors.
    """

    cells: dict = field(default_factory=lambda: dict(CELLS))
    log_ratio: tuple[float, float] = (0.05, 0.2)
    mu: dict = field(default_factory=lambda: {name: [(1.0, 0.0, sd)] for name, sd in WIDE.items()})
    mu_common: bool = True
    tau: dict | None = field(default_factory=lambda: dict(NARROW))
    site: dict | None = None
    in_work: dict | None = None
    works: tuple[str, ...] = ("SCR IW",)
    slope: dict | None = None
    slopes_shrink: bool = True
    moderators: dict = field(default_factory=dict)
    impacts_eta: float | None = None
    errors: dict | None = None
    errors_unknown: float = 0.4
    share: tuple[float, float] | None = None
    difference: float = 0.2
    answered: dict = field(default_factory=lambda: dict(ANSWERED))

    def swapped(self):
        """Control minus treatment."""
        return replace(self, cells={key: replace(cell, estimate=-cell.estimate) for key, cell in self.cells.items()})

    def blocks(self):
        """Outcomes that must be weighed together, since they share something that is not known."""
        together = self.moderators or self.impacts_eta is not None or self.errors is not None
        return [OUTCOMES] if together else [(name,) for name in OUTCOMES]


FAMILY = {
    "primary": Family(),
    "sites": Family(site=NARROW, in_work=NARROW),
    "moderators": Family(
        slope={"employment": 0.02, "earnings": 200.0, "health": 0.05, "wellbeing": 0.05}, moderators=MODERATORS
    ),
    "joint": Family(
        impacts_eta=2.0,
        errors={
            ("employment", "earnings"): 0.6,
            ("health", "wellbeing"): 0.5,
            ("employment", "health"): 0.2,
            ("employment", "wellbeing"): 0.2,
            ("earnings", "health"): 0.15,
            ("earnings", "wellbeing"): 0.15,
        },
    ),
    "nonresponse": Family(share=(1.0, 1.0)),
    "ips-informed": Family(
        mu={
            **{name: [(1.0, 0.0, sd)] for name, sd in WIDE.items()},
            "employment": [(0.8, 0.068, 0.093), (0.2, 0, 0.25)],
        }
    ),
    "no-pooling": Family(
        mu={
            name: [(1.0, 0.0, sd)]
            for name, sd in {"employment": 0.0583, "earnings": 671.0, "health": 0.17, "wellbeing": 0.17}.items()
        },
        mu_common=False,
        tau=None,
    ),
    "complete-pooling": Family(tau=None),
}


@dataclass(frozen=True)
class Reference:
    """Means and SDs of the posterior by quantity, with their Monte Carlo errors; the least draws a block is worth.

    A quantity is the name of a variable and its labels along the dims of that variable.
    """

    mean: dict
    sd: dict
    mean_error: dict
    sd_error: dict
    effective: float


class Linear:
    """``constant`` plus standard normals by number, each times its coefficient: numbers, or arrays {draw}."""

    def __init__(self, constant, terms=None):
        self.constant, self.terms = constant, terms or {}

    def __add__(self, other):
        terms = dict(self.terms)
        for number, coefficient in other.terms.items():
            terms[number] = terms.get(number, 0.0) + coefficient
        return Linear(self.constant + other.constant, terms)

    def times(self, factor):
        return Linear(self.constant * factor, {number: one * factor for number, one in self.terms.items()})


def correlation_factors(eta, size, count, rng):
    """Cholesky factors {draw, row, column} of LKJ correlation matrices by the onion: row after row on a sphere."""
    factors = np.zeros((count, size, size))
    factors[:, 0, 0] = 1.0
    for row in range(1, size):
        squared = rng.beta(row / 2, eta + (size - 1 - row) / 2, size=count)
        direction = rng.standard_normal((count, row))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        factors[:, row, :row] = np.sqrt(squared)[:, None] * direction
        factors[:, row, row] = np.sqrt(1 - squared)
    return factors


def printed_draws(cell, log_ratio, count, rng):
    """Estimates and SEs {draw} from the prior, kept where they would print the cell."""
    low, high = STARS[cell.stars]
    kept = []
    while sum(len(x) for x, _ in kept) < count:
        x = rng.uniform(cell.estimate - cell.half_unit, cell.estimate + cell.half_unit, 4 * count)
        s = cell.design_se * np.exp(rng.normal(*log_ratio, 4 * count))
        z = np.abs(x) / s
        fits = (z > low) & (z < high)
        kept.append((x[fits], s[fits]))
    return tuple(np.concatenate(arrays)[:count] for arrays in zip(*kept, strict=True))


def reference(family, *, batches=40, size=5000, seed=20230420):
    """Weigh ``batches`` times ``size`` draws of each block of outcomes."""
    found = {}
    effective = np.inf
    for place, block in enumerate(family.blocks()):
        runs = [weighed_batch(family, block, size, rng) for rng in np.random.default_rng([seed, place]).spawn(batches)]
        labels = runs[0][0]
        log_weight = np.array([run[1] for run in runs])
        weight = np.exp(log_weight - log_weight.max())
        effective = min(effective, weight.sum() ** 2 / (weight**2).sum())
        total = weight.sum(axis=1)
        share = (total / total.sum())[:, None]
        first = np.array([w @ run[2] for w, run in zip(weight, runs, strict=True)]) / total[:, None]
        mean = (share * first).sum(axis=0)
        squares = [w @ (run[3] + (run[2] - mean) ** 2) for w, run in zip(weight, runs, strict=True)]
        variances = np.array(squares) / total[:, None]
        sd = np.sqrt((share * variances).sum(axis=0))
        # Mean and variance are ratios of averages over the batches; the error of a ratio is that of its residuals.
        errors = [
            np.sqrt((share**2 * residual**2).sum(axis=0) * batches / (batches - 1))
            for residual in (first - mean, (variances - sd**2) / (2 * sd))
        ]
        for label, *numbers in zip(labels, mean, sd, *errors, strict=True):
            found[label] = numbers
    columns = [{label: float(numbers[i]) for label, numbers in found.items()} for i in range(4)]
    return Reference(*columns, effective=float(effective))


def weighed_batch(family, block, count, rng):
    """Labels, log weights {draw}, and means and variances {draw, quantity} given each draw."""
    numbers = iter(range(10_000))

    def normal():
        return Linear(0.0, {next(numbers): 1.0})

    linear, drawn = {}, {}
    keys = [(outcome, group) for outcome in block for group in GROUPS]
    impacts = _impacts(family, block, count, rng, normal, linear, drawn)
    x, s = np.empty((count, len(keys))), np.empty((count, len(keys)))
    for i, key in enumerate(keys):
        x[:, i], s[:, i] = printed_draws(family.cells[key], family.log_ratio, count, rng)
        drawn["estimate", ", ".join(key)], drawn["se", ", ".join(key)] = x[:, i], s[:, i]
    if family.share is None:
        linear |= {("impact", *key): impacts[key] for key in keys}
    else:
        _per_person_randomised(family, block, impacts, count, rng, normal, linear, drawn)
    error = _error_correlations(family, block, count, rng, drawn) * s[:, :, None] * s[:, None, :]

    width = next(numbers)
    c, d = _dense([impacts[key] for key in keys], count, width)
    a, b = _dense(list(linear.values()), count, width)
    transposed = d.transpose(0, 2, 1)
    factor = np.linalg.cholesky(d @ transposed + error)
    whitened = np.linalg.solve(factor, (x - c)[:, :, None])
    gain = np.linalg.solve(factor, d @ b.transpose(0, 2, 1))
    log_weight = -0.5 * (whitened[:, :, 0] ** 2).sum(axis=1)
    log_weight -= np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    mean = a + (gain * whitened).sum(axis=1)
    variance = (b**2).sum(axis=2) - (gain**2).sum(axis=1)
    values = np.stack(list(drawn.values()), axis=1)
    return (
        [*linear, *drawn],
        log_weight,
        np.concatenate([mean, values], axis=1),
        np.concatenate([variance, np.zeros_like(values)], axis=1),
    )


def _impacts(family, block, count, rng, normal, linear, drawn):
    """Impacts by outcome and group; adds to ``linear`` and ``drawn`` what they are made of."""
    steps = _steps(family, count, rng, drawn)
    factors = np.broadcast_to(np.eye(len(block)), (count, len(block), len(block)))
    if family.impacts_eta is not None:
        factors = correlation_factors(family.impacts_eta, len(block), count, rng)
        _keep_correlations("impact_correlation", factors @ factors.transpose(0, 2, 1), block, drawn)
    shocks = {(j, group): normal() for j in range(len(block)) for group in (*GROUPS, "new")}
    impacts = {}
    for i, outcome in enumerate(block):
        weights, means, sds = (np.array(numbers) for numbers in zip(*family.mu[outcome], strict=True))
        part = rng.choice(len(weights), size=count, p=weights / weights.sum())
        mean, sd = Linear(means[part]), sds[part]
        tau = np.zeros(count)
        if family.tau is not None:
            drawn["tau", outcome] = tau = family.tau[outcome] * np.abs(rng.standard_normal(count))
        own = {
            group: sum((shocks[j, group].times(tau * factors[:, i, j]) for j in range(i + 1)), Linear(0.0))
            for group in (*GROUPS, "new")
        }
        if not family.mu_common:
            impacts |= {(outcome, group): mean + normal().times(sd) for group in GROUPS}
            continue
        mu = linear["mu", outcome] = mean + normal().times(sd)
        of_site = dict.fromkeys(("SCR", "WMCA", "new"), Linear(0.0))
        in_work = Linear(0.0)
        if family.site is not None:
            site_sd = drawn["site_sd", outcome] = family.site[outcome] * np.abs(rng.standard_normal(count))
            of_site = {site: normal().times(site_sd) for site in of_site}
            linear |= {("site_effect", outcome, site): of_site[site] for site in ("SCR", "WMCA")}
        if family.in_work is not None:
            in_work = linear["in_work", outcome] = normal().times(family.in_work[outcome])
        slopes = {}
        if family.slope is not None:
            slope_sd = drawn["slope_sd", outcome] = family.slope[outcome] * np.abs(rng.standard_normal(count))
            if not family.slopes_shrink:
                slope_sd = np.full(count, family.slope[outcome])
            slopes = {name: normal().times(slope_sd) for name in family.moderators}
            linear |= {("slope", name, outcome): slope for name, slope in slopes.items()}
        linear["impact_new", outcome] = mu + of_site["new"] + own["new"]
        for group in GROUPS:
            delivered = (slope.times(steps[name, SITES[group]]) for name, slope in slopes.items())
            works = in_work.times(float(group in family.works))
            impacts[outcome, group] = sum(delivered, mu + of_site[SITES[group]] + works + own[group])
    return impacts


def _steps(family, count, rng, drawn):
    """Moderators by name and site, in steps from their reference."""
    steps = {}
    for name, moderator in family.moderators.items():
        for site, (kind, first, second) in moderator.sites.items():
            value = rng.uniform(first, second, count) if kind == "within" else rng.normal(first, second, count)
            if kind == "about" or second > first:
                drawn["delivery", name, "SCR IW" if site == "SCR" else site] = value
            steps[name, site] = (value - moderator.reference) / moderator.per
    return steps


def _per_person_randomised(family, block, seen, count, rng, normal, linear, drawn):
    """Those who did not answer gain a share of what the others gained."""
    for outcome in block:
        survey = outcome in ("health", "wellbeing")
        share = drawn["share", outcome] = rng.beta(*family.share, count)
        rates = []
        for group in GROUPS:
            asked, answered = RECRUITS[group], family.answered[group] if survey else RECRUITS[group]
            in_treatment, in_control = (n / of for n, of in zip(answered, asked, strict=True))
            rates.append(in_treatment)
            difference = normal().times(family.difference)
            gain = seen[outcome, group] + difference.times(in_control / in_treatment - 1)
            linear["difference", outcome, group] = difference
            linear["impact_seen", outcome, group] = seen[outcome, group]
            linear["impact", outcome, group] = gain.times(in_treatment + (1 - in_treatment) * share)
        rate = sum(rates) / len(rates)
        linear["impact_new", outcome] = linear["impact_new", outcome].times(rate + (1 - rate) * share)


def _error_correlations(family, block, count, rng, drawn):
    """Correlations {draw, cell, cell} of sampling errors: of one group only."""
    between = np.broadcast_to(np.eye(len(block)), (count, len(block), len(block)))
    if family.errors is not None:
        expected = np.eye(len(block))
        for (one, other), value in family.errors.items():
            i, j = block.index(one), block.index(other)
            expected[i, j] = expected[j, i] = value
        factors = correlation_factors(1.0, len(block), count, rng)
        unknown = factors @ factors.transpose(0, 2, 1)
        between = (1 - family.errors_unknown) * expected + family.errors_unknown * unknown
        _keep_correlations("error_correlation", between, block, drawn)
    return np.kron(between, np.eye(len(GROUPS))[None])


def _keep_correlations(name, correlations, block, drawn):
    for i, j in combinations(range(len(block)), 2):
        drawn[name, block[i], block[j]] = correlations[:, i, j]


def _dense(forms, count, width):
    """Constants {draw, form} and coefficients {draw, form, normal}."""
    constants, coefficients = np.zeros((count, len(forms))), np.zeros((count, len(forms), width))
    for i, form in enumerate(forms):
        constants[:, i] = form.constant
        for number, coefficient in form.terms.items():
            coefficients[:, i, number] = coefficient
    return constants, coefficients
