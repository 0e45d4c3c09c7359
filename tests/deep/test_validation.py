"""Each part of the validation passes in short, and finds out its sabotaged twin."""

import numpy as np
import pandas as pd
import pytest
from importance import FAMILY, reference
from scipy.stats import norm
from test_validation_page import problems
from validation import comparing, engines, page, recoveries, twins, validate
from validation.calibrations import rank_rows
from validation.rows import LEVEL, Part, judged, row, verdict, worst
from validation.tails import tail_probabilities, weighed

from hlt_bayes.inference.calibration import calibration_summary
from hlt_bayes.likelihood import pooled_row_log_probability, pooled_rows, reported_results, row_arrays
from hlt_bayes.specs import load_impact_spec


def passes(rows):
    return bool(judged(rows)["passed"].all())


def test_a_part_fails_by_one_row_and_as_often_as_it_says():
    rng = np.random.default_rng(1)
    failed = 0
    for _ in range(300):
        z = rng.standard_normal(20)
        failed += not passes([row("a", "mean", "q", found=one, expected=0.0, se=1.0) for one in z])
    assert failed < 3 + 4 * np.sqrt(3)
    good = [row("a", "mean", f"q{i}", found=0.0, expected=0.1, se=1.0) for i in range(9)]
    for bad in ({"found": 5.0}, {"found": np.nan}):
        frame = judged([*good, row("b", "SD", "odd", expected=0.0, se=1.0, **bad)])
        assert frame["passed"].sum() == 9
        assert (frame["threshold"] == LEVEL / 10).all()
        least = worst(frame).iloc[-1]
        assert (least["quantity"], least["passed"], least["rows"]) == ("odd", False, 1)
        assert verdict(Part("a", "", "", 1, 0.0, frame)).startswith("FAILED: 1 of 10 rows; the worst is b, SD of odd")


@pytest.mark.parametrize(("shift", "good"), [(0.0, True), (0.3, False)], ids=["as they are", "slanted"])
def test_slanted_ranks_are_found_out(shift, good):
    rng = np.random.default_rng(2)
    ranks = np.clip(norm.cdf(shift + rng.normal(size=(400, 3))) * 100, 0, 99).astype(int)
    assert passes(rank_rows("made up", calibration_summary([{"mu": ranks}]))) == good


def variance_for_se(cells):
    return cells.assign(log_se_mean=2 * cells["log_se_mean"])


def next_prior(cells):
    return cells.assign(log_se_mean=cells["log_se_mean"] + 0.1)


@pytest.mark.parametrize(
    ("change", "good"),
    [(lambda cells: cells, True), (variance_for_se, False), (next_prior, False)],
    ids=["as they are", "variance taken for SE", "another prior of the SE"],
)
def test_recovered_ses_cover_and_are_as_wide_as_they_should_be(change, good):
    task = recoveries.Task("wide impacts", 20230421)
    assert passes(recoveries.rows_of([recoveries.recovered_trials(task, change)], task.situation)) == good


@pytest.fixture(scope="module")
def few_twins():
    return [twins.fitted_twin(twins.Task(i, 1, ("health",), nuts=False)) for i in range(20)]


def test_intervals_hold_what_is_true_of_their_twin_and_not_of_another(few_twins):
    assert passes(twins.rows_of(few_twins, "laplace"))
    truths = [twin["health"]["truth"] for twin in few_twins]
    others = [
        {"health": twin["health"] | {"truth": other}}
        for twin, other in zip(few_twins, truths[1:] + truths[:1], strict=True)
    ]
    assert not passes(twins.rows_of(others, "laplace"))


def test_nuts_agrees_with_laplace_on_a_twin_and_not_with_groups_exchanged():
    (twin,) = [twins.fitted_twin(twins.Task(1, 1, ("health",), nuts=True))]
    assert passes(twins.rows_of_engines([twin]))
    apart = {key: [one, other[[1, 2, 0]], se] for key, (one, other, se) in twin["health"]["apart"].items()}
    assert not passes(twins.rows_of_engines([{"health": twin["health"] | {"apart": apart}}]))


