"""Valuation of impact draws: draw i of each return is computed from draw i of the impacts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, get_args

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import ImpactError, SpecError, unknown_name
from hlt_bayes.core.vocabulary import OF_ALL_RANDOMISED, SURVEY_OUTCOMES
from hlt_bayes.economics.costs import Volume, cost_of_groups, price_year, response_share, volume_ratio
from hlt_bayes.economics.implied_prices import printed_returns
from hlt_bayes.economics.parameters import draw_parameters, follow_ups, parameters_of
from hlt_bayes.economics.persistence import DecayPosterior, learn_decay
from hlt_bayes.economics.price_year import Money
from hlt_bayes.economics.valuation import Setting, in_base_year, price_year_of, value
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import Source, impact_draws, pooling_matrix
from hlt_bayes.specs import EconomicSpec
from hlt_bayes.specs.priors import Quantity

Array = np.ndarray

BLOCK = 2**16
"""Draws, across all chains, valued at a time: a block fits the processor's cache, and memory beyond the result does not
grow with the number of draws."""


class Job(NamedTuple):
    """Inputs for valuing blocks of draws: impacts {sample, outcome, group}, the spec's quantities, and the seed."""

    impact: Array
    outcomes: list[str]
    setting: Setting
    quantities: dict[str, Quantity]
    learnt: dict[str, DecayPosterior]
    given: dict[str, Array] | None
    seed: int


def check_can_be_valued(
    outcomes: Sequence[str], spec: EconomicSpec, evidence: Evidence, *, volume: Volume = "actual"
) -> None:
    """Raise if a spec cannot value impacts on ``outcomes``; needs no draws, so it can run before a fit.

    Raises
    ------
    SpecError, EvidenceError
        The spec values an outcome not among ``outcomes``, an implied price cannot be derived, or costs or response
        rates are missing.
    """
    _setting(outcomes, spec, evidence, volume=volume, seen=True)
    parameters_of(spec, evidence)
    follow_ups(spec, evidence.groups, evidence)


def appraise(
    source: Source,
    spec: EconomicSpec,
    evidence: Evidence,
    *,
    seed: int,
    volume: Volume = "actual",
    parameters: xr.Dataset | None = None,
) -> xr.Dataset:
    """Value every impact draw, without a significance filter.

    Parameters
    ----------
    source
        Impact draws in any form accepted by ``hlt_bayes.impact_draws``, from this package or from elsewhere.
    spec, evidence
        Prices, persistence and shares; and the published costs, recruits and response rates.
    seed
        Random seed of the draws of the spec's quantities.
    volume
        ``"actual"``: the service as delivered. ``"planned"``: the planned number of people, with the fixed cost spread
        over them and impacts per head unchanged.
    parameters
        Draws {chain, draw} of every quantity to use instead of new ones, such as modified draws of another appraisal.

    Returns
    -------
    Dataset
        Groups include the pooled rows; money is in £ of the spec's price year, discounted, per person randomised to
        treatment:

        - ``benefit_per_head``, ``net_present_value`` (benefit less cost), ``benefit_cost_ratio`` (gross benefit per £1,
          £ per £) {chain, draw, perspective, group}; the last two break even at 0 and 1;
        - ``cost_per_head`` {chain, draw, group};
        - ``price`` {chain, draw, benefit}, £ per unit; ``units`` {chain, draw, benefit}, discounted priced units per
          unit of impact; ``coverage`` {chain, draw, group}, the mean impact on everyone randomised as a share of that
          on survey respondents; ``counted`` {perspective, benefit};
        - every quantity of the spec {chain, draw}, by its key;
        - ``published`` {perspective, group}, the published return, and ``unfiltered``, the return of the published
          impacts at the mean of all other quantities, with none set to zero.

    Raises
    ------
    ImpactError
        The trial groups of the impacts are not those of the evidence, or ``parameters`` lacks a quantity or a draw.
    SpecError, EvidenceError
        As for ``check_can_be_valued``.
    """
    impact = impact_draws(source)
    job = job_of(impact, spec, evidence, seed=seed, volume=volume, parameters=parameters)
    size, setting = len(job.impact), job.setting
    leading = {
        "benefit_per_head": (len(spec.perspectives), len(setting.rows)),
        "cost_per_head": (len(setting.rows),),
        "coverage": (len(setting.rows),),
        "price": (len(spec.counted),),
        "units": (len(spec.counted),),
        **dict.fromkeys(job.quantities, ()),
    }
    arrays = {name: np.empty((*shape, size)) for name, shape in leading.items()}

    def keep(at: slice, found: dict[str, Array]) -> None:
        for name, values in found.items():
            arrays[name][..., at] = values

    each_block(job, keep)
    return _labelled(arrays, impact, job, evidence, volume)


