"""Effect sizes of two-arm trials, from counts."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Collection
from statistics import NormalDist
from types import ModuleType
from typing import Literal

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError, HltBayesError, unknown_name

ZERO_CORRECTION = 0.5
"""Continuity correction of all four cells, only for trials in which an arm has no events or only events."""

Z95 = NormalDist().inv_cdf(0.975)
"""Half-width of a 95% normal interval, in standard errors."""

Measure = Literal["log odds ratio", "log risk ratio", "risk difference"]
_STATISTICS = {"log odds ratio": "odds-ratio", "log risk ratio": "risk-ratio", "risk difference": "diff"}


def included(counts: pd.DataFrame, outcome_classes: Collection[str]) -> pd.DataFrame:
    """Trials of ``load_ips_counts`` that are marked for inclusion and have an outcome in ``outcome_classes``.

    Raises
    ------
    EvidenceError
        No trial remains.
    """
    trials = counts[(counts["include"] == "yes") & counts["outcome_class"].isin(list(outcome_classes))]
    if trials.empty:
        raise EvidenceError(
            f"no included trial has outcome class {', '.join(map(repr, outcome_classes))}; the counts have "
            f"{', '.join(map(repr, sorted(set(counts['outcome_class']))))}"
        )
    return trials


def effect_sizes(counts: pd.DataFrame, *, measure: Measure = "log odds ratio") -> pd.DataFrame:
    """Effect of each trial with its standard error.

    Parameters
    ----------
    counts
        ``events_t``, ``n_t``, ``events_c``, ``n_c``, one row per trial.
    measure
        Treatment against control: a log ratio, or the difference of the two proportions. Above zero is
        better, zero means no effect.

    Returns
    -------
    DataFrame
        ``effect`` and ``se`` on the scale of ``measure`` (normal approximation, Woolf and delta method),
        ``people`` (both arms), and ``corrected``: whether ``ZERO_CORRECTION`` was added. In ``attrs``:
        ``measure``.

    Raises
    ------
    EvidenceError
        The counts are impossible, or the measure is unknown.
    """
    if measure not in _STATISTICS:
        raise EvidenceError(f"measure {unknown_name(measure, _STATISTICS)}")
    cells = {str(name): values.to_numpy(float) for name, values in checked_counts(counts).items()}
    people = (cells["n_t"] + cells["n_c"]).astype(int)
    corrected = np.any([np.isin(cells[f"events_{arm}"] / cells[f"n_{arm}"], (0, 1)) for arm in "tc"], axis=0)
    # Not zero_correction= of statsmodels 0.15, which adds to the events of every trial if one has a zero.
    cells = {
        name: values + ZERO_CORRECTION * corrected * (2 if name.startswith("n") else 1)
        for name, values in cells.items()
    }
    effect, variance = library("statsmodels.stats.meta_analysis").effectsize_2proportions(
        *cells.values(), statistic=_STATISTICS[measure]
    )
    effects = pd.DataFrame(
        {
            "effect": effect,
            "se": np.sqrt(variance),
            "people": people,
            "corrected": corrected,
        },
        index=counts.index,
    )
    effects.attrs["measure"] = measure
    return effects


def checked_counts(counts: pd.DataFrame) -> pd.DataFrame:
    """Check the counts of trials, and return their columns ``events_t``, ``n_t``, ``events_c``, ``n_c``.

    Raises
    ------
    EvidenceError
        A trial is duplicated, or counts are missing, fractional, negative or larger than the arm.
    """
    columns = ["events_t", "n_t", "events_c", "n_c"]
    if not set(columns) <= set(counts.columns):
        raise EvidenceError(f"counts lack {', '.join(sorted(set(columns) - set(counts.columns)))}; use load_ips_counts")
    cells = counts[columns]
    lines = [f"trial {name!r} occurs more than once; keep one" for name in counts.index[counts.index.duplicated()]]
    for arm in "tc":
        events, people = cells[f"events_{arm}"], cells[f"n_{arm}"]
        possible = (events >= 0) & (events <= people) & (people > 0) & (events % 1 == 0) & (people % 1 == 0)
        lines += [
            f"trial {name!r}: {row[f'events_{arm}']:g} of {row[f'n_{arm}']:g} given; events_{arm} must be a whole "
            f"number from 0 to n_{arm}, and n_{arm} a whole number above 0"
            for name, row in cells[~possible].iterrows()
        ]
    if lines:
        raise EvidenceError("\n".join(lines))
    return cells


def library(name: str) -> ModuleType:
    """Import a module of an optional library; the error says how to install it."""
    try:
        with warnings.catch_warnings():
            # PyMARE 0.0.13 leaves expressions.json open when it is imported; this package cannot close it.
            warnings.filterwarnings("ignore", message=r".*expressions\.json", category=ResourceWarning)
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise HltBayesError(
            f"pooling of trials needs {name.split('.')[0]}, which is not installed; run: pip install 'hlt-bayes[meta]'"
        ) from error
