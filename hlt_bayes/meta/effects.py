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
"""Added to all four cells of a trial in which an arm has no event or nothing but events, and to no other."""

Z95 = NormalDist().inv_cdf(0.975)
"""Standard errors on either side of a 95% normal interval."""

Measure = Literal["log odds ratio", "log risk ratio", "risk difference"]
_STATISTICS = {"log odds ratio": "odds-ratio", "log risk ratio": "risk-ratio", "risk difference": "diff"}


def included(counts: pd.DataFrame, outcome_classes: Collection[str]) -> pd.DataFrame:
    """Trials of ``load_ips_counts`` that are to be included and whose outcome is of ``outcome_classes``.

    Raises
    ------
    EvidenceError
        No trial is left.
    """
    trials = counts[(counts["include"] == "yes") & counts["outcome_class"].isin(list(outcome_classes))]
    if trials.empty:
        raise EvidenceError(
            f"no trial to include has an outcome of {', '.join(map(repr, outcome_classes))}; the counts have "
            f"{', '.join(map(repr, sorted(set(counts['outcome_class']))))}"
        )
    return trials


def effect_sizes(counts: pd.DataFrame, *, measure: Measure = "log odds ratio") -> pd.DataFrame:
    """Effect of each trial with its standard error.

    Parameters
    ----------
    counts
        ``events_t``, ``n_t``, ``events_c``, ``n_c``, a row a trial.
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
        Counts that cannot be, or a measure that is not one.
    """
    if measure not in _STATISTICS:
        raise EvidenceError(f"measure {unknown_name(measure, _STATISTICS)}")
    cells = {str(name): values.to_numpy(float) for name, values in checked_counts(counts).items()}
    people = (cells["n_t"] + cells["n_c"]).astype(int)
    corrected = np.any([np.isin(cells[f"events_{arm}"] / cells[f"n_{arm}"], (0, 1)) for arm in "tc"], axis=0)
    # Not by zero_correction= of statsmodels 0.15: it adds to the events of every trial once one has a zero.
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
    """Columns ``events_t``, ``n_t``, ``events_c``, ``n_c`` of trials, each with a name and counts that can be.

    Raises
    ------
    EvidenceError
        A trial stands twice, or counts are missing, broken, negative, or more than people.
    """
    columns = ["events_t", "n_t", "events_c", "n_c"]
    if not set(columns) <= set(counts.columns):
        raise EvidenceError(f"counts lack {', '.join(sorted(set(columns) - set(counts.columns)))}; use load_ips_counts")
    cells = counts[columns]
    lines = [f"trial {name!r} stands twice; keep one" for name in counts.index[counts.index.duplicated()]]
    for arm in "tc":
        events, people = cells[f"events_{arm}"], cells[f"n_{arm}"]
        possible = (events >= 0) & (events <= people) & (people > 0) & (events % 1 == 0) & (people % 1 == 0)
        lines += [
            f"trial {name!r}: {row[f'events_{arm}']:g} of {row[f'n_{arm}']:g} given; events_{arm} must be a whole "
            f"number from 0 to n_{arm}, and n_{arm} one above 0"
            for name, row in cells[~possible].iterrows()
        ]
    if lines:
        raise EvidenceError("\n".join(lines))
    return cells


def library(name: str) -> ModuleType:
    """Import a module of the optional libraries, or say how to install them."""
    try:
        with warnings.catch_warnings():
            # PyMARE 0.0.13 leaves expressions.json open when it is imported; nothing of ours can close it.
            warnings.filterwarnings("ignore", message=r".*expressions\.json", category=ResourceWarning)
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise HltBayesError(
            f"pooling of trials needs {name.split('.')[0]}, which is not installed; run: pip install 'hlt-bayes[meta]'"
        ) from error
