"""A twin has the published shape, its impacts are those stated, and nobody can take it for records of people."""

import ast
import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pandas.testing
import pyarrow.parquet as pq
import pytest
from helpers import edited_spec, invoked

import hlt_bayes.results.synthetic
from hlt_bayes.core.errors import EvidenceError, ResultFolderError, SpecError
from hlt_bayes.core.vocabulary import ARMS, GROUPS, OUTCOMES
from hlt_bayes.ipd import synthetic
from hlt_bayes.ipd.data.load import load_records, records_of_frame
from hlt_bayes.ipd.data.schema import BASELINE, COLUMNS, CONTACT_BANDS, DTYPES, PROVIDERS, records_schema
from hlt_bayes.ipd.synthetic import make_twin
from hlt_bayes.ipd.synthetic.baseline import arm_sizes, recruit
from hlt_bayes.ipd.synthetic.delivery import meet
from hlt_bayes.ipd.synthetic.outcomes import SCALE_OF, potential_outcomes
from hlt_bayes.ipd.synthetic.targets import published
from hlt_bayes.ipd.synthetic.truth import THIRDS, thirds, truth_of
from hlt_bayes.results.synthetic import truth_path, write_twin
from hlt_bayes.specs import load_twin_spec, stated_figures

FAR = 4.5
"""Standard errors beyond which nothing may lie, of some hundreds of comparisons."""

COLUMN_OF = {"employment": "employed_13_weeks", "earnings": "earnings", "health": "eq5d", "wellbeing": "swemwbs"}


@pytest.fixture(scope="module")
def twin():
    return make_twin()


@pytest.fixture(scope="module")
def frame(twin):
    return twin.records.frame


@pytest.fixture(scope="module")
def large():
    return make_twin(n=400_000, seed=7)


@pytest.fixture(scope="module")
def parts(evidence):
    """What a twin of 20,000 is made of."""
    spec = load_twin_spec("published")
    known = published(evidence, spec)
    people = recruit(known, spec, n=20_000, seed=3)
    practice = meet(people, known, spec)
    return people, practice, potential_outcomes(people, practice, known, spec), spec


def printed_percentages(evidence):
    """Every percentage of Tables 1.2 to 1.11 by group, with the column and code that it describes."""
    cells = evidence.ledger
    number = cells["place"].str.extract(r"^Table 1\.(\d+)$")[0].astype(float)
    cells = cells[(cells["document"] == "synthesis") & number.between(2, 11) & (cells["unit"] == "%")]
    cells = cells[cells["group"].isin(GROUPS)]
    code_of = {
        (column.measure, text): (name, column.codes[position] if column.codes else True)
        for name, column in BASELINE.items()
        for position, text in enumerate(column.printed)
    }
    for cell in cells.itertuples():
        if cell.category != "No dependent children":
            yield *code_of[cell.measure, cell.category], cell.group, 0.0 if np.isnan(cell.value) else cell.value / 100


def off_the_tables(frame, evidence):
    """Percentages that a frame has not, within sampling error and rounding."""
    of_group = dict(iter(frame.groupby("group", observed=True)))
    cells = list(printed_percentages(evidence))
    assert len(cells) > 200
    off = []
    for column, code, group, printed in cells:
        values = of_group[group][column].dropna()
        likely = max(printed, 0.005)
        error = np.sqrt(likely * (1 - likely) / len(values))
        if abs((values == code).mean() - printed) > 0.005 + 1e-9 + FAR * error:
            off.append((column, code, group))
    return off


def gaps(frame, truth):
    """Difference of weighted means of the arms less the truth, in standard errors, by outcome and group."""
    found = {}
    for outcome, column in COLUMN_OF.items():
        survey = outcome in SCALE_OF
        unit = float(truth["outcome_sd"].sel(outcome=outcome)) if survey else 1.0
        for group in GROUPS:
            means, variances = {}, 0.0
            for arm in ARMS:
                part = frame[(frame["group"] == group) & (frame["arm"] == arm)].dropna(subset=[column])
                values = part[column].to_numpy(float) / unit
                weights = part["survey_weight"].to_numpy(float) if survey else np.ones(len(part))
                means[arm] = np.average(values, weights=weights)
                variances += ((weights * (values - means[arm])) ** 2).sum() / weights.sum() ** 2
            expected = float(truth["impact"].sel(outcome=outcome, group=group))
            found[outcome, group] = (means["treatment"] - means["control"] - expected) / np.sqrt(variances)
    return found


