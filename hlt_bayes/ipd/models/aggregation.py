"""Frequentist estimates from individual records, as rows of a file of trials."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import RecordsError, SpecError, unknown_name
from hlt_bayes.core.vocabulary import OUTCOMES, SITES, SURVEY_OUTCOMES
from hlt_bayes.ipd.data import Records
from hlt_bayes.ipd.disclosure import some_left_out
from hlt_bayes.ipd.disclosure.rounding import rounded_count
from hlt_bayes.ipd.models.design_matrix import RULES, People, in_control_sds, people_of
from hlt_bayes.ipd.models.outcome_model import Problem, effect_positions, impact_and_slope, problem_of
from hlt_bayes.specs import Bernoulli, Hurdle, IndividualSpec, OutcomeName, load_individual_spec

Array = np.ndarray
Estimator = Literal["as modelled", "linear"]
SurveyWeights = Literal["none", "survey_weight"]

DIGITS = 3
"""Significant digits of SEs; estimates have as many decimals. More would tell the numbers behind them."""


def aggregate(
    records: Records,
    spec: IndividualSpec | None = None,
    *,
    estimator: Estimator = "as modelled",
    weights: SurveyWeights = "none",
    leave_out: float | None = None,
) -> pd.DataFrame:
    """Estimate covariate-adjusted impacts with robust standard errors, as rows of a file of trials.

    Parameters
    ----------
    records, spec
        The individual records; and the spec for outcomes and covariates, by default ``records``. Priors are not used.
    estimator
        ``"as modelled"``: maximum likelihood for the regressions of the spec (gamma for the amounts of a hurdle),
        standardised over all people of each trial group; groups share the coefficients of covariates.
        ``"linear"``: least squares on the outcome itself, by group, as published.
    weights
        ``"survey_weight"`` weights survey respondents by that column.
    leave_out
        Share of people left out at random, as in ``fit_records``.

    Returns
    -------
    DataFrame
        One row per outcome and trial group, all text, with the columns of ``run --evidence``: ``estimate`` (treatment
        minus control; positive is better) and ``se`` (heteroscedasticity-consistent, HC1) in ``unit``: ppt, GBP, SDs of
        controls who answered; ``n_treatment`` and ``n_control``, people with an observed outcome, rounded at random to
        a multiple of five. ``hlt_bayes.evidence.evidence_of_rows`` accepts its ``to_dict("records")``.

    Raises
    ------
    RecordsError
        A column or weight is missing, an arm of a trial group has fewer than ten people, or its mean would tell of
        single people; or the share left out is not allowed.
    SpecError
        The estimator or weights are unknown.
    """
    for key, name, allowed in (
        ("estimator", estimator, get_args(Estimator)),
        ("weights", weights, get_args(SurveyWeights)),
    ):
        if name not in allowed:
            raise SpecError(f"{key}: {unknown_name(name, allowed)}")
    spec = load_individual_spec("records") if spec is None else spec
    records = some_left_out(records, share=leave_out)
    rows = []
    for outcome in spec.outcomes:
        people = people_of(records, spec, outcome)
        weight = np.ones(len(people.outcome))
        if weights == "survey_weight" and outcome in SURVEY_OUTCOMES:
            weight = records.columns(["survey_weight"])["survey_weight"].to_numpy(float, na_value=np.nan)
            if not (weight[np.isfinite(people.outcome)] > 0).all():
                raise RecordsError(
                    f"{outcome}: some people with an observed outcome have no positive survey_weight; add it, or use "
                    "weights 'none'"
                )
        if estimator == "linear":
            estimate, se = _linear(people, outcome, weight)
        else:
            estimate, se = _as_modelled(_with_gamma(spec, outcome), records, outcome, weight)
        rows += _rows(people, records, outcome, estimate, se)
    return pd.DataFrame(rows)


def _with_gamma(spec: IndividualSpec, outcome: OutcomeName) -> IndividualSpec:
    if not isinstance(spec.likelihood[outcome], Hurdle):
        return spec
    return spec.model_copy(
        update={"likelihood": spec.likelihood | {outcome: Hurdle(family="hurdle", positive="gamma")}}
    )


def _linear(people: People, outcome: OutcomeName, weight: Array) -> tuple[Array, Array]:
    """Least squares within each trial group, with covariate coefficients of its own."""
    values = in_control_sds(people, outcome)[0] if outcome in SURVEY_OUTCOMES else people.outcome
    of_person = people.profiles.group[people.profile]
    found = []
    for group in range(len(people.profiles.groups)):
        rows = np.flatnonzero((of_person == group) & np.isfinite(values))
        covariates = people.profiles.covariates[people.profile[rows]]
        covariates = covariates[:, np.ptp(covariates, axis=0) > 0]
        matrix = np.column_stack([people.treated[rows], np.ones(len(rows)), covariates])
        coefficients, covariance = _least_squares(matrix, values[rows], weight[rows])
        found.append((coefficients[0], np.sqrt(covariance[0, 0])))
    estimate, se = np.array(found).T
    return estimate, se


def _as_modelled(spec: IndividualSpec, records: Records, outcome: OutcomeName, weight: Array) -> tuple[Array, Array]:
    """Maximum likelihood of the spec's regressions, and the delta method for the standardised impacts."""
    problem = problem_of(spec, records, outcome)
    people, seen = problem.people, np.isfinite(problem.people.outcome)
    if outcome in SURVEY_OUTCOMES:
        values = in_control_sds(people, outcome)[0]
        coefficients, covariance = _least_squares(_matrix(people, seen), values[seen], weight[seen])
        effects = effect_positions(problem)
        return coefficients[effects], np.sqrt(np.diag(covariance)[effects])
    if isinstance(problem.likelihood, Bernoulli):
        fits = [_generalised(_matrix(people, seen), people.outcome[seen], "Binomial")]
    else:
        some = seen & (people.outcome > 0)
        fits = [
            _generalised(_matrix(people, seen), (people.outcome[seen] > 0).astype(float), "Binomial"),
            _generalised(_matrix(people, some), people.outcome[some], "Gamma"),
        ]
    return _standardised_impacts(problem, fits)