def each_block(job: Job, use: Callable[[slice, dict[str, Array]], None], *, totals: bool = False) -> None:
    """Value all draws block by block, on all processors, and pass each block to ``use``.

    ``use`` receives the slice of draws and the result of ``economics.valuation.value`` with the draws of the quantities
    (or the ``totals`` only). It may be called from several threads at once.
    """
    size = len(job.impact)
    blocks = [(number, slice(start, min(start + BLOCK, size))) for number, start in enumerate(range(0, size, BLOCK))]

    def one(block: tuple[int, slice]) -> None:
        number, at = block
        values = np.ascontiguousarray(job.impact[at].transpose(1, 2, 0))
        impact = dict(zip(job.outcomes, values, strict=True))
        by_group = {name: dict(zip(job.setting.groups, rows, strict=True)) for name, rows in impact.items()}
        drawn = (
            draw_parameters(job.quantities, job.learnt, by_group, values.shape[-1], seed=job.seed, block=number)
            if job.given is None
            else {key: draws[at] for key, draws in job.given.items()}
        )
        found = value(impact, drawn, job.setting, totals=totals)
        use(at, found if totals else {**found, **drawn})

    if len(blocks) == 1:
        one(blocks[0])
        return
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # Consume the (empty) results so that an error in a block is raised here.
        list(pool.map(one, blocks))


def job_of(
    impact: xr.DataArray,
    spec: EconomicSpec,
    evidence: Evidence,
    *,
    seed: int,
    volume: Volume = "actual",
    parameters: xr.Dataset | None = None,
) -> Job:
    """Check the inputs and prepare them for valuation by block; arguments as in ``appraise``."""
    outcomes = [str(name) for name in impact["outcome"].to_numpy()]
    setting = _setting(outcomes, spec, evidence, volume=volume, seen=not applies_to_all_randomised(impact))
    found = [str(name) for name in impact["group"].to_numpy()]
    if set(found) != set(evidence.groups):
        raise ImpactError(f"impact has the groups {', '.join(found)}; it must have {', '.join(evidence.groups)}")
    ordered = impact if tuple(found) == setting.groups else impact.sel(group=list(setting.groups))
    quantities = parameters_of(spec, evidence)
    given = None
    if parameters is not None:
        missing = [key for key in quantities if key not in parameters]
        if missing or any(parameters.sizes[dim] != impact.sizes[dim] for dim in ("chain", "draw")):
            raise ImpactError(
                f"parameters: must have {', '.join(quantities)}, with as many chains and draws as the impacts"
            )
        given = {key: parameters[key].transpose("chain", "draw").to_numpy().ravel() for key in quantities}
    learnt = {
        key: learn_decay(
            quantities[key], later, ordered.sel(outcome=later.outcome, group=later.group).to_numpy(), printed=printed
        )
        for key, (later, printed) in follow_ups(spec, setting.groups, evidence).items()
    }
    return Job(
        impact=ordered.to_numpy().reshape(-1, len(outcomes), len(found)),
        outcomes=outcomes,
        setting=setting,
        quantities=quantities,
        learnt=learnt,
        given=given,
        seed=seed,
    )


def applies_to_all_randomised(impact: xr.DataArray) -> bool:
    """Return True if the impacts already apply to everyone randomised, including survey non-respondents."""
    return impact.attrs.get("estimand") == OF_ALL_RANDOMISED


def _setting(outcomes: Iterable[str], spec: EconomicSpec, evidence: Evidence, *, volume: Volume, seen: bool) -> Setting:
    for name, benefit in spec.counted.items():
        if benefit.outcome not in outcomes:
            raise SpecError(
                f"economic spec {spec.name!r}, key 'benefits.{name}.outcome': {benefit.outcome!r} is valued, but the "
                f"impacts are on {', '.join(outcomes)}; leave this benefit out"
            )
    if volume not in get_args(Volume):
        raise SpecError(f"volume {unknown_name(volume, get_args(Volume))}")
    if volume == "planned" and (spec.costs is None or spec.costs.fixed_share is None):
        raise SpecError(
            f"economic spec {spec.name!r}: volume 'planned' needs the key 'costs.fixed_share', the share of the cost "
            "that does not depend on the number treated"
        )
    groups = evidence.groups
    pooling = pooling_matrix(groups, evidence.treated)
    return Setting(
        spec=spec,
        groups=groups,
        rows=tuple(str(name) for name in pooling["row"].to_numpy()),
        cost=cost_of_groups(evidence, spec).to_numpy(),
        cost_year=price_year(spec),
        base_year=price_year(spec) if spec.prices is None else spec.prices.base.year,
        response=response_share(evidence).to_numpy() if spec.nonresponse is not None and seen else None,
        volume=volume_ratio(evidence).to_numpy() if volume == "planned" else None,
        pooling=pooling.to_numpy(),
    )


