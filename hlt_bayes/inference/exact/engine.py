"""Independent draws from the models that are normal given tau, seen through what is printed.

Estimate and SE of each cell are drawn from what is printed of them; delivery and the SDs that shrink, where a spec has
them, from their priors. Given those, coefficients are integrated out analytically and tau over nodes, which gives the
weight of each draw; tau, coefficients and impacts are drawn in turn, and the draws resampled by weight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.inference.exact.basis import Basis, basis_of, draw_delivery, refuse_what_is_not_exact
from hlt_bayes.inference.exact.importance import Weighed, weigh
from hlt_bayes.inference.exact.truncated_prior import Prints, Tilt, draw_given_print, learnt_tilt, log_prior_mass
from hlt_bayes.inference.structures import impact_of_all, new_of_all
from hlt_bayes.likelihood import labels
from hlt_bayes.specs import ImpactSpec, OutcomeName
from hlt_bayes.specs.priors import Family

Array = np.ndarray

LEAST_EFFECTIVE = 400
"""Effective draws below which no result is given, or half of the draws if those are fewer."""

GOOD_ENOUGH = 0.9
"""Share of effective draws in the pilot from which on nothing is drawn more often than it is printed."""

UNSEEN_SE = 1e80
"""SE of an outcome that nobody printed of a group: it says nothing."""

PILOT = 1024
"""Draws that show which estimates and SEs to draw more often."""


class OutcomeDraws(NamedTuple):
    """Weighed draws of one outcome, by variable, with their log weight {draw} and the mass of what is printed."""

    values: dict[str, Array]
    log_weight: Array
    log_mass: float


def exact_posterior(
    cells: xr.Dataset,
    spec: ImpactSpec,
    *,
    chains: int,
    draws: int,
    seed: int,
    rates: xr.Dataset | None = None,
    least_effective: int = LEAST_EFFECTIVE,
) -> tuple[xr.Dataset, xr.Dataset]:
    """Draw independently from the posterior of a spec that is normal given tau.

    Parameters
    ----------
    cells
        Dataset {cell} of ``reported_results``.
    spec
        Structure pooled, no-pooling, complete-pooling, sites or moderators.
    chains, draws
        How many; ``chains`` only shapes them.
    seed
        Of this call alone. The same seed gives the same draws bit for bit on the same machine.
    rates
        Of ``response_rates``, for a spec with ``nonresponse``.
    least_effective
        Effective draws below which no result is given, or half of the draws if those are fewer.

    Returns
    -------
    tuple of Dataset
        The posterior {chain, draw, ...}, with the variables of ``build_model`` that have a meaning of their own; and
        {outcome} ``effective_draws``, of how many equally weighted draws it is worth, and ``log_marginal_likelihood``,
        of what is printed of the outcome; of all outcomes together where they share an uncertain delivery.

    Raises
    ------
    SpecError
        The structure is not normal given tau.
    ConvergenceError
        Too few effective draws.
    """
    refuse_what_is_not_exact(spec)
    total = chains * draws
    groups = _groups(cells)
    delivery = draw_delivery(groups, spec, draws=total, rng=np.random.default_rng(stream_seed(seed, "delivery")))
    found = {
        name: _outcome(cells, groups, spec, name, delivery, draws=total, seed=stream_seed(seed, name))
        for name in labels(cells, "outcome")
    }
    log_weight = np.stack([one.log_weight for one in found.values()])
    log_mass = np.array([one.log_mass for one in found.values()])
    if delivery is not None:
        log_weight, log_mass = log_weight.sum(axis=0, keepdims=True), log_mass.sum(keepdims=True)
    rng = np.random.default_rng(stream_seed(seed, "resampling"))
    worth = worth_of(log_weight)
    _refuse_few(worth, min(least_effective, total / 2), total, spec)
    chosen = [resampled(one, rng) for one in log_weight]
    statistics = {
        "effective_draws": worth,
        "log_marginal_likelihood": logsumexp(log_weight, axis=1) - np.log(total) + log_mass,
    }
    size = len(found)
    if delivery is not None:
        chosen = chosen * size
        statistics = {name: np.repeat(values, size) for name, values in statistics.items()}
    posterior = _dataset(cells, groups, spec, found, chosen, delivery)
    posterior = _per_person_randomised(posterior, spec, rates, seed)
    return _by_chain(posterior, chains=chains, draws=draws), xr.Dataset(
        {name: ("outcome", values) for name, values in statistics.items()}, coords={"outcome": list(found)}
    )


def _groups(cells: xr.Dataset) -> xr.Dataset:
    """Take the groups of all cells, in the order of a model, with their sites: {cell}, a cell a group."""
    site = dict(zip(cells["group"].to_numpy(), cells["site"].to_numpy(), strict=True))
    return xr.Dataset(coords={"group": ("cell", list(site)), "site": ("cell", list(site.values()))})


def _outcome(
    cells: xr.Dataset,
    groups: xr.Dataset,
    spec: ImpactSpec,
    outcome: OutcomeName,
    delivery: Array | None,
    *,
    draws: int,
    seed: int,
) -> OutcomeDraws:
    """Draw and weigh one outcome; of groups for which nobody printed it the impact is predicted."""
    rng = np.random.default_rng(seed)
    printed = cells.isel(cell=np.flatnonzero(cells["outcome"].to_numpy() == outcome))
    names = list(groups["group"].to_numpy())
    seen = [names.index(name) for name in printed["group"].to_numpy()]
    spread = _spread(spec, outcome)

    def weighed_draws(count: int, tilt: Tilt | None) -> tuple[Prints, Basis, Weighed, Array]:
        prints = draw_given_print(printed, draws=count, rng=rng, tilt=tilt)
        x, s = np.zeros((count, len(names))), np.full((count, len(names)), UNSEEN_SE)
        x[:, seen], s[:, seen] = prints.estimate, prints.se
        terms = basis_of(groups, spec, outcome, None if delivery is None else delivery[:count], draws=count, rng=rng)
        weighed = weigh(x, s, terms, spread, rng=rng)
        return prints, terms, weighed, prints.log_weight + weighed.log_weight

    pilot, _, _, log_weight = weighed_draws(min(PILOT, draws), None)
    even = worth_of(log_weight) >= GOOD_ENOUGH * len(log_weight)
    prints, terms, weighed, log_weight = weighed_draws(draws, None if even else learnt_tilt(pilot, log_weight))
    values = _values(terms, spec, weighed.coefficients, weighed.impact, weighed.tau, rng=rng)
    values |= {"estimate": prints.estimate, "se": prints.se}
    unseen = (len(names) - len(seen)) * (0.5 * np.log(2 * np.pi) + np.log(UNSEEN_SE))
    return OutcomeDraws(values, log_weight + unseen, log_prior_mass(printed))


def _values(
    terms: Basis, spec: ImpactSpec, coefficients: Array, impact: Array, tau: Array, *, rng: np.random.Generator
) -> dict[str, Array]:
    """Name the draws of one outcome: ``coefficients`` {draw, coefficient}, ``impact`` {draw, group}, ``tau`` {draw}."""
    values = {"impact": impact, **terms.drawn}
    if terms.names[-1] == "mu":
        values["mu"] = coefficients[:, -1]
        values["impact_new"] = _of_new(values["mu"], tau, terms, rng)
    if spec.priors.tau is not None:
        values["tau"] = tau
    if spec.moderators is not None:
        values["slope"] = coefficients[:, : len(spec.moderators)]
    if "site_sd" in terms.drawn:
        values["site_effect"], values["in_work"] = coefficients[:, :-2], coefficients[:, -2]
    return values


def exact_prior(
    cells: xr.Dataset, spec: ImpactSpec, *, draws: int, seed: int, rates: xr.Dataset | None = None
) -> xr.Dataset:
    """Draw from the prior what ``exact_posterior`` draws from the posterior, but estimates and SEs.

    Parameters are as there; ``chain`` has one coordinate.
    """
    refuse_what_is_not_exact(spec)
    groups = _groups(cells)
    delivery = draw_delivery(groups, spec, draws=draws, rng=np.random.default_rng(stream_seed(seed, "delivery")))
    found = {}
    for name in labels(cells, "outcome"):
        rng = np.random.default_rng(stream_seed(seed, name))
        terms = basis_of(groups, spec, name, delivery, draws=draws, rng=rng)
        spread = _spread(spec, name)
        tau = np.zeros(draws) if spread is None else spread.quantile(rng.random(draws))
        coefficients = _prior_coefficients(terms, draws, rng)
        columns = (column if column.ndim == 1 else column[:, 0] for column in terms.columns)
        impact = tau[:, None] * rng.standard_normal((draws, groups.sizes["cell"]))
        for column, coefficient in zip(columns, coefficients.T, strict=True):
            impact = impact + column * coefficient[:, None]
        values = _values(terms, spec, coefficients, impact, tau, rng=rng)
        found[name] = OutcomeDraws(values, np.zeros(draws), 0.0)
    prior = _dataset(cells, groups, spec, found, [np.arange(draws)] * len(found), delivery)
    prior = _per_person_randomised(prior, spec, rates, seed)
    return _by_chain(prior, chains=1, draws=draws)


def _prior_coefficients(terms: Basis, draws: int, rng: np.random.Generator) -> Array:
    """Draw coefficients {draw, coefficient} from their prior."""
    shares = np.exp([part.log_weight for part in terms.parts])
    of_part = rng.choice(len(shares), size=draws, p=shares / shares.sum())
    drawn = np.zeros((draws, len(terms.names)))
    for position, part in enumerate(terms.parts):
        noise = rng.standard_normal(drawn.shape)
        if part.positive:
            noise[:, -1] = np.abs(noise[:, -1])
        pairs = zip(part.means, part.variances, strict=True)
        for column, (mean, variance) in enumerate(pairs):
            values = np.ravel(mean) + np.ravel(np.sqrt(variance)) * noise[:, column]
            drawn[:, column] = np.where(of_part == position, values, drawn[:, column])
    return drawn


def _spread(spec: ImpactSpec, outcome: OutcomeName) -> Family | None:
    """Prior of the SD between groups, where a structure has one."""
    return None if spec.priors.tau is None else spec.priors.tau[outcome]


def _of_new(mu: Array, tau: Array, terms: Basis, rng: np.random.Generator) -> Array:
    """Impact {draw} of a new group, at a new site where sites differ, with the reference delivery."""
    sd = np.hypot(tau, terms.drawn.get("site_sd", 0.0))
    return np.asarray(mu + sd * rng.standard_normal(len(mu)))


def worth_of(log_weight: Array) -> Array:
    """Of how many equally weighted draws draws {..., draw} with these weights are worth (Kish)."""
    return np.asarray(np.exp(2 * logsumexp(log_weight, axis=-1) - logsumexp(2 * log_weight, axis=-1)))


def _refuse_few(worth: Array, least: float, total: int, spec: ImpactSpec) -> None:
    if worth.min() < least:
        raise ConvergenceError(
            f"spec {spec.name!r}: the {total:,} draws of the exact engine are worth {worth.min():.0f} equally weighted "
            f"ones, below {least:.0f}, so no result is given: what is printed says too much of what is drawn from its "
            "prior. Use engine 'nuts', or more draws"
        )


def resampled(log_weight: Array, rng: np.random.Generator) -> Array:
    """Draw positions {draw} by weight, evenly spaced along the sum of weights, in random order."""
    shares = np.cumsum(np.exp(log_weight - log_weight.max()))
    at = (np.arange(len(shares)) + rng.random()) / len(shares) * shares[-1]
    return rng.permutation(np.minimum(np.searchsorted(shares, at), len(shares) - 1))


DIMS_OF = {
    "impact": ("group",),
    "slope": ("moderator",),
    "site_effect": ("site",),
}
"""Dims of a variable of one outcome beside ``draw``."""


def _dataset(
    cells: xr.Dataset,
    groups: xr.Dataset,
    spec: ImpactSpec,
    found: dict[OutcomeName, OutcomeDraws],
    chosen: list[Array],
    delivery: Array | None,
) -> xr.Dataset:
    """Put the outcomes together {sample, ...}, each resampled by its weights."""
    coords: dict[str, list[str]] = {"outcome": list(found), "group": list(groups["group"].to_numpy())}
    coords["cell"] = list(cells["cell"].to_numpy())
    variables: dict[str, tuple[tuple[str, ...], Array]] = {}
    first = next(iter(found.values()))
    for name in first.values:
        each = [one.values[name][rows] for one, rows in zip(found.values(), chosen, strict=True)]
        if name in ("estimate", "se"):
            variables[name] = (("sample", "cell"), np.concatenate(each, axis=1))
        elif name == "slope":
            variables[name] = (("sample", "moderator", "outcome"), np.stack(each, axis=2))
        else:
            variables[name] = (("sample", "outcome", *DIMS_OF.get(name, ())), np.stack(each, axis=1))
    if spec.moderators is not None and delivery is not None:
        coords["moderator"] = list(spec.moderators)
        variables["delivery"] = (("sample", "moderator", "group"), delivery[chosen[0]])
    if "site_effect" in variables:
        coords["site"] = labels(groups, "site")
    return xr.Dataset(variables, coords=coords)


def _per_person_randomised(draws: xr.Dataset, spec: ImpactSpec, rates: xr.Dataset | None, seed: int) -> xr.Dataset:
    """Turn the impact on those who answered into that per person randomised; neither part is learnt of."""
    stated = spec.nonresponse
    if stated is None or rates is None:
        return draws
    rng = np.random.default_rng(stream_seed(seed, "nonresponse"))
    seen = draws["impact"]
    shape = seen.shape[:2]
    share = rng.beta(stated.share.alpha, stated.share.beta, size=shape)
    difference = rng.normal(stated.difference.mean, stated.difference.sd, size=seen.shape)
    changed = {
        "impact_seen": seen,
        "impact": (seen.dims, impact_of_all(seen.to_numpy(), share[..., None], difference, rates)),
        "share": (seen.dims[:2], share),
        "difference": (seen.dims, difference),
    }
    if "impact_new" in draws:
        changed["impact_new"] = (seen.dims[:2], new_of_all(draws["impact_new"].to_numpy(), share, rates))
    return draws.assign(changed)


def _by_chain(posterior: xr.Dataset, *, chains: int, draws: int) -> xr.Dataset:
    """Shape {sample, ...} as {chain, draw, ...}."""
    variables = {
        name: (("chain", "draw", *array.dims[1:]), array.to_numpy().reshape(chains, draws, *array.shape[1:]))
        for name, array in posterior.data_vars.items()
    }
    coords = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xr.Dataset(variables, coords={**coords, **posterior.coords})
