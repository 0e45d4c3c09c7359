"""Pure builder (spec, records, outcome) -> PyMC model: pooled impacts, estimated by regressions of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.ipd.data import Records
from hlt_bayes.ipd.models.design_matrix import Moments
from hlt_bayes.ipd.models.employment_specialists import Practices, practice_terms, practices_of
from hlt_bayes.ipd.models.linear_predictors import Added, LinearPredictor, gain_of, lines_of, logistic_log_likelihood
from hlt_bayes.ipd.models.nonresponse import of_all
from hlt_bayes.ipd.models.outcome_model import Problem, problem_of
from hlt_bayes.ipd.models.pymc_data import model_data, model_index
from hlt_bayes.ipd.models.regressions import (
    Gain,
    gamma_log_likelihood,
    normal_log_likelihood,
    normal_log_likelihood_of_cells,
    pytensor_functions,
)
from hlt_bayes.ipd.models.subgroups import Levels, departures, levels_of, members, subgroup_impact
from hlt_bayes.specs import IndividualSpec, OutcomeName

if TYPE_CHECKING:
    import pymc as pm
    from pytensor.tensor import TensorVariable


def individual_model(spec: IndividualSpec, records: Records, outcome: OutcomeName) -> pm.Model:
    """Build the PyMC model of one outcome of a spec on individual records, ready to sample or to change.

    Its variable ``impact`` {outcome, group} is treatment minus control per person randomised, standardised over all
    people of the trial group, in the units of ``core.vocabulary.OUTCOMES``; positive is better, zero is no effect.
    ``impact_new`` {outcome} predicts a new trial group, if impacts rather than coefficients are pooled. The mathematics
    is in ``models/README.md``.

    Raises
    ------
    RecordsError
        A column that the spec needs is missing, or a trial group has too few people.
    SpecError
        A covariate or subgroup is unknown or was not settled at randomisation.
    """
    import pymc as pm

    problem, levels, practices = problem_with_parts(spec, records, outcome)
    coords = {
        "outcome": [outcome],
        "group": problem.groups,
        "component": np.arange(1, problem.people.profiles.covariates.shape[1] + 1),
    }
    with pm.Model(coords=coords) as model:
        mu = prior_variable("mu", {outcome: spec.priors.mu[outcome]}, dim="outcome")
        tau = prior_variable("tau", {outcome: spec.priors.tau[outcome]}, dim="outcome")
        added, member = Added(), None
        centre = mu[:, None] * np.ones(len(problem.groups))
        if levels is not None:
            by_level = departures(problem.people, levels, (spec.priors.subgroup or {})[outcome])
            member = model_data("member", members(problem.people, levels))
            own = by_level[model_index("group", problem.people.profiles.group)]
            added = Added(departure=(member * own).sum(axis=1), by_level=by_level)
        if practices is not None:
            level, departure, of_site = practice_terms(problem, practices)
            added = Added(level, departure)
            centre = centre + of_site[None]
        lines = lines_of(problem, centre, tau, added)
        _likelihood(problem, lines)
        answering: TensorVariable | float = 1.0
        if problem.is_mixture:
            impact, answering = of_all(problem, gain_of(problem, lines))
            pm.Deterministic("impact", impact[None], dims=("outcome", "group"))
        if member is not None:
            impacts = subgroup_impact(problem.people, gain_of(problem, lines).gained, member)
            pm.Deterministic("subgroup_impact", impacts[None], dims=("outcome", "group", "level"))
        if practices is not None:
            _slopes_of_impact(problem, gain_of(problem, lines))
        if not problem.pools_coefficients:
            new = mu + tau * pm.Normal("z_new", 0.0, 1.0, dims="outcome")
            pm.Deterministic("impact_new", new * answering, dims="outcome")
    return model


def problem_with_parts(
    spec: IndividualSpec, records: Records, outcome: OutcomeName
) -> tuple[Problem, Levels | None, Practices | None]:
    """Assemble the data of one outcome, with the subgroups and specialists of the spec, if any.

    Raises
    ------
    RecordsError, SpecError
        As in ``individual_model``.
    """
    levels, practices = levels_of(records, spec), practices_of(records, spec)
    extra = [] if practices is None else [practices.specialist]
    return problem_of(spec, records, outcome, levels=levels, extra=extra), levels, practices


def _likelihood(problem: Problem, lines: Sequence[LinearPredictor]) -> None:
    """Add the likelihood of the outcome to the model in context."""
    import pymc as pm

    xp, line = pytensor_functions(), lines[-1]
    if problem.yes_or_no is not None:
        pm.Potential("likelihood", logistic_log_likelihood(lines[0], problem.yes_or_no, "yes_or_no"))
    if isinstance(problem.amount, Moments):
        pm.Potential("amount_likelihood", _of_moments(problem.amount, line, line.coefficients) - problem.log_total)
    elif problem.amount is not None:
        one = problem.amount
        people, total, logs = (
            model_data(f"amount_{name}", getattr(one, name)) for name in ("people", "total", "total_log")
        )
        found = gamma_log_likelihood(line.at(one, "amount"), line.spread, people, total, logs, xp)
        pm.Potential("amount_likelihood", found)
    if problem.scale is not None:
        pm.Potential("likelihood", _of_scale(problem, line))


def _of_moments(moments: Moments, line: LinearPredictor, coefficients: TensorVariable) -> TensorVariable:
    gram, cross, square, people = (
        model_data(name, getattr(moments, name)) for name in ("gram", "cross", "square", "people")
    )
    return normal_log_likelihood(coefficients, line.spread, gram, cross, square, people, pytensor_functions())


def _of_scale(problem: Problem, line: LinearPredictor) -> TensorVariable:
    """Log likelihood of a survey outcome; with a censored family, values at a bound of the scale are censored."""
    import pytensor.tensor as pt
    from pymc.distributions.dist_math import normal_lcdf

    scale, by_level, cells = problem.scale, problem.scale_by_level, problem.scale_cells
    if scale is None or cells is None:
        raise ValueError("the outcome has no data on a scale")
    if line.added.level is not None:
        people, total = model_data("scale_people", cells.people), model_data("scale_total", cells.total)
        found = normal_log_likelihood_of_cells(
            line.at(cells, "scale"),
            line.spread,
            people,
            total,
            model_data("square", scale.square),
            pytensor_functions(),
        )
    elif line.added.by_level is not None and by_level is not None:
        found = _of_moments(by_level, line, pt.concatenate([line.coefficients, line.added.by_level.ravel()]))
    else:
        found = _of_moments(scale, line, line.coefficients)
    for bound, beyond, sign, name in (
        (problem.bounds[0], problem.at_lower, 1.0, "at_lower"),
        (problem.bounds[1], problem.at_upper, -1.0, "at_upper"),
    ):
        if beyond is not None and len(beyond.people):
            z = sign * (bound - line.at(beyond, name)) / line.spread
            found = found + (model_data(f"{name}_people", beyond.people) * normal_lcdf(0.0, 1.0, z)).sum()
    return found


def _slopes_of_impact(problem: Problem, gain: Gain) -> None:
    """Add the change in the impact {moderator} per ``per`` of each moderator within sites, averaged over all people."""
    import pymc as pm

    people, model = problem.people.profiles.people, pm.modelcontext(None)
    slope = (model_data("share_of_people", people / people.sum()) * gain.treated).sum()
    pm.Deterministic("slope_of_impact", model["slope"] * slope, dims="moderator")
