"""Draws from the posterior of a model of individual records, by NUTS or the Laplace engine, and gates what it gives."""

from __future__ import annotations

import json
from typing import NamedTuple, get_args

import numpy as np
import xarray as xr
from scipy.special import logsumexp

from hlt_bayes.core.errors import ConvergenceError, SpecError, unknown_name
from hlt_bayes.core.progress import Progress, silent
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import OF_ALL_RANDOMISED
from hlt_bayes.inference.diagnostics import check_convergence
from hlt_bayes.inference.exact import resampled, worth_of
from hlt_bayes.inference.fit import PRIOR_DRAWS, impact_attrs
from hlt_bayes.inference.nuts import sample_model
from hlt_bayes.ipd.data import Records
from hlt_bayes.ipd.models.design_matrix import FEWEST, OUTCOME_COLUMNS
from hlt_bayes.ipd.models.laplace import weighed_draws
from hlt_bayes.ipd.models.model import individual_model
from hlt_bayes.ipd.models.outcome_model import (
    effect_positions,
    impact_and_slope,
    problem_of,
    terms_of,
    what_is_pooled,
)
from hlt_bayes.ipd.models.subgroups import levels_of, people_at_levels
from hlt_bayes.specs import CensoredNormal, IndividualEngine, IndividualSpec, OutcomeName
from hlt_bayes.specs.priors import NormalPrior

PARETO_K_MAX = 0.7
"""Importance weights with a larger Pareto k have no mean that so few draws would show (Vehtari et al. 2024)."""

ESTIMAND = (
    "per person randomised, standardised over all people of the trial group; those who did not answer the survey gain "
    "as those who did and were like them at the start"
)

REPORTED = (
    "mu",
    "tau",
    "impact",
    "impact_new",
    "impact_seen",
    "share",
    "difference",
    "subgroup_impact",
    "subgroup_sd",
    "slope",
    "slope_of_impact",
    "slope_between",
    "specialist_sd",
    "provider_sd",
    "specialist_effect_sd",
    "provider_effect_sd",
)
"""Variables that a fit keeps: none of them is of a person, or of a specialist."""


class Fitted(NamedTuple):
    """Draws of one outcome, what the sampler says of them, and the engine that made them."""

    posterior: xr.Dataset
    statistics: xr.Dataset
    engine: IndividualEngine


