"""Draw from the posterior of a model of individual records by NUTS or the Laplace engine, and check the draws."""

from __future__ import annotations

import json
from typing import NamedTuple, get_args

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import ConvergenceError, SpecError, unknown_name
from hlt_bayes.core.progress import Progress, silent
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import OF_ALL_RANDOMISED
from hlt_bayes.inference.diagnostics import check_convergence
from hlt_bayes.inference.exact import effective_sample_size, resampled
from hlt_bayes.inference.fit import PRIOR_DRAWS, impact_attrs
from hlt_bayes.inference.nuts import sample_model
from hlt_bayes.ipd.data import Records
from hlt_bayes.ipd.disclosure.leave_out import share_left_out, some_left_out
from hlt_bayes.ipd.models.design_matrix import FEWEST, OUTCOME_COLUMNS
from hlt_bayes.ipd.models.laplace import weighted_draws
from hlt_bayes.ipd.models.model import individual_model
from hlt_bayes.ipd.models.outcome_model import (
    effect_positions,
    impact_and_slope,
    pooled_quantity,
    problem_of,
    terms_of,
)
from hlt_bayes.ipd.models.subgroups import levels_of, people_at_levels, shown_levels
from hlt_bayes.specs import CensoredNormal, IndividualEngine, IndividualSpec, OutcomeName
from hlt_bayes.specs.priors import NormalPrior

PARETO_K_MAX = 0.7
"""Largest accepted Pareto k; above it, importance-sampling estimates are unreliable (Vehtari et al. 2024)."""

