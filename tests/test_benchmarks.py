"""Kept benchmarks are complete and agree with themselves; what they integrate by agrees with closed forms."""

import math
import re
import sys
import time

import numpy as np
import pandas as pd
import pytest
from benchmarks.known_se import Meta, integrate
from benchmarks.targets import TARGETS, verdicts
from benchmarks.timing import environment_with_cache, kept, run_fresh
from helpers import REFERENCE
from scipy.stats import halfcauchy, halfnorm, norm

DIGITS = 2e-4
"""Relative error of a ratio of numbers that are kept at five digits."""

ENGINES = [("nuts", "empty"), ("nuts", "filled"), ("brms", "none kept")]
DATA = ["primary", "eight schools", "BCG"]


def test_the_machine_is_described_without_its_name():
    facts = kept("machine").set_index("what")["value"]
    assert {"date", "processor", "cores", "memory_gib", "Python", "pymc", "nutpie", "numpy", "R", "brms", "rstan"} <= {
        *facts.index
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", facts["date"])
    assert "host" not in " ".join(facts.index).lower()


def test_peers_are_complete_and_their_ratios_follow_from_their_columns():
    table = kept("peers")
    assert sorted(zip(table["data"], table["engine"], table["cache"], strict=True)) == sorted(
        (data, *engine) for data in DATA for engine in ENGINES
    )
    assert table[["chains", "draws", "repeats"]].drop_duplicates().shape[0] == 1
    phases = table[["import", "build", "compile", "sample", "prior", "summarise"]].sum(axis=1)
    # What is left is starting the process, and writing the draws.
    assert (phases < table["total"]).all()
    brms = table[table["engine"] == "brms"].set_index("data")
    np.testing.assert_allclose(
        table["brms_total_over_this"], table["data"].map(brms["total"]) / table["total"], rtol=DIGITS
    )
    worst = table[["bulk_ess", "tail_ess"]].min(axis=1)
    np.testing.assert_allclose(table["ess_per_second"], worst / table["sample"], rtol=DIGITS)
    np.testing.assert_allclose(
        table["ess_per_second_over_brms"],
        table["ess_per_second"] / table["data"].map(brms["ess_per_second"]),
        rtol=DIGITS,
    )


def test_accuracy_is_that_of_several_seeds_of_both_engines():
    table = kept("peers_accuracy")
    assert len(table) == 2 * 4 * (4 + 1 + 1)
    assert (table["seeds"] >= 10).all()
    # At five digits a number is off by up to 5e-5 of itself, and so are the two whose difference this is.
    slack = 1e-4 * table["exact"].abs() / table["mcse"] + DIGITS * table["z"].abs()
    assert ((table["z"] - (table["found"] - table["exact"]) / table["mcse"]).abs() < slack).all()


def test_times_of_the_exact_engine_stand_beside_a_peer_each():
    table = kept("exact")
    for _, pair in table.groupby(["task", "data"]):
        assert len(pair) == 2
        ours, peer = (pair[(pair["engine"] == "exact") == own].iloc[0] for own in (True, False))
        assert ours["peer_over_this"] == pytest.approx(peer["best"] / ours["best"], rel=DIGITS)
    assert (table["best"] <= table["median"]).all()


def test_stages_of_the_main_job_add_up():
    runs, stages = kept("main_job"), kept("main_job_stages")
    whole = runs[runs["command"] == "hlt-bayes run"].set_index("cache")["best"]
    np.testing.assert_allclose(stages.groupby("cache")["seconds"].sum(), whole.sort_index(), rtol=1e-3)


def test_information_is_compared_with_the_largest_nested_run():
    table = kept("information")
    ours = table[table["method"] == "hlt-bayes"]
    nested = table[table["method"] == "nested Monte Carlo"].groupby("what").last().loc[ours["what"]].reset_index()
    z = (ours["value_gbp"].to_numpy() - nested["value_gbp"]) / np.hypot(ours["se"].to_numpy(), nested["se"])
    np.testing.assert_allclose(ours["z"], z, atol=0.05, rtol=0.01)
    np.testing.assert_allclose(ours["nested_over_this"], nested["seconds"] / ours["seconds"].to_numpy(), rtol=DIGITS)


def test_every_target_is_kept_with_the_verdict_that_its_numbers_give():
    table = kept("targets")
    assert list(table["target"]) == [one.what for one in TARGETS]
    assert len({one.what for one in TARGETS}) == len(TARGETS)
    pd.testing.assert_frame_equal(table, verdicts(REFERENCE), check_exact=False, rtol=DIGITS)


def test_a_slower_table_turns_met_into_missed(tmp_path):
    for name in {one.table for one in TARGETS}:
        table = kept(name)
        if name == "exact":
            table["best"] = 1e-9
            table.loc[table["data"] == "BCG", "best"] = 100.0
        table.to_csv(tmp_path / f"bench_{name}.csv", index=False)
    found = verdicts(tmp_path).set_index("target")["verdict"]
    assert found["BCG: seconds of 4,000 joint draws with known SEs"] == "missed"
    assert found["eight schools: seconds of 4,000 joint draws with known SEs"] == "met"


def test_without_a_spread_integration_is_the_normal_closed_form():
    found = integrate(Meta(np.array([3.0, 1.0]), np.array([2.0, 1.0]), 5.0, 1e-9, "half-normal"))
    precision = 1 / 25 + 1 / 4 + 1
    mean, sd = (3 / 4 + 1) / precision, precision**-0.5
    for quantity in ("mu", 0, 1):
        assert found.mean_and_sd(quantity) == pytest.approx((mean, sd), rel=1e-9)
        assert found.quantile(quantity, 0.055) == pytest.approx(norm.ppf(0.055, mean, sd), rel=1e-9)
    # The twin that takes variances for SEs.
    wrong = integrate(Meta(np.array([3.0, 1.0]), np.array([4.0, 1.0]), 5.0, 1e-9, "half-normal"))
    assert wrong.mean_and_sd("mu")[0] != pytest.approx(mean, rel=0.01)


@pytest.mark.parametrize(("family", "prior"), [("half-normal", halfnorm), ("half-cauchy", halfcauchy)])
def test_data_that_say_nothing_leave_the_priors(family, prior):
    found = integrate(Meta(np.zeros(2), np.full(2, 1e9), 1.5, 0.7, family))
    for probability in (0.025, 0.5, 0.9):
        assert found.quantile("tau", probability) == pytest.approx(prior.ppf(probability, scale=0.7), rel=1e-7)
        assert found.quantile("mu", probability) == pytest.approx(norm.ppf(probability, scale=1.5), rel=1e-7, abs=1e-9)
    assert found.mean_and_sd("mu") == pytest.approx((0.0, 1.5), abs=1e-9)


def test_a_finer_grid_changes_no_digit():
    meta = Meta(np.array([2.8, 0.8, -0.3, 0.7]), np.array([1.5, 1.0, 1.6, 1.1]), 0.5, 0.5, "half-cauchy")
    coarse, fine = (integrate(meta, fineness=fineness) for fineness in (1, 2))
    for quantity in ("mu", "tau", 0):
        assert coarse.mean_and_sd(quantity) == pytest.approx(fine.mean_and_sd(quantity), rel=1e-10)
        assert coarse.quantile(quantity, 0.9) == pytest.approx(fine.quantile(quantity, 0.9), rel=1e-10)


def test_a_fresh_process_is_timed_and_weighed_with_its_children():
    child = "x = bytearray(200_000_000); import time; time.sleep(0.4); print('done')"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], check=True)"
    began = time.perf_counter()
    finished = run_fresh([sys.executable, "-c", parent])
    assert finished.output == "done\n"
    assert 0.4 < finished.seconds <= time.perf_counter() - began
    assert math.isfinite(finished.cpu_seconds)
    assert 0.18 < finished.peak_gib < 1.0
    with pytest.raises(SystemExit, match="ended with 3"):
        run_fresh([sys.executable, "-c", "raise SystemExit(3)"])


def test_caches_of_compiled_code_are_all_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTENSOR_FLAGS", "floatX=float64,base_compiledir=/elsewhere")
    environment = environment_with_cache(tmp_path)
    assert environment["PYTENSOR_FLAGS"] == f"floatX=float64,base_compiledir={tmp_path}/pytensor"
    assert environment["NUMBA_CACHE_DIR"].startswith(str(tmp_path))