def fit_records(
    spec: IndividualSpec,
    records: Records,
    *,
    engine: IndividualEngine | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a model of individual records, outcome by outcome, and check the draws.

    Parameters
    ----------
    spec, records
        The model, and the people.
    engine
        In place of the spec's: ``"nuts"``, or ``"laplace"`` (independent draws by importance weights; an outcome whose
        weights fail the gate is drawn by NUTS, and says so).
    seed
        In place of the spec's. The same seed gives the same draws bit for bit on the same machine and versions.
    progress
        Told how far it has come.

    Returns
    -------
    DataTree
        ``posterior`` with ``impact`` {chain, draw, outcome, group} as that of ``hlt_bayes.fit``, and whatever
        else of ``REPORTED`` the spec has; nothing in it is of one person, and ``subgroup_impact`` is missing where an
        arm has fewer than ten people. ``prior`` of ``mu``, ``tau`` and what follows from them alone. ``sample_stats``
        or ``importance`` {outcome}.

    Raises
    ------
    RecordsError
        A column that the spec needs is missing, or a trial group has too few people.
    SpecError
        The spec does not suit the records or the engine.
    ConvergenceError
        Draws that fail the gate.
    """
    engine = engine or spec.sampling.engine
    if engine not in get_args(IndividualEngine):
        raise SpecError(f"engine {unknown_name(engine, get_args(IndividualEngine))}")
    if engine == "laplace":
        refuse_what_does_not_suit_laplace(spec)
    seed = spec.sampling.seed if seed is None else seed
    report = progress or silent
    fitted = {}
    for name in spec.outcomes:
        fitted[name] = _fit_outcome(spec, records, name, engine=engine, seed=seed, report=report)
    posterior = _joined({name: one.posterior for name, one in fitted.items()})
    posterior["impact"].attrs.update(
        impact_attrs(
            spec,
            estimand=ESTIMAND if spec.nonresponse is None else OF_ALL_RANDOMISED,
            made_of={"records_sha256": records.sha256, "records": repr(records)},
            engine=json.dumps({name: one.engine for name, one in fitted.items()}),
            seed=seed,
        )
    )
    groups = {"posterior": posterior, "prior": _prior(spec, posterior, seed=seed)}
    for kind in get_args(IndividualEngine):
        statistics = {name: one.statistics for name, one in fitted.items() if one.engine == kind}
        if statistics:
            label = "importance" if kind == "laplace" else "sample_stats"
            groups[label] = xr.concat(list(statistics.values()), dim=xr.Variable("outcome", list(statistics)))
    return xr.DataTree.from_dict(groups)


def refuse_what_does_not_suit_laplace(spec: IndividualSpec) -> None:
    """Refuse what the Laplace engine cannot do, before anything is drawn.

    Raises
    ------
    SpecError
        Each such key, with what to do.
    """
    found = [f"key '{key}'" for key in ("subgroups", "practice", "nonresponse") if getattr(spec, key) is not None]
    for name in spec.outcomes:
        if isinstance(spec.likelihood[name], CensoredNormal):
            found.append(f"key 'likelihood.{name}.family': 'censored-normal'")
        if not isinstance(spec.priors.mu[name], NormalPrior):
            found.append(f"key 'priors.mu.{name}.family': {spec.priors.mu[name].family!r}")
    if found:
        raise SpecError(
            "\n".join(f"spec {spec.name!r}, {one}: engine 'laplace' cannot do it; use engine 'nuts'" for one in found)
        )


def _fit_outcome(
    spec: IndividualSpec,
    records: Records,
    outcome: OutcomeName,
    *,
    engine: IndividualEngine,
    seed: int,
    report: Progress,
) -> Fitted:
    own_seed = stream_seed(seed, f"posterior of {outcome}")
    if engine == "laplace":
        found = laplace_draws(spec, records, outcome, seed=own_seed, report=report)
        k = float(found.statistics["pareto_k"])
        if k <= PARETO_K_MAX:
            check_convergence(found.posterior)
            return found
        report(f"Pareto k {k:.2f} of {outcome} is above {PARETO_K_MAX}: NUTS in place of laplace", 0, 0)

    def of_outcome(stage: str, done: int, total: int) -> None:
        report(f"{stage} ({outcome})", done, total)

    sampled = sample_model(individual_model(spec, records, outcome), spec.sampling, seed=own_seed, progress=of_outcome)
    posterior = sampled["posterior"].dataset
    posterior = posterior[[name for name in REPORTED if name in posterior]].drop_attrs()
    statistics = sampled["sample_stats"].dataset.drop_attrs()
    reported = posterior
    levels = levels_of(records, spec)
    if levels is not None:
        shown = people_at_levels(records, levels, OUTCOME_COLUMNS[outcome]) >= FEWEST
        by_level = posterior["subgroup_impact"]
        posterior = posterior.assign(subgroup_impact=by_level.where(xr.DataArray(shown, dims=("group", "level"))))
        of_many = by_level.stack(subgroup=("group", "level")).isel(subgroup=shown.ravel()).reset_index("subgroup")
        reported = posterior.drop_dims("level").assign(subgroup_impact=of_many)
    try:
        check_convergence(reported, sample_stats=statistics)
    except ConvergenceError as error:
        raise ConvergenceError(f"outcome {outcome!r}: {error}") from error
    return Fitted(posterior, statistics, "nuts")


def laplace_draws(
    spec: IndividualSpec, records: Records, outcome: OutcomeName, *, seed: int, report: Progress
) -> Fitted:
    """Draw one outcome by the Laplace engine: as many draws as the spec says, resampled by smoothed weights.

    ``statistics`` has ``pareto_k`` and ``effective_draws``, of the weights, and ``log_marginal_likelihood`` but for a
    constant; draws may be used where Pareto k is at most ``PARETO_K_MAX``.
    """
    from arviz_stats.base import array_stats

    report(f"Drawing ({outcome}, laplace)", 0, 0)
    problem, priors = problem_of(spec, records, outcome), spec.priors
    mu_prior = priors.mu[outcome]
    if not isinstance(mu_prior, NormalPrior):
        raise SpecError(f"spec {spec.name!r}, key 'priors.mu.{outcome}.family': engine 'laplace' needs 'normal'")
    rng = np.random.default_rng(seed)
    chains, draws = spec.sampling.chains, spec.sampling.draws
    impact = impact_and_slope(problem)
    found = weighed_draws(
        terms_of(problem),
        effect_positions(problem),
        what_is_pooled(problem),
        mu_prior,
        priors.tau[outcome],
        draws=chains * draws,
        rng=rng,
    )
    # It takes the negative of log weights, as those of leaving one out are log likelihoods.
    smoothed, pareto_k = array_stats.psislw(-found.log_weight)
    chosen = resampled(smoothed, rng)
    impacts = (
        impact([one[chosen] for one in found.parameters])[0] if problem.pools_coefficients else found.pooled[chosen]
    )
    arrays = {"mu": found.mu[chosen, None], "tau": found.tau[chosen, None], "impact": impacts[:, None, :]}
    if not problem.pools_coefficients:
        arrays["impact_new"] = arrays["mu"] + arrays["tau"] * rng.standard_normal((len(chosen), 1))
    dims = {"impact": ("outcome", "group")}
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *dims.get(name, ("outcome",))), values.reshape(chains, draws, *values.shape[1:]))
            for name, values in arrays.items()
        },
        coords={
            "chain": np.arange(chains),
            "draw": np.arange(draws),
            "outcome": [outcome],
            "group": problem.groups,
        },
    )
    statistics = xr.Dataset(
        {
            "pareto_k": float(pareto_k),
            "effective_draws": float(worth_of(smoothed)),
            "log_marginal_likelihood": float(logsumexp(found.log_weight) - np.log(len(chosen))),
        }
    )
    return Fitted(posterior, statistics, "laplace")


def _joined(parts: dict[OutcomeName, xr.Dataset]) -> xr.Dataset:
    """Put the draws of all outcomes into one dataset; what only some outcomes have is missing for the others."""
    whole = []
    for name, one in parts.items():
        known = {
            key: array if "outcome" in array.dims else array.expand_dims(outcome=[name]) for key, array in one.items()
        }
        whole.append(xr.Dataset(known))
    if not all("impact_new" in one for one in whole):
        # A new group cannot be foretold where coefficients are pooled: then of no outcome.
        whole = [one.drop_vars("impact_new", errors="ignore") for one in whole]
    joined = xr.concat(whole, dim="outcome", join="outer", data_vars="all", coords="minimal", compat="override")
    first = ("chain", "draw", "outcome")
    return joined.transpose(*first, ...)


def _prior(spec: IndividualSpec, posterior: xr.Dataset, *, seed: int) -> xr.Dataset:
    """Draw what the priors of ``mu`` and ``tau`` say by themselves."""
    rng = np.random.default_rng(stream_seed(seed, "prior"))
    groups = [str(name) for name in posterior["group"].to_numpy()]
    shape = (1, PRIOR_DRAWS, len(spec.outcomes))
    mu, tau = (
        np.stack([getattr(spec.priors, key)[name].quantile(rng.random(shape[:2])) for name in spec.outcomes], axis=-1)
        for key in ("mu", "tau")
    )
    dims: tuple[str, ...] = ("chain", "draw", "outcome")
    arrays = {"mu": (dims, mu), "tau": (dims, tau)}
    if "impact_new" in posterior and spec.nonresponse is None and spec.practice is None:
        arrays["impact_new"] = (dims, mu + tau * rng.standard_normal(shape))
        z = rng.standard_normal((*shape, len(groups)))
        arrays["impact"] = ((*dims, "group"), mu[..., None] + tau[..., None] * z)
    coords = {"chain": [0], "draw": np.arange(PRIOR_DRAWS), "outcome": list(spec.outcomes), "group": groups}
    return xr.Dataset(arrays, coords=coords)
