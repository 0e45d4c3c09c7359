"""Priors of a mean as mixtures of normals, of which each part can be integrated out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hlt_bayes.core.errors import SpecError
from hlt_bayes.specs.priors import Family, HalfNormalPrior, NormalMixturePrior, NormalPrior, StudentTPrior

Array = np.ndarray


class NormalParts(NamedTuple):
    """Log weights, means and variances {part}; where ``positive``, each part is cut to values above 0."""

    log_weight: Array
    mean: Array
    variance: Array
    positive: bool


def mixture_of(prior: Family) -> NormalParts | StudentTPrior:
    """Write a prior of a mean as a mixture; a Student's t, which has no finite one, comes back as it is.

    Raises
    ------
    SpecError
        It is not a prior of a mean.
    """
    if isinstance(prior, StudentTPrior):
        return prior
    if isinstance(prior, HalfNormalPrior):
        return NormalParts(np.zeros(1), np.zeros(1), np.array([prior.sd**2]), positive=True)
    if isinstance(prior, NormalPrior):
        return NormalParts(np.zeros(1), np.array([prior.mean]), np.array([prior.sd**2]), positive=False)
    if isinstance(prior, NormalMixturePrior):
        return NormalParts(np.log(prior.shares), np.array(prior.means), np.array(prior.sds) ** 2, positive=False)
    raise SpecError(f"{prior}: not a prior of a mean; normal, half-normal, student-t and normal-mixture are")
