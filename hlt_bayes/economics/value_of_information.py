"""Value of information for the decision to fund the service: EVPI, EVPPI, and EVSI and ENBS of a new trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.vocabulary import ARMS, OUTCOMES
from hlt_bayes.economics.appraisal import applies_to_all_randomised
from hlt_bayes.economics.conditional_mean import OVER, expected_given
from hlt_bayes.economics.drivers import IMPACT, known_quantities
from hlt_bayes.economics.persistence import present_value_years
from hlt_bayes.economics.published import printed_impacts
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import Source, admit
from hlt_bayes.specs import QALY, Decision, EconomicSpec, ImpactSpec

SIZES = (50, 100, 200, 400, 700, 1000, 1500, 2000, 3000, 5000, 8000, 12000)
"""Default sample sizes of a new trial, people per arm."""


def expected_gain(net_benefit: xr.DataArray) -> xr.DataArray:
    """Return the expected gain {...} from deciding with ``net_benefit`` {chain, draw, ...} known.

    The gain of funding when it is above 0 over deciding on its mean: £ per person, 0 or above.
    """
    gain = net_benefit.clip(min=0).mean(OVER) - net_benefit.mean(OVER).clip(min=0)
    return gain.clip(min=0)  # Rounding error may make it negative.


def evpi(economics: xr.Dataset) -> xr.DataArray:
    """Return the expected value of perfect information {perspective, group}, £ per person randomised to treatment."""
    return expected_gain(economics["net_present_value"]).assign_attrs(economics["net_present_value"].attrs)


def parts_to_learn(spec: EconomicSpec, keys: Sequence[str]) -> dict[str, list[str]]:
    """Group the keys of ``known_quantities`` by what one study could resolve, under display names."""
    parts: dict[str, list[str]] = {}
    for key in keys:
        place, name, *_ = key.split(".")
        if place == "impact":
            parts[f"{OUTCOMES[name].label} impact"] = [key]
        elif place == "persistence":
            parts.setdefault("Persistence", []).append(key)
        elif place == "conversions":
            parts.setdefault("Conversion of impacts to priced units", []).append(key)
        elif place == "costs":
            parts.setdefault("Cost", []).append(key)
        elif place == "nonresponse":
            parts["Share gained by non-respondents"] = [key]
        elif key.endswith(".undisplaced"):
            parts.setdefault("Job displacement", []).append(key)
        elif key.endswith(".additional"):
            parts.setdefault("What wellbeing and earnings add", []).append(key)
        elif spec.benefits[name].price.unit == QALY:
            parts["Value of a QALY"] = [key]
        else:
            parts.setdefault("Other prices", []).append(key)
    impacts = [key for key in keys if key.startswith(IMPACT)]
    others = [key for key in keys if not key.startswith(IMPACT)]
    return {**parts, "All impacts": impacts, "All but the impacts": others}


def evppi(
    economics: xr.Dataset,
    source: Source,
    spec: EconomicSpec,
    evidence: Evidence,
    *,
    parts: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Return the expected value of partial perfect information (EVPPI), by set of quantities learnt.

    Parameters
    ----------
    economics, source, spec, evidence
        An appraisal, and its inputs.
    parts
        Sets of keys of ``hlt_bayes.economics.drivers.known_quantities`` to be learnt together, by name; by default
        ``parts_to_learn``.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``learnt``; ``value_gbp`` per person randomised to treatment; ``share`` of the EVPI,
        missing where that is 0; ``fixed``, True if none of the quantities varies in this spec, so there is nothing to
        learn.

    Raises
    ------
    SpecError
        A key is unknown.

    Notes
    -----
    The conditional mean net benefit is estimated by regression on the draws (``conditional_mean.expected_given``).
    """
    known = known_quantities(economics, source, spec, evidence)
    parts = parts_to_learn(spec, list(known)) if parts is None else parts
    for key in (key for keys in parts.values() for key in keys):
        if key not in known:
            raise SpecError(f"quantity {unknown_name(key, known)}")
    perfect = evpi(economics)
    tables = []
    for name, keys in parts.items():
        found = xr.concat(
            [
                _gain_of_group(economics, [known[key] for key in keys], str(group))
                for group in economics["group"].to_numpy()
            ],
            dim=economics.indexes["group"],
        )
        # Regression error may push EVPPI above its upper bound, EVPI.
        found = found.transpose("perspective", "group").clip(max=perfect)
        table = xr.Dataset({"value_gbp": found, "share": found / perfect.where(perfect > 0)})
        frame = table.to_dataframe(dim_order=["perspective", "group"]).reset_index()
        frame["learnt"] = name
        frame["fixed"] = all(np.ptp(known[key].to_numpy()) == 0 for key in keys)
        tables.append(frame)
    return pd.concat(tables, ignore_index=True)[["perspective", "group", "learnt", "value_gbp", "share", "fixed"]]