def exact_rows(family):
    """Rows of the exact engine on ``complete-pooling`` against a family, right or wrong."""
    truth = reference(family, batches=10)
    quantities = tuple(truth.mean)
    found = comparing.pooled([engines.run(engines.Fit("complete-pooling", "exact", quantities, 3))])
    points = dict(zip(quantities, found.points, strict=True))
    shares = tail_probabilities(family, points, batches=10, size=5000, seed=4)
    mean, sd = (
        {quantity: (number[quantity], error[quantity]) for quantity in quantities}
        for number, error in ((truth.mean, truth.mean_error), (truth.sd, truth.sd_error))
    )
    return judged(comparing.rows_against("complete-pooling", found, quantities, mean, sd, shares))


def test_the_exact_engine_agrees_with_the_reference_in_means_sds_and_tails():
    frame = exact_rows(FAMILY["complete-pooling"])
    assert frame["passed"].all(), worst(frame)
    assert list(frame["test"].value_counts().sort_index()) == [44, 44, 88]


def test_arms_swapped_are_found_out_in_means_and_tails():
    frame = exact_rows(FAMILY["complete-pooling"].swapped())
    assert {"mean", "tail"} <= set(frame.loc[~frame["passed"], "test"])


def test_what_is_weighed_has_the_moments_of_what_it_is_weighed_to():
    x, rng = np.random.default_rng(5).normal(size=200_000), np.random.default_rng(6)
    (mean, mean_error), (sd, sd_error), (below, below_error) = weighed(x, np.exp(0.5 * x), np.array([0.0, 1.5]))
    assert abs(mean - 0.5) < 4 * mean_error
    assert abs(sd - 1.0) < 4 * sd_error
    assert (abs(below - norm.cdf([-0.5, 1.0])) < 4 * below_error).all()
    (unweighed, error), _, _ = weighed(x, np.ones(x.size), np.array([0.0]))
    assert abs(unweighed - 0.5) > 10 * error
    assert error == pytest.approx(rng.normal(size=x.size).std() / np.sqrt(x.size), rel=0.02)


def test_the_weights_of_pooled_rows_are_the_probability_that_the_model_gives(evidence, monkeypatch):
    spec = load_impact_spec("pooled-rows")
    cells = reported_results(evidence, spec)
    rng = np.random.default_rng(7)
    estimate = rng.uniform(cells["lower"].to_numpy(), cells["upper"].to_numpy(), (50, cells.sizes["cell"]))
    se = cells["design_se"].to_numpy() * np.exp(rng.normal(0.05, 0.2, estimate.shape))
    rows = row_arrays(pooled_rows(evidence, spec, cells))
    each = []
    for node in comparing.NODES:
        weight = np.full((50, len(rows["lower"])), 1 / (1 + np.exp(-spec.pooled_rows.weight.sd * node)))
        each.append(np.exp(pooled_row_log_probability(estimate, se, weight, rows=rows, spec=spec, xp=np)))
    by_row = np.average(np.stack(each), axis=0, weights=comparing.NODE_WEIGHTS)
    found = comparing.log_probability_of_pooled_rows(estimate, se, evidence, spec)
    np.testing.assert_allclose(found, np.log(by_row).sum(axis=-1), rtol=1e-6)
    few, weights_of_few = np.polynomial.hermite_e.hermegauss(24)
    for nodes, weights, enough in (
        (comparing.NODES[::2], comparing.NODE_WEIGHTS[::2], True),
        (few, weights_of_few, False),
    ):
        monkeypatch.setattr(comparing, "NODES", nodes)
        monkeypatch.setattr(comparing, "NODE_WEIGHTS", weights / weights.sum())
        again = comparing.log_probability_of_pooled_rows(estimate, se, evidence, spec)
        # A hundredth of a weight: of thousands of draws the Monte Carlo error of a mean is larger.
        assert (abs(again - found).max() < 0.01) == enough


def test_the_command_runs_in_short_and_goes_on_where_it_was(tmp_path, evidence, capsys):
    arguments = ["--short", "--workers", "2", "--journal", str(tmp_path / "journal"), "--out"]
    pages = []
    for name in ("one", "again"):
        out = tmp_path / f"{name}.md"
        assert validate.main([*arguments, str(out)]) == 0
        kept = pd.read_csv(out.with_suffix(".csv"))
        assert problems(out.read_text(encoding="utf-8"), kept, page.models(evidence), settings="short") == []
        pages.append(kept)
    pd.testing.assert_frame_equal(*pages)
    assert "was taken from it" in out.read_text(encoding="utf-8")
    assert "Fitting twins: 30 of 30" in capsys.readouterr().err
