"""Independent posterior draws by importance sampling, for models that are normal given tau.

The unrounded estimate and SE of each cell are drawn from their prior truncated to the published result; delivery, and
the SDs of slopes and sites, from their priors. Given those, coefficients are integrated out analytically and tau
numerically, which gives the importance weight; tau, coefficients and impacts are drawn, and the draws resampled by
weight.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from hlt_bayes.core.errors import ConvergenceError
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.inference.exact.basis import Basis, basis_of, check_exact_engine, draw_delivery
from hlt_bayes.inference.exact.importance import Weighed, weigh
from hlt_bayes.inference.exact.truncated_prior import Prints, Tilt, draw_given_print, learnt_tilt, log_prior_mass
from hlt_bayes.inference.structures import impact_of_all, new_of_all
from hlt_bayes.likelihood import labels
from hlt_bayes.specs import ImpactSpec, OutcomeName
from hlt_bayes.specs.priors import Family

Array = np.ndarray

LEAST_EFFECTIVE = 400
"""Smallest effective sample size of a result, or half of the draws if that is fewer."""

TILT_BELOW = 0.9
"""Effective sample size, as a share of the pilot draws, below which the proposal is tilted."""

UNREPORTED_SE = 1e80
"""Effectively infinite SE for an outcome that was not reported."""

PILOT = 1024
"""Pilot draws, from which the tilt of the proposal is learnt."""


class OutcomeDraws(NamedTuple):
    """Weighted draws of one outcome, by variable, their log weight {draw}, and the log of their prior mass."""

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
        Numbers of chains and of draws per chain; all draws are independent.
    seed
        Used by this call alone. The same seed gives the same draws bit for bit on the same machine.
    rates
        From ``response_rates``, for a spec with ``nonresponse``.
    least_effective
        Smallest effective sample size of a result, or half of the draws if that is fewer.

    Returns
    -------
    tuple of Dataset
        The posterior {chain, draw, ...} of the interpretable variables of ``build_model``; and by {outcome}
        ``effective_draws``, the Kish effective sample size, and ``log_marginal_likelihood`` of the published results:
        of each outcome, or of all outcomes together if the spec has moderators.

    Raises
    ------
    SpecError
        The structure is not normal given tau.
    ConvergenceError
        The effective sample size is too low.
    """
    check_exact_engine(spec)
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
    effective = effective_sample_size(log_weight)
    _refuse_low_ess(effective, min(least_effective, total / 2), total, spec)
    chosen = [resampled(one, rng) for one in log_weight]
    statistics = {
        "effective_draws": effective,
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
    """Return the groups of all cells with their sites, in the order of the model: one {cell} per group."""
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
    """Draw and weight one outcome; the impact is predicted for groups in which it is not reported."""
    rng = np.random.default_rng(seed)
    printed = cells.isel(cell=np.flatnonzero(cells["outcome"].to_numpy() == outcome))
    names = list(groups["group"].to_numpy())
    seen = [names.index(name) for name in printed["group"].to_numpy()]
    spread = _spread(spec, outcome)

    def weighed_draws(count: int, tilt: Tilt | None) -> tuple[Prints, Basis, Weighed, Array]:
        prints = draw_given_print(printed, draws=count, rng=rng, tilt=tilt)
        x, s = np.zeros((count, len(names))), np.full((count, len(names)), UNREPORTED_SE)
        x[:, seen], s[:, seen] = prints.estimate, prints.se
        terms = basis_of(groups, spec, outcome, None if delivery is None else delivery[:count], draws=count, rng=rng)
        weighed = weigh(x, s, terms, spread, rng=rng)
        return prints, terms, weighed, prints.log_weight + weighed.log_weight

    pilot, _, _, log_weight = weighed_draws(min(PILOT, draws), None)
    even = effective_sample_size(log_weight) >= TILT_BELOW * len(log_weight)
    prints, terms, weighed, log_weight = weighed_draws(draws, None if even else learnt_tilt(pilot, log_weight))
    values = _values(terms, spec, weighed.coefficients, weighed.impact, weighed.tau, rng=rng)
    values |= {"estimate": prints.estimate, "se": prints.se}
    unreported = (len(names) - len(seen)) * (0.5 * np.log(2 * np.pi) + np.log(UNREPORTED_SE))
    return OutcomeDraws(values, log_weight + unreported, log_prior_mass(printed))


def _values(
    terms: Basis, spec: ImpactSpec, coefficients: Array, impact: Array, tau: Array, *, rng: np.random.Generator
) -> dict[str, Array]:
    """Return draws by variable, from ``coefficients`` {draw, coefficient}, ``impact`` {draw, group}, ``tau`` {draw}."""
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
    """Draw from the prior the variables of ``exact_posterior``, except estimates and SEs.

    Parameters are as there; the dim ``chain`` has length one.
    """
    check_exact_engine(spec)
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
    """Prior of the between-group SD, if the structure has one."""
    return None if spec.priors.tau is None else spec.priors.tau[outcome]


def _of_new(mu: Array, tau: Array, terms: Basis, rng: np.random.Generator) -> Array:
    """Impact {draw} of a new group, at a new site where sites differ, with the reference delivery."""
    sd = np.hypot(tau, terms.drawn.get("site_sd", 0.0))
    return np.asarray(mu + sd * rng.standard_normal(len(mu)))


def effective_sample_size(log_weight: Array) -> Array:
    """Kish effective sample size {...} of weights {..., draw}."""
    return np.asarray(np.exp(2 * logsumexp(log_weight, axis=-1) - logsumexp(2 * log_weight, axis=-1)))


def _refuse_low_ess(effective: Array, least: float, total: int, spec: ImpactSpec) -> None:
    if effective.min() < least:
        raise ConvergenceError(
            f"spec {spec.name!r}: importance sampling by the exact engine failed: {total:,} draws have an effective "
            f"sample size of {effective.min():.0f}, below {least:.0f}, because the posterior is far from the prior. "
            "Use engine 'nuts', or more draws"
        )


def resampled(log_weight: Array, rng: np.random.Generator) -> Array:
    """Resample positions {draw} by weight: systematic resampling, in random order."""
    shares = np.cumsum(np.exp(log_weight - log_weight.max()))
    at = (np.arange(len(shares)) + rng.random()) / len(shares) * shares[-1]
    return rng.permutation(np.minimum(np.searchsorted(shares, at), len(shares) - 1))


DIMS_OF = {
    "impact": ("group",),
    "slope": ("moderator",),
    "site_effect": ("site",),
}
"""Dims of a variable of one outcome, besides ``draw``."""


def _dataset(
    cells: xr.Dataset,
    groups: xr.Dataset,
    spec: ImpactSpec,
    found: dict[OutcomeName, OutcomeDraws],
    chosen: list[Array],
    delivery: Array | None,
) -> xr.Dataset:
    """Combine the outcomes {sample, ...}, each resampled by its weights."""
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
    """Turn the impact on respondents into that per person randomised; its two parameters keep their priors."""
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
    """Reshape {sample, ...} to {chain, draw, ...}."""
    variables = {
        name: (("chain", "draw", *array.dims[1:]), array.to_numpy().reshape(chains, draws, *array.shape[1:]))
        for name, array in posterior.data_vars.items()
    }
    coords = {"chain": np.arange(chains), "draw": np.arange(draws)}
    return xr.Dataset(variables, coords={**coords, **posterior.coords})