def test_arms_have_the_published_sizes(frame, evidence):
    found = frame.groupby(["group", "arm"], observed=True).size().unstack()
    expected = evidence.arm_sizes("recruits")
    assert len(frame) == 9785
    for group in GROUPS:
        for arm in ARMS:
            assert found.loc[group, arm] == expected.loc[group, arm]


@pytest.mark.parametrize("n", [100, 1000, 12_345, 400_000])
def test_other_sizes_are_in_proportion(n, evidence):
    recruits = evidence.arm_sizes("recruits").reindex(index=list(GROUPS), columns=list(ARMS)).to_numpy(float)
    sizes = arm_sizes(recruits, n)
    assert sizes.sum() == n
    assert np.abs(sizes - n * recruits / recruits.sum()).max() < 1


def test_every_printed_percentage_is_met(frame, evidence):
    assert not off_the_tables(frame, evidence)


def test_in_a_large_twin_percentages_are_met_to_the_rounding(large, evidence):
    assert not off_the_tables(large.records.frame, evidence)


def test_people_in_another_group_are_seen(frame, evidence):
    shuffled = frame.assign(group=frame["group"].sample(frac=1, random_state=1).to_numpy())
    assert len(off_the_tables(shuffled, evidence)) > 10


@pytest.mark.parametrize("column", ["age", "gender", "limitation", "work_history", "qualification", "ethnic_group"])
def test_exchanged_codes_are_seen(frame, evidence, column):
    codes = COLUMNS[column].codes
    exchanged = frame.assign(
        **{column: frame[column].cat.rename_categories(dict(zip(codes, codes[::-1], strict=True)))}
    )
    assert {name for name, *_ in off_the_tables(exchanged, evidence)} == {column}


def test_a_denied_flag_is_seen(frame, evidence):
    assert off_the_tables(frame.assign(condition_arthritis=~frame["condition_arthritis"]), evidence)


def test_answers_are_missing_as_the_bases_say(large, evidence):
    frame = large.records.frame
    bases = evidence.baseline.dropna(subset="base").groupby(["measure", "group"])["base"].first()
    size = evidence.arm_sizes("recruits").sum(axis=1)
    for name, column in BASELINE.items():
        if column.people == "everyone":
            for group in GROUPS:
                expected = bases[column.measure, group] / size[group]
                answered = frame.loc[frame["group"] == group, name].notna()
                error = np.sqrt(expected * (1 - expected) / len(answered))
                assert abs(answered.mean() - expected) <= FAR * error, (name, group)


def test_the_start_does_not_depend_on_the_arm(large):
    frame = large.records.frame
    for group, part in frame.groupby("group", observed=True):
        treated = part["arm"] == "treatment"
        for name in [*BASELINE, "baseline_eq5d", "baseline_swemwbs", "baseline_jsse", "provider", "referral_route"]:
            values = part[name].cat.codes if COLUMNS[name].kind == "category" else part[name]
            values = values.astype(float)
            one, two = (values[arm].dropna() for arm in (treated, ~treated))
            error = np.sqrt(one.var() / len(one) + two.var() / len(two))
            assert abs(one.mean() - two.mean()) <= FAR * error, (group, name)


