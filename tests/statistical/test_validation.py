"""Each part of the validation passes in short, finds out its sabotaged twin, and the kept page is of today's models."""

import numpy as np
import pandas as pd
import pytest
from helpers import REFERENCE
from importance import FAMILY, reference
from scipy.stats import norm
from validation import comparing, engines, page, recoveries, twins, validate
from validation.calibrations import NAME as CALIBRATION
from validation.calibrations import rank_rows
from validation.rows import LEVEL, Part, judged, row, verdict, worst
from validation.tails import tail_probabilities, weighed

from hlt_bayes.inference.calibration import calibration_summary, engines_of
from hlt_bayes.likelihood import pooled_row_log_probability, pooled_rows, reported_results, row_arrays
from hlt_bayes.specs import load_impact_spec, shipped_specs

PARTS = (CALIBRATION, recoveries.NAME, twins.NAME, engines.NAME)


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
    [(lambda cells: cells, True), (variance_for_se, False), pytest.param(next_prior, False, marks=pytest.mark.slow)],
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


@pytest.mark.slow
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


def problems(text, kept, hashes, *, settings="full"):
    """What is wrong with a page and the table beside it."""
    found = []
    lines = text.splitlines()
    for name in PARTS:
        rows = kept[kept["part"] == name]
        good = bool(rows["passed"].all())
        if rows.empty:
            found.append(f"{name}: missing")
            continue
        if f"## {name}" not in lines or not set(page.table_of(rows)) <= set(lines):
            found.append(f"{name}: not all of it is on the page")
        if not np.allclose(rows["threshold"], LEVEL / rows["rows"].sum(), rtol=1e-9):
            found.append(f"{name}: threshold")
        if not ((rows["p"] > rows["threshold"]) == rows["passed"]).all():
            found.append(f"{name}: verdict of a row")
        said = next((line.split(" | ")[-1] for line in lines if line.startswith(f"| {name} |")), "")
        if not said.startswith("Passed" if good else "FAILED"):
            found.append(f"{name}: verdict")
    if ("All parts passed." in text) != bool(kept["passed"].all()):
        found.append("verdict of all")
    found += [f"{name}: another model" for name, one in hashes.items() if page.model_line(name, one) not in lines]
    if f"({settings} settings)" not in text:
        found.append("settings")
    return found


def absent(kept):
    """Shipped specs and engines that the table has not."""
    seen = set(kept["what"])
    wanted = {f"{outcome}, {engine}" for outcome in twins.SPEC.outcomes for engine in ("laplace", "nuts")}
    for name in shipped_specs("impact"):
        own = engines_of(load_impact_spec(name))
        wanted |= {f"{name}, {engine}" for engine in own}
        wanted |= {f"{name}: {engine} v {'reference' if name in FAMILY else 'weighed'}" for engine in own}
    for reading, adjusted in engines.READINGS:
        wanted.add(f"ips, {reading}{', adjusted' if adjusted else ''}: nuts v quadrature")
    return sorted((wanted | set(recoveries.SITUATIONS)) - seen)


@pytest.fixture(scope="module")
def committed():
    path = REFERENCE / "validation.md"
    kept = pd.read_csv(path.with_suffix(".csv"))
    return path.read_text(encoding="utf-8"), kept


def test_the_kept_page_is_complete_and_of_todays_models(committed, evidence):
    text, kept = committed
    assert problems(text, kept, page.models(evidence)) == []
    assert absent(kept) == []
    assert len(text.splitlines()) < 220


def test_all_that_is_on_the_kept_page_passed(committed):
    assert committed[1]["passed"].all(), committed[1][~committed[1]["passed"]]


def made_up_page(*, found=0.1):
    parts = [
        Part(name, "numbers", "one", 1, 60.0, judged([row("a", "mean", "q", found=found, expected=0.0, se=1.0)]))
        for name in PARTS
    ]
    kept = page.kept_rows(parts)
    text = page.page(
        parts, kept, hashes={"impact/a": "0" * 64}, kept_table="", settings="full", seconds=60.0, resumed=False
    )
    return parts, kept, text


def test_a_page_that_does_not_fit_its_numbers_is_found_out():
    _, kept, text = made_up_page()
    hashes = {"impact/a": "0" * 64}
    assert problems(text, kept, hashes) == []
    assert problems(text, kept, {"impact/a": "1" * 64}) == ["impact/a: another model"]
    assert problems(text.replace("Passed: all", "FAILED: all", 1), kept, hashes) == [f"{PARTS[0]}: verdict"]
    assert problems(text, kept.assign(passed=False), hashes) != []
    assert problems(text, kept.assign(threshold=0.001), hashes) != []
    assert problems(text, kept.iloc[1:], hashes) == [f"{PARTS[0]}: missing"]
    assert problems(text.replace("0.92", "0.93"), kept, hashes) == [
        f"{name}: not all of it is on the page" for name in PARTS
    ]
    assert len(absent(kept)) > 40


@pytest.mark.parametrize(("found", "code"), [(0.1, 0), (9.0, 1)])
def test_the_command_ends_with_one_where_a_part_fails(monkeypatch, tmp_path, found, code):
    parts, *_ = made_up_page(found=found)
    monkeypatch.setattr(validate, "parts_of", lambda *_, **__: parts)
    out = tmp_path / "page.md"
    assert validate.main(["--out", str(out)]) == code
    text = out.read_text(encoding="utf-8")
    assert ("NOT ALL PARTS PASSED." in text) == bool(code)
    kept = pd.read_csv(out.with_suffix(".csv"))
    assert problems(text, kept, {}) == []


@pytest.mark.slow
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
