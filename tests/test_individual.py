"""Models of individual records, without sampling: what is reduced, standardised and pooled is what it says."""

import numpy as np
import pandas as pd
import pytest
from helpers import ROOT, edited_spec
from scipy import integrate, optimize, stats
from scipy.special import expit

import hlt_bayes.ipd.models.linear_predictors as lines_module
from hlt_bayes.core.errors import RecordsError, SpecError
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.inference.exact import exact_posterior_of_rows
from hlt_bayes.ipd.data import Records
from hlt_bayes.ipd.models import aggregate
from hlt_bayes.ipd.models.design_matrix import FEWEST, RARE, People, people_of
from hlt_bayes.ipd.models.employment_specialists import practices_of
from hlt_bayes.ipd.models.fitting import PARETO_K_MAX, fit_records, laplace_draws
from hlt_bayes.ipd.models.laplace import STRATA, normal_near_mode
from hlt_bayes.ipd.models.linear_predictors import NEWTON_STEPS
from hlt_bayes.ipd.models.model import individual_model, problem_with_parts
from hlt_bayes.ipd.models.outcome_model import effect_positions, impact_and_slope, problem_of, terms_of
from hlt_bayes.ipd.models.regressions import NUMPY, bounded_gain, normal_log_likelihood_of_cells
from hlt_bayes.ipd.models.regressions_numpy import (
    GammaRegression,
    LogisticRegression,
    NormalRegression,
    mode_and_precision,
)
from hlt_bayes.ipd.models.subgroups import levels_of, people_at_levels
from hlt_bayes.ipd.synthetic import make_twin
from hlt_bayes.specs import load_individual_spec, load_twin_spec, shipped_specs
from hlt_bayes.specs.synthetic import Number

SPEC = load_individual_spec("records")
OUTCOMES = ("employment", "earnings", "health", "wellbeing")


def silent(_stage, _done, _total):
    pass


def problem(records, outcome, spec=SPEC):
    return problem_of(spec, records, outcome)


def some_parameters(size, seed=3):
    return np.random.default_rng(seed).normal(0.0, 0.3, size=(5, size))


def with_frame(records, **columns):
    return Records(synthetic=True, _frame=records.frame.assign(**columns))


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_covariates_are_uncorrelated_and_centred_within_groups(twin, outcome):
    profiles = problem(twin.records, outcome).people.profiles
    for group in range(3):
        here = profiles.group == group
        assert abs(profiles.people[here] @ profiles.covariates[here]).max() < 1e-6 * profiles.people[here].sum()
    covariance = (profiles.covariates * profiles.people[:, None]).T @ profiles.covariates / profiles.people.sum()
    np.testing.assert_allclose(covariance, np.eye(len(covariance)), atol=1e-8)
    np.testing.assert_allclose(profiles.weights.sum(axis=1), 1.0)


def test_people_alike_are_put_together_and_nobody_is_lost(twin):
    people = problem(twin.records, "employment").people
    names = ["group", *SPEC.covariates["employment"]]
    assert len(people.profiles.group) == len(twin.records.frame[names].drop_duplicates())
    assert people.profiles.people.sum() == len(twin.records)
    cells = people.cells(np.isfinite(people.outcome))
    assert cells.people.sum() == len(twin.records)
    assert cells.total.sum() == twin.records.frame["employed_13_weeks"].sum()


def row_by_row(one, parameters, outcome):
    """Log likelihood of one problem, person by person."""
    people = one.people
    seen = np.isfinite(people.outcome)
    values = people.outcome[seen]
    matrix = people.profiles.matrix(people.profile[seen], people.treated[seen])
    if outcome == "employment":
        return stats.bernoulli.logpmf(values.astype(int), expit(matrix @ parameters[0])).sum()
    if outcome == "earnings":
        anything = stats.bernoulli.logpmf((values > 0).astype(int), expit(matrix @ parameters[0])).sum()
        some = values > 0
        mean, shape = np.exp(matrix[some] @ parameters[1][:-1]), np.exp(parameters[1][-1])
        return anything + stats.gamma.logpdf(values[some], shape, scale=mean / shape).sum()
    values = (values - one.mean) / one.sd
    return stats.norm.logpdf(values, matrix @ parameters[0][:-1], np.exp(parameters[0][-1])).sum()


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_reduced_likelihood_is_that_of_the_rows(twin, outcome):
    """To 1e-8; that twenty people of thousands were in the other arm is found out."""
    one = problem(twin.records, outcome)
    terms = terms_of(one)
    at = [term.regression.start + 0.1 * some_parameters(len(term.regression.start)) for term in terms]
    reduced = sum(term.regression.log_likelihood(values) for term, values in zip(terms, at, strict=True))
    by_row = np.array([row_by_row(one, [values[draw] for values in at], outcome) for draw in range(5)])
    np.testing.assert_allclose(reduced, by_row, rtol=1e-8)
    moved, seen = one.people.treated.copy(), np.flatnonzero(np.isfinite(one.people.outcome))
    moved[seen[:20]] = 1.0 - moved[seen[:20]]
    people = People(one.people.profiles, one.people.first, one.people.profile, moved, one.people.outcome)
    wrong = row_by_row(type(one)(**{**one.__dict__, "people": people}), [values[0] for values in at], outcome)
    assert abs(reduced[0] - wrong) > 10 * 1e-8 * abs(wrong)


