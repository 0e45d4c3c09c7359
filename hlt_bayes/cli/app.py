"""Command line: one verb a task, errors as one line each, exit codes that scripts can use."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.appraisal import appraise, assumptions, voi
from hlt_bayes.cli.checks import check_app
from hlt_bayes.cli.display import console, show
from hlt_bayes.cli.options import EngineName, EvidencePath, Overwrite, Seed, Smallest, exit_codes, smallest_effects
from hlt_bayes.cli.records import MappingPath, records_app
from hlt_bayes.cli.run import run_analysis
from hlt_bayes.cli.stages import Stages
from hlt_bayes.cli.twin import twin

app = typer.Typer(
    name="hlt-bayes",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Bayesian re-analysis of the Health-led Employment Trials. "
    "Exit codes: 0 done, 2 bad input, 3 the sampler did not converge, 130 interrupted.",
)


evidence_app = typer.Typer(
    invoke_without_command=True, help="List, filter and show the printed cells behind every number."
)
app.add_typer(evidence_app, name="evidence")
app.add_typer(check_app, name="check")
app.add_typer(records_app, name="records")


@app.command()
@exit_codes()
def run(
    spec: Annotated[
        str | None,
        typer.Option(help="Impact spec: a shipped name, or a path. [default: primary; records for --records]"),
    ] = None,
    moderators: Annotated[
        str,
        typer.Option(help="Spec with moderators beside it, or none. [default: moderators; none for own trials]"),
    ] = "",
    economics: Annotated[
        str | None, typer.Option(help="Economic spec: a shipped name, or a path. [default: published]")
    ] = None,
    components: Annotated[
        str,
        typer.Option(
            help="Spec of component prices beside it, or none. [default: green-book; none for own trials, --economics]"
        ),
    ] = "",
    evidence: EvidencePath = None,
    records: Annotated[
        Path | None, typer.Option(help="Individual records in place of print: a .csv, .parquet or .dta file.")
    ] = None,
    mapping: MappingPath = None,
    engine: EngineName = None,
    smallest: Smallest = None,
    out: Annotated[Path, typer.Option(help="Result folder.")] = Path("results/primary"),
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit the impacts, value them, print the tables and write a result folder."""
    run_analysis(
        spec,
        moderators,
        economics,
        components,
        evidence,
        out,
        records=records,
        mapping=mapping,
        engine=engine,
        smallest=smallest_effects(smallest),
        seed=seed,
        overwrite=overwrite,
    )


for verb in (appraise, voi, assumptions, twin):
    app.command()(verb)


@evidence_app.callback()
@exit_codes()
def evidence_list(
    context: typer.Context,
    document: Annotated[str, typer.Option(help="Only cells of this document.")] = "",
    place: Annotated[str, typer.Option(help="Only cells of this table or section.")] = "",
    measure: Annotated[str, typer.Option(help="Only cells that measure this.")] = "",
    outcome: Annotated[str, typer.Option(help="Only cells of this outcome.")] = "",
    group: Annotated[str, typer.Option(help="Only cells of this trial group or pooled row.")] = "",
    contains: Annotated[str, typer.Option(help="Only cells whose row, column or text contains this.")] = "",
) -> None:
    """List the tables and sections; with a filter, the cells that pass it."""
    if context.invoked_subcommand is not None:
        return
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.report.sources import cells_table, places_table

    loaded = load_evidence()
    filters = {"document": document, "place": place, "measure": measure, "outcome": outcome, "group": group}
    filters["contains"] = contains
    table = cells_table(loaded, filters) if any(filters.values()) else places_table(loaded)
    show(table, console(), wrapped=("Place", "Title", "Row", "Column", "Measures"), grouped=False)


@evidence_app.command(name="show")
@exit_codes()
def evidence_show(
    place: Annotated[str, typer.Argument(help='For example "Table 2.1" or "Section 2.1".')],
    document: Annotated[str, typer.Option(help="Only that of this document.")] = "",
) -> None:
    """Print a table as its report has it, marked where it is used otherwise."""
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.report.sources import printed_tables

    for table in printed_tables(load_evidence(), place, document=document):
        show(table, console(), grouped=False)


@evidence_app.command(name="template")
@exit_codes()
def evidence_template() -> None:
    """Print our impacts as a CSV file of trials: the format of run --evidence, to fill in your own."""
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.report.sources import trials_csv

    typer.echo(trials_csv(load_evidence()), nl=False)


@app.command(name="audit")
@exit_codes()
def run_audit(
    evidence: EvidencePath = None,
    severity: Annotated[str, typer.Option(help="Only error, warning or note.")] = "",
    used: Annotated[bool, typer.Option("--used", help="Only findings in numbers that an analysis uses.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all columns as CSV.")] = False,
) -> None:
    """Say what in the printed numbers does not add up, and what is done about it."""
    from hlt_bayes.auditing import audit
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.report.sources import audit_table, findings_csv, of_severity, of_used_cells

    findings = of_severity(audit(load_evidence(evidence)), severity)
    findings = of_used_cells(findings) if used else findings
    if as_csv:
        typer.echo(findings_csv(findings), nl=False)
    else:
        show(audit_table(findings), console(), wrapped=("Finding",))


@app.command()
@exit_codes()
def ips(
    spec: Annotated[str, typer.Option(help="Spec: a shipped name, or the path of a .toml file.")] = "ips",
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables, forest and funnel plot.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Pool the other trials of IPS, and print what they predict for each trial group."""
    from hlt_bayes.meta import load_meta_spec, pooled_trials
    from hlt_bayes.report import check_target, write_trials
    from hlt_bayes.report.ips import methods_table, priors_table
    from hlt_bayes.specs import spec_path

    if out is not None:
        check_target(out, overwrite=overwrite)
    with Stages() as stages:
        trials = pooled_trials(load_meta_spec(spec), seed=seed, progress=stages.enter)
        if out is not None:
            stages.enter("Writing the result")
            write_trials(trials, out, spec_file=spec_path(spec, "meta"), overwrite=overwrite)
    screen = console()
    show(methods_table(trials.methods), screen, grouped=False)
    show(priors_table(trials.priors), screen)
    if out is not None:
        screen.print(f"Written: {out} (forest.png, funnel.png and the tables)", soft_wrap=True)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows a substitute: a finished result must not fail on its display.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()