ESTIMAND = (
    "per person randomised, standardised over all people of the trial group; survey non-respondents are assumed to "
    "gain as respondents with the same covariates do"
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
"""Variables kept from a fit; none is at the level of a person or specialist."""


STATISTICS = ("depth", "maxdepth_reached", "step_size", "n_steps", "mean_tree_accept", "energy", "diverging")
"""Sampler statistics that are kept. Log densities are not: removing a person changes them by that of the outcome."""


class Fitted(NamedTuple):
    """Draws of one outcome, their sampler statistics, and the engine that made them."""

    posterior: xr.Dataset
    statistics: xr.Dataset
    engine: IndividualEngine


def fit_records(
    spec: IndividualSpec,
    records: Records,
    *,
    engine: IndividualEngine | None = None,
    seed: int | None = None,
    leave_out: float | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a model of individual records, outcome by outcome, and check the draws.

    Parameters
    ----------
    spec, records
        The model specification, and the individual records.
    engine
        Overrides the engine of the spec: ``"nuts"``, or ``"laplace"`` (independent draws by importance resampling; an
        outcome whose Pareto k is too large is drawn by NUTS, and this is reported).
    seed
        Overrides the seed of the spec. The same seed gives the same draws bit for bit on the same machine and versions.
    leave_out
        Share of people left out at random, 0 or 0.01 to 0.2, so that two results cannot be told apart by one person: by
        default 0.02 of real records and 0 of synthetic. With 0, do not release two results on nearly the same people.
    progress
        Callback for progress.

    Returns
    -------
    DataTree
        ``posterior`` with ``impact`` {chain, draw, outcome, group} as in ``hlt_bayes.fit``, and those of ``REPORTED``
        that the spec defines; nothing is at the level of a person, and ``subgroup_impact`` is missing if an arm has
        fewer than ten people, or if it would give such a one away. ``prior`` of ``mu``, ``tau`` and quantities derived
        from them alone. ``sample_stats`` or ``importance`` {outcome}.

    Raises
    ------
    RecordsError
        A column that the spec needs is missing, a trial group has too few people, or the mean of an arm would tell of
        single people; or the share left out is not allowed.
    SpecError
        The spec does not suit the records or the engine.
    ConvergenceError
        The draws fail the convergence checks.
    """
    engine = engine or spec.sampling.engine
    if engine not in get_args(IndividualEngine):
        raise SpecError(f"engine {unknown_name(engine, get_args(IndividualEngine))}")
    if engine == "laplace":
        refuse_unsupported_by_laplace(spec)
    seed = spec.sampling.seed if seed is None else seed
    share = share_left_out(records, leave_out)
    people = some_left_out(records, share=share)
    report = progress or silent
    fitted = {}
    for name in spec.outcomes:
        fitted[name] = _fit_outcome(spec, people, name, engine=engine, seed=seed, report=report)
    posterior = _joined({name: one.posterior for name, one in fitted.items()})
    posterior["impact"].attrs.update(
        impact_attrs(
            spec,
            estimand=ESTIMAND if spec.nonresponse is None else OF_ALL_RANDOMISED,
            made_of={"records": repr(people), "left_out": f"{share:g}"} | _fingerprint(records),
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


def _fingerprint(records: Records) -> dict[str, str]:
    fingerprint = records.fingerprint
    return {} if fingerprint is None else {"records_hmac_sha256": fingerprint}


def refuse_unsupported_by_laplace(spec: IndividualSpec) -> None:
    """Raise if the spec needs what the Laplace engine does not support, before anything is drawn.

    Raises
    ------
    SpecError
        The message names each such key, and what to do.
    """
    found = [f"key '{key}'" for key in ("subgroups", "practice", "nonresponse") if getattr(spec, key) is not None]
    for name in spec.outcomes:
        if isinstance(spec.likelihood[name], CensoredNormal):
            found.append(f"key 'likelihood.{name}.family': 'censored-normal'")
        if not isinstance(spec.priors.mu[name], NormalPrior):
            found.append(f"key 'priors.mu.{name}.family': {spec.priors.mu[name].family!r}")
    if found:
        raise SpecError(
            "\n".join(
                f"spec {spec.name!r}, {one}: not supported by engine 'laplace'; use engine 'nuts'" for one in found
            )
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
        report(f"Pareto k {k:.2f} for {outcome} is above {PARETO_K_MAX}: using NUTS instead of laplace", 0, 0)

    def of_outcome(stage: str, done: int, total: int) -> None:
        report(f"{stage} ({outcome})", done, total)

    sampled = sample_model(individual_model(spec, records, outcome), spec.sampling, seed=own_seed, progress=of_outcome)
    posterior = sampled["posterior"].dataset
    posterior = posterior[[name for name in REPORTED if name in posterior]].drop_attrs()
    statistics = _without_densities(sampled["sample_stats"].dataset.drop_attrs())
    reported = posterior
    levels = levels_of(records, spec)
    if levels is not None:
        people = people_at_levels(records, levels, OUTCOME_COLUMNS[outcome])
        shown = shown_levels(people, levels, fewest=FEWEST)
        by_level = posterior["subgroup_impact"]
        posterior = posterior.assign(subgroup_impact=by_level.where(xr.DataArray(shown, dims=("group", "level"))))
        of_many = by_level.stack(subgroup=("group", "level")).isel(subgroup=shown.ravel()).reset_index("subgroup")
        reported = posterior.drop_dims("level").assign(subgroup_impact=of_many)
    try:
        check_convergence(reported, sample_stats=statistics)
    except ConvergenceError as error:
        raise ConvergenceError(f"outcome {outcome!r}: {error}") from error
    return Fitted(posterior, statistics, "nuts")


def _without_densities(statistics: xr.Dataset) -> xr.Dataset:
    """Keep ``STATISTICS``; of energies, which contain the log density, only their differences."""
    kept = statistics[[name for name in STATISTICS if name in statistics]]
    return kept.assign(energy=kept["energy"] - kept["energy"].mean())


def laplace_draws(
    spec: IndividualSpec, records: Records, outcome: OutcomeName, *, seed: int, report: Progress
) -> Fitted:
    """Draw one outcome by the Laplace engine: the draws of the spec, resampled by Pareto-smoothed importance weights.

    ``statistics`` has ``pareto_k`` and ``effective_draws`` of the weights; draws may be used if Pareto k is at most
    ``PARETO_K_MAX``. No density is kept: its change when a person is removed is the density of that person's outcome.
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
    found = weighted_draws(
        terms_of(problem),
        effect_positions(problem),
        pooled_quantity(problem),
        mu_prior,
        priors.tau[outcome],
        draws=chains * draws,
        rng=rng,
    )
    # psislw takes negative log weights: in leave-one-out cross-validation these are log likelihoods.
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
            "effective_draws": float(effective_sample_size(smoothed)),
        }
    )
    return Fitted(posterior, statistics, "laplace")


def _joined(parts: dict[OutcomeName, xr.Dataset]) -> xr.Dataset:
    """Combine the draws of all outcomes; variables that only some outcomes have are missing for the others."""
    whole = []
    for name, one in parts.items():
        known = {
            key: array if "outcome" in array.dims else array.expand_dims(outcome=[name]) for key, array in one.items()
        }
        whole.append(xr.Dataset(known))
    if not all("impact_new" in one for one in whole):
        # A new group cannot be predicted if coefficients are pooled; then it is dropped for all outcomes.
        whole = [one.drop_vars("impact_new", errors="ignore") for one in whole]
    joined = xr.concat(whole, dim="outcome", join="outer", data_vars="all", coords="minimal", compat="override")
    first = ("chain", "draw", "outcome")
    return joined.transpose(*first, ...)


def _prior(spec: IndividualSpec, posterior: xr.Dataset, *, seed: int) -> xr.Dataset:
    """Draw ``mu``, ``tau`` and the quantities derived from them alone from their priors."""
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