def test_log_of_amounts_has_its_jacobian(twin, tmp_path):
    path = edited_spec(tmp_path, "records", "individual", ('positive = "gamma"', 'positive = "log-normal"'))
    one = problem(twin.records, "earnings", load_individual_spec(path))
    regression = terms_of(one)[1].regression
    assert isinstance(regression, NormalRegression)
    people = one.people
    some = people.outcome > 0
    matrix = people.profiles.matrix(people.profile[some], people.treated[some])
    at = regression.start
    rows = stats.lognorm.logpdf(people.outcome[some], np.exp(at[-1]), scale=np.exp(matrix @ at[:-1])).sum()
    np.testing.assert_allclose(regression.log_likelihood(at[None])[0], rows, rtol=1e-8)


def test_normal_likelihood_of_cells_is_that_of_moments(twin):
    one = problem(twin.records, "health")
    cells, moments = one.scale_cells, one.scale
    at = terms_of(one)[0].regression.start
    mean = one.people.profiles.matrix(cells.profile, cells.treated) @ at[:-1]
    by_cells = normal_log_likelihood_of_cells(mean, np.exp(at[-1]), cells.people, cells.total, moments.square, NUMPY)
    np.testing.assert_allclose(by_cells, terms_of(one)[0].regression.log_likelihood(at[None])[0], rtol=1e-10)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_score_and_information_are_derivatives(twin, outcome):
    for term in terms_of(problem(twin.records, outcome)):
        mode, _ = mode_and_precision(term)
        at = mode + 0.02
        score, information = term.regression.score_and_information(at)
        step = 1e-6
        moves = np.eye(len(at)) * step
        up, down = (term.regression.log_likelihood(at + sign * moves) for sign in (1, -1))
        np.testing.assert_allclose(
            score, (up - down) / (2 * step), rtol=1e-4, atol=1e-2 * np.sqrt(np.diag(information)).max()
        )
        at_mode, curvature = term.regression.score_and_information(mode)
        ascent = at_mode - (mode - term.mean) / term.sd**2
        assert ascent @ np.linalg.solve(curvature, ascent) < 1e-12


@pytest.mark.parametrize("outcome", ["employment", "earnings"])
def test_impact_is_standardised_over_all_people_of_the_group(twin, outcome):
    """Against a loop over people with both arms put in; the treated alone would give another number."""
    one = problem(twin.records, outcome)
    modes = [mode_and_precision(term)[0] for term in terms_of(one)]
    impact, slope = impact_and_slope(one)([mode[None] for mode in modes])
    people, profiles = one.people, one.people.profiles

    def expected(treated):
        matrix = profiles.matrix(people.profile, np.full(len(people.profile), treated))
        share = expit(matrix @ modes[0][: profiles.columns])
        return share if outcome == "employment" else share * np.exp(matrix @ modes[1][:-1])

    gain = expected(1.0) - expected(0.0)
    group = profiles.group[people.profile]
    np.testing.assert_allclose(impact[0], [gain[group == position].mean() for position in range(3)], rtol=1e-10)
    for position in range(3):
        of_treated = gain[(group == position) & (people.treated == 1)].mean()
        assert abs(of_treated / impact[0, position] - 1) > 1e-6
    moved = [mode.copy() for mode in modes]
    moved[-1][effect_positions(one)] += 1e-6
    higher = impact_and_slope(one)([mode[None] for mode in moved])[0]
    np.testing.assert_allclose(slope[0], (higher - impact)[0] / 1e-6, rtol=1e-4)