def _gain_of_group(economics: xr.Dataset, known: Sequence[xr.DataArray], group: str) -> xr.DataArray:
    """Return the value {perspective} of learning quantities for the decision on one group."""
    of_group = [one.sel(group=group, drop=True) if "group" in one.dims else one for one in known]
    return expected_gain(expected_given(economics["net_present_value"].sel(group=group, drop=True), of_group))


def decision_population(spec: EconomicSpec, *, after: float = 0.0) -> float:
    """Return the number of people affected by a decision from year ``after``, discounted at the standard rate.

    Raises
    ------
    SpecError
        The spec has no table ``decision``.
    """
    decision = _decision(spec)
    rate = 0.0 if spec.discounting is None else spec.discounting.standard.value
    return float(decision.people_per_year.value * (_years(decision.years.value, rate) - _years(after, rate)))


def _years(horizon: float, rate: float) -> float:
    """Return discounted years to a horizon, the last in part."""
    return float(present_value_years(0.0, horizon=horizon, rate=rate)) if horizon >= 1 else horizon


def new_trial(
    economics: xr.Dataset,
    source: Source,
    spec: EconomicSpec,
    impact_spec: ImpactSpec,
    evidence: Evidence,
    *,
    group: str,
    sizes: Sequence[int] = SIZES,
) -> pd.DataFrame:
    """Return EVSI and ENBS of a new trial in one group, by sample size.

    The new trial measures the same outcomes, with standard errors as recovered here but scaled to its size. The impacts
    in the group are treated as jointly normal, with the mean and covariance V of the draws, so the preposterior
    variance is exact: of the variance β'Vβ of net benefit explained by the impacts, a trial with error variances S
    resolves β'V(V + S)⁻¹Vβ in expectation. Draws of mean net benefit given the impacts are shrunk towards their mean by
    the square root of that share, preserving their shape (moment matching, Heath et al. 2018).

    Parameters
    ----------
    economics, source, spec, evidence
        An appraisal, and its inputs.
    impact_spec
        The impact spec under whose priors the standard errors are recovered.
    group
        A trial group.
    sizes
        People per arm, 1 or more.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``per_arm``; ``value_gbp``, the EVSI per person, and ``limit_gbp``, the EVPPI of the
        impacts in the group; ``value_of_decision_gbp``, the EVSI for all people affected after the trial reports
        (``decision.trial_years``); ``cost_gbp`` of the trial, including any expected loss from treating its treatment
        arm; ``net_gbp``, the ENBS; and ``people_to_break_even``, the discounted number of people at which it is 0. The
        size with the largest ``net_gbp`` is optimal, if that is above 0.

    Raises
    ------
    SpecError
        The spec has no table ``decision``, or ``group`` is not a trial group, a size is below 1, or the impacts apply
        to everyone randomised.
    """
    decision = _decision(spec)
    people = decision_population(spec, after=min(decision.trial_years.value, decision.years.value))
    wrong = [size for size in sizes if size < 1]
    if wrong:
        raise SpecError(f"sizes: {wrong[0]} people per arm given; must be 1 or more")
    if group not in evidence.groups:
        raise SpecError(f"group {unknown_name(group, evidence.groups)}")
    admitted = admit(source)
    if applies_to_all_randomised(admitted.impact):
        raise SpecError(
            "a new trial: these impacts apply to everyone randomised, including non-respondents, whom no survey "
            "measures; give draws of the impact on respondents, such as those of spec 'primary'"
        )
    impacts = {
        key.removeprefix(IMPACT): draws.sel(group=group, drop=True)
        for key, draws in known_quantities(economics, admitted, spec, evidence).items()
        if key.startswith(IMPACT)
    }
    net = economics["net_present_value"].sel(group=group, drop=True)
    expected = expected_given(net, list(impacts.values()))
    theta = np.stack([one.transpose("chain", "draw").to_numpy().ravel() for one in impacts.values()])
    covariance = np.atleast_2d(np.cov(theta))
    variance = error_variances(evidence, impact_spec, group, list(impacts))
    rows = []
    for perspective in economics["perspective"].to_numpy():
        fitted = expected.sel(perspective=perspective).transpose("chain", "draw").to_numpy().ravel()
        slopes = np.linalg.lstsq((theta - theta.mean(axis=1, keepdims=True)).T, fitted - fitted.mean(), rcond=None)[0]
        limit = _gain(fitted)
        for per_arm in sizes:
            resolved = share_resolved(slopes, covariance, variance / per_arm)
            value = _gain(fitted.mean() + np.sqrt(resolved) * (fitted - fitted.mean()))
            loss = max(0.0, -float(net.sel(perspective=perspective).mean()))
            cost = decision.trial_fixed_cost.value + per_arm * (2 * decision.trial_cost_per_recruit.value + loss)
            rows.append(
                {
                    "perspective": perspective,
                    "group": group,
                    "per_arm": per_arm,
                    "value_gbp": value,
                    "limit_gbp": limit,
                    "value_of_decision_gbp": value * people,
                    "cost_gbp": cost,
                    "net_gbp": value * people - cost,
                    "people_to_break_even": cost / value if value > 0 else np.inf,
                }
            )
    return pd.DataFrame(rows)