def test_columns_depend_on_one_another(frame):
    numbers = pd.DataFrame(
        {
            name: frame[name].cat.codes if COLUMNS[name].kind == "category" else frame[name].astype(float)
            for name in frame.columns
            if COLUMNS[name].kind in ("category", "flag", "number") and frame[name].notna().any()
        }
    ).astype(float)

    def together(one, two):
        both = numbers[[one, two]].dropna()
        return np.corrcoef(both[one], both[two])[0, 1]

    assert together("condition_depression", "condition_stress_anxiety") > 0.25
    assert together("condition_depression", "barrier_mental_health") > 0.25
    assert together("condition_pain", "barrier_physical_health") > 0.2
    assert together("condition_arthritis", "age") > 0.2
    assert together("work_history", "qualification") > 0.15
    assert together("baseline_eq5d", "condition_pain") < -0.2
    assert together("baseline_eq5d", "limitation") > 0.2
    assert together("baseline_swemwbs", "condition_depression") < -0.25
    assert together("employed_13_weeks", "work_history") < -0.2
    assert 0.55 < together("baseline_eq5d", "eq5d") < 0.75
    assert 0.55 < together("baseline_swemwbs", "swemwbs") < 0.75
    assert together("eq5d", "msk_hq") > 0.5
    assert together("swemwbs", "phq8") < -0.4


def test_some_are_at_the_ceiling_of_health(frame):
    assert 0.02 < (frame["baseline_eq5d"] == 1).mean() < 0.1
    assert 0.02 < (frame["eq5d"].dropna() == 1).mean() < 0.1


def test_people_were_randomised_with_a_rush_at_the_end(frame):
    months = frame["randomised"].dt.to_period("M").value_counts().sort_index()
    assert len(months) == 18
    assert 1500 < months.iloc[-1] < 1800
    assert months.iloc[-2] > months.iloc[0]


def test_surveys_are_answered_as_published(frame, evidence):
    for column, measure in (("answered", "12-month survey sample"), ("answered_4_months", "4-month survey sample")):
        rates = evidence.arm_sizes(measure) / evidence.arm_sizes("recruits")
        for (group, arm), part in frame.groupby(["group", "arm"], observed=True):
            expected = rates.loc[group, arm]
            error = np.sqrt(expected * (1 - expected) / len(part))
            assert abs(part[column].mean() - expected) <= FAR * error
    assert pd.crosstab(frame["answered"], frame["answered_4_months"], normalize="index").loc[True, True] > 0.6


def test_who_answers_is_older_and_healthier_and_weights_put_that_right(large):
    frame = large.records.frame
    for _, part in frame.groupby(["group", "arm"], observed=True):
        of_those = part[part["answered"]]
        health, weight = of_those["baseline_eq5d"], of_those["survey_weight"]
        error = part["baseline_eq5d"].std() / np.sqrt(len(of_those))
        assert health.mean() - part["baseline_eq5d"].mean() > FAR * error
        assert abs(np.average(health, weights=weight) - part["baseline_eq5d"].mean()) <= FAR * error
        assert weight.mean() == pytest.approx(1)
    assert frame["survey_weight"].notna().equals(frame["answered"].astype(bool))


def test_controls_work_as_published(large, evidence):
    frame = large.records.frame
    for group, printed in evidence.employment_rates["control"].items():
        seen = frame.loc[(frame["group"] == group) & (frame["arm"] == "control"), "employed_13_weeks"].astype(float)
        assert abs(seen.mean() - printed) <= FAR * np.sqrt(printed * (1 - printed) / len(seen))
        assert float(large.truth["control_mean"].sel(outcome="employment", group=group)) == pytest.approx(printed)


@pytest.mark.parametrize("n", [1000, 9785])
def test_the_true_impacts_are_the_printed_ones(n, evidence):
    truth = make_twin(n=n).truth
    printed = evidence.impacts.set_index(["outcome", "group"])["estimate"]
    for outcome in OUTCOMES:
        for group in GROUPS:
            true = float(truth["impact"].sel(outcome=outcome, group=group))
            assert true == pytest.approx(printed[outcome, group], abs=1e-8)


def test_arms_differ_by_the_truth(large):
    found = gaps(large.records.frame, large.truth)
    assert len(found) == 12
    assert max(map(abs, found.values())) < FAR


def test_exchanged_arms_are_seen(large):
    frame = large.records.frame
    exchanged = frame.assign(arm=frame["arm"].cat.rename_categories(dict(zip(ARMS, ARMS[::-1], strict=True))))
    assert min(map(abs, gaps(exchanged, large.truth).values())) > FAR


