"""Linear predictors of a PyMC model, and the effects that give the pooled impacts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.ipd.models.design_matrix import Cells, Moments
from hlt_bayes.ipd.models.laplace import normal_near_mode
from hlt_bayes.ipd.models.outcome_model import Problem, effect_positions, pooled_quantity, terms_of
from hlt_bayes.ipd.models.pymc_data import model_data, model_index
from hlt_bayes.ipd.models.regressions import (
    Gain,
    amount_gained,
    bernoulli_log_likelihood,
    bounded_gain,
    pytensor_functions,
    share_gained,
)
from hlt_bayes.ipd.models.regressions_numpy import Term, mode_and_precision
from hlt_bayes.specs import CensoredNormal

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable

NEWTON_STEPS = 4
"""Newton steps, none longer than 1, from effects correct to first order; each adds one more graph to compile.

For posterior draws one step leaves an error of at most a thousandth of a posterior SD. Farther away, where chains
start, its error is large enough to give the density a spurious mode.
"""


class Added(NamedTuple):
    """Terms of specialists and subgroups: ``level`` {profile} in both arms, ``departure`` {profile} in the effect.

    For subgroups, ``by_level`` {group, level} is the departure by level.
    """

    level: TensorVariable | None = None
    departure: TensorVariable | None = None
    by_level: TensorVariable | None = None


NOTHING = Added()


@dataclass(frozen=True, repr=False)
class LinearPredictor:
    """A linear predictor: coefficients of ``Profiles.matrix``, and terms ``added`` to it.

    ``nuisance`` are the coefficients of intercepts and covariates, ``effect`` {group} those of the last columns.
    """

    problem: Problem
    nuisance: TensorVariable
    effect: TensorVariable
    spread: TensorVariable | None = None
    added: Added = NOTHING

    @property
    def coefficients(self) -> TensorVariable:
        """All coefficients, in the order of the columns."""
        import pytensor.tensor as pt

        return pt.concatenate([self.nuisance, self.effect])

    def with_effect(self, effect: TensorVariable) -> LinearPredictor:
        """Replace the effects."""
        return replace(self, effect=effect)

    def at(self, cells: Cells, of: str) -> TensorVariable:
        """Linear predictor {cell}; ``of`` is the prefix of the cells' data in the model."""
        matrix = self.problem.people.profiles.matrix(cells.profile, cells.treated)
        found = model_data(f"{of}_matrix", matrix) @ self.coefficients
        if self.added.level is not None:
            found = found + self.added.level[model_index(of, cells.profile)]
        if self.added.departure is not None:
            step = cells.treated - self._treated_share[cells.profile]
            found = found + model_data(f"{of}_step", step) * self.added.departure[model_index(of, cells.profile)]
        return found

    @property
    def _treated_share(self) -> np.ndarray:
        """Share treated in the trial group {profile}; departures are centred at it, as effects are."""
        profiles = self.problem.people.profiles
        return np.asarray(profiles.treated_share[profiles.group])

    @property
    def untreated(self) -> TensorVariable:
        """Linear predictor {profile} without treatment."""
        profiles = self.problem.people.profiles
        found = model_data("profile_matrix", profiles.matrix(np.arange(len(profiles.group)), 0.0)) @ self.coefficients
        if self.added.departure is not None:
            found = found - model_data("treated_share", self._treated_share) * self.added.departure
        return found if self.added.level is None else found + self.added.level

    @property
    def step(self) -> TensorVariable:
        """Treatment effect {profile} on the linear predictor."""
        own = self.effect[model_index("group", self.problem.people.profiles.group)]
        return own if self.added.departure is None else own + self.added.departure


def logistic_log_likelihood(line: LinearPredictor, cells: Cells, name: str) -> TensorVariable:
    """Log likelihood of a logistic regression; ``name`` is the prefix of the cells' data in the model."""
    people, events = model_data(f"{name}_people", cells.people), model_data(f"{name}_events", cells.total)
    return bernoulli_log_likelihood(line.at(cells, name), people, events, pytensor_functions())


