"""Draw from the posterior of an impact model, by NUTS or exactly, and raise if the draws did not converge."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.progress import Progress, silent
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import OF_ALL_RANDOMISED, OUTCOMES
from hlt_bayes.evidence import Evidence
from hlt_bayes.inference.diagnostics import check_convergence
from hlt_bayes.inference.exact import exact_posterior, exact_prior
from hlt_bayes.inference.nuts import sample_model, without_fastmath
from hlt_bayes.inference.structures import build_model, check_spec_suits_evidence, response_rates
from hlt_bayes.likelihood import reported_results
from hlt_bayes.specs import ImpactSpec, IndividualSpec

if TYPE_CHECKING:
    import pymc as pm

PRIOR_DRAWS = 4000
ESTIMAND = "per person randomised; health and wellbeing as seen in those who answered the survey"
QUANTITIES = (
    "mu",
    "tau",
    "impact",
    "impact_new",
    "impact_seen",
    "site_effect",
    "site_sd",
    "in_work",
    "slope",
    "slope_sd",
    "delivery",
    "impact_correlation",
    "error_correlation",
    "share",
    "difference",
)
"""Interpretable variables above the likelihood; each model has some of them."""

VARYING_PARTS = {
    "delivery": ("moderator_within", "moderator_measured"),
    "impact_correlation": ("impact_partial",),
    "error_correlation": ("error_partial",),
}
"""Variables with constant elements, and the variables to check in their place."""

Engine = Literal["nuts", "pymc", "exact"]


def fit(
    spec: ImpactSpec,
    evidence: Evidence,
    *,
    engine: Engine | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Draw from the posterior of an impact model, and check convergence.

    Parameters
    ----------
    spec, evidence
        The model, and the published results.
    engine
        Overrides the spec's: ``"nuts"`` (NUTS by nutpie), ``"pymc"`` (NUTS by PyMC itself), or ``"exact"``
        (independent draws without MCMC, for structures that are normal given tau).
    seed
        Overrides the spec's. The same seed gives the same draws bit for bit on the same machine with
        the same versions, whether or not the compiled code was cached.
    progress
        Called with the progress of compiling and sampling, possibly from another thread.

    Returns
    -------
    DataTree
        ``posterior`` with ``impact`` {chain, draw, outcome, group} (treatment minus control per person
        randomised, positive is better, units in its attrs), ``estimate`` and ``se`` {cell} and the other variables of
        ``hlt_bayes.build_model``; ``prior`` likewise; ``reported`` {cell}, the data fitted;
        ``sample_stats``, or for the exact engine ``importance`` {outcome}: ESS and log marginal likelihood.

    Raises
    ------
    SpecError
        The spec does not suit the evidence or the engine.
    ConvergenceError
        R-hat, effective sample size, divergences or E-BFMI fail ``check_convergence``; the message lists which.
    """
    seed = spec.sampling.seed if seed is None else seed
    engine = engine or spec.sampling.engine
    if engine not in get_args(Engine):
        raise SpecError(f"engine {unknown_name(engine, get_args(Engine))}")
    report = progress or silent
    cells = reported_results(evidence, spec)
    if engine == "exact":
        groups = _exactly(cells, spec, evidence, seed=seed, report=report)
    else:
        groups = _by_chains(spec, evidence, engine=engine, seed=seed, report=report)
    check_convergence(convergence_variables(groups["posterior"], cells), sample_stats=groups.get("sample_stats"))
    tree = xr.DataTree.from_dict({**groups, "reported": cells})
    for group in ("posterior", "prior"):
        tree[group]["impact"].attrs.update(
            impact_attrs(
                spec,
                estimand=_estimand(spec, evidence),
                made_of={"evidence_sha256": evidence.sha256},
                engine=engine,
                seed=seed,
            )
        )
    return tree