@pytest.mark.parametrize(("mean", "step", "sd"), [(0.3, 0.1, 1.0), (1.4, 0.2, 0.8), (-2.0, -0.3, 0.5)])
def test_gain_on_a_bounded_scale_is_an_integral(mean, step, sd):
    lower, upper = -1.5, 1.2

    def cut(centre):
        inside = integrate.quad(lambda y: y * stats.norm.pdf(y, centre, sd), lower, upper)[0]
        return inside + lower * stats.norm.cdf(lower, centre, sd) + upper * stats.norm.sf(upper, centre, sd)

    found = bounded_gain(mean, step, sd, lower, upper, NUMPY)
    assert found.gained == pytest.approx(cut(mean + step) - cut(mean), abs=1e-9)
    assert found.control == pytest.approx((cut(mean + 1e-5) - cut(mean - 1e-5)) / 2e-5, rel=1e-5)


def test_laplace_on_a_normal_likelihood_is_the_exact_posterior(twin):
    """Least squares and their SEs, taken as known, through quadrature over tau; SEs for variances are found out."""
    one = problem(twin.records, "wellbeing")
    mode, precision = mode_and_precision(terms_of(one)[0])
    effects = effect_positions(one)
    estimate, se = mode[effects], np.sqrt(np.diag(np.linalg.inv(precision)))[effects]
    priors = {name: getattr(SPEC.priors, name)["wellbeing"] for name in ("mu", "tau")}
    many = SPEC.model_copy(update={"sampling": SPEC.sampling.model_copy(update={"draws": 10_000})})
    drawn = laplace_draws(many, twin.records, "wellbeing", seed=1, report=silent).posterior

    def away(se):
        estimates, errors = (dict(zip(one.people.profiles.groups, values, strict=True)) for values in (estimate, se))
        exact = exact_posterior_of_rows(estimates, errors, mu=priors["mu"], tau=priors["tau"])
        found = []
        for name, values in {
            "mu": drawn["mu"],
            "tau": drawn["tau"],
            **{f"impact[{group}]": drawn["impact"].sel(group=group) for group in estimates},
        }.items():
            row = exact.sel(quantity=name)
            found.append((float(values.mean()) - float(row["mean"])) / (float(row["sd"]) / np.sqrt(30_000)))
        return np.abs(found).max()

    assert away(se) < 4.5
    assert away(se**2) > 20


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_weights_of_the_laplace_engine_pass_their_gate(twin, outcome):
    found = laplace_draws(SPEC, twin.records, outcome, seed=1, report=silent)
    assert float(found.statistics["pareto_k"]) < PARETO_K_MAX
    assert float(found.statistics["effective_draws"]) > 0.6 * SPEC.sampling.chains * SPEC.sampling.draws


def test_weights_that_fail_the_gate_send_an_outcome_to_nuts(twin, monkeypatch):
    import hlt_bayes.ipd.models.fitting as fitting

    said = []
    monkeypatch.setattr(fitting, "PARETO_K_MAX", -1.0)
    monkeypatch.setattr(fitting, "sample_model", lambda *_, **__: (_ for _ in ()).throw(InterruptedError))
    with pytest.raises(InterruptedError):
        fit_records(SPEC, twin.records, engine="laplace", progress=lambda stage, *_: said.append(stage))
    assert any("Pareto k" in stage and "NUTS instead of laplace" in stage for stage in said)


def test_fit_has_the_dims_of_every_impact_model_and_nothing_of_a_person(twin):
    tree = fit_records(SPEC, twin.records, engine="laplace")
    impact = tree["posterior"]["impact"]
    assert impact.dims == ("chain", "draw", "outcome", "group")
    assert list(impact["outcome"].to_numpy()) == list(OUTCOMES)
    assert impact.attrs["records"] == "Records of 9,785 synthetic people"
    assert {dim for group in tree.subtree for dim in group.dataset.dims} <= {"chain", "draw", "outcome", "group"}
    same = fit_records(SPEC, twin.records, engine="laplace")["posterior"]["impact"]
    np.testing.assert_array_equal(impact, same)


def test_aggregate_without_covariates_is_the_difference_of_means(twin):
    spec = SPEC.model_copy(update={"covariates": {name: [] for name in OUTCOMES}})
    frame = twin.records.frame
    for estimator in ("as modelled", "linear"):
        table = aggregate(twin.records, spec, estimator=estimator)
        for row in table.itertuples():
            of_group = frame[frame["group"] == row.group]
            column, scale = {
                "employment": ("employed_13_weeks", 0.01),
                "earnings": ("earnings", 1.0),
                "health": ("eq5d", frame.loc[frame["arm"] == "control", "eq5d"].std()),
                "wellbeing": ("swemwbs", frame.loc[frame["arm"] == "control", "swemwbs"].std()),
            }[row.outcome]
            arms = [
                of_group.loc[of_group["arm"] == arm, column].dropna().astype(float) for arm in ("treatment", "control")
            ]
            # Estimates have the decimals of their SE.
            unit = 10.0 ** -len(row.se.partition(".")[2])
            assert float(row.estimate) == pytest.approx((arms[0].mean() - arms[1].mean()) / scale, abs=0.51 * unit)
            assert unit <= 0.01 * float(row.se)
            pooled = np.sqrt(sum(one.var(ddof=0) / len(one) for one in arms)) / scale
            assert float(row.se) == pytest.approx(pooled, rel=0.03)
            numbers = np.array([int(row.n_treatment), int(row.n_control)])
            assert (np.abs(numbers - [len(one) for one in arms]) < 5).all()
            assert (numbers % 5 == 0).all()