def _standardised_impacts(problem: Problem, fits: list[tuple[Array, Array]]) -> tuple[Array, Array]:
    impact, sizes = impact_and_slope(problem), [len(coefficients) for coefficients, _ in fits]
    centre = np.concatenate([coefficients for coefficients, _ in fits])
    ends = np.cumsum(sizes)[:-1]
    step = 1e-5
    moves = np.eye(len(centre)) * step
    high, low = (impact(np.split(centre + sign * moves, ends, axis=-1))[0] for sign in (1.0, -1.0))
    gradients = np.split((high - low) / (2 * step), ends, axis=0)
    variance = sum(
        np.einsum("ig,ij,jg->g", gradient, covariance, gradient)
        for gradient, (_, covariance) in zip(gradients, fits, strict=True)
    )
    return impact(np.split(centre[None], ends, axis=-1))[0][0], np.sqrt(variance)


def _matrix(people: People, chosen: Array) -> Array:
    return people.profiles.matrix(people.profile[chosen], people.treated[chosen])


def _least_squares(matrix: Array, values: Array, weight: Array) -> tuple[Array, Array]:
    import statsmodels.api as sm

    found = sm.WLS(values, matrix, weights=weight).fit(cov_type="HC1")
    return found.params, found.cov_params()


def _generalised(matrix: Array, values: Array, family: Literal["Binomial", "Gamma"]) -> tuple[Array, Array]:
    import statsmodels.api as sm

    families = {"Binomial": sm.families.Binomial(), "Gamma": sm.families.Gamma(sm.families.links.Log())}
    found = sm.GLM(values, matrix, family=families[family]).fit(cov_type="HC1")
    return found.params, found.cov_params()


def _rows(people: People, records: Records, outcome: OutcomeName, estimate: Array, se: Array) -> list[dict[str, str]]:
    """Rows of a file of trials."""
    scale, seen = OUTCOMES[outcome].display_scale, np.isfinite(people.outcome)
    of_person = people.profiles.group[people.profile]
    rows = []
    for position, group in enumerate(people.profiles.groups):
        numbers = {}
        for arm, treated in (("treatment", 1), ("control", 0)):
            here = seen & (of_person == position) & (people.treated == treated)
            numbers[arm] = rounded_count(int(here.sum()), RULES.base, records.chance("number observed", here))
        decimals = DIGITS - 1 - int(np.floor(np.log10(se[position] * scale)))
        rows.append(
            {
                "outcome": outcome,
                "group": group,
                "site": SITES[group],
                "estimate": _decimals(estimate[position] * scale, decimals),
                "unit": OUTCOMES[outcome].printed_unit,
                "se": _decimals(se[position] * scale, decimals),
                "n_treatment": str(numbers["treatment"]),
                "n_control": str(numbers["control"]),
                "source": "individual records",
            }
        )
    return rows


def _decimals(value: float, decimals: int) -> str:
    """Format a number with so many decimals, without an exponent; with fewer than none, round it to tens or more."""
    return f"{round(value, decimals):.{max(0, decimals)}f}"
