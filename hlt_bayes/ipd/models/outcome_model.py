"""Regressions of one outcome of a spec, with their priors, and the impact that they imply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.core.vocabulary import SURVEY_OUTCOMES
from hlt_bayes.ipd.data import Records
from hlt_bayes.ipd.models.design_matrix import Cells, Moments, People, in_control_sds, people_of
from hlt_bayes.ipd.models.laplace import ImpactAndSlope
from hlt_bayes.ipd.models.regressions import NUMPY, Gain, amount_gained, share_gained
from hlt_bayes.ipd.models.regressions_numpy import (
    GammaRegression,
    LogisticRegression,
    NormalRegression,
    Regression,
    Term,
    by_blocks,
)
from hlt_bayes.ipd.models.subgroups import Levels, members
from hlt_bayes.specs import Bernoulli, CensoredNormal, Hurdle, IndividualSpec, Likelihood, OutcomeName
from hlt_bayes.specs.priors import Family, NormalPrior

Array = np.ndarray


@dataclass(frozen=True, repr=False)
class Problem:
    """Data of one outcome of a spec.

    ``yes_or_no`` are the cells of the logistic regression, of a binary outcome or of any amount; ``amount`` the amounts
    above 0, as cells (gamma) or moments of the log (log-normal); ``scale`` the moments of a survey outcome in SDs, with
    people at a bound in ``at_lower`` and ``at_upper`` instead, and ``bounds`` in SDs; ``scale_cells`` are its cells,
    and ``scale_by_level`` its moments with subgroups. ``sd`` and ``mean`` are those of the controls who answered, in
    the natural unit of the scale.
    """

    outcome: OutcomeName
    spec: IndividualSpec
    people: People
    yes_or_no: Cells | None = None
    amount: Cells | Moments | None = None
    log_total: float = 0.0
    scale: Moments | None = None
    scale_by_level: Moments | None = None
    scale_cells: Cells | None = None
    at_lower: Cells | None = None
    at_upper: Cells | None = None
    bounds: tuple[float, float] = (-np.inf, np.inf)
    mean: float = 0.0
    sd: float = 1.0

    @property
    def likelihood(self) -> Likelihood:
        """Family of the outcome."""
        return self.spec.likelihood[self.outcome]

    @property
    def groups(self) -> list[str]:
        """Trial groups in the records, in the reports' order."""
        return self.people.profiles.groups

    @property
    def is_mixture(self) -> bool:
        """True if the spec models survey non-response and this is a survey outcome."""
        return self.spec.nonresponse is not None and self.outcome in SURVEY_OUTCOMES

    @property
    def pools_coefficients(self) -> bool:
        """True if ``mu`` and ``tau`` are those of the groups' coefficients, not impacts."""
        return isinstance(self.likelihood, Bernoulli) and self.likelihood.pooled_on == "log odds ratio"


def problem_of(
    spec: IndividualSpec,
    records: Records,
    outcome: OutcomeName,
    *,
    levels: Levels | None = None,
    extra: Sequence[Array] = (),
) -> Problem:
    """Assemble the data for the regressions of one outcome; ``levels`` are subgroups, ``extra`` as in ``people_of``.

    Raises
    ------
    RecordsError, SpecError
        As in ``people_of``.
    """
    factors = [] if levels is None else [column + 1 for column in levels.codes.T]
    people = people_of(records, spec, outcome, factors=factors, extra=extra)
    likelihood, seen = spec.likelihood[outcome], np.isfinite(people.outcome)
    if isinstance(likelihood, Bernoulli):
        return Problem(outcome, spec, people, yes_or_no=people.cells(seen))
    if isinstance(likelihood, Hurdle):
        anything = people.cells(seen, outcome=(people.outcome > 0).astype(float))
        positive = seen & (people.outcome > 0)
        logs = np.log(people.outcome[positive])
        if np.ptp(logs) == 0:
            raise RecordsError(f"{outcome} is the same for everyone with a value above 0: there is nothing to fit")
        amount = people.cells(positive) if likelihood.positive == "gamma" else people.moments(positive, logs)
        return Problem(outcome, spec, people, yes_or_no=anything, amount=amount, log_total=float(logs.sum()))
    values, mean, sd = in_control_sds(people, outcome)
    members_of = None if levels is None else members(people, levels)
    bounded = isinstance(likelihood, CensoredNormal)
    lower, upper = (likelihood.lower, likelihood.upper) if isinstance(likelihood, CensoredNormal) else (-np.inf, np.inf)
    bounds = ((lower - mean) / sd, (upper - mean) / sd)
    inside = seen & (values > bounds[0]) & (values < bounds[1])
    return Problem(
        outcome,
        spec,
        people,
        scale=people.moments(inside, values[inside]),
        scale_by_level=None if members_of is None else people.moments(inside, values[inside], levels=members_of),
        scale_cells=people.cells(inside, outcome=values),
        at_lower=people.cells(seen & (values <= bounds[0])) if bounded else None,
        at_upper=people.cells(seen & (values >= bounds[1])) if bounded else None,
        bounds=bounds,
        mean=mean,
        sd=sd,
    )