def test_aggregate_is_a_file_of_trials(twin):
    table = aggregate(twin.records)
    evidence = evidence_of_rows(table.to_dict("records"), name="records")
    assert list(evidence.impacts["outcome"].unique()) == list(OUTCOMES)
    assert evidence.impacts["se"].gt(0).all()


def test_survey_weights_move_survey_outcomes_alone(twin):
    plain, weighted = (aggregate(twin.records, weights=weights) for weights in ("none", "survey_weight"))
    moved = plain["estimate"] != weighted["estimate"]
    assert set(plain.loc[moved, "outcome"]) == {"health", "wellbeing"}


def test_a_rare_level_stands_with_the_commonest(twin):
    codes = twin.records.frame["gender"].cat.codes.to_numpy()
    assert 0 < (codes == 2).sum() < RARE
    few = twin.records.frame["gender"].copy()
    few[codes == 2] = "Male" if (codes == 0).sum() > (codes == 1).sum() else "Female"
    one, other = (people_of(rec, SPEC, "employment") for rec in (twin.records, with_frame(twin.records, gender=few)))
    assert one.profiles.covariates.shape[1] == other.profiles.covariates.shape[1]
    rows = [person.profiles.covariates[person.profile] for person in (one, other)]
    np.testing.assert_allclose(rows[0] @ rows[0].T[:, :50], rows[1] @ rows[1].T[:, :50], atol=1e-8)


def test_a_missing_covariate_is_a_level_or_a_filled_number(twin):
    frame = twin.records.frame
    age = frame["age"].copy()
    age[:500] = None
    eq5d = frame["baseline_eq5d"].copy()
    eq5d[:500] = np.nan
    records = with_frame(twin.records, age=age, baseline_eq5d=eq5d)
    assert problem(records, "employment").people.profiles.people.sum() == len(frame)
    extra = problem(records, "health").people.profiles.covariates.shape[1]
    assert extra == problem(twin.records, "health").people.profiles.covariates.shape[1] + 2


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("earnings", r"key 'covariates.employment': 'earnings' cannot be a covariate; allowed: characteristics"),
        ("contacts_brief", "cannot be a covariate"),
        ("randomised", "characteristics and scales at baseline, 'provider' and 'referral_route'"),
        ("agee", "did you mean 'age'"),
    ],
)
def test_covariates_that_are_none_are_refused(twin, column, message):
    spec = SPEC.model_copy(update={"covariates": SPEC.covariates | {"employment": [column]}})
    with pytest.raises(SpecError, match=message):
        people_of(twin.records, spec, "employment")


def test_too_few_people_are_refused(twin):
    frame = twin.records.frame
    treated = frame.index[(frame["group"] == "WMCA") & (frame["arm"] == "treatment")]
    some = Records(synthetic=True, _frame=frame.drop(index=treated[9:]))
    with pytest.raises(RecordsError, match="employment was observed for fewer than 10 people of WMCA in treatment"):
        fit_records(SPEC, some, engine="laplace")


def test_a_missing_column_is_named(twin):
    some = Records(synthetic=True, _frame=twin.records.frame.drop(columns=["age", "eq5d"]))
    with pytest.raises(RecordsError, match="the records have no column 'eq5d', 'age'"):
        people_of(some, SPEC, "health")


def only_of(records, keep):
    return Records(synthetic=True, _frame=records.frame[keep(records.frame)].reset_index(drop=True))


def test_a_group_in_which_nobody_earns_is_refused(twin):
    frame = twin.records.frame
    none = with_frame(twin.records, earnings=frame["earnings"].where(frame["group"] != "WMCA", 0.0))
    with pytest.raises(
        RecordsError, match="earnings of WMCA in treatment: fewer than 10 values differ from the commonest one"
    ):
        problem(none, "earnings")
    same = with_frame(twin.records, earnings=frame["earnings"].where(frame["earnings"] == 0, 100.0))
    with pytest.raises(RecordsError, match="earnings is the same for everyone with a value above 0"):
        problem(same, "earnings")


