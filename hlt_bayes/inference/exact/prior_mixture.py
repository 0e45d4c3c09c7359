"""Priors of a mean as mixtures of normals, each of which can be integrated out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hlt_bayes.core.errors import SpecError
from hlt_bayes.specs.priors import Family, HalfNormalPrior, NormalMixturePrior, NormalPrior, StudentTPrior

Array = np.ndarray


class NormalParts(NamedTuple):
    """Log weights, means and variances {part}; if ``positive``, each part is truncated to values above 0."""

    log_weight: Array
    mean: Array
    variance: Array
    positive: bool


def mixture_of(prior: Family) -> NormalParts | StudentTPrior:
    """Express a prior of a mean as a finite mixture of normals; a Student's t, which has none, is returned as it is.

    Raises
    ------
    SpecError
        The family is not one for a mean.
    """
    if isinstance(prior, StudentTPrior):
        return prior
    if isinstance(prior, HalfNormalPrior):
        return NormalParts(np.zeros(1), np.zeros(1), np.array([prior.sd**2]), positive=True)
    if isinstance(prior, NormalPrior):
        return NormalParts(np.zeros(1), np.array([prior.mean]), np.array([prior.sd**2]), positive=False)
    if isinstance(prior, NormalMixturePrior):
        return NormalParts(np.log(prior.shares), np.array(prior.means), np.array(prior.sds) ** 2, positive=False)
    raise SpecError(f"{prior} is not a prior of a mean; allowed are normal, half-normal, student-t and normal-mixture")