def share_resolved(slopes: np.ndarray, covariance: np.ndarray, error_variance: np.ndarray) -> float:
    """Return the share of the variance of a weighted sum of normal impacts that new estimates are expected to resolve.

    Parameters
    ----------
    slopes
        Weight of each impact in the sum {outcome}.
    covariance
        Current covariance of the impacts {outcome, outcome}.
    error_variance
        Error variance of the new, independent estimates {outcome}; infinite for an unmeasured outcome.
    """
    weighted = covariance @ slopes
    seen = np.isfinite(error_variance)
    total = covariance[np.ix_(seen, seen)] + np.diag(error_variance[seen])
    of_all = float(slopes @ weighted)
    return float(weighted[seen] @ np.linalg.solve(total, weighted[seen]) / of_all) if of_all > 0 else 0.0


def error_variances(evidence: Evidence, impact_spec: ImpactSpec, group: str, outcomes: Sequence[str]) -> np.ndarray:
    """Return the squared SE {outcome} of an impact per person per arm: squared SE of this trial times its size per arm.

    The new trial is assumed to have the same survey response rate. Infinite for an unmeasured outcome.
    """
    se = printed_impacts(evidence, impact_spec)["se"]
    return people_per_arm(evidence, group) * np.array([se.get((outcome, group), np.inf) for outcome in outcomes]) ** 2


def people_per_arm(evidence: Evidence, group: str) -> float:
    """Return the people per arm of an equal-arm trial as precise as that of ``group``.

    Raises
    ------
    SpecError
        The evidence does not give the number randomised to each arm.
    """
    sizes = evidence.arm_sizes("recruits").reindex(index=[group], columns=list(ARMS)).to_numpy(float)
    if not np.isfinite(sizes).all():
        raise SpecError(
            f"{evidence.path} does not give the number randomised to each arm in {group!r}, so standard errors of a "
            "trial of another size are unknown; add the numbers"
        )
    return float(2 / (1 / sizes).sum())


def _gain(net_benefit: np.ndarray) -> float:
    return float(expected_gain(xr.DataArray(net_benefit[None], dims=OVER)))


def _decision(spec: EconomicSpec) -> Decision:
    if spec.decision is None:
        raise SpecError(
            f"economic spec {spec.name!r}: the key 'decision' is missing; state how many people the decision affects "
            "and what a trial costs"
        )
    return spec.decision
