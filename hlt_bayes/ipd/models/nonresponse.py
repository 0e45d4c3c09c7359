"""From those who answered the survey to all people randomised: a response model, and a pattern mixture.

As ``inference.structures.nonresponse``, profile by profile: who is likely to answer depends on the covariates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.ipd.models.linear_predictors import line_of, yes_or_no_of
from hlt_bayes.ipd.models.outcome_model import Problem, term_of
from hlt_bayes.ipd.models.pymc_data import known, known_positions
from hlt_bayes.ipd.models.regressions import Gain, pytensor_functions
from hlt_bayes.ipd.models.regressions_numpy import LogisticRegression, mode_and_precision

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def of_all(problem: Problem, gain: Gain) -> tuple[TensorVariable, TensorVariable]:
    """Impact {group} per person randomised, who answered the survey or not; and what a new group keeps of its gain.

    As ``inference.structures.nonresponse``, profile by profile: who is likely to answer depends on the covariates.
    """
    import pymc as pm

    stated, profiles = problem.spec.nonresponse, problem.people.profiles
    if stated is None:
        raise ValueError("the spec lacks the table nonresponse")
    control, treated = _answering(problem)
    share = pm.Beta("share", stated.share.alpha, stated.share.beta, dims="outcome")
    difference = pm.Normal("difference", stated.difference.mean, stated.difference.sd, dims=("outcome", "group"))
    group = known_positions("group", profiles.group)
    gained = gain.gained - difference[0][group] * (treated - control) / treated
    kept = treated + (1.0 - treated) * share[0]
    weights = known("weights", profiles.weights)
    return pm.math.dot(weights, gained * kept), pm.math.dot(weights, kept).mean()


def _answering(problem: Problem) -> tuple[TensorVariable, TensorVariable]:
    """Add the response model, by covariates and arm: chances {profile} of controls, and of the treated, to answer."""
    import pymc as pm

    people, priors, name = problem.people, problem.spec.priors, problem.outcome
    everyone = np.ones(len(people.profile), dtype=bool)
    cells = people.cells(everyone, outcome=np.isfinite(people.outcome).astype(float))
    intercept, covariate, effect = (
        (getattr(priors, f"answered_{key}") or {})[name] for key in ("intercept", "covariate", "effect")
    )
    term = term_of(LogisticRegression.of(people.profiles, cells), problem, intercept, covariate, effect=effect)
    line = line_of(problem, "answered_", term, mode_and_precision(term))
    pm.Potential("answered_likelihood", yes_or_no_of(line, cells, "answered"))
    xp = pytensor_functions()
    return xp.sigmoid(line.untreated), xp.sigmoid(line.untreated + line.step)
