"""What the README says of speed and of the validation: written by --golden from the kept tables, and held to them."""

import pandas as pd
from benchmarks.timing import kept
from helpers import REFERENCE, markdown_lines
from validation.rows import LEVEL

PHASES = ("import", "build", "compile", "sample", "prior", "summarise")


def of_table(heads, rows):
    return "\n".join([*markdown_lines(heads, rows), ""])


def seconds(value):
    """Seconds as they are read: two digits, in milliseconds where there are few."""
    return f"{1000 * value:.2g} ms" if value < 0.1 else f"{value:.2g} s" if value < 10 else f"{value:,.0f} s"


def times(value):
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def test_the_readme_names_the_machine(filled):
    facts = kept("machine").set_index("what")["value"]
    ours = ", ".join(f"{name} {facts[name]}" for name in ("Python", "pymc", "nutpie", "numba", "numpy"))
    filled(
        "bench-machine",
        f"Measured on {facts['date']} on {facts['cores']} cores of {facts['processor']} with "
        f"{facts['memory_gib']} GiB, {ours}; R {facts['R']}, brms {facts['brms']}, rstan {facts['rstan']}.\n",
    )


def test_the_readme_shows_which_targets_are_met_and_which_are_missed(filled):
    table = kept("targets")
    words = {"<": "below", "<=": "at most", ">=": "at least"}
    rows = [
        (row.target, f"{row.measured:.3g}", f"{words[row.holds]} {row.bound:g}", row.verdict)
        for row in table.itertuples()
    ]
    count = table["verdict"].value_counts()
    said = f"{count.get('met', 0)} of {len(table)} targets are met, {count.get('missed', 0)} missed.\n\n"
    filled("bench-targets", said + of_table(("Target", "Measured", "Wanted", "Verdict"), rows))


def test_the_readme_shows_nuts_beside_brms(filled):
    rows = []
    for row in kept("peers").to_dict("records"):
        phases = [seconds(row[name]) for name in PHASES]
        ratios = [times(row["brms_total_over_this"]), times(row["ess_per_second_over_brms"])]
        which = row["data"], row["engine"], row["cache"]
        rows.append((*which, *phases, seconds(row["total"]), f"{row['ess_per_second']:,.0f}", *ratios))
    heads = ("Data", "Engine", "Cache", *PHASES, "total", "ESS/s", "brms total over this", "ESS/s over brms")
    filled("bench-peers", of_table(heads, rows))


def test_what_the_readme_says_of_why_nuts_misses_follows_from_the_tables():
    peers, targets = kept("peers"), kept("targets")
    ours = peers[peers["engine"] == "nuts"]
    assert (ours["compile"] > ours["total"] / 2).all()
    assert targets.loc[targets["verdict"] == "missed", "target"].tolist() == [
        "primary: brms' total over ours, cache empty",
        "eight schools: brms' total over ours, cache empty",
        "BCG: brms' total over ours, cache empty",
        "BCG: our ESS per second of sampling over brms'",
    ]
    of_bcg = peers[(peers["data"] == "BCG") & (peers["cache"] != "filled")].set_index("engine")
    assert of_bcg["bulk_ess"]["nuts"] < of_bcg["bulk_ess"]["brms"]
    assert of_bcg["sample"]["nuts"] < of_bcg["sample"]["brms"]


def test_the_readme_shows_the_exact_engine_beside_grids(filled):
    rows = [
        (row.task, row.data, row.engine, seconds(row.best), seconds(row.median), times(row.peer_over_this))
        for row in kept("exact").itertuples()
    ]
    filled("bench-exact", of_table(("Task", "Data", "By", "Best", "Median", "Peer over this"), rows))


def test_the_readme_shows_the_main_job(filled):
    table = kept("main_job")
    # Others end before their memory is looked at often enough.
    peaks = [f"{row.peak_gib:.2f}" if row.cache != "unused" else "" for row in table.itertuples()]
    rows = [
        (f"`{row.command}`", row.cache, seconds(row.best), peak)
        for row, peak in zip(table.itertuples(), peaks, strict=True)
    ]
    stages = kept("main_job_stages")
    by_cache = stages.pivot(index="stage", columns="cache", values="seconds").loc[stages["stage"].unique()]
    of_stages = [(stage, seconds(row["empty"]), seconds(row["filled"])) for stage, row in by_cache.iterrows()]
    filled(
        "bench-main-job",
        of_table(("Command", "Cache of compiled code", "Seconds", "Peak GiB"), rows)
        + "\n"
        + of_table(("Stage of `hlt-bayes run`", "Cache empty", "Cache filled"), of_stages),
    )


def test_the_readme_shows_how_the_economics_grow(filled):
    rows = [(f"{row.draws:,}", seconds(row.seconds), f"{row.peak_gib:.2f}") for row in kept("economics").itertuples()]
    filled("bench-economics", of_table(("Draws", "Five specs, five rows each", "Peak GiB"), rows))


def test_the_readme_shows_the_value_of_information_beside_nested_simulation(filled):
    table = kept("information")
    rows = [
        (row.what, row.method, row.size, seconds(row.seconds), f"{row.value_gbp:,.1f} ({row.se_of_one:,.1f})")
        for row in table.itertuples()
    ]
    heads = ("What", "Method", "Draws, or outer x inner", "Seconds", "£ per head (Monte Carlo SE of one run)")
    filled("bench-information", of_table(heads, rows))


def test_the_readme_says_what_the_validation_found(filled):
    validation = pd.read_csv(REFERENCE / "validation.csv")
    rows = []
    for part, tests in validation.groupby("part", sort=False):
        found = f"{tests['p'].min():.2g}", f"{tests['threshold'].iloc[0]:.2g}"
        rows.append((part, f"{tests['rows'].sum():,}", *found, "passed" if tests["passed"].all() else "FAILED"))
    # In the README, "with probability 1%".
    assert LEVEL == 0.01
    filled("validation", of_table(("Part", "Tests", "Smallest p", "Fails at or below", "Verdict"), rows))
