"""What more evidence is worth to whoever decides whether to fund the service: perfect, partial, and of a new trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.vocabulary import ARMS, OUTCOMES
from hlt_bayes.economics.appraisal import speaks_for_all
from hlt_bayes.economics.conditional_mean import OVER, expected_given
from hlt_bayes.economics.drivers import IMPACT, known_quantities
from hlt_bayes.economics.persistence import present_value_years
from hlt_bayes.economics.published import printed_impacts
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import Source, admit
from hlt_bayes.specs import QALY, Decision, EconomicSpec, ImpactSpec

SIZES = (50, 100, 200, 400, 700, 1000, 1500, 2000, 3000, 5000, 8000, 12000)
"""People per arm of the new trials that are looked at."""


def expected_gain(net_benefit: xr.DataArray) -> xr.DataArray:
    """Give what is gained {...} by deciding on each ``net_benefit`` {chain, draw, ...} once it is known.

    To fund where it is above 0, rather than by its mean in all draws: £ per person, 0 or above.
    """
    gain = net_benefit.clip(min=0).mean(OVER) - net_benefit.mean(OVER).clip(min=0)
    return gain.clip(min=0)  # Rounding may leave less than nothing.


def evpi(economics: xr.Dataset) -> xr.DataArray:
    """Give the expected value of perfect information {perspective, group}, £ per person randomised to treatment."""
    return expected_gain(economics["net_present_value"]).assign_attrs(economics["net_present_value"].attrs)


def parts_to_learn(spec: EconomicSpec, keys: Sequence[str]) -> dict[str, list[str]]:
    """Group the keys of ``known_quantities`` into what one study might settle, by a name for readers."""
    parts: dict[str, list[str]] = {}
    for key in keys:
        place, name, *_ = key.split(".")
        if place == "impact":
            parts[f"{OUTCOMES[name].label} impact"] = [key]
        elif place == "persistence":
            parts.setdefault("Persistence", []).append(key)
        elif place == "conversions":
            parts.setdefault("What a unit of impact is of what is priced", []).append(key)
        elif place == "costs":
            parts.setdefault("Cost", []).append(key)
        elif place == "nonresponse":
            parts["Share gained by non-respondents"] = [key]
        elif key.endswith(".undisplaced"):
            parts.setdefault("Jobs taken from others", []).append(key)
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
    """Give the expected value of partial perfect information, by what would be learnt.

    Parameters
    ----------
    economics, source, spec, evidence
        An appraisal, and what it was made from.
    parts
        Keys of ``hlt_bayes.economics.drivers.known_quantities`` to be learnt together, by a name; by default
        ``parts_to_learn``.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``learnt``; ``value_gbp`` per person randomised to treatment; ``share`` of the value
        of perfect information, missing where that is 0; ``fixed``, true where nothing of it varies in this spec, so
        that there is nothing to learn.

    Raises
    ------
    SpecError
        A key is unknown.

    Notes
    -----
    The mean net benefit given what is learnt is a regression of the draws (``conditional_mean.expected_given``).
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
        # A regression may overshoot; nothing is worth more than everything.
        found = found.transpose("perspective", "group").clip(max=perfect)
        table = xr.Dataset({"value_gbp": found, "share": found / perfect.where(perfect > 0)})
        frame = table.to_dataframe(dim_order=["perspective", "group"]).reset_index()
        frame["learnt"] = name
        frame["fixed"] = all(np.ptp(known[key].to_numpy()) == 0 for key in keys)
        tables.append(frame)
    return pd.concat(tables, ignore_index=True)[["perspective", "group", "learnt", "value_gbp", "share", "fixed"]]


def _gain_of_group(economics: xr.Dataset, known: Sequence[xr.DataArray], group: str) -> xr.DataArray:
    """Value {perspective} of learning quantities for the decision on one group."""
    of_group = [one.sel(group=group, drop=True) if "group" in one.dims else one for one in known]
    return expected_gain(expected_given(economics["net_present_value"].sel(group=group, drop=True), of_group))


def people_concerned(spec: EconomicSpec, *, after: float = 0.0) -> float:
    """People whom a decision is for, over its years from year ``after`` on, discounted at the standard rate.

    Raises
    ------
    SpecError
        The spec has no table ``decision``.
    """
    decision = _decision(spec)
    rate = 0.0 if spec.discounting is None else spec.discounting.standard.value
    return float(decision.people_per_year.value * (_years(decision.years.value, rate) - _years(after, rate)))