def _labelled(
    arrays: dict[str, Array], impact: xr.DataArray, job: Job, evidence: Evidence, volume: Volume
) -> xr.Dataset:
    """Label the results with dims, units and sign, and add the published returns."""
    spec, setting = job.setting.spec, job.setting
    dims = {
        "benefit_per_head": ("perspective", "group"),
        "cost_per_head": ("group",),
        "coverage": ("group",),
        "price": ("benefit",),
        "units": ("benefit",),
    }
    per_head = {"unit": "GBP per person randomised to treatment", "price_year": setting.base_year}
    per_pound = {"unit": "GBP of benefit per GBP of cost", "sign": "gross of cost; above 1 pays back"}
    prices = "; ".join(f"{name}: {benefit.price.unit}" for name, benefit in spec.counted.items())
    attrs: dict[str, dict[str, str]] = {
        "benefit_per_head": per_head,
        "cost_per_head": per_head,
        "coverage": {"unit": "share of the impact on survey respondents"},
        "price": {"unit": prices, "price_year": setting.base_year},
        "units": {"unit": "discounted priced units per unit of impact"},
        **{key: {"unit": quantity.unit} for key, quantity in job.quantities.items()},
    }
    sizes = impact.sizes["chain"], impact.sizes["draw"]
    result = xr.Dataset(
        {
            name: ((*dims.get(name, ()), "chain", "draw"), values.reshape((*values.shape[:-1], *sizes)), attrs[name])
            for name, values in arrays.items()
        },
        coords={
            **{dim: impact[dim] for dim in ("chain", "draw") if dim in impact.coords},
            "perspective": list(spec.perspectives),
            "group": list(setting.rows),
            "benefit": list(spec.counted),
            "outcome": ("benefit", [benefit.outcome for benefit in spec.counted.values()]),
        },
    ).transpose("chain", "draw", ...)
    net = result["benefit_per_head"] - result["cost_per_head"]
    ratio = result["benefit_per_head"] / result["cost_per_head"]
    counted = [[name in one.benefits for name in spec.counted] for one in spec.perspectives.values()]
    rows = ("perspective", "group")
    result = result.assign(
        net_present_value=net.assign_attrs(per_head, sign="benefit less cost; above 0 pays back"),
        benefit_cost_ratio=ratio.assign_attrs(per_pound),
        counted=(("perspective", "benefit"), np.array(counted)),
        published=(rows, printed_returns(evidence, spec.perspectives, setting.rows), per_pound),
        unfiltered=(rows, _unfiltered(result, job, evidence), per_pound),
    )
    return result.assign_attrs(
        spec=spec.name,
        spec_sha256=spec.fingerprint,
        seed=str(job.seed),
        volume=volume,
        estimand="per person randomised to treatment",
        orientation="impact: treatment minus control, positive is better; net present value: benefit minus cost",
    )


def _unfiltered(result: xr.Dataset, job: Job, evidence: Evidence) -> Array:
    """Compute the return {perspective, row} of all published impacts, significant or not, at the mean of all else."""
    spec, setting = job.setting.spec, job.setting
    printed = evidence.impacts.pivot(index="outcome", columns="group", values="estimate").reindex(columns=setting.rows)
    covered = result["coverage"].mean(("chain", "draw")).to_numpy()
    benefit = np.zeros((len(spec.perspectives), len(setting.rows)))
    for at, counted in enumerate(spec.perspectives.values()):
        for name in counted.benefits:
            outcome = spec.benefits[name].outcome
            expected = Money(job.quantities[f"benefits.{name}.price"].expectation, price_year_of(name, setting))
            worth = in_base_year(expected, setting).amount * result["units"].sel(benefit=name).mean().item()
            share = covered if outcome in SURVEY_OUTCOMES else 1.0
            benefit[at] += printed.loc[outcome].to_numpy(float) * share * worth
    return np.asarray(benefit / result["cost_per_head"].mean(("chain", "draw")).to_numpy())


def mean_ratio(job: Job) -> xr.DataArray:
    """Compute the mean gross benefit per £1 {perspective, group} without storing the draws."""
    setting = job.setting
    sums = np.zeros((len(setting.spec.perspectives), len(setting.rows)))
    lock = threading.Lock()

    def add(_: slice, found: dict[str, Array]) -> None:
        ratio = (found["benefit_per_head"] / found["cost_per_head"]).sum(axis=-1)
        with lock:
            np.add(sums, ratio, out=sums)

    each_block(job, add, totals=True)
    coords = {"perspective": list(setting.spec.perspectives), "group": list(setting.rows)}
    return xr.DataArray(sums / len(job.impact), coords=coords)
