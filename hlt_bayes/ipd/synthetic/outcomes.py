"""Both potential outcomes of each person in closed form, solved so that their averages give the stated impacts.

Employment follows a logistic regression. People employed for 13 or more weeks or in a short job have earnings, from the
same gamma distribution in both cases. Health and wellbeing are normal, censored at the bounds of their scales.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.ipd.data.schema import COLUMNS
from hlt_bayes.ipd.synthetic.arrays import Floats, figures, stream
from hlt_bayes.ipd.synthetic.baseline import Recruits
from hlt_bayes.ipd.synthetic.delivery import Delivery
from hlt_bayes.ipd.synthetic.targets import Published
from hlt_bayes.specs import TwinSpec
from hlt_bayes.specs.impact import OutcomeName
from hlt_bayes.specs.synthetic import ScaleModel

SCALE_OF = {"health": "eq5d", "wellbeing": "swemwbs"}
"""Column of each survey outcome."""


@dataclass(frozen=True)
class Scale:
    """A censored normal per person: latent means by arm and SD, bounds, and the SD of the outcome without treatment."""

    control: Floats
    treatment: Floats
    residual: Floats
    lower: float
    upper: float
    sd: float

    def expected(self) -> tuple[Floats, Floats]:
        """Means after censoring."""
        cut = (self.residual, self.lower, self.upper)
        return censored_mean(self.control, *cut), censored_mean(self.treatment, *cut)


@dataclass(frozen=True)
class Potential:
    """Expected outcomes of each person without and with treatment.

    Parameters
    ----------
    employment
        Probability of employment for 13 or more weeks, control and treatment.
    any_earnings
        Probability of any earnings.
    earnings
        Mean earnings of those with any, in GBP.
    scales
        Health and wellbeing.
    """

    employment: tuple[Floats, Floats]
    any_earnings: tuple[Floats, Floats]
    earnings: tuple[Floats, Floats]
    scales: dict[str, Scale]

    @cached_property
    def expected(self) -> dict[str, tuple[Floats, Floats]]:
        """Expected outcome of each person without and with treatment, in natural units."""
        control, treatment = (share * mean for share, mean in zip(self.any_earnings, self.earnings, strict=True))
        return {
            "employment": self.employment,
            "earnings": (control, treatment),
            **{outcome: scale.expected() for outcome, scale in self.scales.items()},
        }


def potential_outcomes(people: Recruits, practice: Delivery, known: Published, spec: TwinSpec) -> Potential:
    """Solve for the intercepts and treatment effects that give the stated control rates and impacts.

    Raises
    ------
    SpecError
        No treatment effect gives a stated impact.
    """
    target = dict(zip(OUTCOMES, known.impacts, strict=True))
    employed = _employment(people, practice, known.control_rates, target["employment"], spec)
    short = figures(spec.earnings.short_jobs)[people.group]
    any_earnings = tuple(share + (1.0 - share) * short for share in employed)
    return Potential(
        employment=employed,
        any_earnings=(any_earnings[0], any_earnings[1]),
        earnings=_earnings(people, practice, (any_earnings[0], any_earnings[1]), target["earnings"], spec),
        scales={
            outcome: _scale(outcome, people, practice, target[outcome], spec)  # type: ignore[arg-type]
            for outcome in SCALE_OF
        },
    )


def censored_mean(mean: Floats, sd: Floats, lower: float, upper: float) -> Floats:
    """Mean of a normal censored at ``lower`` and ``upper``."""
    low, high = (lower - mean) / sd, (upper - mean) / sd
    below, within = ndtr(low), ndtr(high)
    inside = mean * (within - below) + sd * (_density(low) - _density(high))
    return np.asarray(lower * below + upper * (1.0 - within) + inside)


def censored_square(mean: Floats, sd: Floats, lower: float, upper: float) -> Floats:
    """Mean square of a normal censored at ``lower`` and ``upper``."""
    low, high = (lower - mean) / sd, (upper - mean) / sd
    below, within = ndtr(low), ndtr(high)
    inside = (mean**2 + sd**2) * (within - below)
    inside += sd * ((mean + lower) * _density(low) - (mean + upper) * _density(high))
    return np.asarray(lower**2 * below + upper**2 * (1.0 - within) + inside)


def _density(value: Floats) -> Floats:
    return np.asarray(np.exp(-0.5 * value**2) / np.sqrt(2.0 * np.pi))


def _by_specialist(outcome: OutcomeName, people: Recruits, practice: Delivery, spec: TwinSpec) -> tuple[Floats, Floats]:
    """Specialist's contribution to each person's outcome, and to the treatment effect by practice and otherwise."""
    spread = spec.specialist_sd[outcome]
    outcomes, effects = (
        sd * stream(people.seed, f"specialist {kind} {outcome}").standard_normal(practice.specialists)
        for kind, sd in (("outcome", spread.outcome), ("effect", spread.effect))
    )
    effect = effects[practice.specialist]
    for name, table in spec.slopes.items():
        if outcome in table.outcomes:
            slope = table.outcomes[outcome].value
            effect = effect + slope * practice.from_site[name] / table.per.value
    return outcomes[practice.specialist], effect


def _solve(short_of: Callable[[float], float], outcome: str, group: str, width: float) -> float:
    """Find the root of the increasing function ``short_of``."""
    try:
        return float(brentq(short_of, -width, width, xtol=1e-11))
    except ValueError as error:
        raise SpecError(
            f"{outcome}, {group}: the stated impact or control rate is unattainable; state less extreme values"
        ) from error


def _employment(
    people: Recruits, practice: Delivery, rates: Floats, impacts: Floats, spec: TwinSpec
) -> tuple[Floats, Floats]:
    outcome, effect = _by_specialist("employment", people, practice, spec)
    odds = people.score(spec.employment.covariates) + outcome
    control, treatment = np.empty(len(odds)), np.empty(len(odds))
    for position, group in enumerate(GROUPS):
        here = np.flatnonzero(people.group == position)
        without, moved, rate = odds[here], effect[here], rates[position]
        without = without + _solve(
            lambda level, base=without, rate=rate: float(expit(base + level).mean() - rate),  # type: ignore[misc]
            "employment",
            group,
            30.0,
        )
        aim = rate + impacts[position]
        level = _solve(
            lambda level, base=without + moved, aim=aim: float(expit(base + level).mean() - aim),  # type: ignore[misc]
            "employment",
            group,
            30.0,
        )
        control[here], treatment[here] = expit(without), expit(without + moved + level)
    return control, treatment


def _earnings(
    people: Recruits,
    practice: Delivery,
    any_earnings: tuple[Floats, Floats],
    impacts: Floats,
    spec: TwinSpec,
) -> tuple[Floats, Floats]:
    outcome, effect = _by_specialist("earnings", people, practice, spec)
    control = np.exp(people.score(spec.earnings.covariates) + outcome)
    treatment = control * np.exp(effect)
    for position, (group, mean) in enumerate(zip(GROUPS, figures(spec.earnings.control), strict=True)):
        here = np.flatnonzero(people.group == position)
        if mean + impacts[position] <= 0:
            raise SpecError(
                f"earnings, {group}: impact {impacts[position]:g} and control mean {mean:g}; their sum must be above 0"
            )
        control[here] *= mean / (any_earnings[0][here] * control[here]).mean()
        treatment[here] *= (mean + impacts[position]) / (any_earnings[1][here] * treatment[here]).mean()
    return control, treatment


def _scale(outcome: OutcomeName, people: Recruits, practice: Delivery, impacts: Floats, spec: TwinSpec) -> Scale:
    model: ScaleModel = getattr(spec, outcome)
    column = COLUMNS[SCALE_OF[outcome]]
    mean, sd = (figures(model.control, name) for name in ("mean", "sd"))
    of_specialist, effect = _by_specialist(outcome, people, practice, spec)
    control = mean[people.group] + sd[people.group] * (people.score(model.covariates) + of_specialist)
    residual = (model.residual.value * sd)[people.group]
    cut = (residual, column.lower, column.upper)
    expected = censored_mean(control, *cut)
    spread = float(np.sqrt(censored_square(control, *cut).mean() - expected.mean() ** 2))
    poorer = np.array([spec.gradient(outcome, group) for group in GROUPS])[people.group]
    treatment = control + spread * (effect - poorer * people.standardised("baseline_eq5d"))
    for position, group in enumerate(GROUPS):
        here = np.flatnonzero(people.group == position)
        aim = expected[here].mean() + spread * impacts[position]

        def short_of(level: float, here: np.ndarray = here, aim: float = aim) -> float:
            moved = treatment[here] + spread * level
            return float(censored_mean(moved, residual[here], column.lower, column.upper).mean() - aim)

        treatment[here] += spread * _solve(short_of, outcome, group, 20.0)
    return Scale(control, treatment, residual, column.lower, column.upper, spread)
