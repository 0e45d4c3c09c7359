"""Each verb of hlt-bayes check prints its table; bad input is one line, nothing is half-written."""

import json

import pandas as pd
import pytest
from helpers import invoked

from hlt_bayes.results.manifest import MANIFEST


def check(*arguments):
    result = invoked("check", *arguments, COLUMNS="200")
    assert not isinstance(result.exception, Exception) or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prior"], ["Prior predictive check of the published results", "Joint probability of all published stars"]),
        (["posterior"], ["Posterior predictive check", "Held-out pooled rows"]),
        (["sensitivity"], ["tau[health]", "benefit_cost_ratio[economic, WMCA]"]),
        (["contraction", "--spec", "sites"], ["site_effect[health, SCR]", "in_work[employment]"]),
        (["held-out", "--spec", "no-pooling", "--spec", "joint"], ["No exact engine, so no score: joint", "PSIS"]),
        pytest.param(
            ["moderators", "--new-site", "caseload=12"],
            ["One moderator at a time", "SCR OOW as WMCA", "a new site with caseload 12"],
            marks=pytest.mark.deep,
        ),
        (["calibration", "--spec", "primary"], ["primary  nuts", "primary  exact", "2,000"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) and value[0].islower() else "",
)
def test_a_verb_prints_its_table(arguments, words):
    result = check(*arguments)
    assert result.exit_code == 0, result.output
    for word in words:
        assert word in result.output


@pytest.mark.ci
def test_the_grid_is_printed_and_written_and_goes_on_from_its_journal(tmp_path, few_draws):
    arguments = ["grid", "--spec", few_draws, "--factors", "1,2", "--workers", "2", "--journal", tmp_path / "journal"]
    first = check(*arguments, "--out", tmp_path / "grid")
    assert first.exit_code == 0, first.output
    assert "Sensitivity to priors of the probability that £1 returns more than £1" in first.output
    assert {path.name for path in (tmp_path / "grid").iterdir()} == {"grid.csv", "grid.png", "grid.svg", MANIFEST}
    size = (tmp_path / "journal").stat().st_size
    again = check(*arguments, "--out", tmp_path / "grid", "--overwrite")
    assert again.exit_code == 0
    assert (tmp_path / "journal").stat().st_size == size
    assert len(pd.read_csv(tmp_path / "grid/grid.csv")) == 8 * 10
    assert check(*arguments, "--out", tmp_path / "grid").exit_code == 2


@pytest.mark.ci
def test_specs_stand_side_by_side(tmp_path):
    result = check("specs", "--spec", "no-pooling", "--spec", "complete-pooling", "--out", tmp_path / "specs")
    assert result.exit_code == 0, result.output
    assert "Impacts by spec" in result.output
    table = pd.read_csv(tmp_path / "specs/specs.csv")
    assert set(table["spec"]) == {"no-pooling", "complete-pooling"}
    manifest = json.loads((tmp_path / "specs/manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["inputs"]) == {"no-pooling", "complete-pooling"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["grid", "--factors", "2,3"], "and 1 (the spec as stated) must be included"),
        (["grid", "--factors", "one"], "write numbers above 0"),
        (["grid", "--spec", "joint"], "the exact engine cannot fit 'joint'"),
        (["held-out", "--spec", "joint"], "give a spec other than joint"),
        (["moderators", "--new-site", "caseload"], "--new-site 'caseload': write it as caseload=12"),
        (["specs", "--spec", "primary", "--spec", "primary"], "two have the same name"),
        (["prior", "--spec", "primry"], "did you mean 'primary'"),
        (["calibration", "--engine", "pymc"], "'pymc' is not one of 'nuts', 'exact'"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    result = check(*arguments)
    assert result.exit_code == 2
    assert message in result.output