def _exactly(
    cells: xr.Dataset, spec: ImpactSpec, evidence: Evidence, *, seed: int, report: Progress
) -> dict[str, xr.Dataset]:
    """Draw independently from posterior and prior, without a PyMC model."""
    report("Drawing (exact)", 0, 0)
    check_spec_suits_evidence(spec, evidence, cells)
    rates = response_rates(evidence, spec, cells)
    settings, own_seed = spec.sampling, stream_seed(seed, "posterior")
    posterior, statistics = exact_posterior(
        cells, spec, chains=settings.chains, draws=settings.draws, seed=own_seed, rates=rates
    )
    prior = exact_prior(cells, spec, draws=PRIOR_DRAWS, seed=stream_seed(seed, "prior"), rates=rates)
    return {"posterior": posterior, "importance": statistics, "prior": prior}


def _by_chains(
    spec: ImpactSpec, evidence: Evidence, *, engine: Literal["nuts", "pymc"], seed: int, report: Progress
) -> dict[str, xr.Dataset]:
    """Draw from the posterior by NUTS, and from the prior."""
    model = build_model(spec, evidence)
    own_seed = stream_seed(seed, "posterior")
    sampled = sample_model(model, spec.sampling, seed=own_seed, progress=report, engine=engine)
    groups = {name: _plain(sampled[name].dataset) for name in ("posterior", "sample_stats")}
    report("Drawing from the prior", 0, 0)
    with without_fastmath():
        groups["prior"] = _plain(draw_prior(model, draws=PRIOR_DRAWS, seed=stream_seed(seed, "prior")))
    return groups


def convergence_variables(posterior: xr.Dataset, cells: xr.Dataset) -> xr.Dataset:
    """Select the variables whose convergence is checked: all reported ones, without constant elements."""
    names = [part for name in (*QUANTITIES, "se", "weight") for part in VARYING_PARTS.get(name, (name,))]
    chosen = posterior[[name for name in names if name in posterior]]
    rounded = (cells["upper"] > cells["lower"]).to_numpy()
    if not rounded.any():
        return chosen
    return chosen.assign(estimate=posterior["estimate"].isel(cell=rounded).rename(cell="rounded_cell"))


def impact_attrs(
    spec: ImpactSpec | IndividualSpec, *, estimand: str, made_of: Mapping[str, str], engine: str, seed: int
) -> dict[str, str]:
    """Return metadata of impact draws: unit, sign, estimand, spec, inputs (``made_of``), engine, seed and versions."""
    return {
        "unit": json.dumps({name: OUTCOMES[name].unit for name in spec.outcomes}),
        "sign": "treatment minus control; positive is better; zero is no effect",
        "estimand": estimand,
        "spec": spec.name,
        "spec_sha256": spec.fingerprint,
        **made_of,
        "engine": engine,
        "seed": str(seed),
        "versions": sampler_versions(),
    }


def _estimand(spec: ImpactSpec, evidence: Evidence) -> str:
    if spec.nonresponse is not None:
        return OF_ALL_RANDOMISED
    return "as printed, trial by trial" if evidence.is_user_data else ESTIMAND


def sampler_versions() -> str:
    """Versions, as JSON, of the packages that draws depend on."""
    return json.dumps({name: version(name) for name in ("hlt-bayes", "pymc", "pytensor", "nutpie", "numba")})


def draw_prior(model: pm.Model, *, draws: int, seed: int) -> xr.Dataset:
    """Draw the ``QUANTITIES`` {chain, draw, ...} of a model of ``build_model`` from its prior."""
    import pymc as pm

    names = [name for name in QUANTITIES if name in model.named_vars]
    drawn = pm.draw([model[name] for name in names], draws=draws, random_seed=seed)
    dims = {name: ("chain", "draw", *model.named_vars_to_dims[name]) for name in names}
    arrays = {name: (dims[name], np.asarray(values)[None]) for name, values in zip(names, drawn, strict=True)}
    used = dict.fromkeys(dim for name in names for dim in dims[name][2:])
    coords = {"chain": [0], "draw": np.arange(draws), **{dim: list(model.coords[dim]) for dim in used}}
    return xr.Dataset(arrays, coords=coords)


def _plain(dataset: xr.Dataset) -> xr.Dataset:
    """Draws without a creation time, so that equal draws make equal files."""
    return dataset.drop_attrs(deep=False).assign_attrs(created_by=f"hlt-bayes {version('hlt-bayes')}")