def terms_of(problem: Problem) -> list[Term]:
    """Regressions of an outcome with their priors; the last has the effects that are pooled."""
    priors, name = problem.spec.priors, problem.outcome
    profiles, spread = problem.people.profiles, priors.spread.get(name)
    terms = []
    if problem.yes_or_no is not None and problem.amount is not None:
        terms.append(
            term_of(
                LogisticRegression.of(profiles, problem.yes_or_no),
                problem,
                priors.any_intercept[name],
                priors.any_covariate[name],
                effect=priors.any_effect[name],
            )
        )
    terms.append(
        term_of(_pooled_regression(problem), problem, priors.intercept[name], priors.covariate[name], spread=spread)
    )
    return terms


def _pooled_regression(problem: Problem) -> Regression:
    profiles = problem.people.profiles
    if isinstance(problem.amount, Moments):
        return NormalRegression(problem.amount, shift=-problem.log_total)
    if problem.amount is not None:
        return GammaRegression(profiles.matrix(problem.amount.profile, problem.amount.treated), problem.amount)
    if problem.yes_or_no is not None:
        return LogisticRegression.of(profiles, problem.yes_or_no)
    if problem.scale is None:
        raise ValueError("the outcome has no data")
    return NormalRegression(problem.scale)


def term_of(
    regression: Regression,
    problem: Problem,
    intercept: NormalPrior,
    covariate: NormalPrior,
    *,
    effect: NormalPrior | None = None,
    spread: Family | None = None,
) -> Term:
    """Combine a regression with the priors of its intercepts, covariates, effects (flat if omitted) and spread."""
    groups, covariates = len(problem.groups), problem.people.profiles.covariates.shape[1]
    of_effect = (0.0, np.inf) if effect is None else (effect.mean, effect.sd)
    stated = [(intercept.mean, intercept.sd)] * groups + [(covariate.mean, covariate.sd)] * covariates
    stated += [of_effect] * groups + ([(0.0, np.inf)] if spread is not None else [])
    mean, sd = (np.array(values) for values in zip(*stated, strict=True))
    return Term(regression, mean, sd, spread)


def effect_positions(problem: Problem) -> Array:
    """Positions of the groups' effects among the coefficients of a regression."""
    groups = len(problem.groups)
    return np.arange(groups) + (groups + int(problem.people.profiles.covariates.shape[1]))


def impact_and_slope(problem: Problem) -> ImpactAndSlope:
    """Impacts by standardisation over all people of each trial group, and their slopes in the effects."""
    if isinstance(problem.likelihood, Bernoulli):
        return _over_profiles(problem, _risk)
    if isinstance(problem.likelihood, Hurdle):
        return _over_profiles(problem, _amount)
    return effects_themselves(problem)


def pooled_quantity(problem: Problem) -> ImpactAndSlope:
    """Return impacts or, if the spec pools coefficients, the effects themselves."""
    return effects_themselves(problem) if problem.pools_coefficients else impact_and_slope(problem)


def effects_themselves(problem: Problem) -> ImpactAndSlope:
    """Use the effects as the pooled quantity."""
    effects = effect_positions(problem)
    return lambda parameters: (parameters[-1][:, effects], np.ones((len(parameters[-1]), len(effects))))


def _over_profiles(problem: Problem, gain: Callable[[list[Array], list[Array]], Gain]) -> ImpactAndSlope:
    """Standardise ``gain``, a function of predictors without treatment and of treatment effects {draw, profile}."""
    profiles, effects = problem.people.profiles, effect_positions(problem)
    untreated = profiles.matrix(np.arange(len(profiles.group)), 0.0)
    weights = profiles.weights.T

    def of_some(parameters: list[Array], rows: slice) -> Array:
        predictors = [one[:, : profiles.columns] @ untreated[rows].T for one in parameters]
        if isinstance(problem.amount, Moments):
            predictors[-1] += 0.5 * np.exp(2.0 * parameters[-1][:, -1:])
        found = gain(predictors, [one[:, effects][:, profiles.group[rows]] for one in parameters])
        slope = found.slope(weights[rows], profiles.treated_share, lambda by, values: values @ by)
        return np.stack([found.gained @ weights[rows], slope], axis=1)

    def of_all(parameters: Sequence[Array]) -> tuple[Array, Array]:
        ends = np.cumsum([one.shape[1] for one in parameters])[:-1]
        found = by_blocks(
            np.concatenate(parameters, axis=1),
            len(profiles.group),
            lambda some, rows: of_some(np.split(some, ends, axis=1), rows),
        )
        return found[:, 0], found[:, 1]

    return of_all


def _risk(predictors: list[Array], steps: list[Array]) -> Gain:
    return share_gained(predictors[0], steps[0], NUMPY)


def _amount(predictors: list[Array], steps: list[Array]) -> Gain:
    return amount_gained(predictors[0], steps[0], predictors[1], steps[1], NUMPY)
