"""What the other trials of IPS say, before its data, of the employment impact of each Health-led trial group."""

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
    "the briefing's pooled figure has Newton et al 2023, which is the Health-led Trials, among its trials, and as "
    "the largest: as a prior for them it counts them twice"
)


def ratio_of_new_trial(fitted: xr.DataTree) -> xr.DataArray:
    """Predict the log ratio of a new trial from the trials other than the Health-led ones.

    Parameters
    ----------
    fitted
        Of ``fit_trials``. Adjusted for size, the new trial is one of infinite size; of the thousands of
        the Health-led Trials the covariate is within 0.05 of that.

    Returns
    -------
    DataArray {chain, draw}
        Posterior predictive draws; ``source``, ``reading``, ``adjusted_for_size``, ``contains_hlt`` in attrs.
    """
    posterior = fitted["posterior"].dataset
    return posterior["theta_new"].assign_attrs(posterior.attrs)


def briefing_ratio(trials: pd.DataFrame, *, reading: Reading) -> xr.DataArray:
    """Log ratio that the briefing prints for large and medium trials, 1.32 (1.20 to 1.46).

    A sensitivity reading only: the figure contains the Health-led Trials. It is a mean of trials, printed
    without a spread between them ("heterogeneity is low"), so that none is added.

    Parameters
    ----------
    trials
        Of ``load_ips_trials``, with the row ``POOLED_whitworth2024``.
    reading
        The article calls the figure an odds ratio; the briefing's text, "32% more effective", is true of
        a risk ratio. The Health-led control rates make the two differ.

    Returns
    -------
    DataArray {draw}
        Evenly spaced quantiles of the normal that the printed interval implies on the log scale; attrs as
        in ``ratio_of_new_trial``.
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
    """Turn a predicted ratio into a robust prior of each trial group's employment impact.

    The ratio is carried to the group's control rate, which gives a risk difference; a normal with the
    moments of its draws is the component ``ips``, and ``wide`` speaks where the trials do not apply.

    Parameters
    ----------
    ratio
        Of ``ratio_of_new_trial`` or ``briefing_ratio``: draws of a log odds or risk ratio, with attrs.
    control_rates
        Proportion of each group's controls with the outcome. IPS is a service for people out of work (the
        briefing), so that for a group in work the prior is an extrapolation.
    wide
        Weight, mean and SD of the wide component (``MetaSpec.wide``).
    hlt_counted_twice
        A ratio to which the Health-led Trials contributed is refused unless asked for as a sensitivity.

    Returns
    -------
    Dataset
        ``weight``, ``mean``, ``sd`` {group, component}: a mixture of normals for the risk difference
        (proportion, IPS minus control, above 0 is better), each group's own marginal: groups share the
        trials, so that priors taken as independent count them more than once. ``quantile`` {kind, group,
        probability} of the draws (``predictive``), of the normal that stands for them (``ips``) and of the
        ``mixture``. ``capped`` {group}: share of draws whose risk ratio would carry the rate above 1, and is
        cut there; where that is more than a few per cent, the reading does not fit the group, and neither does
        the normal. ``control_rate`` {group}. In use:
        ``pm.NormalMixture("impact", w=weight, mu=mean, sigma=sd, dims="group")``, each ``.to_numpy()``.

    Raises
    ------
    EvidenceError
        The ratio contains the Health-led Trials, or does not say; a reading or a rate that is none.
    """
    missing = [name for name in ("source", "reading", "contains_hlt") if name not in ratio.attrs]
    if missing:
        raise EvidenceError(f"ratio: attrs lack {', '.join(missing)}; use ratio_of_new_trial or briefing_ratio")
    if ratio.attrs["contains_hlt"] == "yes" and hlt_counted_twice != "as a sensitivity":
        raise EvidenceError(
            f"source {ratio.attrs['source']!r}: {_BRIEFING}; use ratio_of_new_trial, or say hlt_counted_twice='as a "
            "sensitivity'"
        )
    wrong = [f"{group} {rate!r}" for group, rate in control_rates.items() if not 0 < rate < 1]
    if wrong or not control_rates:
        raise EvidenceError(
            f"control_rates: {', '.join(wrong) or 'none'} given; proportions above 0 and below 1 allowed"
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
            "why": _BRIEFING if ratio.attrs["contains_hlt"] == "yes" else "trials of IPS other than the Health-led",
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
    """Risk difference (proportion) of a log ratio at a control rate; a rate cannot pass 1.

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
    """Say how far observed impacts lie from what the prior predicts, and what they leave of its components.

    Parameters
    ----------
    prior
        Of ``ips_prior``.
    estimate, se
        Observed impact and standard error of each group to look at, as proportions.

    Returns
    -------
    DataFrame {group}
        ``estimate``, ``se``; ``prior_mean`` and ``predictive_sd`` (of an estimate, its error included);
        ``p_box``: prior predictive probability of an estimate of no higher predictive density (Box 1980);
        ``p_ips``: the same under the component ``ips`` alone; ``wide_weight`` and ``wide_weight_posterior``.
        Small probabilities, and a wide component that gains weight, say that prior and data conflict.

    Raises
    ------
    EvidenceError
        A group that the prior has not, or an SE that is missing or not above 0.
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
        # Cells that are fine against each component: their mass is exact, their density that of the middle.
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
    """Quantiles {group, probability}, on a grid of a ten-thousandth of its reach."""
    from scipy.stats import norm

    rows = []
    for group in mixture["group"].to_numpy():
        weight, mean, sd = (mixture[name].sel(group=group).to_numpy() for name in ("weight", "mean", "sd"))
        grid = np.linspace((mean - 6 * sd).min(), (mean + 6 * sd).max(), 10001)
        rows.append(np.interp(probabilities, norm.cdf(grid[:, None], mean, sd) @ (weight / weight.sum()), grid))
    return np.array(rows)
