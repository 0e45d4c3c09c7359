"""Moments, quantiles and covariance of the impacts, and the error of their multivariate normal approximation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.results.export.approximation_error import (
    CLOSE,
    FAIR,
    in_words,
    joint_closeness,
    jointly_in_words,
    normal_closeness,
    refuse_constant,
)
from hlt_bayes.results.export.content import element_name, index_labels, metadata, metadata_values, named_impacts
from hlt_bayes.results.export.csv_tables import write_csv
from hlt_bayes.results.export.draws import Files

PROBABILITIES = (0.025, 0.055, 0.25, 0.5, 0.75, 0.945, 0.975)
MEANT_FOR = (
    "The means and the covariance matrix define the multivariate normal approximation to the joint posterior of all "
    "impacts. 'normal' gives its distance from the draws, for each impact and jointly."
)
CLOSENESS_MEASURES = (
    f"kolmogorov: largest difference between the two distribution functions; up to {CLOSE:g} is close, up to {FAIR:g} "
    "fair; draws from a normal give about 0.9 / sqrt(number of draws) by chance. wasserstein_sd: mean distance, in "
    "posterior SDs, that probability must be moved. Joint 'normal': based on the squared Mahalanobis distances, which "
    "are chi-square under normality; mardia_kurtosis above mardia_kurtosis_if_normal means heavier joint tails."
)


def summary(analysis: Analysis) -> Files:
    """Moments and quantiles as JSON and CSV, and the covariance matrix as CSV.

    Raises
    ------
    ImpactError
        An impact is the same in every draw.
    """
    for (outcome, group), draws in named_impacts(analysis).items():
        refuse_constant(f"{outcome} of {group}", draws)
    return {
        "summary.json": lambda path: _write_json(summary_content(analysis), path),
        "summary.csv": lambda path: write_csv(_summary_table(analysis), path, metadata(analysis)),
        "covariance.csv": lambda path: write_csv(_covariance_table(analysis), path, metadata(analysis)),
    }


def summary_content(analysis: Analysis) -> dict[str, object]:
    """Content of ``summary.json``; the matrices follow the order of ``impacts``."""
    impacts, labels = named_impacts(analysis), _labels(analysis)
    together = np.column_stack(list(impacts.values()))
    joint = joint_closeness(together)
    return {
        "about": {**metadata_values(analysis), "meant_for": MEANT_FOR, "measures": CLOSENESS_MEASURES},
        "draws": len(together),
        "probabilities": list(PROBABILITIES),
        "impacts": [
            {
                "label": labels[key],
                "outcome": key[0],
                "group": key[1],
                "unit": OUTCOMES[key[0]].unit,
                "mean": float(draws.mean()),
                "sd": float(draws.std(ddof=1)),
                "quantiles": np.quantile(draws, PROBABILITIES).tolist(),
                "normal": (close := normal_closeness(draws)) | {"in_words": in_words(close["kolmogorov"])},
            }
            for key, draws in impacts.items()
        ],
        "covariance": np.atleast_2d(np.cov(together, rowvar=False)).tolist(),
        "correlation": np.atleast_2d(np.corrcoef(together, rowvar=False)).tolist(),
        "normal": {**joint, "in_words": jointly_in_words(joint["kolmogorov"])},
    }


def _labels(analysis: Analysis) -> dict[tuple[str, str], str]:
    """Name of each impact by outcome and group, as in the tables of draws."""
    keys = list(named_impacts(analysis))
    index = index_labels(group for _, group in keys)
    return {(outcome, group): element_name("impact", outcome, index[group]) for outcome, group in keys}


def _summary_table(analysis: Analysis) -> pd.DataFrame:
    """One row per impact: moments, quantiles, distances from the normal."""
    rows, names = [], _labels(analysis)
    for (outcome, group), draws in named_impacts(analysis).items():
        quantiles = {f"q{100 * probability:g}": np.quantile(draws, probability) for probability in PROBABILITIES}
        moments = {"mean": draws.mean(), "sd": draws.std(ddof=1)}
        labels = {"label": names[outcome, group], "outcome": outcome, "group": group, "unit": OUTCOMES[outcome].unit}
        rows.append({**labels, **moments, **quantiles, **normal_closeness(draws)})
    return pd.DataFrame(rows)


def _covariance_table(analysis: Analysis) -> pd.DataFrame:
    """Covariance matrix of all impacts, labelled by its first column and its column names."""
    impacts = named_impacts(analysis)
    labels = list(_labels(analysis).values())
    matrix = np.atleast_2d(np.cov(np.column_stack(list(impacts.values())), rowvar=False))
    table = pd.DataFrame(matrix, columns=labels)
    table.insert(0, "label", labels)
    return table


def _write_json(content: object, path: Path) -> None:
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")
