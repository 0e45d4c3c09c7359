"""Cell-by-cell comparison of the posterior with the published frequentist results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.vocabulary import POOLED_GROUPS
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import INTERVALS, Source, impact_draws, impact_summary, with_pooled_groups
from hlt_bayes.likelihood import recovered_se

LIKELIHOOD_WORDS = (
    (0.99, "virtually certain"),
    (0.95, "extremely likely"),
    (0.90, "very likely"),
    (0.66, "likely"),
    (0.33, "about as likely as not"),
    (0.10, "unlikely"),
    (0.05, "very unlikely"),
    (0.01, "extremely unlikely"),
    (0.00, "exceptionally unlikely"),
)
"""Lowest probability of each term: the IPCC calibrated likelihood scale (Mastrandrea et al. 2010, table 1)."""

ABOUT_THE_SAME = 0.1
"""Relative difference from the published estimate below which (or within its rounding) a mean is about the same."""

LARGE_RATIO = 3
"""Ratio of posterior mean to published estimate above which it is described as a multiple."""

SHRINKAGE_UNITS = 4
"""Least distance from the average, in half units of the last digit, at which shrinkage is reported."""

SHRINKAGE_SES = 0.5
"""Least distance from the average in SEs: between groups close together the share is too unstable to report."""


def likelihood_word(probability: float) -> str:
    """Return the term of ``LIKELIHOOD_WORDS`` for a probability."""
    return next(word for lowest, word in LIKELIHOOD_WORDS if probability >= lowest)


def compare(source: Source, evidence: Evidence, cells: xr.Dataset) -> pd.DataFrame:
    """Compare the posterior with the published results, cell by cell, including pooled rows.

    Parameters
    ----------
    source
        Impact draws in any form accepted by ``hlt_bayes.impact_draws``.
    evidence, cells
        The published evidence, and its ``reported_results``, from which the SEs are recovered.

    Returns
    -------
    DataFrame
        Per outcome and group, in the outcome's unit: ``published`` with ``half_unit``, ``stars``,
        ``text`` and ``correction``; ``design_se``, and ``se`` (median) with ``se_lower_89`` and
        ``se_upper_89``, recovered from rounding, stars and design; the posterior
        as in ``impact_summary``; ``shrinkage``; ``what_changed`` in words. Pooled rows have no recovered SE, and
        their ``what_changed`` gives only the sign: they were estimated separately, not as means of the published
        groups.

    Notes
    -----
    ``shrinkage`` is the distance from the published estimate to the posterior mean as a share of that to the average
    of the trial groups' posterior means: 0 is none, 1 is complete. It is missing for pooled rows, for a single group,
    and where the published estimate is within ``SHRINKAGE_UNITS`` half units or ``SHRINKAGE_SES`` standard errors of
    that average, so that the share would be unstable.
    """
    impact = impact_draws(source)
    table = impact_summary(with_pooled_groups(impact, evidence.treated))
    printed = evidence.impacts.rename(columns={"estimate": "published"})
    printed = printed[["outcome", "group", "published", "half_unit", "stars", "text", "correction"]]
    recovered = recovered_se(cells, [INTERVALS[89][0], 0.5, INTERVALS[89][1]]).sel(quantity="se")
    se = recovered["quantile"].to_numpy()
    errors = pd.DataFrame(
        {
            "outcome": recovered["outcome"].to_numpy(),
            "group": recovered["group"].to_numpy(),
            "design_se": cells["design_se"].to_numpy(),
            "se": se[:, 1],
            "se_lower_89": se[:, 0],
            "se_upper_89": se[:, 2],
        }
    )
    table = printed.merge(errors, how="left").merge(table, how="right").dropna(subset="text").reset_index(drop=True)
    of_groups = table[~table["group"].isin(list(POOLED_GROUPS))].groupby("outcome")
    distance = table["published"] - table["outcome"].map(of_groups["mean"].mean())
    shrinkage = (table["published"] - table["mean"]) / distance
    far = distance.abs() > np.fmax(SHRINKAGE_UNITS * table["half_unit"], SHRINKAGE_SES * table["se"].fillna(0.0))
    several = table["outcome"].map(of_groups.size()) > 1
    defined = far & several & ~table["group"].isin(list(POOLED_GROUPS))
    table["shrinkage"] = np.where(defined, shrinkage, np.nan)
    table["what_changed"] = [_what_changed(row) for _, row in table.iterrows()]
    return table


def _by_share(ratio: float) -> str:
    return f"{'smaller' if ratio < 1 else 'larger'} by {abs(ratio - 1):.0%}"


def _what_changed(row: pd.Series) -> str:
    mean, published = row["mean"], row["published"]
    verdict = f"{likelihood_word(row['prob_positive'])} positive"
    if row["group"] in POOLED_GROUPS:
        return verdict
    if abs(mean - published) <= max(row["half_unit"], ABOUT_THE_SAME * abs(published)):
        size = "about the same"
    elif mean * published <= 0:
        size = "changes sign" if published else "no longer zero"
    else:
        ratio = mean / published
        size = f"{ratio:.0f} times as large" if ratio > LARGE_RATIO else _by_share(ratio)
    return f"{size}; {verdict}"
