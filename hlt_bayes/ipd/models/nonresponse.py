"""Survey non-response: from respondents to all people randomised, by a response model and a pattern mixture.

As in ``inference.structures.nonresponse``, but by profile: the probability of response depends on the covariates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.ipd.models.linear_predictors import line_of, logistic_log_likelihood
from hlt_bayes.ipd.models.outcome_model import Problem, term_of
from hlt_bayes.ipd.models.pymc_data import model_data, model_index
from hlt_bayes.ipd.models.regressions import Gain, pytensor_functions
from hlt_bayes.ipd.models.regressions_numpy import LogisticRegression, mode_and_precision

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable


def of_all(problem: Problem, gain: Gain) -> tuple[TensorVariable, TensorVariable]:
    """Impact {group} per person randomised, respondent or not; and the share of its gain that a new group keeps."""
    import pymc as pm

    stated, profiles = problem.spec.nonresponse, problem.people.profiles
    if stated is None:
        raise ValueError("the spec lacks the table nonresponse")
    control, treated = _answering(problem)
    share = pm.Beta("share", stated.share.alpha, stated.share.beta, dims="outcome")
    difference = pm.Normal("difference", stated.difference.mean, stated.difference.sd, dims=("outcome", "group"))
    group = model_index("group", profiles.group)
    gained = gain.gained - difference[0][group] * (treated - control) / treated
    kept = treated + (1.0 - treated) * share[0]
    weights = model_data("weights", profiles.weights)
    return pm.math.dot(weights, gained * kept), pm.math.dot(weights, kept).mean()


def _answering(problem: Problem) -> tuple[TensorVariable, TensorVariable]:
    """Add the response model by covariates and arm; return response probabilities {profile} of controls and treated."""
    import pymc as pm

    people, priors, name = problem.people, problem.spec.priors, problem.outcome
    everyone = np.ones(len(people.profile), dtype=bool)
    cells = people.cells(everyone, outcome=np.isfinite(people.outcome).astype(float))
    intercept, covariate, effect = (
        (getattr(priors, f"answered_{key}") or {})[name] for key in ("intercept", "covariate", "effect")
    )
    term = term_of(LogisticRegression.of(people.profiles, cells), problem, intercept, covariate, effect=effect)
    line = line_of(problem, "answered_", term, mode_and_precision(term))
    pm.Potential("answered_likelihood", logistic_log_likelihood(line, cells, "answered"))
    xp = pytensor_functions()
    return xp.sigmoid(line.untreated), xp.sigmoid(line.untreated + line.step)
