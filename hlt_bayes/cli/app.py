"""Command line: one verb a task, errors as one line each, exit codes that scripts can use."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.display import console, show
from hlt_bayes.cli.stages import Stages
from hlt_bayes.errors import HltBayesError

EXIT_INTERRUPTED = 130

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

EvidencePath = Annotated[
    Path | None, typer.Option(help="CSV file of your own trials, or a folder of evidence, in place of ours.")
]


@app.command()
def run(
    spec: Annotated[str, typer.Option(help="Impact spec: a shipped name, or the path of a .toml file.")] = "primary",
    economics: Annotated[
        str | None, typer.Option(help="Economic spec: a shipped name, or a path. [default: published]")
    ] = None,
    evidence: EvidencePath = None,
    out: Annotated[Path, typer.Option(help="Result folder.")] = Path("results/primary"),
    seed: Annotated[int | None, typer.Option(help="In place of the spec's seed.", min=0, max=2**63 - 1)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a result of ours in that folder.")] = False,
) -> None:
    """Fit the impacts, value them, print the three tables and write a result folder."""
    with _exit_codes():
        _run(spec, economics, evidence, out, seed, overwrite=overwrite)


@evidence_app.callback()
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
    with _exit_codes():
        from hlt_bayes.evidence import load_evidence
        from hlt_bayes.report.sources import cells_table, places_table

        loaded = load_evidence()
        filters = {"document": document, "place": place, "measure": measure, "outcome": outcome, "group": group}
        filters["contains"] = contains
        table = cells_table(loaded, filters) if any(filters.values()) else places_table(loaded)
        show(table, console(), wrapped=("Place", "Title", "Row", "Column", "Measures"), grouped=False)


@evidence_app.command(name="show")
def evidence_show(
    place: Annotated[str, typer.Argument(help='For example "Table 2.1" or "Section 2.1".')],
    document: Annotated[str, typer.Option(help="Only that of this document.")] = "",
) -> None:
    """Print a table as its report has it, marked where it is used otherwise."""
    with _exit_codes():
        from hlt_bayes.evidence import load_evidence
        from hlt_bayes.report.sources import printed_tables

        for table in printed_tables(load_evidence(), place, document=document):
            show(table, console(), grouped=False)


@evidence_app.command(name="template")
def evidence_template() -> None:
    """Print our impacts as a CSV file of trials: the format of run --evidence, to fill in your own."""
    with _exit_codes():
        from hlt_bayes.evidence import load_evidence
        from hlt_bayes.report.sources import trials_csv

        typer.echo(trials_csv(load_evidence()), nl=False)


@app.command(name="audit")
def run_audit(
    evidence: EvidencePath = None,
    severity: Annotated[str, typer.Option(help="Only error, warning or note.")] = "",
    used: Annotated[bool, typer.Option("--used", help="Only findings in numbers that an analysis uses.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all columns as CSV.")] = False,
) -> None:
    """Say what in the printed numbers does not add up, and what is done about it."""
    with _exit_codes():
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
def ips(
    spec: Annotated[str, typer.Option(help="Spec: a shipped name, or the path of a .toml file.")] = "ips",
    seed: Annotated[int | None, typer.Option(help="In place of the spec's seed.", min=0, max=2**63 - 1)] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables, forest and funnel plot.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a result of ours in that folder.")] = False,
) -> None:
    """Pool the other trials of IPS, and print what they predict for each trial group."""
    with _exit_codes():
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


def _run(spec: str, economics: str | None, path: Path | None, out: Path, seed: int | None, *, overwrite: bool) -> None:
    # The libraries behind these take seconds to import: --help must not wait for them.
    from hlt_bayes.analysis import analyse
    from hlt_bayes.economics import price_intervals
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.fitting import fit
    from hlt_bayes.report import check_target, write_result
    from hlt_bayes.report.findings import conflicts, significance_filter
    from hlt_bayes.report.tables import comparison_table, impacts_table, returns_table
    from hlt_bayes.specs import load_economic_spec, load_impact_spec, spec_path

    check_target(out, overwrite=overwrite)
    with Stages() as stages:
        stages.enter("Reading evidence and specs")
        impact_spec, loaded = load_impact_spec(spec), load_evidence(path)
        economic_spec = None
        if economics is not None or not loaded.costs.empty:
            economic_spec = load_economic_spec(economics or "published")
            price_intervals(impact_spec.outcomes, economic_spec, loaded)  # refuses now what would fail after the fit
        seed = impact_spec.sampling.seed if seed is None else seed
        tree = fit(impact_spec, loaded, seed=seed, progress=stages.enter)
        stages.enter("Valuing and comparing")
        analysis = analyse(tree, loaded, impact_spec, economic_spec, seed=seed)
        stages.enter("Writing the result")
        files = {"impact": spec_path(spec, "impact")}
        if economic_spec is not None:
            files["economic"] = spec_path(economics or "published", "economic")
        write_result(analysis, out, spec_files=files, overwrite=overwrite, seconds=stages.seconds)
    screen = console()
    tables = [impacts_table(analysis.impacts), comparison_table(analysis.comparison)]
    if economic_spec is not None:
        tables.insert(1, returns_table(analysis.returns))
    for table in tables:
        show(table, screen)
    for sentence in [*significance_filter(analysis.returns, analysis.comparison), *conflicts(analysis.comparison)]:
        screen.print(sentence, style="bold")
    screen.print(f"\nWritten: {out} (open {out / 'report.html'})", soft_wrap=True)


@contextlib.contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except HltBayesError as error:
        typer.echo(f"hlt-bayes: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        typer.echo("hlt-bayes: interrupted; nothing was written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from error
