"""Individual records: what they may hold, whether a file does, and what it says of many."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.display import console, show
from hlt_bayes.cli.options import exit_codes

records_app = typer.Typer(
    no_args_is_help=True, help="Check and describe individual records; what one person's holds is never shown."
)

RecordsPath = Annotated[Path, typer.Argument(help="Records: a .csv, .parquet or .dta file.")]
MappingPath = Annotated[
    Path | None, typer.Option("--mapping", help="TOML file that gives the file's columns and codes their names here.")
]


@records_app.command(name="columns")
@exit_codes()
def records_columns(as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False) -> None:
    """List the columns that records may have."""
    from hlt_bayes.records import schema_table
    from hlt_bayes.report.records import columns_table
    from hlt_bayes.report.sources import findings_csv

    if as_csv:
        typer.echo(findings_csv(schema_table()), nl=False)
    else:
        show(columns_table(schema_table()), console(), wrapped=("Label", "Allowed", "Source"), grouped=False)


@records_app.command(name="check")
@exit_codes()
def records_check(
    file: RecordsPath,
    mapping: MappingPath = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all findings, or none, as CSV.")] = False,
) -> None:
    """Say what is wrong with records, by row and column; exit code 2 if anything is. Without, describe them."""
    from hlt_bayes.records import RecordFindings, describe_records, load_records
    from hlt_bayes.report.records import description_table, record_findings_table
    from hlt_bayes.report.sources import findings_csv

    try:
        records = load_records(file, mapping=mapping)
    except RecordFindings as error:
        findings = error.findings
    else:
        if as_csv:
            typer.echo("row,column,problem")
        else:
            show(description_table(describe_records(records)), console())
        return
    if as_csv:
        typer.echo(findings_csv(findings), nl=False)
    else:
        show(record_findings_table(findings), console(), wrapped=("Problem",), grouped=False)
    raise typer.Exit(RecordFindings.exit_code)


@records_app.command(name="describe")
@exit_codes()
def records_describe(
    file: RecordsPath,
    mapping: MappingPath = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
) -> None:
    """Describe records by trial group and arm; counts of few people are left out."""
    from hlt_bayes.records import describe_records, load_records
    from hlt_bayes.report.records import description_table
    from hlt_bayes.report.sources import findings_csv

    description = describe_records(load_records(file, mapping=mapping))
    if as_csv:
        typer.echo(findings_csv(description), nl=False)
    else:
        show(description_table(description), console())
