"""True values of synthetic records in closed form: averages over all people, whatever their arm or response."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES
from hlt_bayes.ipd.synthetic.arrays import Floats, group_means
from hlt_bayes.ipd.synthetic.baseline import Recruits
from hlt_bayes.ipd.synthetic.delivery import Delivery
from hlt_bayes.ipd.synthetic.outcomes import Potential, censored_square
from hlt_bayes.specs import TwinSpec

THIRDS = ("poorest third", "middle third", "best third")
NATURAL = {"employment": "proportion", "earnings": "GBP in the 12 months", "health": "index", "wellbeing": "points"}
COEFFICIENT = {"employment": "log odds", "earnings": "log GBP", "health": "SD", "wellbeing": "SD"}


def truth_of(people: Recruits, practice: Delivery, potential: Potential, spec: TwinSpec) -> xr.Dataset:
    """Collect the true values that an analysis of the records should recover."""
    outcomes, moderators = list(OUTCOMES), [str(name) for name in spec.slopes]
    control = np.array([_by_group(people, potential.expected[outcome][0]) for outcome in outcomes])
    unit = _units(potential)
    gain = {
        outcome: (treatment - without) / unit[outcome] for outcome, (without, treatment) in potential.expected.items()
    }
    slopes = np.array([[_value(spec, moderator, outcome) for outcome in outcomes] for moderator in moderators])
    spread = [spec.specialist_sd[outcome] for outcome in outcomes]  # type: ignore[index]
    per = np.array([table.per.value for table in spec.slopes.values()])
    of_impact = np.array([_slopes(people, practice, gain[outcome], moderators) for outcome in outcomes]).T
    by_outcome_group, by_slope = ("outcome", "group"), ("moderator", "outcome")
    in_words = "; ".join(f"{outcome}: {known.unit}" for outcome, known in OUTCOMES.items())
    natural, coefficient = ("; ".join(f"{key}: {word}" for key, word in one.items()) for one in (NATURAL, COEFFICIENT))
    each = "; ".join(f"{name}: per {table.per.value:g} {table.per.unit}" for name, table in spec.slopes.items())
    return xr.Dataset(
        {
            "impact": _variable(
                by_outcome_group,
                np.array([_by_group(people, gain[outcome]) for outcome in outcomes]),
                in_words,
                "Average over all people of the group of the expected outcome with treatment minus that without; "
                "health and wellbeing in SDs of the outcome without treatment",
            ),
            "control_mean": _variable(
                by_outcome_group,
                control,
                natural,
                "Average over all people of the group, without treatment",
            ),
            "outcome_sd": _variable(
                ("outcome",),
                np.array(_spreads(potential, spec)),
                natural,
                "SD over all people of the outcome without treatment",
            ),
            "slope_within": _variable(
                by_slope,
                slopes,
                coefficient,
                f"Change in the treatment effect with practice within a site ({each}); missing if not in the spec",
            ),
            "impact_slope": _variable(
                by_slope,
                of_impact * per[:, None],
                in_words,
                f"Least-squares slope of people's expected gains on both practices within trial groups ({each})",
            ),
            "effect_sd_specialist": _variable(
                ("outcome",),
                np.array([one.effect for one in spread]),
                coefficient,
                "Between-specialist SD of treatment effects not explained by practice",
            ),
            "outcome_sd_specialist": _variable(
                ("outcome",),
                np.array([one.outcome for one in spread]),
                coefficient,
                "Between-specialist SD of the outcome in both arms; health and wellbeing in SDs of the spec",
            ),
            "health_gradient": _variable(
                ("group",),
                np.array([spec.gradient("health", group) for group in GROUPS]),
                "SD of EQ-5D-5L per SD of poorer health at baseline, within the group",
                "Change in the treatment effect on health with poorer health at baseline, before censoring",
            ),
            "subgroup_impact": _variable(
                ("baseline_health", "group"),
                _thirds(people, gain["health"]),
                OUTCOMES["health"].unit,
                "Average gain in health by third of baseline_eq5d within the group",
            ),
        },
        coords={
            "outcome": outcomes,
            "group": list(GROUPS),
            "moderator": moderators,
            "baseline_health": list(THIRDS),
        },
    )


def thirds(people: Recruits) -> np.ndarray:
    """Third of baseline health of each person within the trial group: 0 is the poorest."""
    values, found = people.scales["baseline_eq5d"], np.empty(len(people.group), np.int8)
    for position in range(len(GROUPS)):
        here = np.flatnonzero(people.group == position)
        cuts = np.quantile(values[here], [1 / 3, 2 / 3])
        found[here] = (values[here, None] > cuts).sum(axis=1)
    return found


def _variable(dims: tuple[str, ...], values: np.ndarray, unit: str, description: str) -> xr.Variable:
    return xr.Variable(dims, values, attrs={"unit": unit, "description": description})


def _units(potential: Potential) -> dict[str, float]:
    """Size of one unit of impact in the natural unit of the outcome."""
    return {outcome: potential.scales[outcome].sd if outcome in potential.scales else 1.0 for outcome in OUTCOMES}


def _by_group(people: Recruits, values: Floats) -> Floats:
    return group_means(values, people.group, len(GROUPS))


def _thirds(people: Recruits, gain: Floats) -> Floats:
    cell = thirds(people).astype(int) * len(GROUPS) + people.group
    return group_means(gain, cell, len(THIRDS) * len(GROUPS)).reshape(len(THIRDS), len(GROUPS))


def _value(spec: TwinSpec, moderator: str, outcome: str) -> float:
    found = spec.slopes[moderator].outcomes.get(outcome)  # type: ignore[index, call-overload]
    return float("nan") if found is None else float(found.value)


def _slopes(people: Recruits, practice: Delivery, gain: Floats, moderators: list[str]) -> Floats:
    """Least-squares slopes with an intercept per trial group; missing if practices do not vary or are collinear."""
    design = np.stack([practice.from_site[name] for name in moderators])
    design = design - np.array([_by_group(people, row) for row in design])[:, people.group]
    cross = design @ design.T
    if np.linalg.matrix_rank(cross) < len(moderators):
        return np.full(len(moderators), np.nan)
    return np.linalg.solve(cross, design @ gain)


def _spreads(potential: Potential, spec: TwinSpec) -> list[float]:
    shape = spec.earnings.shape.value
    square = (potential.any_earnings[0] * potential.earnings[0] ** 2).mean() * (1.0 + 1.0 / shape)
    squares = {"employment": potential.employment[0].mean(), "earnings": square}
    for outcome, scale in potential.scales.items():
        squares[outcome] = censored_square(scale.control, scale.residual, scale.lower, scale.upper).mean()
    means = {outcome: potential.expected[outcome][0].mean() for outcome in OUTCOMES}
    return [float(np.sqrt(squares[outcome] - means[outcome] ** 2)) for outcome in OUTCOMES]