def test_an_outcome_that_does_not_vary_is_refused(twin):
    frame = twin.records.frame
    same = with_frame(twin.records, eq5d=frame["eq5d"].where(frame["eq5d"].isna(), 0.5))
    with pytest.raises(RecordsError, match="health of SCR IW in treatment: fewer than 10 values differ"):
        problem(same, "health")


def test_a_missing_survey_weight_is_refused(twin):
    weight = twin.records.frame["survey_weight"].copy()
    weight[:2000] = np.nan
    with pytest.raises(
        RecordsError, match="health: some people with an observed outcome have no positive survey_weight"
    ):
        aggregate(with_frame(twin.records, survey_weight=weight), weights="survey_weight")


def test_some_groups_are_fitted_by_themselves(twin):
    one = only_of(twin.records, lambda frame: frame["group"] == "WMCA")
    impact = fit_records(SPEC, one, engine="laplace")["posterior"]["impact"]
    assert list(impact["group"].to_numpy()) == ["WMCA"]


@pytest.mark.parametrize("column", ["answered", "working", "arm"])
def test_subgroups_of_what_came_after_randomisation_are_refused(twin, column):
    spec = load_individual_spec("subgroups")
    stated = spec.subgroups["gender"].model_copy(update={"column": column})
    with pytest.raises(SpecError, match=f"key 'subgroups.gender.column': '{column}' is unknown"):
        levels_of(twin.records, spec.model_copy(update={"subgroups": {"gender": stated}}))


def test_nothing_of_people_is_shown_by_what_holds_them(twin):
    one = problem(twin.records, "health")
    for held in (one, one.people, one.people.profiles, one.scale, one.scale_cells, terms_of(one)[0].regression):
        assert repr(held).startswith("<") or "array" not in repr(held)


def test_levels_of_subgroups_are_covariates_too(twin):
    """So that what differs between levels in both arms alike is no difference of impacts."""
    spec = load_individual_spec("subgroups")
    levels = levels_of(twin.records, spec)
    factors = [column + 1 for column in levels.codes.T]
    profiles = problem_of(spec, twin.records, "health", levels=levels).people
    rows = profiles.profiles.covariates[profiles.profile]
    group = profiles.profiles.group[profiles.profile]
    for column in factors:
        late = (column == np.unique(column)[-1]).astype(float)
        centred = late - np.array([late[group == one].mean() for one in range(3)])[group]
        fitted = rows @ np.linalg.lstsq(rows, centred, rcond=None)[0]
        if late.sum() >= RARE:
            # But for the few of whom it is not known, who stand with the commonest level.
            assert np.corrcoef(fitted, centred)[0, 1] > 0.97
    plain = problem(twin.records, "health").people.profiles.covariates
    assert np.corrcoef(plain @ np.linalg.lstsq(plain, centred, rcond=None)[0], centred)[0, 1] < 0.1


@pytest.mark.parametrize("name", ["subgroups", "practice", "nonresponse", "bounded"])
def test_what_laplace_cannot_do_is_refused_before_it_begins(twin, name):
    with pytest.raises(SpecError, match="not supported by engine 'laplace'; use engine 'nuts'"):
        fit_records(load_individual_spec(name), twin.records, engine="laplace")


def test_subgroups_put_everybody_somewhere(twin):
    spec = load_individual_spec("subgroups")
    levels = levels_of(twin.records, spec)
    frame = twin.records.frame
    assert levels.variables == ["gender", "age", "work_history", "baseline_health", "cohort"]
    for position, name in enumerate(("gender", "age", "work_history")):
        assert ((levels.codes[:, position] < 0) == frame[name].isna().to_numpy()).all()
        for code in np.unique(levels.codes[:, position][levels.codes[:, position] >= 0]):
            named = levels.labels[code].removeprefix(f"{name}: ")
            assert (frame.loc[levels.codes[:, position] == code, name] == named).all()
    health = pd.Series([levels.labels[code] for code in levels.codes[:, 3]])
    means = frame["baseline_eq5d"].groupby([frame["group"], health], observed=True).agg(["mean", "size"])
    for group in ("SCR IW", "SCR OOW", "WMCA"):
        third = means.loc[group]
        assert third["mean"]["baseline_health: lowest third"] < third["mean"]["baseline_health: middle third"]
        assert third["mean"]["baseline_health: middle third"] < third["mean"]["baseline_health: highest third"]
        assert third["size"].max() - third["size"].min() < 0.02 * third["size"].sum()
    early = frame["randomised"] < pd.Timestamp("2019-03-23")
    assert ((levels.codes[:, 4] == levels.labels.index("cohort: before 2019-03-23")) == early).all()