def _years(horizon: float, rate: float) -> float:
    """Discounted years to a horizon; a year that it reaches into counts in part."""
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
    """Give the expected value of sample information of a new trial in one group, by its size, beside its cost.

    The new trial measures the outcomes as this one did, with standard errors as those recovered here but for its size.
    What is known of the impacts of the group is taken as jointly normal, with the mean and covariance of the draws, so
    that what a trial adds is exact: of the variance β'Vβ of the net benefit that the impacts explain, a trial with
    error variances S is expected to settle β'V(V + S)⁻¹Vβ. The draws of the mean net benefit given the impacts are
    pulled towards their mean by the root of that share, which keeps their shape (moment matching, Heath et al. 2018).

    Parameters
    ----------
    economics, source, spec, evidence
        An appraisal, and what it was made from.
    impact_spec
        Under whose priors the standard errors are recovered.
    group
        A trial group.
    sizes
        People per arm, above 0.

    Returns
    -------
    DataFrame
        ``perspective``, ``group``, ``per_arm``; ``value_gbp`` per person, and ``limit_gbp``, what learning the impacts
        of the group perfectly is worth; ``value_of_decision_gbp``, for those whom the decision is for once the trial
        has reported (``decision.trial_years``); ``cost_gbp`` of the trial, with what treating its treatment arm is
        expected to lose, if it is; ``net_gbp``, and ``people_to_break_even``, how many (discounted) a decision must be
        for so that it is 0. The trial with the greatest ``net_gbp`` is worth most, if that is above 0.

    Raises
    ------
    SpecError
        The spec has no table ``decision``, or ``group`` is no trial group.
    """
    decision = _decision(spec)
    people = people_concerned(spec, after=min(decision.trial_years.value, decision.years.value))
    wrong = [size for size in sizes if size < 1]
    if wrong:
        raise SpecError(f"a trial of {wrong[0]} per arm: 1 or more is allowed")
    if group not in evidence.groups:
        raise SpecError(f"group {unknown_name(group, evidence.groups)}")
    admitted = admit(source)
    if speaks_for_all(admitted.impact):
        raise SpecError(
            "a new trial: these impacts speak for those who did not answer, too, whom no survey measures; take draws "
            "of the impact on those who answered, such as those of spec 'primary'"
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
            settled = share_settled(slopes, covariance, variance / per_arm)
            value = _gain(fitted.mean() + np.sqrt(settled) * (fitted - fitted.mean()))
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


def share_settled(slopes: np.ndarray, covariance: np.ndarray, error_variance: np.ndarray) -> float:
    """Share of the variance of a sum of impacts that estimates of them are expected to settle, all normal.

    Parameters
    ----------
    slopes
        Of the sum on each impact {outcome}.
    covariance
        Of what is known of the impacts {outcome, outcome}.
    error_variance
        Of the new, independent estimates {outcome}; infinite where an outcome is not measured.
    """
    weighted = covariance @ slopes
    seen = np.isfinite(error_variance)
    total = covariance[np.ix_(seen, seen)] + np.diag(error_variance[seen])
    of_all = float(slopes @ weighted)
    return float(weighted[seen] @ np.linalg.solve(total, weighted[seen]) / of_all) if of_all > 0 else 0.0


def error_variances(evidence: Evidence, impact_spec: ImpactSpec, group: str, outcomes: Sequence[str]) -> np.ndarray:
    """Squared standard error {outcome} of an impact with one person per arm: that of this trial times its size per arm.

    So much as the survey answers this trial had, the new one has. Infinite for an outcome that was not measured.
    """
    se = printed_impacts(evidence, impact_spec)["se"]
    return people_per_arm(evidence, group) * np.array([se.get((outcome, group), np.inf) for outcome in outcomes]) ** 2


def people_per_arm(evidence: Evidence, group: str) -> float:
    """People per arm of a trial of equal arms as precise as that of ``group``.

    Raises
    ------
    SpecError
        The evidence does not say how many were randomised to each arm.
    """
    sizes = evidence.arm_sizes("recruits").reindex(index=[group], columns=list(ARMS)).to_numpy(float)
    if not np.isfinite(sizes).all():
        raise SpecError(
            f"{evidence.path} does not say how many of {group!r} were randomised to each arm, so that the errors of a "
            "trial of another size are not known"
        )
    return float(2 / (1 / sizes).sum())


def _gain(net_benefit: np.ndarray) -> float:
    return float(expected_gain(xr.DataArray(net_benefit[None], dims=OVER)))


def _decision(spec: EconomicSpec) -> Decision:
    if spec.decision is None:
        raise SpecError(
            f"economic spec {spec.name!r}: the key 'decision' is missing; state whom the decision is for and what a "
            "trial costs"
        )
    return spec.decision
