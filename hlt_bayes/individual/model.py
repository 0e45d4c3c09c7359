"""Pure builder (spec, records, outcome) -> PyMC model: pooled impacts, seen through regressions of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hlt_bayes.individual.data import known, known_positions
from hlt_bayes.individual.design import Cells, Moments
from hlt_bayes.individual.laplace import LogisticRegression, Term, mode_and_precision, normal_near_mode
from hlt_bayes.individual.practice import Practices, practice_terms, practices_of
from hlt_bayes.individual.problem import (
    Problem,
    effect_positions,
    problem_of,
    term_of,
    terms_of,
    what_is_pooled,
)
from hlt_bayes.individual.regressions import (
    Gain,
    amount_gained,
    bernoulli_log_likelihood,
    bounded_gain,
    gamma_log_likelihood,
    normal_log_likelihood,
    normal_log_likelihood_of_cells,
    pytensor_functions,
    share_gained,
)
from hlt_bayes.individual.subgroups import Levels, departures, levels_of, subgroup_impact
from hlt_bayes.priors import prior_variable
from hlt_bayes.records import Records
from hlt_bayes.specs import CensoredNormal, IndividualSpec, OutcomeName
from hlt_bayes.vocabulary import SURVEY_OUTCOMES

if TYPE_CHECKING:
    import pymc as pm
    from pytensor.tensor import TensorVariable

NEWTON_STEPS = 1
"""Steps from effects that are right to first order: what is left is a ten-millionth of a posterior SD, at worst a
thousandth, and each step is one more graph to compile."""


@dataclass(frozen=True, repr=False)
class Line:
    """A linear predictor: coefficients of ``Profiles.matrix``, and what profiles add to level and effect.

    ``nuisance`` are intercepts and covariates, ``effect`` {group} the last columns.
    """

    problem: Problem
    nuisance: TensorVariable
    effect: TensorVariable
    spread: TensorVariable | None = None
    level: TensorVariable | None = None
    departure: TensorVariable | None = None

    @property
    def coefficients(self) -> TensorVariable:
        """All coefficients, in the order of the columns."""
        import pytensor.tensor as pt

        return pt.concatenate([self.nuisance, self.effect])

    def with_effect(self, effect: TensorVariable) -> Line:
        """Put other effects in."""
        return replace(self, effect=effect)

    def at(self, cells: Cells, of: str) -> TensorVariable:
        """Linear predictor {cell} of the cells called ``of``."""
        matrix = self.problem.people.profiles.matrix(cells.profile, cells.treated)
        found = known(f"{of}_matrix", matrix) @ self.coefficients
        profile = known_positions(of, cells.profile)
        if self.level is not None:
            found = found + self.level[profile]
        if self.departure is not None:
            step = cells.treated - self._treated_share[cells.profile]
            found = found + known(f"{of}_step", step) * self.departure[profile]
        return found

    @property
    def _treated_share(self) -> np.ndarray:
        """Share {profile} of the trial group that was treated: departures are taken less it, as effects are."""
        profiles = self.problem.people.profiles
        return np.asarray(profiles.treated_share[profiles.group])

    @property
    def untreated(self) -> TensorVariable:
        """Linear predictor {profile} without treatment."""
        profiles = self.problem.people.profiles
        found = known("profile_matrix", profiles.matrix(np.arange(len(profiles.group)), 0.0)) @ self.coefficients
        if self.departure is not None:
            found = found - known("treated_share", self._treated_share) * self.departure
        return found if self.level is None else found + self.level

    @property
    def step(self) -> TensorVariable:
        """What treatment adds {profile}."""
        own = self.effect[known_positions("group", self.problem.people.profiles.group)]
        return own if self.departure is None else own + self.departure


def individual_model(spec: IndividualSpec, records: Records, outcome: OutcomeName) -> pm.Model:
    """Build the PyMC model of one outcome of a spec on individual records, ready to sample or to change.

    Its variable ``impact`` {outcome, group} is treatment minus control per person randomised, standardised over all
    people of the trial group, in the units of ``hlt_bayes.vocabulary.OUTCOMES``; positive is better, zero is no effect.
    ``impact_new`` {outcome} predicts a new trial group, where impacts are what is pooled. ``models/README.md`` has the
    mathematics.

    Raises
    ------
    RecordsError
        A column that the spec needs is missing, or a trial group has too few people.
    SpecError
        A covariate or subgroup that no record has, or that was not settled at randomisation.
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
        level = departure = member = None
        centre = mu[:, None] * np.ones(len(problem.groups))
        if levels is not None:
            departure, member = departures(problem, levels)
        if practices is not None:
            level, departure, of_site = practice_terms(problem, practices)
            centre = centre + of_site[None]
        known("weights", problem.people.profiles.weights)
        lines = _lines(problem, centre, tau, level=level, departure=departure)
        _likelihood(problem, lines)
        gain = _gain(problem, lines)
        answering: TensorVariable | float = 1.0
        if _is_mixture(problem):
            impact, answering = _of_all(problem, gain)
            pm.Deterministic("impact", impact[None], dims=("outcome", "group"))
        if member is not None:
            by_level = subgroup_impact(problem, gain.gained, member)
            pm.Deterministic("subgroup_impact", by_level[None], dims=("outcome", "group", "level"))
        if practices is not None:
            _slopes_of_impact(problem, gain)
        if not problem.pools_coefficients:
            new = mu + tau * pm.Normal("z_new", 0.0, 1.0, dims="outcome")
            pm.Deterministic("impact_new", new * answering, dims="outcome")
    return model