def test_people_of_a_subgroup_are_counted_in_the_smaller_arm(twin):
    levels = levels_of(twin.records, load_individual_spec("subgroups"))
    found, frame = people_at_levels(twin.records, levels, "eq5d"), twin.records.frame
    seen = frame[frame["eq5d"].notna()]
    by_hand = seen.groupby(["group", "arm", "gender"], observed=False).size().unstack("arm").min(axis=1)
    for position, group in enumerate(("SCR IW", "SCR OOW", "WMCA")):
        for gender in ("Male", "Female", "Other"):
            assert found[position, levels.labels.index(f"gender: {gender}")] == by_hand[group, gender]
    assert found[:, levels.labels.index("gender: Other")].max() < 10


def test_practice_is_that_of_the_specialist_over_all_whom_that_one_treated(twin):
    """By hand for each specialist; controls have the practice of theirs, and nobody's own contacts enter alone."""
    spec = load_individual_spec("practice")
    found, frame = practices_of(twin.records, spec), twin.records.frame
    treated = frame[frame["arm"] == "treatment"]
    bands = [name for name in frame if name.startswith("contacts_")]
    sums = treated.groupby("specialist")[bands].sum()
    short = sums["contacts_brief"] / sums.sum(axis=1)
    caseload = treated.groupby("specialist")["caseload"].mean()
    of_person = pd.DataFrame(found.within.T[found.specialist], columns=found.moderators)
    for name, by_hand, per in (("caseload", caseload, 4.0), ("short_contacts", short, 0.1)):
        values = frame["specialist"].map(by_hand.astype(float)).astype(float)
        within = (values - values.groupby(frame["site"].astype(str)).transform("mean")) / per
        np.testing.assert_allclose(of_person[name], within, atol=1e-9)
    assert found.within.shape == (2, frame["specialist"].nunique())
    np.testing.assert_allclose(found.between[:, 0], found.between[:, 1])
    assert found.between[0, 0] > 0
    assert found.between[0, 2] < 0


@pytest.mark.parametrize("name", shipped_specs("individual"))
def test_every_shipped_spec_loads(name):
    assert load_individual_spec(name).name == name


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([('family = "bernoulli"', 'family = "normal"')], "extra|pooled_on"),
        ([('pooled_on = "risk difference"', 'pooled_on = "odds"')], "'odds' is unknown; allowed"),
        (
            [('[likelihood.health]\nfamily = "normal"', '[likelihood.health]\nfamily = "hurdle"\npositive = "gamma"')],
            "key 'likelihood.health.family': 'hurdle' given; allowed for health: 'normal' or 'censored-normal'",
        ),
        ([('unit = "proportion"', 'unit = "ppt"')], "impacts on employment are pooled in 'proportion'"),
        (
            [("[priors.spread.health]", "[priors.spread.employment]")],
            "key 'priors.spread.health' is missing(.|\n)*key 'priors.spread.employment': not used in this spec",
        ),
        (
            [('employment = ["gender", "age"', 'employment = ["age", "age"')],
            "key 'covariates.employment': a column is listed twice",
        ),
        ([('engine = "laplace"', 'engine = "exact"')], "'exact' is unknown; allowed: 'nuts', 'laplace'"),
    ],
)
def test_wrong_specs_say_what_is_wrong(tmp_path, edits, message):
    with pytest.raises(SpecError, match=message):
        load_individual_spec(edited_spec(tmp_path, "records", "individual", *edits))


def test_regressions_of_the_problem_are_the_right_ones(twin):
    kinds = [[type(term.regression) for term in terms_of(problem(twin.records, name))] for name in OUTCOMES]
    assert kinds == [
        [LogisticRegression],
        [LogisticRegression, GammaRegression],
        [NormalRegression],
        [NormalRegression],
    ]


@pytest.mark.parametrize("outcome", ["employment", "earnings"])
def test_blocks_of_rows_and_draws_add_up(twin, outcome, monkeypatch):
    import hlt_bayes.ipd.models.regressions_numpy as terms_module

    one = problem(twin.records, outcome)
    at = [term.regression.start + 0.1 * some_parameters(len(term.regression.start)) for term in terms_of(one)]

    def everything():
        found = [term.regression.log_likelihood(values) for term, values in zip(terms_of(one), at, strict=True)]
        return [*found, *impact_and_slope(one)(at)]

    whole = everything()
    monkeypatch.setattr(terms_module, "BLOCK", 100)
    for first, second in zip(whole, everything(), strict=True):
        np.testing.assert_allclose(first, second, rtol=1e-10)


def near_mode(one):
    return normal_near_mode(
        [mode_and_precision(term) for term in terms_of(one)], effect_positions(one), impact_and_slope(one)
    )


