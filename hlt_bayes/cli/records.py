"""Individual records: their schema, validation and description."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import MappingPath
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb

records_app = typer.Typer(
    no_args_is_help=True,
    help="Check and describe individual records.\n\nValues of a single person are never shown.",
)

RecordsPath = Annotated[Path, typer.Argument(help="File of records: .csv, .parquet or .dta.")]


@records_app.command(name="columns")
@verb()
def records_columns(
    output: Output, as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False
) -> None:
    """List the columns of the record schema."""
    from hlt_bayes.display.records import columns_table
    from hlt_bayes.display.table import frame_csv
    from hlt_bayes.ipd.data import schema_table

    if as_csv:
        output.text(frame_csv(schema_table()))
    else:
        output.table(columns_table(schema_table()), wrapped=("Label", "Allowed", "Source"), grouped=False)


@records_app.command(name="check")
@verb()
def records_check(
    output: Output,
    file: RecordsPath,
    mapping: MappingPath = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all findings as CSV.")] = False,
) -> None:
    """List errors in records, by row and column.

    Exit code 2 if there are any; otherwise describes the records.
    """
    from hlt_bayes.display.records import description_table, record_findings_table
    from hlt_bayes.display.table import frame_csv
    from hlt_bayes.ipd.data import RecordFindings, describe_records, load_records

    try:
        records = load_records(file, mapping=mapping)
    except RecordFindings as error:
        findings = error.findings
    else:
        if as_csv:
            output.text("row,column,problem")
        else:
            output.table(description_table(describe_records(records)))
        return
    if as_csv:
        output.text(frame_csv(findings))
    else:
        output.table(record_findings_table(findings), wrapped=("Problem",), grouped=False)
    raise typer.Exit(RecordFindings.exit_code)


@records_app.command(name="describe")
@verb()
def records_describe(
    output: Output,
    file: RecordsPath,
    mapping: MappingPath = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
) -> None:
    """Describe records by trial group and arm, with small counts suppressed."""
    from hlt_bayes.display.records import description_table
    from hlt_bayes.display.table import frame_csv
    from hlt_bayes.ipd.data import describe_records, load_records

    description = describe_records(load_records(file, mapping=mapping))
    if as_csv:
        output.text(frame_csv(description))
    else:
        output.table(description_table(description))