def problem_with_parts(
    spec: IndividualSpec, records: Records, outcome: OutcomeName
) -> tuple[Problem, Levels | None, Practices | None]:
    """Put together the problem of one outcome, its subgroups and its specialists, where the spec has them.

    Raises
    ------
    RecordsError, SpecError
        As ``individual_model``.
    """
    levels, practices = levels_of(records, spec), practices_of(records, spec)
    factors = [] if levels is None else [column + 1 for column in levels.codes.T]
    extra = [] if practices is None else [practices.specialist]
    return problem_of(spec, records, outcome, factors=factors, extra=extra), levels, practices


def _is_mixture(problem: Problem) -> bool:
    """Say whether the spec tells those who answered the survey from those who did not, and the outcome is of it."""
    return problem.spec.nonresponse is not None and problem.outcome in SURVEY_OUTCOMES


def _lines(
    problem: Problem,
    centre: TensorVariable,
    tau: TensorVariable,
    *,
    level: TensorVariable | None,
    departure: TensorVariable | None,
) -> list[Line]:
    """Add what is pooled, and the linear predictors of an outcome, to the model in context; the last has its effects.

    Impacts, or effects where those are pooled, ~ Normal(``centre`` {outcome, group}, ``tau`` {outcome}).
    """
    import pymc as pm
    import pytensor.tensor as pt

    from hlt_bayes.individual.conditional import Conditional

    terms = terms_of(problem)
    found = [mode_and_precision(term) for term in terms]
    lines = []
    if len(terms) > 1:
        lines.append(_line(problem, "any_", terms[0], found[0]))
    name = "impact_seen" if _is_mixture(problem) else "impact"
    name = "effect" if problem.pools_coefficients else name
    near = normal_near_mode(found, effect_positions(problem), what_is_pooled(problem))
    se = np.sqrt(np.diag(near.covariance)[near.effects])
    pooled = pm.Normal(
        name,
        centre,
        tau[:, None],
        dims=("outcome", "group"),
        transform=Conditional(near.middle[near.effects][None], se[None]),
    )[0]
    line = _line(problem, "", terms[-1], found[-1], effect=pooled, level=level, departure=departure)
    if not _is_straight(problem, level):
        nuisance = [one.coefficients for one in lines] + [line.coefficients]
        if line.spread is not None:
            nuisance.append(pt.log(line.spread)[None])
        away = pt.concatenate(nuisance) - near.middle
        start = near.centre[near.effects] + pt.dot(near.turned[near.effects], away)
        line = _solved(problem, lines, line, wanted=pooled, start=start)
    if problem.pools_coefficients:
        impact = pm.math.dot(known("weights", problem.people.profiles.weights), _gain(problem, [*lines, line]).gained)
        pm.Deterministic("impact", impact[None], dims=("outcome", "group"))
    return [*lines, line]


def _is_straight(problem: Problem, level: TensorVariable | None) -> bool:
    """Say whether the effects are what is pooled, so that there is nothing to solve."""
    plain = problem.yes_or_no is None and not isinstance(problem.likelihood, CensoredNormal) and level is None
    return plain or problem.pools_coefficients


def _solved(
    problem: Problem, lines: Sequence[Line], line: Line, *, wanted: TensorVariable, start: TensorVariable
) -> Line:
    """Find the effects {group} that give the impacts ``wanted`` {group}, by Newton from where they nearly are."""
    import pymc as pm

    weights, share = known("weights", problem.people.profiles.weights), problem.people.profiles.treated_share
    line = line.with_effect(start)
    for _ in range(NEWTON_STEPS):
        gain = _gain(problem, [*lines, line])
        away = wanted - pm.math.dot(weights, gain.gained)
        line = line.with_effect(line.effect + away / gain.slope(weights, share, pm.math.dot))
    return line


def _line(
    problem: Problem,
    prefix: str,
    term: Term,
    found: tuple[np.ndarray, np.ndarray],
    *,
    effect: TensorVariable | None = None,
    level: TensorVariable | None = None,
    departure: TensorVariable | None = None,
) -> Line:
    """Add one linear predictor with the priors of its term; its ``effect`` {group}, where that is of another making."""
    import pymc as pm
    import pytensor.tensor as pt

    from hlt_bayes.individual.conditional import Conditional

    mode, precision = found
    se = np.sqrt(np.diag(np.linalg.inv(precision)))
    effects = effect_positions(problem)

    def normal(name: str, where: np.ndarray, dim: str) -> TensorVariable:
        walked = Conditional(mode[where], se[where])
        return pm.Normal(f"{prefix}{name}", term.mean[where], term.sd[where], dims=dim, transform=walked)

    intercepts, others = np.arange(len(effects)), np.arange(len(effects), effects[0])
    nuisance = [normal("intercept", intercepts, "group")]
    if len(others):
        nuisance.append(normal("coefficient", others, "component"))
    effect = normal("effect", effects, "group") if effect is None else effect
    spread = None
    if term.spread is not None:
        name = "shape" if isinstance(problem.amount, Cells) else "residual_sd"
        spread = prior_variable(name, {problem.outcome: term.spread}, dim="outcome")[0]
    return Line(problem, pt.concatenate(nuisance), effect, spread, level, departure)


