"""Prior for the employment impact of each Health-led trial group, from the other trials of IPS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.meta.binomial import READINGS, Reading
from hlt_bayes.meta.effects import Z95
from hlt_bayes.specs.meta import Wide

PROBABILITIES = (0.025, 0.055, 0.25, 0.5, 0.75, 0.945, 0.975)
GRID = 4001

_BRIEFING = (
    "the briefing's pooled estimate includes the Health-led Trials (Newton et al 2023) as its largest trial; a prior "
    "for those trials based on it counts them twice"
)


def ratio_of_new_trial(fitted: xr.DataTree) -> xr.DataArray:
    """Predict the log ratio of a new trial from the trials of IPS other than the Health-led Trials.

    Parameters
    ----------
    fitted
        From ``fit_trials``. With size adjustment the new trial is of infinite size (covariate 0); for the
        Health-led trial groups the covariate is below 0.05.

    Returns
    -------
    DataArray {chain, draw}
        Posterior predictive draws; ``source``, ``reading``, ``adjusted_for_size``, ``contains_hlt`` in attrs.
    """
    posterior = fitted["posterior"].dataset
    return posterior["theta_new"].assign_attrs(posterior.attrs)


def briefing_ratio(trials: pd.DataFrame, *, reading: Reading) -> xr.DataArray:
    """Log of the briefing's pooled ratio for large and medium trials, 1.32 (1.20 to 1.46).

    For sensitivity analysis only: the estimate includes the Health-led Trials. It is a pooled mean, published
    without a between-trial SD ("heterogeneity is low"), so none is added.

    Parameters
    ----------
    trials
        From ``load_ips_trials``, with the row ``POOLED_whitworth2024``.
    reading
        The article calls the estimate an odds ratio; the briefing's text, "32% more effective", describes a
        risk ratio. At the Health-led control rates the two differ.

    Returns
    -------
    DataArray {draw}
        Quantiles, at evenly spaced probabilities, of the normal on the log scale that the published interval
        implies; attrs as in ``ratio_of_new_trial``.
    """
    from scipy.stats import norm

    if reading not in READINGS:
        raise EvidenceError(f"reading {unknown_name(reading, READINGS)}")
    row = trials.set_index("study_id").loc["POOLED_whitworth2024"]
    low, high = np.log([row["second_ci_low"], row["second_ci_high"]])
    quantiles = norm.ppf((np.arange(GRID) + 0.5) / GRID)
    return xr.DataArray(
        np.log(row["second_estimate"]) + (high - low) / (2 * Z95) * quantiles,
        dims="draw",
        attrs={
            "source": "briefing",
            "reading": reading,
            "adjusted_for_size": "by leaving out trials below 100",
            "contains_hlt": "yes",
        },
    )


def ips_prior(
    ratio: xr.DataArray,
    control_rates: Mapping[str, float],
    wide: Wide,
    *,
    hlt_counted_twice: Literal["refused", "as a sensitivity"] = "refused",
) -> xr.Dataset:
    """Convert a predicted ratio to a robust mixture prior for each trial group's employment impact.

    The ratio is applied to the group's control rate to give a risk difference. The component ``ips`` is a
    normal with the mean and SD of its draws; the component ``wide`` covers the case that the trials do not apply.

    Parameters
    ----------
    ratio
        From ``ratio_of_new_trial`` or ``briefing_ratio``: draws of a log odds or risk ratio, with attrs.
    control_rates
        Proportion of each group's controls with the outcome. IPS is a service for people out of work (the
        briefing), so for a group in work the prior is an extrapolation.
    wide
        Weight, mean and SD of the wide component (``MetaSpec.wide``).
    hlt_counted_twice
        Whether to accept a ratio that includes the Health-led Trials, for sensitivity analysis.

    Returns
    -------
    Dataset
        ``weight``, ``mean``, ``sd`` {group, component}: a mixture of normals for the risk difference
        (proportion, IPS minus control, above 0 is better), marginal for each group: all groups rest on the same
        trials, so using the priors as independent counts those trials more than once. ``quantile`` {kind, group,
        probability} of the draws (``predictive``), of their normal approximation (``ips``) and of the
        ``mixture``. ``capped`` {group}: share of draws whose risk ratio would take the treated rate above 1,
        where it is capped; if more than a few per cent, neither the reading nor the normal suits the group.
        ``control_rate`` {group}. In PyMC:
        ``pm.NormalMixture("impact", w=weight, mu=mean, sigma=sd, dims="group")``, each ``.to_numpy()``.

    Raises
    ------
    EvidenceError
        The ratio includes the Health-led Trials or lacks attrs, or the reading or a rate is invalid.
    """
    missing = [name for name in ("source", "reading", "contains_hlt") if name not in ratio.attrs]
    if missing:
        raise EvidenceError(f"ratio: attrs lack {', '.join(missing)}; use ratio_of_new_trial or briefing_ratio")
    if ratio.attrs["contains_hlt"] == "yes" and hlt_counted_twice != "as a sensitivity":
        raise EvidenceError(
            f"source {ratio.attrs['source']!r}: {_BRIEFING}; use ratio_of_new_trial, or pass hlt_counted_twice='as a "
            "sensitivity'"
        )
    wrong = [f"{group} {rate!r}" for group, rate in control_rates.items() if not 0 < rate < 1]
    if wrong or not control_rates:
        raise EvidenceError(
            f"control_rates: {', '.join(wrong) or 'none'} given; allowed: proportions above 0 and below 1"
        )
    draws = np.asarray(ratio).ravel()
    rates = np.array(list(control_rates.values()))[:, None]
    impacts = risk_difference(draws, rates, reading=ratio.attrs["reading"])
    capped = rates * np.exp(draws) > 1 if ratio.attrs["reading"] == "risk ratio" else np.zeros_like(impacts)
    mean = np.stack([impacts.mean(axis=1), np.full(len(rates), wide.mean)], axis=1)
    sd = np.stack([impacts.std(axis=1, ddof=1), np.full(len(rates), wide.sd)], axis=1)
    prior = xr.Dataset(
        {
            "weight": (("group", "component"), np.tile([1 - wide.weight, wide.weight], (len(rates), 1))),
            "mean": (("group", "component"), mean),
            "sd": (("group", "component"), sd),
            "capped": ("group", capped.mean(axis=1)),
            "control_rate": ("group", rates[:, 0]),
        },
        coords={"group": list(control_rates), "component": ["ips", "wide"]},
        attrs={
            **ratio.attrs,
            "unit": "proportion",
            "sign": "IPS minus control; above 0 is better; 0 is no effect",
            "why": _BRIEFING
            if ratio.attrs["contains_hlt"] == "yes"
            else "trials of IPS other than the Health-led Trials",
            "why_wide": wide.why,
        },
    )
    quantiles = [
        np.quantile(impacts, PROBABILITIES, axis=1).T,
        _mixture_quantiles(prior.isel(component=[0]), PROBABILITIES),
        _mixture_quantiles(prior, PROBABILITIES),
    ]
    return prior.assign(quantile=(("kind", "group", "probability"), np.stack(quantiles))).assign_coords(
        kind=["predictive", "ips", "mixture"], probability=list(PROBABILITIES)
    )


def risk_difference(log_ratio: np.ndarray, control_rate: np.ndarray, *, reading: Reading) -> np.ndarray:
    """Risk difference (proportion) implied by a log ratio at a control rate; the treated rate is capped at 1.

    Raises
    ------
    EvidenceError
        ``reading`` is not one of ``READINGS``.
    """
    from scipy.special import expit, logit

    if reading == "odds ratio":
        return np.asarray(expit(logit(control_rate) + log_ratio) - control_rate)
    if reading == "risk ratio":
        return np.asarray(np.minimum(control_rate * np.exp(log_ratio), 1.0) - control_rate)
    raise EvidenceError(f"reading {unknown_name(reading, READINGS)}")


def prior_data_conflict(prior: xr.Dataset, estimate: Mapping[str, float], se: Mapping[str, float]) -> pd.DataFrame:
    """Check for prior-data conflict: prior predictive p-values of observed impacts, and posterior weights.

    Parameters
    ----------
    prior
        From ``ips_prior``.
    estimate, se
        Observed impact and standard error of each group to check, as proportions.

    Returns
    -------
    DataFrame {group}
        ``estimate``, ``se``; ``prior_mean`` and ``predictive_sd`` (of an estimate, with its sampling error);
        ``p_box``: prior predictive probability of an estimate with no higher predictive density (Box 1980);
        ``p_ips``: the same under the component ``ips`` alone; ``wide_weight`` and ``wide_weight_posterior``.
        Small probabilities, or a wide component that gains weight, indicate prior-data conflict.

    Raises
    ------
    EvidenceError
        A group is not in the prior, or an SE is missing or not above 0.
    """
    from scipy.stats import norm

    rows = {}
    for group, observed in estimate.items():
        if group not in prior["group"]:
            raise EvidenceError(f"group {unknown_name(group, prior['group'].to_numpy())}")
        if not se.get(group, 0) > 0:
            raise EvidenceError(f"group {group!r}: se {se.get(group)!r} given; it must be a proportion above 0")
        weight, mean, sd = (prior[name].sel(group=group).to_numpy() for name in ("weight", "mean", "sd"))
        spread = np.hypot(sd, se[group])
        shares = weight * norm.pdf(observed, mean, spread)
        # Cells are narrow relative to each component; their mass is exact, their density that of the midpoint.
        edges = np.sort((mean + spread * np.linspace(-12, 12, 10001)[:, None]).ravel())
        density = norm.pdf((edges[1:, None] + edges[:-1, None]) / 2, mean, spread) @ weight
        mass = np.diff(norm.cdf(edges[:, None], mean, spread) @ weight)
        centre = weight @ mean
        rows[group] = {
            "estimate": observed,
            "se": se[group],
            "prior_mean": centre,
            "predictive_sd": np.sqrt(weight @ (spread**2 + (mean - centre) ** 2)),
            "p_box": mass[density <= shares.sum()].sum(),
            "p_ips": 2 * norm.sf(abs(observed - mean[0]) / spread[0]),
            "wide_weight": weight[1],
            "wide_weight_posterior": shares[1] / shares.sum(),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")


def _mixture_quantiles(mixture: xr.Dataset, probabilities: Sequence[float]) -> np.ndarray:
    """Quantiles {group, probability}, interpolated on a grid of 10,001 points."""
    from scipy.stats import norm

    rows = []
    for group in mixture["group"].to_numpy():
        weight, mean, sd = (mixture[name].sel(group=group).to_numpy() for name in ("weight", "mean", "sd"))
        grid = np.linspace((mean - 6 * sd).min(), (mean + 6 * sd).max(), 10001)
        rows.append(np.interp(probabilities, norm.cdf(grid[:, None], mean, sd) @ (weight / weight.sum()), grid))
    return np.array(rows)