def test_closed_forms_are_what_chance_gives(parts):
    people, practice, potential, spec = parts
    truth, rng, rounds = truth_of(people, practice, potential, spec), np.random.default_rng(5), 60
    shape = spec.earnings.shape.value
    totals = {}
    for _ in range(rounds):
        uniform, noise = rng.random(20_000), rng.standard_normal(20_000)
        amount = rng.standard_gamma(shape, 20_000) / shape
        arms = {
            "employment": [uniform < chance for chance in potential.employment],
            "earnings": [
                (uniform < chance) * mean * amount
                for chance, mean in zip(potential.any_earnings, potential.earnings, strict=True)
            ],
        }
        for outcome, scale in potential.scales.items():
            means = (scale.control, scale.treatment)
            arms[outcome] = [(mean + scale.residual * noise).clip(scale.lower, scale.upper) for mean in means]
        for outcome, (control, treatment) in arms.items():
            totals.setdefault(outcome, []).append((control.astype(float), treatment.astype(float) - control))
    for outcome, seen in totals.items():
        control, gain = (np.array(one) for one in zip(*seen, strict=True))
        unit = float(truth["outcome_sd"].sel(outcome=outcome)) if outcome in SCALE_OF else 1.0
        assert control.std() == pytest.approx(float(truth["outcome_sd"].sel(outcome=outcome)), rel=0.01)
        for position, group in enumerate(GROUPS):
            here = people.group == position
            for name, values in (("control_mean", control), ("impact", gain / unit)):
                by_round = values[:, here].mean(axis=1)
                error = by_round.std(ddof=1) / np.sqrt(rounds)
                expected = float(truth[name].sel(outcome=outcome, group=group))
                assert abs(by_round.mean() - expected) < FAR * error, (outcome, group, name)
    gain = np.array([one[1] for one in totals["health"]]) / potential.scales["health"].sd
    for number, third in enumerate(THIRDS):
        here = (people.group == GROUPS.index("SCR IW")) & (thirds(people) == number)
        by_round = gain[:, here].mean(axis=1)
        expected = float(truth["subgroup_impact"].sel(baseline_health=third, group="SCR IW"))
        assert abs(by_round.mean() - expected) < FAR * by_round.std(ddof=1) / np.sqrt(rounds)


def test_poorer_health_gains_more_where_the_spec_says_so(large):
    impact = large.truth["subgroup_impact"]
    in_work = impact.sel(group="SCR IW").to_numpy()
    assert in_work[0] - in_work[2] > 0.25
    assert np.abs(np.diff(impact.sel(group="SCR OOW"))).max() < 0.03
    assert large.truth["health_gradient"].to_numpy().tolist() == [0.15, 0, 0]


def test_without_a_gradient_all_gain_alike():
    truth = make_twin(load_twin_spec("no-gradient")).truth
    in_work = truth["subgroup_impact"].sel(group="SCR IW").to_numpy()
    assert np.ptp(in_work) < 0.03
    assert truth["health_gradient"].to_numpy().tolist() == [0, 0, 0]
    assert float(truth["impact"].sel(outcome="health", group="SCR IW")) == pytest.approx(0.1)


def test_contacts_are_as_published(large, evidence):
    frame = large.records.frame
    printed = evidence.delivery.query("measure == 'contacts per person'").set_index(["category", "group"])["value"]
    reach = (
        evidence.arm_sizes("management information sample")["treatment"] / evidence.arm_sizes("recruits")["treatment"]
    )
    longer = [name for name in CONTACT_BANDS if name != "contacts_brief"]
    for group, part in frame[frame["arm"] == "treatment"].groupby("group", observed=True):
        seen = part.dropna(subset=["contacts_brief"])
        assert abs(len(seen) / len(part) - reach[group]) < 0.01
        of_all, of_longer = (seen[names].sum(axis=1).mean() for names in (list(CONTACT_BANDS), longer))
        assert abs(of_all - printed["face-to-face or telephone", group]) < 0.5
        assert abs(of_longer - printed["longer than 15 minutes", group]) < 0.5
    sessions = evidence.delivery.query("measure == 'sessions' and place == 'Table 6.6'")["value"].to_numpy()[1:]
    assert frame[longer].sum().to_numpy(float) / frame[longer].sum().sum() == pytest.approx(
        sessions / sessions.sum(), abs=0.002
    )
    ours = frame[(frame["group"] == "WMCA") & frame["contacts_brief"].notna()]
    assert (ours["first_session_days"] <= 7).fillna(False).mean() == pytest.approx(0.31, abs=0.006)
    controls = frame[frame["arm"] == "control"]
    assert controls[[*CONTACT_BANDS, "first_session_days", "caseload"]].isna().all(axis=None)