@pytest.mark.parametrize("outcome", ["employment", "earnings"])
def test_among_draws_of_a_posterior_one_step_of_newton_is_enough(twin, outcome):
    """Over draws of the approximation: what a step leaves, in posterior SDs; without a step it would show."""
    one = problem(twin.records, outcome)
    near, impact = near_mode(one), impact_and_slope(one)
    draws = np.random.default_rng(1).standard_normal((2000, len(near.centre)))
    at = near.middle + draws @ np.linalg.cholesky(near.covariance).T
    parameters, sd = at.copy(), np.sqrt(np.diag(near.covariance)[near.effects])
    parameters[:, near.effects] = near.centre[near.effects] + (at - near.middle) @ near.jacobian[near.effects].T
    left = []
    for _ in range(2):
        found, slope = impact(near.split(parameters))
        left.append(np.abs(at[:, near.effects] - found) / sd)
        parameters[:, near.effects] += (at[:, near.effects] - found) / slope
    assert left[0].max() > 0.01
    assert left[-1].max() < 1e-3
    assert np.median(left[-1]) < 1e-6


@pytest.mark.parametrize(("steps", "settled"), [(NEWTON_STEPS, True), (1, False)])
def test_far_from_the_mode_the_likelihood_is_that_of_the_impacts_asked_for(monkeypatch, steps, settled):
    """Few of WMCA work; on the way to many more of them, and an impact above that, the likelihood only falls.

    Effects that one step of any length leaves made it rise again, and chains that began there stayed there.
    """
    import pymc as pm

    monkeypatch.setattr(lines_module, "NEWTON_STEPS", steps)
    fallen = Number(value=-0.09, unit="proportion", why="Few are left.", source="assumption")
    twin = load_twin_spec("no-gradient").model_copy(update={"impacts": {"employment": {"WMCA": fallen}}})
    records = make_twin(twin, seed=1).records
    one = problem(records, "employment")
    near, impact = near_mode(one), impact_and_slope(one)
    (term,) = terms_of(one)
    model = individual_model(SPEC, records, "employment")
    names = ["intercept", "coefficient", "impact"]
    function = pm.pytensorf.compile([model[name] for name in names], model["likelihood"], mode="FAST_COMPILE")
    found, expected, effects = [], [], near.centre[-3:]
    for share in np.linspace(0.0, 1.0, 6):
        at = near.middle.copy()
        at[2] += 1.3 * share
        at[-1] += 0.6 * share
        found.append(float(function(at[:3], at[3:-3], at[-3:][None])))

        def away(effects, at=at):
            return (impact([np.concatenate([at[:-3], effects])[None]])[0] - at[-3:])[0]

        effects, _, ended, _ = optimize.fsolve(away, effects, full_output=True)
        assert ended == 1
        expected.append(float(term.regression.log_likelihood(np.concatenate([at[:-3], effects])[None])[0]))
    assert (np.diff(expected) < 0).all()
    # What is left is a hundredth of what the likelihood has fallen.
    assert (np.abs(np.subtract(found, expected)).max() < 0.01 * (expected[0] - expected[-1])) == settled


def test_the_mathematics_state_the_constants_of_the_code():
    mathematics, readme = (" ".join((ROOT / name).read_text().split()) for name in ("models/README.md", "README.md"))
    assert f"{STRATA} strata of equal prior probability" in mathematics
    assert f"a category of fewer than {RARE} people" in mathematics
    assert f"Pareto k of the weights is above {PARETO_K_MAX}" in readme
    assert FEWEST == 10
    assert "A trial group with fewer than ten observed outcomes in either arm" in readme


def valued(model, spec, seed):
    """Values near where the model begins, for each of its random variables, and its likelihood there."""
    import pymc as pm

    rng = np.random.default_rng(seed)
    free = {}
    for variable in model.free_RVs:
        shape = tuple(len(model.coords[dim]) for dim in model.named_vars_to_dims.get(variable.name, ()))
        scale = 0.1 if variable.name in ("impact", "intercept", "coefficient") else 0.5
        free[variable] = (
            np.exp(0.2 * rng.standard_normal(shape)) * scale
            if variable.name.endswith("sd") or variable.name == "tau"
            else scale * rng.standard_normal(shape)
        )
    asked = [model[name] for name in spec]
    function = pm.pytensorf.compile(list(free), asked, mode="FAST_COMPILE", on_unused_input="ignore")
    return {variable.name: value for variable, value in free.items()}, function(*free.values())


