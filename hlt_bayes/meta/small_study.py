"""Small-study effects, and the effect extrapolated to a trial of infinite size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.meta.effects import library
from hlt_bayes.meta.pooling import Method, pooled_effects

SIZE_CLASSES = {"below 100": (0, 100), "100 to 1,000": (100, 1001), "above 1,000": (1001, np.inf)}
"""Size classes of the briefing (Whitworth 2024): people of both arms, from the first number to below the second."""


def pooled_by_size(effects: pd.DataFrame, *, method: Method = "DL") -> pd.DataFrame:
    """Pool the trials of each size class separately.

    Parameters
    ----------
    effects
        From ``effect_sizes``; classes are defined by ``people``.
    method
        One of ``METHODS``; the briefing uses DL.

    Returns
    -------
    DataFrame
        One row of ``pooled_effects`` per class of ``SIZE_CLASSES``; for fewer than two trials, only their
        number.
    """
    rows = {}
    for name, (low, high) in SIZE_CLASSES.items():
        members = effects[(effects["people"] >= low) & (effects["people"] < high)]
        enough = len(members) >= 2
        rows[name] = (
            pooled_effects(members, methods=(method,)).loc[method] if enough else pd.Series({"trials": len(members)})
        )
    return pd.DataFrame(rows).T.rename_axis("size").astype({"trials": int})


def pet_peese(effects: pd.DataFrame) -> pd.DataFrame:
    """Regress effects on their standard error (PET) and on their variance (PEESE).

    Weighted least squares with weights 1 / SE^2 and a free residual scale (Stanley and Doucouliagos 2014).
    The SE of a log odds ratio depends on the effect, which alone produces some slope; the covariate of the
    binomial model depends on numbers of people only and avoids this.

    Parameters
    ----------
    effects
        From ``effect_sizes``: three trials or more.

    Returns
    -------
    DataFrame
        Rows ``PET`` and ``PEESE``: ``trials``, ``mean`` (the intercept: the effect at infinite size), ``se``,
        ``lower`` and ``upper`` (95%, t with k - 2 degrees of freedom), ``slope`` with ``slope_se`` and
        ``slope_p`` (of PET: Egger's test of funnel asymmetry).

    Raises
    ------
    EvidenceError
        Fewer than three trials, or all with the same standard error.
    """
    if len(effects) < 3:
        raise EvidenceError(f"{len(effects)} trials given; PET and PEESE need three or more")
    if np.ptp(effects["se"]) <= 1e-9 * effects["se"].max():
        raise EvidenceError("all trials have the same standard error; PET and PEESE regress on it, so it must vary")
    regression = library("statsmodels.regression.linear_model")
    effect, se = effects["effect"].to_numpy(), effects["se"].to_numpy()
    rows = {}
    for name, covariate in {"PET": se, "PEESE": se**2}.items():
        fitted = regression.WLS(effect, np.column_stack([np.ones_like(se), covariate]), weights=se**-2).fit()
        lower, upper = fitted.conf_int(alpha=0.05)[0]
        rows[name] = {
            "trials": len(effects),
            "mean": fitted.params[0],
            "se": fitted.bse[0],
            "lower": lower,
            "upper": upper,
            "slope": fitted.params[1],
            "slope_se": fitted.bse[1],
            "slope_p": fitted.pvalues[1],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