def test_providers_and_routes_are_as_published(large, evidence):
    frame = large.records.frame
    people = evidence.delivery.query("measure == 'referrals' and arm != ''").groupby("category")["value"].sum()
    for site, part in frame.groupby("site", observed=True):
        ours = [provider for provider, place in PROVIDERS.items() if place == site]
        total = sum(people[f"{provider}; total"] for provider in ours)
        for provider in ours:
            here = part[part["provider"] == provider]
            assert len(here) / len(part) == pytest.approx(people[f"{provider}; total"] / total, abs=0.005)
            for route in COLUMNS["referral_route"].codes:
                expected = people[f"{provider}; {route}"] / people[f"{provider}; total"]
                error = np.sqrt(expected * (1 - expected) / len(here))
                assert abs((here["referral_route"] == route).mean() - expected) < FAR * error + 1e-3


def test_specialists_work_at_one_provider_and_differ(frame):
    by_specialist = frame.groupby("specialist")
    assert by_specialist["provider"].nunique().max() == 1
    assert 100 < by_specialist.ngroups < 170
    assert by_specialist["arm"].nunique().min() == 2
    site = by_specialist["site"].first()
    caseload = by_specialist["caseload"].mean()
    short = by_specialist["contacts_brief"].sum() / by_specialist[list(CONTACT_BANDS)].sum().sum(axis=1)
    assert caseload[site == "SCR"].between(17, 27).all()
    assert caseload[site == "WMCA"].between(9, 19).all()
    assert caseload.groupby(site, observed=True).std().min() > 1.5
    assert short.groupby(site, observed=True).std().min() > 0.03
    assert short[site == "WMCA"].mean() > short[site == "SCR"].mean() + 0.25


def test_slopes_are_those_of_the_spec(large):
    slopes = large.truth["slope_within"]
    assert float(slopes.sel(moderator="caseload", outcome="employment")) == -0.12
    assert np.isnan(float(slopes.sel(moderator="caseload", outcome="earnings")))
    gained = large.truth["impact_slope"]
    for moderator in ("caseload", "short_contacts"):
        at = {"moderator": moderator, "outcome": "health"}
        assert float(gained.sel(at)) == pytest.approx(float(slopes.sel(at)), abs=0.01)
    assert float(gained.sel(moderator="caseload", outcome="employment")) < -0.01


def test_months_and_earnings_agree_with_the_year(frame):
    employed = frame[[f"employed_month_{month}" for month in range(1, 13)]].to_numpy(bool)
    monthly = frame[[f"earnings_month_{month}" for month in range(1, 13)]].to_numpy()
    benefits = frame[[f"benefits_month_{month}" for month in range(1, 13)]].to_numpy(bool)
    months = frame["months_employed"].to_numpy(int)
    assert (employed.sum(axis=1) == months).all()
    assert ((months >= 3) == frame["employed_13_weeks"].to_numpy(bool)).all()
    assert ((frame["earnings"] > 0) == (months > 0)).all()
    pence = np.rint(100 * monthly).astype(int)
    assert (pence.sum(axis=1) == np.rint(100 * frame["earnings"]).astype(int)).all()
    assert (pence[~employed] == 0).all()
    assert not (benefits & employed).any()
    assert (frame["weeks_16_hours"] <= frame["weeks_working"]).dropna().all()
    assert (frame["weeks_16_hours_unbroken"] <= frame["weeks_16_hours"]).dropna().all()
    assert (frame["working"] | ~frame["working_16_hours"]).dropna().all()


