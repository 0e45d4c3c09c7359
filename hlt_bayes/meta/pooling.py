"""Random-effects pooling of effects with standard errors, by statsmodels and PyMARE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.meta.effects import Z95, library

Method = Literal["DL", "DL-HK", "REML", "REML-HK"]
METHODS: tuple[Method, ...] = get_args(Method)
"""Estimator of tau^2 (DerSimonian-Laird or restricted maximum likelihood), HK with Hartung-Knapp standard errors.

The Hartung-Knapp SE uses the tau^2 estimator before the hyphen, without a floor: it can be below the conventional SE.
"""


@dataclass(frozen=True)
class _Fit:
    mean: float
    se: float
    tau2: float


def pooled_effects(effects: pd.DataFrame, *, methods: tuple[Method, ...] = METHODS) -> pd.DataFrame:
    """Pool effects in a random-effects meta-analysis.

    Parameters
    ----------
    effects
        ``effect`` and ``se`` of each trial, on one scale (``effect_sizes``).
    methods
        Any of ``METHODS``.

    Returns
    -------
    DataFrame
        One row per method: ``trials``, ``mean``, ``se``, ``lower``, ``upper`` (95% interval: normal, or t with
        k - 1 degrees of freedom for HK), ``tau2`` (truncated at zero), Cochran's ``q`` with its ``q_p``, ``i2``
        (Higgins and Thompson 2002, from Q, truncated at zero; a proportion), and ``predicted_lower`` and
        ``predicted_upper``: the 95% prediction interval of a new trial's effect, t with k - 2 degrees of
        freedom (Higgins et al 2009), missing if fewer than three trials.

    Raises
    ------
    EvidenceError
        Fewer than two trials, or an effect is missing or an SE not above zero.
    """
    from scipy.stats import t

    k = len(effects)
    if k < 2:
        raise EvidenceError(f"{k} trial given; pooling needs two or more")
    if not (np.isfinite(effects["effect"]) & (effects["se"] > 0)).all():
        raise EvidenceError("every trial needs an effect and an SE above 0; see the columns 'effect' and 'se'")
    combined = _combined(effects)
    homogeneity = combined.test_homogeneity()
    q = float(homogeneity.statistic)
    rows = []
    for method in methods:
        fit = _reml(effects, method) if method.startswith("REML") else _dersimonian_laird(combined, method)
        reach = (t.ppf(0.975, k - 1) if method.endswith("HK") else Z95) * fit.se
        predicted = t.ppf(0.975, k - 2) * np.hypot(np.sqrt(fit.tau2), fit.se) if k > 2 else np.nan
        rows.append(
            {
                "method": method,
                "trials": k,
                "mean": fit.mean,
                "se": fit.se,
                "lower": fit.mean - reach,
                "upper": fit.mean + reach,
                "tau2": fit.tau2,
                "q": q,
                "q_p": float(homogeneity.pvalue),
                "i2": max(0.0, 1 - (k - 1) / q) if q > 0 else 0.0,
                "predicted_lower": fit.mean - predicted,
                "predicted_upper": fit.mean + predicted,
            }
        )
    return pd.DataFrame(rows).set_index("method")


def leave_one_out(effects: pd.DataFrame, *, method: Method = "REML-HK") -> pd.DataFrame:
    """Pool without each trial in turn: one row of ``pooled_effects`` per trial left out."""
    without = [pooled_effects(effects.drop(index=name), methods=(method,)) for name in effects.index]
    return pd.concat(without).set_axis(effects.index.rename("left_out"))


def _combined(effects: pd.DataFrame) -> Any:  # noqa: ANN401 - statsmodels has no types
    combine = library("statsmodels.stats.meta_analysis").combine_effects
    # statsmodels takes the square root of a negative tau^2; _dersimonian_laird does not use the result.
    with np.errstate(invalid="ignore"):
        return combine(effects["effect"].to_numpy(), np.square(effects["se"].to_numpy()), method_re="dl")


def _dersimonian_laird(combined: Any, method: Method) -> _Fit:  # noqa: ANN401
    # statsmodels does not truncate a negative tau^2; at zero the random-effects estimate is the fixed-effect one.
    kind = "re" if combined.tau2 > 0 else "fe"
    se = getattr(combined, f"sd_eff_w_{kind}{'_hksj' if method.endswith('HK') else ''}")
    return _Fit(float(getattr(combined, f"mean_effect_{kind}")), float(se), max(0.0, float(combined.tau2)))


def _reml(effects: pd.DataFrame, method: Method) -> _Fit:
    estimator = library("pymare.estimators").VarianceBasedLikelihoodEstimator(
        method="REML", small_sample_correction="knapp-hartung" if method.endswith("HK") else "wald"
    )
    y, v = effects["effect"].to_numpy()[:, None], np.square(effects["se"].to_numpy())[:, None]
    fitted = estimator.fit(y=y, v=v, X=np.ones_like(y)).summary()
    return _Fit(fitted.fe_params.item(), fitted.fe_se.item(), float(np.asarray(fitted.tau2).item()))
