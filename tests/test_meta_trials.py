"""The trials of IPS as collected: typed, with counts that agree with what was printed."""

import numpy as np
import pytest
from helpers import README, edit

from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.evidence.ips_trials import load_ips_counts, load_ips_trials
from hlt_bayes.evidence.load import EMBEDDED
from hlt_bayes.meta import effect_sizes, included, pooled_effects

NOT_AS_PRINTED = {
    ("lones2017", "c"): "1/23 is 4.3%; a later protocol prints 5%",
    ("ottomanelli2014", "t"): "25/81 is 30.9%; printed 30.8%",
}


@pytest.fixture(scope="module")
def trials():
    return load_ips_trials()


@pytest.fixture(scope="module")
def counts():
    return load_ips_counts()


def test_numbers_are_numbers_and_blanks_are_missing(trials):
    assert (trials["study_id"].nunique(), len(trials)) == (30, 30)
    row = trials.set_index("study_id").loc["hellstrom2017"]
    assert (row["events_t"], row["n_t"], row["pct_c"], row["estimate"]) == (72.0, 162.0, 37.8, 1.34)
    assert trials.set_index("study_id").loc["marsden2024", "events_t"] is not None
    assert np.isnan(trials.set_index("study_id").loc["marsden2024", "events_t"])
    assert trials.set_index("study_id").loc["davis2012", "p"] == "<.001"


def test_a_caller_cannot_change_what_the_next_one_reads():
    first = load_ips_trials()
    first.loc[0, "n_t"] = 1e6
    assert load_ips_trials().loc[0, "n_t"] == 33


def test_counts_agree_with_every_percentage_that_was_printed(trials, counts):
    printed = trials.set_index("study_id")
    compared = 0
    for name, row in counts.iterrows():
        for arm in "tc":
            percent = printed.loc[name, f"pct_{arm}"]
            if np.isnan(percent) or (name, arm) in NOT_AS_PRINTED:
                continue
            decimals = len(f"{percent:g}".partition(".")[2])
            assert round(100 * row[f"events_{arm}"] / row[f"n_{arm}"], decimals) == percent, (name, arm)
            compared += 1
    assert compared == 24


def test_counts_agree_with_the_ratios_that_were_printed(trials, counts):
    printed = trials.set_index("study_id").loc[counts.index]
    compared = 0
    for label, measure in {"RR (Probyn 2021)": "log risk ratio", "OR": "log odds ratio"}.items():
        effects = effect_sizes(counts, measure=measure)
        for name in printed.index[printed["measure"] == label]:
            if name in ("hellstrom2017", "rognli2025"):
                continue  # adjusted in print; the notes say so
            effect, se = effects.loc[name, ["effect", "se"]]
            ours = np.exp([effect, effect - 1.96 * se, effect + 1.96 * se])
            for value, text in zip(ours, printed.loc[name, ["estimate", "ci_low", "ci_high"]], strict=True):
                half_unit = 0.5 * 10.0 ** -max(1, len(f"{text:g}".partition(".")[2]))
                assert abs(value - text) <= half_unit, (name, value, text)
            compared += 1
    assert compared == 9


def test_the_selection_of_the_evidence_notes_is_nine_of_any_employment_and_one_that_counts_education(counts):
    # README of the evidence: "the ten any-employment rows alone": OR 3.16 (1.82-5.49), tau 0.70. R, metafor 3.8.1:
    #   rma(measure="OR", ai=events_t, n1i=n_t, ci=events_c, n2i=n_c, method="DL", data=d[d$include=="yes" &
    #   d$outcome_class!="steady employment",]): 3.158814904 1.816093451 5.494272112, tau 0.6998208479, Q 30.31714432
    ten = included(counts, ["any employment", "employment or education"])
    assert (len(ten), list(ten.index[ten["outcome_class"] != "any employment"])) == (10, ["hellstrom2017"])
    row = pooled_effects(effect_sizes(ten), methods=("DL",)).loc["DL"]
    np.testing.assert_allclose(
        np.exp(row[["mean", "lower", "upper"]].astype(float)), [3.158814904, 1.816093451, 5.494272112]
    )
    np.testing.assert_allclose([np.sqrt(row["tau2"]), row["q"]], [0.6998208479, 30.31714432])
    nine = pooled_effects(effect_sizes(included(counts, ["any employment"])), methods=("DL",)).loc["DL"]
    assert (nine["trials"], round(np.exp(nine["mean"]), 2)) == (9, 3.71)


def test_the_health_led_trials_and_a_trial_twice_are_not_pooled(counts):
    pooled = included(counts, counts["outcome_class"].unique())
    assert len(pooled) == 12
    assert not pooled.index.str.contains("newton|hlt|bond2015|ottomanelli2014").any()
    assert pooled["n_t"].sum() + pooled["n_c"].sum() == 1824


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("14,33,1,25", "34,33,1,25", "line 2, column 'events_t': 34 is above 'n_t' (33); check both"),
        ("14,33,1,25", "14,33,x,25", "line 2, column 'events_c': 'x' is not a number"),
        ("14,33,1,25", "14,33,,25", "line 2, column 'events_c' is blank; a value is required"),
        ("14,33,1,25", "14,33,-1,25", "line 2, column 'events_c': -1 given; must be 0 or more"),
        (
            "any employment,yes",
            "any job,yes",
            "line 2, column 'outcome_class': 'any job' is unknown; allowed: 'any emp",
        ),
        ("outcome_class", "outcome", "column 'outcome' is unknown; allowed: 'study_id', "),
        ("davis2012", "bejerholm2017", "line 3, column 'study_id': 'bejerholm2017' appears twice; keep one"),
    ],
)
def test_what_departs_from_the_schema_is_said_by_line_and_column(tmp_path, old, new, said):
    path = tmp_path / "counts.csv"
    path.write_bytes((EMBEDDED / "ips_counts.csv").read_bytes())
    edit(path, old, new)
    with pytest.raises(EvidenceError) as error:
        load_ips_counts(path)
    assert f"{path}, {said}" in str(error.value)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(EvidenceError, match=r"nowhere\.csv: cannot be read \(No such file"):
        load_ips_trials(tmp_path / "nowhere.csv")


def test_no_trial_left_is_an_error(counts):
    with pytest.raises(EvidenceError, match="no included trial has outcome class 'any job'; the counts have"):
        included(counts, ["any job"])


def test_the_readme_counts_the_trials(counts):
    used = counts[counts["include"] == "yes"]
    readme = " ".join(README.read_text(encoding="utf-8").split())
    assert len(used) == 12
    assert "Twelve other trials of IPS" in readme
    assert used["source"].str.contains("of all randomised").sum() == 3
    assert "for three of them assuming that everyone randomised was analysed" in readme