def test_columns_are_those_of_the_schema(twin, frame):
    assert list(frame.columns) == list(COLUMNS)
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        name: DTYPES[column.kind] for name, column in COLUMNS.items()
    }
    for name, column in COLUMNS.items():
        if column.kind == "category":
            assert tuple(frame[name].cat.categories) == column.codes
    records_schema().validate(frame)
    assert frame["synthetic"].all()
    assert twin.records.synthetic
    assert repr(twin.records) == "Records of 9,785 synthetic people"


def test_a_twin_passes_the_checks_of_records(frame):
    assert records_of_frame(frame).synthetic


def test_reasons_are_given_by_those_who_were_out_of_work(frame):
    always = frame["work_history"] == "Always been in paid employment"
    reasons = [name for name in BASELINE if name.startswith("reason_")]
    assert frame.loc[always, reasons].isna().all(axis=None)
    exclusive = frame["barrier_nothing"] | frame["barrier_unknown"] | frame["barrier_not_applicable"]
    barriers = [name for name in BASELINE if name.startswith("barrier_")]
    assert (frame.loc[exclusive.fillna(False), barriers].sum(axis=1) == 1).all()


def test_making_a_twin_needs_no_records():
    """What makes synthetic people has no way to records: it is given published tables, and imports no reader."""
    modules = sorted(Path(synthetic.__file__).parent.glob("*.py"))
    imported = {
        name
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        for name in [str(node.module)]
    }
    assert len(modules) > 5
    assert {name for name in imported if name.startswith("hlt_bayes.ipd.data")} == {
        "hlt_bayes.ipd.data.records",
        "hlt_bayes.ipd.data.schema",
    }
    assert set(inspect.signature(make_twin).parameters) == {"spec", "evidence", "n", "seed"}


def test_the_same_seed_gives_the_same_records_and_another_others(twin, frame):
    again, other = make_twin(), make_twin(seed=2)
    pandas.testing.assert_frame_equal(frame, again.records.frame, check_exact=True)
    assert twin.truth.identical(again.truth)
    assert again.records.chance("any") == twin.records.chance("any") != other.records.chance("any")
    assert not frame["earnings"].equals(other.records.frame["earnings"])
    assert (frame["arm"] != other.records.frame["arm"]).any()


@pytest.mark.parametrize("n", [100, 1000])
def test_a_small_twin_can_be_made(n):
    small = make_twin(n=n, seed=4).records
    assert len(small) == n
    records_schema().validate(small.frame)


def test_nothing_is_done_person_by_person():
    def calls(n):
        """How many functions of Python a set of n people takes, imports and caches being there."""
        counted = 0

        def count(_frame, event, _argument):
            nonlocal counted
            counted += event == "call"

        sys.setprofile(count)
        try:
            make_twin(n=n)
        finally:
            sys.setprofile(None)
        return counted

    make_twin(n=2000)
    assert calls(20_000) < 1.5 * calls(2000)


def test_a_spec_may_state_other_impacts(tmp_path):
    none = '[impacts.employment.WMCA]\nvalue = 0.0\nunit = "proportion"\nwhy = "None."\nsource = "assumption"\n\n'
    path = edited_spec(tmp_path, "published", "twin", ("[below_half]", f"{none}[below_half]"))
    truth = make_twin(load_twin_spec(path), n=1000).truth
    employment = truth["impact"].sel(outcome="employment").to_numpy()
    assert employment == pytest.approx([0.03, -0.02, 0.0], abs=1e-8)


