"""The README's tables of the family of models are those of today's models: written by --golden, held to fresh fits."""

import re

import pytest
from helpers import markdown

from hlt_bayes.checks import (
    compare_specs,
    held_out_scores,
    impacts_by_spec,
    prior_grid,
    range_over_grid,
    returns_by_spec,
)
from hlt_bayes.display.checks import calibrations_table, grid_table, returns_by_spec_table, scores_table, specs_table
from hlt_bayes.display.impacts import estimands_table
from hlt_bayes.display.moderators import counterfactuals_table, slopes_table, what_delivery_explains
from hlt_bayes.display.table import Table
from hlt_bayes.impacts.moderation import moderation_summary
from hlt_bayes.inference.exact import is_exact
from hlt_bayes.inference.fit import fit
from hlt_bayes.results.calibrations import read_calibrations
from hlt_bayes.specs import load_impact_spec, shipped_specs

pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def specs():
    return {name: load_impact_spec(name) for name in shipped_specs("impact")}


@pytest.fixture(scope="module")
def moderated(specs, evidence):
    return moderation_summary(fit(specs["moderators"], evidence), specs["moderators"])


def test_the_readme_shows_the_other_estimands(held, reanalysis):
    held("estimands", markdown(estimands_table(reanalysis.estimands)) + "\n")


def test_the_readme_says_what_delivery_explains(held, moderated):
    held("delivery", "\n\n".join(what_delivery_explains(moderated)) + "\n")
    held("moderators", markdown(slopes_table(moderated)) + "\n")
    held("counterfactuals", markdown(counterfactuals_table(moderated)) + "\n")


def test_the_readme_lists_the_specs(held, specs):
    lines = ["| spec | what it is |", "| --- | --- |"]
    lines += [f"| `{name}` | {spec.title} |" for name, spec in specs.items()]
    held("models", "\n".join([*lines, ""]))


def test_the_readme_shows_how_priors_move_returns(held, primary, published, evidence):
    table = grid_table(range_over_grid(prior_grid(primary, published, evidence)))
    economic = Table(table.title, table.columns, tuple(row for row in table.rows if row[0] == "economic"), table.notes)
    held("grid", markdown(economic) + "\n")


@pytest.mark.deep
def test_the_readme_shows_how_specs_foretell(held, specs, evidence):
    scored = {name: held_out_scores(spec, evidence) for name, spec in specs.items() if is_exact(spec)}
    table = scores_table(scored, [name for name in specs if name not in scored])
    total = Table(table.title, table.columns, table.rows[-1:], table.notes)
    held("held-out", markdown(total) + "\n")


@pytest.mark.deep
def test_the_readme_sets_specs_side_by_side(held, specs, evidence, published, primary):
    trees = compare_specs(list(specs.values()), evidence)
    impacts = specs_table(impacts_by_spec(trees, evidence))
    returns = returns_by_spec_table(returns_by_spec(trees, published, evidence, seed=primary.sampling.seed))
    economic = Table(returns.title, returns.columns, tuple(row for row in returns.rows if row[0] == "economic"), ())
    held("specs", markdown(impacts) + "\n" + markdown(economic) + "\n")


def test_the_readme_shows_the_calibrations(held):
    held("calibration", markdown(calibrations_table(read_calibrations(), [])) + "\n")


def test_numbers_that_differ_are_found(held, moderated, request):
    if request.config.getoption("--golden"):
        pytest.skip("it would write the wrong numbers")
    sentence = what_delivery_explains(moderated)[0]
    other = re.sub(r"(\d+\.\d) ppt", lambda match: f"{float(match[1]) + 1:.1f} ppt", sentence)
    assert other != sentence
    with pytest.raises(AssertionError):
        held("delivery", other + "\n")
