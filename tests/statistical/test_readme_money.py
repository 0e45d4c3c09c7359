"""The README's tables of the appraisal are those of today's models: written by --golden, held to fresh draws."""

import pytest
from helpers import README, markdown

from hlt_bayes.analysis import component_appraisal
from hlt_bayes.core.vocabulary import REPORTED_GROUPS
from hlt_bayes.display.appraisal import (
    assumptions_table,
    benefits_table,
    component_returns_table,
    volume_table,
    walk_tables,
    years_sentence,
)
from hlt_bayes.display.format import percent, pounds
from hlt_bayes.display.value_of_information import evppi_table, new_trial_table, unpublished_table
from hlt_bayes.economics import (
    appraise,
    assumptions,
    evpi,
    evppi,
    new_trial,
    quantity_label,
    return_summary,
    value_of_unprinted,
    volume_curve,
)
from hlt_bayes.specs import load_economic_spec, shipped_specs

pytestmark = pytest.mark.ci

SEED = 20230420


@pytest.fixture(scope="module")
def appraisal(exactly_fitted, evidence, primary, components, published):
    return component_appraisal(exactly_fitted, evidence, primary, components, published=published, seed=SEED)


def test_the_readme_shows_the_appraisal(held, appraisal):
    tables = [component_returns_table(appraisal), benefits_table(appraisal)]
    held("components", "\n".join([*(markdown(table) for table in tables), *years_sentence(appraisal), ""]))


def test_the_readme_shows_the_walk(held, appraisal):
    held("walk", "\n".join(markdown(table) for table in walk_tables(appraisal)) + "\n")


def test_the_readme_shows_the_scenarios(held, exactly_fitted, evidence):
    lines = [f"| economic return | {' | '.join(REPORTED_GROUPS)} |", f"|{' --- |' * (1 + len(REPORTED_GROUPS))}"]
    for name in shipped_specs("economic"):
        table = return_summary(appraise(exactly_fitted, load_economic_spec(name), evidence, seed=SEED))
        rows = table[table["perspective"] == "economic"].set_index("group")
        cells = (
            f"{pounds(rows['mean'][group])}, {percent(rows['prob_above_one'][group])}" for group in REPORTED_GROUPS
        )
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    held("scenarios", "\n".join(lines) + "\n")


def test_the_readme_shows_the_planned_volume(held, exactly_fitted, evidence, components):
    curve = volume_curve(exactly_fitted, components, evidence, seed=SEED, fixed_shares=[0.0, 0.25, 0.5, 0.75, 1.0])
    held("volume", markdown(volume_table(curve, perspective="economic")) + "\n")


def test_the_cost_of_wmca_is_what_the_readme_says(evidence):
    text = " ".join(README.read_text(encoding="utf-8").split())
    cost = evidence.costs.set_index("group")["cost_per_head_gbp"]["WMCA"]
    treated, planned = evidence.treated["WMCA"], evidence.planned["WMCA"]
    assert f"£{cost:,.0f} a head reflects {treated:,} people treated where {planned:,} were planned" in text


def test_the_readme_lists_the_assumptions_that_vary(held, appraisal, exactly_fitted, evidence, components):
    listed = assumptions(appraisal.economics, exactly_fitted, components, evidence)
    shown = listed[listed["share"] >= 0.005].drop(columns="why")
    held("assumptions", markdown(assumptions_table(shown, perspective="economic")) + "\n")


def test_the_readme_says_what_more_evidence_is_worth(held, appraisal, exactly_fitted, evidence, components, primary):
    drawn = appraisal.economics
    values = evppi(drawn, exactly_fitted, components, evidence)
    perfect = evpi(drawn).sel(perspective="economic").to_series().rename("value_gbp").reset_index()
    trials = new_trial(
        drawn, exactly_fitted, components, primary, evidence, group="WMCA", sizes=[200, 1000, 2000, 5000]
    )
    ranked = value_of_unprinted(drawn, exactly_fitted, components, primary, evidence, group="WMCA", seed=SEED)
    labels = {key: quantity_label(key, components) for key in components.quantities()}
    economic = {
        "values": values[values["perspective"] == "economic"],
        "trials": trials[trials["perspective"] == "economic"],
    }
    tables = [
        evppi_table(economic["values"], perfect),
        new_trial_table(economic["trials"]),
        unpublished_table(ranked, labels, group="WMCA", most=6),
    ]
    held("voi", "\n".join(markdown(table) for table in tables) + "\n")