@pytest.mark.parametrize("name", ["published", "no-gradient"])
def test_every_figure_says_why_and_whence(name):
    figures = dict(stated_figures(load_twin_spec(name)))
    assert len(figures) > 90
    assert all(figure.why.strip() and figure.source.strip() for figure in figures.values())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('columns = ["age"]', 'columns = ["ages"]', "'ages' is unknown"),
        ('columns = ["condition_arthritis"]', 'columns = ["age"]', "age is already in loadings.age"),
        ("values = [0.9, 0.6, 0.1, -0.6]", "values = [0.9, 0.6]", "2 values given; 4 needed"),
        ("[employment.covariates.work_history]", "[employment.covariates.works]", "'works' is unknown"),
        ('[earnings.control."SCR IW"]\nvalue = 9000.0', '[earnings.control."SCR IW"]\nvalue = 0.0', "must be above 0"),
        ('[months.length."SCR IW"]', '[months.one."SCR IW"]', "key 'months.one'"),
        ("[specialist_sd.earnings]", "[specialist_sd.earning]", "earning"),
        ("lower = 18.0", "lower = 28.0", "not below upper"),
    ],
)
def test_wrong_specs_are_refused(tmp_path, old, new, message):
    path = edited_spec(tmp_path, "published", "twin", (old, new))
    with pytest.raises(SpecError, match=message):
        make_twin(load_twin_spec(path), n=1000)


def test_impossible_impacts_and_sizes_are_refused(tmp_path):
    big = '[impacts.employment.WMCA]\nvalue = 0.9\nunit = "proportion"\nwhy = "Too many."\nsource = "assumption"\n\n'
    path = edited_spec(tmp_path, "published", "twin", ("[below_half]", f"{big}[below_half]"))
    with pytest.raises(SpecError, match="employment, WMCA"):
        make_twin(load_twin_spec(path), n=1000)
    with pytest.raises(SpecError, match="100 or more"):
        make_twin(n=99)


def test_evidence_of_own_trials_makes_no_twin(tmp_path, evidence):
    from hlt_bayes.display.evidence import trials_csv
    from hlt_bayes.evidence import load_evidence

    path = tmp_path / "own.csv"
    path.write_text(trials_csv(evidence), encoding="utf-8")
    with pytest.raises(EvidenceError, match="Health-led Trials"):
        make_twin(evidence=load_evidence(path))


@pytest.fixture(scope="module")
def small():
    return make_twin(n=500)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".dta"])
def test_files_are_read_back_as_they_were_made(small, tmp_path, ending):
    path = tmp_path / f"twin{ending}"
    write_twin(small, path)
    records = load_records(path)
    assert records.synthetic
    pandas.testing.assert_frame_equal(records.frame, small.records.frame, check_exact=True)


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".dta"])
def test_files_say_that_they_are_synthetic(small, tmp_path, ending):
    path = tmp_path / f"twin{ending}"
    assert write_twin(small, path) == tmp_path / "twin.truth.json"
    assert b"synthetic" in path.read_bytes()
    if ending != ".csv":
        assert b"SYNTHETIC" in path.read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([path.name, "twin.truth.json"])
    truth = json.loads((tmp_path / "twin.truth.json").read_text(encoding="utf-8"))
    assert truth["synthetic"]
    assert (truth["seed"], truth["n"], truth["spec"]) == (1, 500, "published")
    assert truth["truth"]["impact"]["employment"] == {
        "unit": "proportion",
        "SCR IW": 0.03,
        "SCR OOW": -0.02,
        "WMCA": 0.04,
    }
    assert truth["truth"]["slope_within"]["caseload"]["earnings"]["value"] is None


def test_csv_keeps_every_value(small, tmp_path):
    write_twin(small, tmp_path / "twin.csv")
    frame = small.records.frame
    back = pd.read_csv(tmp_path / "twin.csv", dtype={"person": str})
    assert list(back.columns) == list(frame.columns)
    assert back["synthetic"].all()
    assert (back["randomised"] == frame["randomised"].dt.strftime("%Y-%m-%d")).all()
    for name, column in COLUMNS.items():
        assert (back[name].isna() == frame[name].isna()).all()
        if column.kind in ("number", "count"):
            assert np.array_equal(
                back[name].to_numpy(float), frame[name].to_numpy(float, na_value=np.nan), equal_nan=True
            )


def test_parquet_keeps_every_value_and_type(small, tmp_path):
    write_twin(small, tmp_path / "twin.parquet")
    table = pq.read_table(tmp_path / "twin.parquet")
    assert table.schema.metadata[b"synthetic"].startswith(b"SYNTHETIC")
    back = table.to_pandas().astype({"randomised": "datetime64[s]"})
    pandas.testing.assert_frame_equal(back, small.records.frame, check_exact=True)