def lines_of(
    problem: Problem,
    centre: TensorVariable,
    tau: TensorVariable,
    added: Added,
) -> list[LinearPredictor]:
    """Add the pooled quantity and the linear predictors of an outcome to the model; the last has the pooled effects.

    Impacts, or effects where those are pooled, ~ Normal(``centre`` {outcome, group}, ``tau`` {outcome}).
    """
    import pymc as pm
    import pytensor.tensor as pt

    from hlt_bayes.ipd.models.noncentred import Conditional

    terms = terms_of(problem)
    found = [mode_and_precision(term) for term in terms]
    lines = []
    if len(terms) > 1:
        lines.append(line_of(problem, "any_", terms[0], found[0]))
    name = "impact_seen" if problem.is_mixture else "impact"
    name = "effect" if problem.pools_coefficients else name
    near = normal_near_mode(found, effect_positions(problem), pooled_quantity(problem))
    se = np.sqrt(np.diag(near.covariance)[near.effects])
    pooled = pm.Normal(
        name,
        centre,
        tau[:, None],
        dims=("outcome", "group"),
        transform=Conditional(near.middle[near.effects][None], se[None]),
    )[0]
    line = line_of(problem, "", terms[-1], found[-1], effect=pooled, added=added)
    if not _needs_no_solving(problem, added):
        nuisance = [one.coefficients for one in lines] + [line.coefficients]
        if line.spread is not None:
            nuisance.append(pt.log(line.spread)[None])
        away = pt.concatenate(nuisance) - near.middle
        start = near.centre[near.effects] + pt.dot(near.jacobian[near.effects], away)
        line = _solved(problem, lines, line, wanted=pooled, start=start)
    if problem.pools_coefficients:
        impact = pm.math.dot(
            model_data("weights", problem.people.profiles.weights), gain_of(problem, [*lines, line]).gained
        )
        pm.Deterministic("impact", impact[None], dims=("outcome", "group"))
    return [*lines, line]


def _needs_no_solving(problem: Problem, added: Added) -> bool:
    """Whether the effects are themselves the pooled quantity."""
    plain = problem.yes_or_no is None and not isinstance(problem.likelihood, CensoredNormal) and added.level is None
    return plain or problem.pools_coefficients


def _solved(
    problem: Problem,
    lines: Sequence[LinearPredictor],
    line: LinearPredictor,
    *,
    wanted: TensorVariable,
    start: TensorVariable,
) -> LinearPredictor:
    """Solve for the effects {group} that give the impacts ``wanted`` {group}, by Newton's method from ``start``."""
    import pymc as pm
    import pytensor.tensor as pt

    weights, share = model_data("weights", problem.people.profiles.weights), problem.people.profiles.treated_share
    line = line.with_effect(start)
    for _ in range(NEWTON_STEPS):
        gain = gain_of(problem, [*lines, line])
        away = wanted - pm.math.dot(weights, gain.gained)
        step = away / gain.slope(weights, share, pm.math.dot)
        line = line.with_effect(line.effect + pt.clip(step, -1.0, 1.0))
    return line


def line_of(
    problem: Problem,
    prefix: str,
    term: Term,
    found: tuple[np.ndarray, np.ndarray],
    *,
    effect: TensorVariable | None = None,
    added: Added = NOTHING,
) -> LinearPredictor:
    """Add one linear predictor with the priors of its term; ``effect`` {group}, if given, replaces its own effect."""
    import pymc as pm
    import pytensor.tensor as pt

    from hlt_bayes.ipd.models.noncentred import Conditional

    mode, precision = found
    se = np.sqrt(np.diag(np.linalg.inv(precision)))
    effects = effect_positions(problem)

    def normal(name: str, where: np.ndarray, dim: str) -> TensorVariable:
        noncentred = Conditional(mode[where], se[where])
        return pm.Normal(f"{prefix}{name}", term.mean[where], term.sd[where], dims=dim, transform=noncentred)

    intercepts, others = np.arange(len(effects)), np.arange(len(effects), effects[0])
    nuisance = [normal("intercept", intercepts, "group")]
    if len(others):
        nuisance.append(normal("coefficient", others, "component"))
    effect = normal("effect", effects, "group") if effect is None else effect
    spread = None
    if term.spread is not None:
        name = "shape" if isinstance(problem.amount, Cells) else "residual_sd"
        spread = prior_variable(name, {problem.outcome: term.spread}, dim="outcome")[0]
    return LinearPredictor(problem, pt.concatenate(nuisance), effect, spread, added)


def gain_of(problem: Problem, lines: Sequence[LinearPredictor]) -> Gain:
    """Mean gain {profile} from treatment, in the unit of the impact."""
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
