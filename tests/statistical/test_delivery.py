"""What delivery can and cannot explain, as a reader sees it."""

import pandas as pd
import pytest
import xarray as xr

from hlt_bayes.analysis import analyse
from hlt_bayes.display.appendix import figures_table
from hlt_bayes.display.format import number
from hlt_bayes.display.impacts import estimands_table
from hlt_bayes.display.moderators import counterfactuals_table, slopes_table, what_delivery_explains
from hlt_bayes.impacts.moderation import moderation_summary
from hlt_bayes.inference.fit import fit
from hlt_bayes.results.write import write_result
from hlt_bayes.specs import load_impact_spec


@pytest.fixture(scope="module")
def moderated(evidence):
    spec = load_impact_spec("moderators")
    return moderation_summary(fit(spec, evidence), spec)


@pytest.fixture(scope="module")
def both(drawn, evidence, primary, published, moderated):
    return analyse(drawn, evidence, primary, published, seed=1, smallest={"employment": 0.02}, moderation=moderated)


def test_every_moderator_has_a_row_and_the_notes_say_that_they_cannot_be_told_apart(moderated):
    table = slopes_table(moderated)
    assert [row[0] for row in table.rows] == [one.label for one in moderated.spec.moderators.values()]
    row = moderated.slopes.set_index(["moderator", "outcome"]).loc[("caseload", "employment")]
    said = f"{number(row['mean'], 'employment')} ({number(row['sd'], 'employment')})"
    assert table.rows[0][1:3] == ("8 participants per specialist", said)
    assert "The 7 moderators form 1.0 independent contrast(s)" in table.notes[1]
    assert "no slope can be distinguished from another or from a site effect" in table.notes[1]
    least, most = moderated.slopes["contraction"].min(), moderated.slopes["contraction"].max()
    assert f"{least:.0%} to {most:.0%}" in table.notes[2]


def test_counterfactuals_are_given_by_site_and_both_ways(moderated):
    table = counterfactuals_table(moderated)
    assert {row[0] for row in table.rows} == {"SCR IW as WMCA", "SCR OOW as WMCA", "WMCA as SCR IW, SCR OOW"}
    assert {row[1] for row in table.rows} == {"caseload and meeting mix", "all moderators"}
    assert "treat the slopes as causal" in table.notes[0]


def test_the_sentence_says_what_the_table_says(moderated):
    (sentence,) = what_delivery_explains(moderated)
    row = moderated.counterfactuals.set_index(["group", "moved", "outcome"])
    row = row.loc[("SCR OOW", "caseload and meeting mix", "employment")]
    assert f"would have been {100 * row['mean']:.1f} ppt" in sentence
    assert f"instead of {100 * row['as_it_was']:.1f} ppt" in sentence
    assert "the evidence cannot tell which" in sentence
    assert what_delivery_explains(None) == []


def test_estimands_show_the_smallest_effect_only_where_one_is_asked_for(both, analysis):
    with_it, without = estimands_table(both.estimands), estimands_table(analysis.estimands)
    assert "P(>smallest)" in with_it.columns
    assert "P(>smallest)" not in without.columns
    by_outcome = {row[0]: row[with_it.columns.index("P(>smallest)")] for row in with_it.rows}
    assert by_outcome["Employment ppt"]
    assert not by_outcome["Health SD"]
    assert {row[1] for row in with_it.rows} >= {"average", "SCR OOW - WMCA"}


@pytest.mark.ci
def test_a_result_with_moderators_holds_both_fits(both, tmp_path):
    folder = write_result(both, tmp_path / "out")
    names = {path.name for path in folder.iterdir()}
    assert {"moderators.csv", "counterfactuals.csv", "moderators.nc", "estimands.csv"} <= names
    with xr.open_datatree(folder / "moderators.nc", engine="h5netcdf") as tree:
        assert "slope" in tree["posterior"].data_vars
    slopes = pd.read_csv(folder / "moderators.csv")
    assert len(slopes) == 7 * 4
    stated = figures_table(both).rows
    assert any(row[0] == "moderators: moderators.caseload.values.SCR" for row in stated)
    assert sum("priors.mu.employment" in row[0] for row in stated) == 1
    again = write_result(both, tmp_path / "out", overwrite=True)
    assert again == folder


def test_groups_that_a_model_holds_equal_pass_the_gate(evidence, published):
    spec = load_impact_spec("complete-pooling")
    analysis = analyse(fit(spec, evidence, engine="exact"), evidence, spec, published, seed=1)
    assert not any(" - " in name for name in analysis.diagnostics.index)
    difference = analysis.estimands.set_index(["outcome", "estimand"]).loc[("health", "SCR OOW - WMCA")]
    assert difference["mean"] == difference["sd"] == 0