def test_stata_keeps_every_value_and_label(small, tmp_path):
    write_twin(small, tmp_path / "twin.dta")
    frame = small.records.frame
    with pd.io.stata.StataReader(tmp_path / "twin.dta") as reader:
        assert reader.data_label.startswith("SYNTHETIC")
        back = reader.read()
    assert list(back.columns) == list(frame.columns)
    for name, column in COLUMNS.items():
        seen, made = back[name], frame[name]
        assert (seen.isna() == made.isna()).all()
        known = made.notna()
        if column.kind in ("category", "identifier"):
            assert (seen[known].astype(str) == made[known].astype(str)).all()
        elif column.kind == "date":
            assert (seen == made).all()
        else:
            assert np.array_equal(seen[known].to_numpy(float), made[known].to_numpy(float))


def test_files_that_are_there_are_kept(small, tmp_path):
    path = tmp_path / "twin.csv"
    write_twin(small, path)
    before = path.read_bytes()
    with pytest.raises(ResultFolderError, match="--overwrite"):
        write_twin(make_twin(n=300), path)
    assert path.read_bytes() == before
    write_twin(make_twin(n=300), path, overwrite=True)
    assert len(pd.read_csv(path)) == 300


@pytest.mark.parametrize("name", ["twin.csv", "twin.truth.json"])
def test_what_is_not_a_twin_is_never_replaced(small, tmp_path, name):
    (tmp_path / name).write_text("person\nreal\n", encoding="utf-8")
    with pytest.raises(ResultFolderError, match="left as it is"):
        write_twin(small, tmp_path / "twin.csv", overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "person\nreal\n"


def test_a_twin_that_was_changed_is_not_replaced(small, tmp_path):
    path = tmp_path / "twin.csv"
    write_twin(small, path)
    path.write_text("changed", encoding="utf-8")
    with pytest.raises(ResultFolderError, match="left as it is"):
        write_twin(small, path, overwrite=True)


def test_another_format_is_refused(small, tmp_path):
    with pytest.raises(ResultFolderError, match="allowed suffixes"):
        write_twin(small, tmp_path / "twin.xlsx")


def test_a_folder_that_cannot_be_made_is_refused(small, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ResultFolderError, match="cannot be written"):
        write_twin(small, tmp_path / "file" / "twin.csv")


def test_what_fails_on_the_way_leaves_nothing(small, tmp_path, monkeypatch):
    def full(_, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(hlt_bayes.results.synthetic._WRITERS, ".csv", full)
    with pytest.raises(ResultFolderError, match="No space left"):
        write_twin(small, tmp_path / "twin.csv")
    assert not list(tmp_path.iterdir())


def test_where_the_truth_fails_the_old_files_come_back(small, tmp_path, monkeypatch):
    path = tmp_path / "twin.csv"
    write_twin(small, path)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    rename = Path.rename

    def failing(self, target):
        if Path(target) == truth_path(path) and not self.name.endswith(".old"):
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(ResultFolderError, match="unchanged"):
        write_twin(make_twin(n=300), path, overwrite=True)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_the_command_writes_and_prints_the_truth(tmp_path):
    path = tmp_path / "made.parquet"
    result = invoked("twin", "--n", "500", "--seed", "3", "--out", path)
    assert result.exit_code == 0, result.output
    assert "SYNTHETIC" in result.stdout
    assert "-233" in result.stdout
    assert "made.truth.json" in result.stdout
    assert len(pd.read_parquet(path)) == 500
    again = invoked("twin", "--n", "500", "--out", path)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr


def test_the_command_refuses_too_few():
    assert invoked("twin", "--n", "50").exit_code == 2


def test_sizes_add_up_however_the_numbers_lie_in_memory():
    recruits = np.array([[1260, 1259], [1799, 1792], [1837, 1838]], dtype=float)
    for order in ("C", "F"):
        sizes = arm_sizes(np.asarray(recruits, order=order), 500)
        assert sizes.sum() == 500
        np.testing.assert_array_equal(sizes, arm_sizes(recruits, 500))