def _likelihood(problem: Problem, lines: Sequence[Line]) -> None:
    """Let the model in context see the outcome."""
    import pymc as pm

    xp, line = pytensor_functions(), lines[-1]
    if problem.yes_or_no is not None:
        pm.Potential("likelihood", _of_yes_or_no(lines[0], problem.yes_or_no, "yes_or_no"))
    if isinstance(problem.amount, Moments):
        pm.Potential("amount_likelihood", _of_moments(problem.amount, line) - problem.log_total)
    elif problem.amount is not None:
        one = problem.amount
        people, total, logs = (known(f"amount_{name}", getattr(one, name)) for name in ("people", "total", "total_log"))
        found = gamma_log_likelihood(line.at(one, "amount"), line.spread, people, total, logs, xp)
        pm.Potential("amount_likelihood", found)
    if problem.scale is not None:
        pm.Potential("likelihood", _of_scale(problem, line))


def _of_yes_or_no(line: Line, cells: Cells, name: str) -> TensorVariable:
    people, events = known(f"{name}_people", cells.people), known(f"{name}_events", cells.total)
    return bernoulli_log_likelihood(line.at(cells, name), people, events, pytensor_functions())


def _of_moments(moments: Moments, line: Line) -> TensorVariable:
    gram, cross, square, people = (
        known(name, getattr(moments, name)) for name in ("gram", "cross", "square", "people")
    )
    return normal_log_likelihood(line.coefficients, line.spread, gram, cross, square, people, pytensor_functions())


def _of_scale(problem: Problem, line: Line) -> TensorVariable:
    """Log likelihood of a survey outcome; people at a bound of the scale lie there or beyond."""
    from pymc.distributions.dist_math import normal_lcdf

    scale, cells = problem.scale, problem.scale_cells
    if scale is None or cells is None:
        raise ValueError("a problem without a scale")
    if line.level is None and line.departure is None:
        found = _of_moments(scale, line)
    else:
        people, total = known("scale_people", cells.people), known("scale_total", cells.total)
        found = normal_log_likelihood_of_cells(
            line.at(cells, "scale"), line.spread, people, total, known("square", scale.square), pytensor_functions()
        )
    for bound, beyond, sign, name in (
        (problem.bounds[0], problem.at_lower, 1.0, "at_lower"),
        (problem.bounds[1], problem.at_upper, -1.0, "at_upper"),
    ):
        if beyond is not None and len(beyond.people):
            z = sign * (bound - line.at(beyond, name)) / line.spread
            found = found + (known(f"{name}_people", beyond.people) * normal_lcdf(0.0, 1.0, z)).sum()
    return found


def _gain(problem: Problem, lines: Sequence[Line]) -> Gain:
    """Average what people of each profile gain, in the unit of the impact."""
    import pytensor.tensor as pt

    xp, line = pytensor_functions(), lines[-1]
    if problem.amount is not None:
        log_mean = line.untreated
        if isinstance(problem.amount, Moments):
            log_mean = log_mean + 0.5 * pt.square(line.spread)
        return amount_gained(lines[0].untreated, lines[0].step, log_mean, line.step, xp)
    if problem.yes_or_no is not None:
        return share_gained(line.untreated, line.step, xp)
    if isinstance(problem.likelihood, CensoredNormal):
        return bounded_gain(line.untreated, line.step, line.spread, *problem.bounds, xp)
    return Gain(line.step, pt.ones_like(line.step), pt.ones_like(line.step))


def _slopes_of_impact(problem: Problem, gain: Gain) -> None:
    """Add what ``per`` more of each moderator within sites changes in the impact {moderator}, mean over all people."""
    import pymc as pm

    people, model = problem.people.profiles.people, pm.modelcontext(None)
    slope = (known("share_of_people", people / people.sum()) * gain.treated).sum()
    pm.Deterministic("slope_of_impact", model["slope"] * slope, dims="moderator")


def _of_all(problem: Problem, gain: Gain) -> tuple[TensorVariable, TensorVariable]:
    """Impact {group} per person randomised, who answered the survey or not; and what a new group keeps of its gain.

    As ``hlt_bayes.structures.nonresponse``, profile by profile: who is likely to answer depends on the covariates.
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
    line = _line(problem, "answered_", term, mode_and_precision(term))
    pm.Potential("answered_likelihood", _of_yes_or_no(line, cells, "answered"))
    xp = pytensor_functions()
    return xp.sigmoid(line.untreated), xp.sigmoid(line.untreated + line.step)
