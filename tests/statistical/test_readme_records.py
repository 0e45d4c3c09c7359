"""What the README says of individual records: written by --golden, held to today's code and to what was measured."""

from dataclasses import replace

import pandas as pd
import pytest
from helpers import REFERENCE, markdown

from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.format import interval, number
from hlt_bayes.display.records import families_table, rules_page
from hlt_bayes.display.table import Table
from hlt_bayes.impacts.draws import impact_summary
from hlt_bayes.ipd.data import schema_table
from hlt_bayes.ipd.disclosure import Rules, describe_records, rules_table
from hlt_bayes.ipd.disclosure.leave_out import LEFT_OUT
from hlt_bayes.ipd.models import aggregate, fit_records
from hlt_bayes.ipd.synthetic import make_twin
from hlt_bayes.specs import load_individual_spec, shipped_specs

pytestmark = pytest.mark.ci


def test_the_readme_lists_the_columns_of_records(held):
    held("record-columns", markdown(families_table(schema_table())) + "\n")


def test_the_readme_states_the_rules_of_disclosure_control(filled):
    page = rules_page(rules_table(Rules(), left_out=LEFT_OUT))
    linked = [f"[{row.guide}]({row.link})" for row in page.frame.itertuples()]
    rows = tuple((*row[:3], link) for row, link in zip(page.rows, linked, strict=True))
    filled("disclosure-rules", markdown(replace(page, rows=rows)) + "\n")


def test_the_readme_shows_how_far_disclosure_control_moves_a_description(held, twin):
    lines = [
        "| people | counts shown | error of a per cent: mean | largest | means shown | error of a mean, in SDs: mean "
        "| largest | SDs shown | error of an SD: median |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for records in (twin.records, make_twin(n=1500, seed=1).records):
        moved = _moved(records)
        lines.append("| " + " | ".join([f"{len(records):,}", *moved]) + " |")
    held("disclosure-utility", "\n".join([*lines, ""]))


def _moved(records):
    """How much is shown, and how far it is from exact numbers."""
    key = ["column", "value", "group", "arm"]
    both = describe_records(records, leave_out=LEFT_OUT).merge(
        describe_records(records, rules=None), on=key, suffixes=("", "_exact")
    )
    both = both[(both["status"] != "does not apply") & (both["column"] != "people")]
    some = both[both["count_exact"] > 0]
    numbers = some[some["value"] == "present"]
    share = (both["percent"] - both["percent_exact"]).abs()
    mean = ((numbers["mean"] - numbers["mean_exact"]) / numbers["sd_exact"]).abs()
    sd = (numbers["sd"] / numbers["sd_exact"] - 1.0).abs()
    return (
        f"{some['count'].notna().mean():.0%}",
        f"{share.mean():.2f} points",
        f"{share.max():.2f}",
        f"{numbers['mean'].notna().mean():.0%}",
        f"{mean.mean():.3f}",
        f"{mean.max():.2f}",
        f"{numbers['sd'].notna().mean():.0%}",
        f"{sd.median():.1%}",
    )


def test_the_readme_lists_the_individual_models(held):
    lines = ["| spec | what it is |", "| --- | --- |"]
    lines += [f"| `{name}` | {load_individual_spec(name).title} |" for name in shipped_specs("individual")]
    held("individual-models", "\n".join([*lines, ""]))


def test_the_readme_shows_what_was_found_on_the_twin(held, twin):
    tree = fit_records(load_individual_spec("records"), twin.records)
    found = impact_summary(tree["posterior"]["impact"]).set_index(["outcome", "group"])
    estimates = aggregate(twin.records).set_index(["outcome", "group"])
    rows = []
    for (outcome, group), row in found.iterrows():
        estimate = estimates.loc[(outcome, group)]
        scale = OUTCOMES[outcome].display_scale
        value, se = (number(float(estimate[name]) / scale, outcome) for name in ("estimate", "se"))
        rows.append(
            (
                OUTCOMES[outcome].heading,
                group,
                number(float(twin.truth["impact"].sel(outcome=outcome, group=group)), outcome),
                f"{value} ({se})",
                number(row["mean"], outcome),
                interval(row["lower_89"], row["upper_89"], outcome),
            )
        )
    table = Table(
        title="Synthetic data, seed 1: true impacts and estimates",
        columns=("Outcome", "Group", "True", "Estimate (SE)", "Posterior mean", "89% interval"),
        rows=tuple(rows),
        notes=("Estimates are those of `hb.aggregate`, group by group; posterior means are pooled.",),
    )
    held("twin", markdown(table) + "\n")


def test_the_readme_shows_the_engines_as_measured(held):
    measured = pd.read_csv(REFERENCE / "individual_engines.csv")
    lines = [
        "| engine | cache | compiling | drawing | ESS | divergences | time to ESS 1,000 | brms time over this |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.engine} | {row.cache} | {row.prepare:.0f} s | {row.draw:.1f} s | {row.effective_draws:,.0f} "
        f"| {row.divergences} | {row.to_1000:.1f} s | {row.brms_over_to_1000:,.1f} |"
        for row in measured.itertuples()
    ]
    held("individual-engines", "\n".join([*lines, ""]))
    engines = measured.set_index(["engine", "cache"])
    assert engines["brms_over_to_1000"]["nuts", "filled"] >= 3
    assert engines["brms_over_to_1000"]["nuts", "empty"] > 1
    assert engines["brms_over_to_1000"]["laplace", "unused"] >= 100
    assert (measured.loc[measured["engine"] != "brms", "divergences"] == 0).all()


def test_the_readme_shows_how_cost_grows_with_rows_as_measured(held):
    measured = pd.read_csv(REFERENCE / "individual_rows.csv")
    lines = [
        "| covariates | outcome | engine | rows | seconds | compiling | peak GiB | ESS/s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.covariates} | {row.outcome} | {row.engine} | {row.rows:,} | {row.seconds:.1f} "
        f"| {row.of_which_compiling:.0f} | {row.peak_gib:.1f} | {row.effective_draws_per_second:,.0f} |"
        for row in measured.itertuples()
    ]
    held("individual-rows", "\n".join([*lines, ""]))
    for _, one in measured.groupby(["covariates", "outcome", "engine"]):
        seconds = one.set_index("rows")["seconds"]
        times = seconds[1_000_000] / seconds[10_000]
        # Linear at worst, a quarter for the noise of a measurement.
        assert times <= (3 if (one["covariates"] == "categories").all() else 125)


@pytest.mark.parametrize("name", ["individual_engines", "individual_rows"])
def test_measurements_are_complete(name):
    measured = pd.read_csv(REFERENCE / f"{name}.csv")
    assert measured.notna().all(axis=None)