@pytest.mark.parametrize("name", ["subgroups", "practice"])
def test_likelihood_of_what_is_added_is_that_of_the_rows(twin, name):
    """Of health, person by person: moments with subgroups, cells with specialists; those of another are found out."""
    spec = load_individual_spec(name)
    model = individual_model(spec, twin.records, "health")
    added = ["subgroup_departure"] if name == "subgroups" else []
    at, (likelihood, *deterministic) = valued(model, ["likelihood", *added], seed=5)
    one, levels, practices = problem_with_parts(spec, twin.records, "health")
    people = one.people
    seen = np.flatnonzero(np.isfinite(people.outcome))
    group, treated = people.profiles.group[people.profile[seen]], people.treated[seen]
    coefficients = np.concatenate([at["intercept"], at["coefficient"], at["impact"][0]])
    level = np.zeros(len(seen))
    if levels is not None:
        codes = levels.codes[seen]
        departure = np.zeros(len(seen))
        for column in codes.T:
            departure += np.where(column >= 0, deterministic[0][group, column], 0.0)
    else:
        who, whose = practices.specialist[seen], practices.provider[practices.specialist[seen]]
        level = at["specialist_sd"] * at["specialist_z"][who] + at["provider_sd"] * at["provider_z"][whose]
        departure = at["specialist_effect_sd"] * at["specialist_effect_z"][who] + at["slope"] @ practices.within[:, who]
        departure = departure + at["provider_effect_sd"] * at["provider_effect_z"][whose]
    step = treated - people.profiles.treated_share[group]
    values = (people.outcome[seen] - one.mean) / one.sd
    if name == "practice":
        # The impact is that with what specialists add: the effect is what remains.
        mean_departure = np.array([added_to(practices, people, at, position) for position in range(3)])
        coefficients[-3:] -= mean_departure
    mean = people.profiles.matrix(people.profile[seen], treated) @ coefficients + level + step * departure
    by_row = stats.norm.logpdf(values, mean, at["residual_sd"][0]).sum()
    np.testing.assert_allclose(likelihood, by_row, rtol=1e-8)
    moved = mean - step * departure + step * np.roll(departure, 1)
    assert abs(stats.norm.logpdf(values, moved, at["residual_sd"][0]).sum() / likelihood - 1) > 1e-6


def added_to(practices, people, at, position):
    """Mean over the people of a trial group of what specialists add to its effect."""
    who = practices.specialist[people.profiles.group[people.profile] == position]
    whose = practices.provider[who]
    effect = at["specialist_effect_sd"] * at["specialist_effect_z"][who] + at["slope"] @ practices.within[:, who]
    return (effect + at["provider_effect_sd"] * at["provider_effect_z"][whose]).mean()


def test_likelihood_on_a_scale_that_ends_is_that_of_the_rows(twin):
    """Whoever is at a bound lies there or beyond; taken as seen exactly there it is another number."""
    spec, frame = load_individual_spec("bounded"), twin.records.frame
    upper = float(frame["eq5d"].quantile(0.8))
    cut = with_frame(twin.records, eq5d=frame["eq5d"].clip(upper=upper))
    likelihood = spec.likelihood["health"].model_copy(update={"upper": upper})
    spec = spec.model_copy(update={"likelihood": spec.likelihood | {"health": likelihood}})
    at, (found,) = valued(individual_model(spec, cut, "health"), ["likelihood"], seed=6)
    one = problem(cut, "health", spec)
    people, profiles = one.people, one.people.profiles
    sd, (low, high) = at["residual_sd"][0], one.bounds
    nuisance = np.concatenate([at["intercept"], at["coefficient"]])

    def away(effect):
        untreated = profiles.matrix(np.arange(len(profiles.group)), 0.0) @ np.concatenate([nuisance, effect])
        gain = bounded_gain(untreated, effect[profiles.group], sd, low, high, NUMPY)
        return profiles.weights @ gain.gained - at["impact"][0]

    effect = optimize.fsolve(away, at["impact"][0])
    seen = np.flatnonzero(np.isfinite(people.outcome))
    mean = profiles.matrix(people.profile[seen], people.treated[seen]) @ np.concatenate([nuisance, effect])
    values = (people.outcome[seen] - one.mean) / one.sd
    exactly = stats.norm.logpdf(values, mean, sd)
    beyond = np.where(values >= high, stats.norm.logsf(high, mean, sd), stats.norm.logcdf(low, mean, sd))
    at_a_bound = (values >= high) | (values <= low)
    assert at_a_bound.mean() > 0.15
    by_row = np.where(at_a_bound, beyond, exactly).sum()
    # The model's effect is that after some steps of Newton.
    np.testing.assert_allclose(found, by_row, rtol=1e-6)
    assert abs(found / exactly.sum() - 1) > 1e-3
