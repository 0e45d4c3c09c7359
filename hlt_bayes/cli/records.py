"""Individual records: their schema, validation and description, and disclosure control."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.inputs import read_records
from hlt_bayes.cli.options import KeyPath, LeaveOut, MappingPath, Overwrite
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

    Exit code 2 if there are any. For whoever holds the records: not for release.
    """
    from hlt_bayes.display.records import record_findings_table
    from hlt_bayes.display.table import frame_csv
    from hlt_bayes.ipd.data import RecordFindings, check_records

    findings = check_records(file, mapping=mapping)
    if as_csv:
        output.text(frame_csv(findings))
    else:
        output.table(record_findings_table(findings), wrapped=("Problem",), grouped=False)
    if len(findings):
        raise typer.Exit(RecordFindings.exit_code)


@records_app.command(name="describe")
@verb()
def records_describe(
    output: Output,
    file: RecordsPath,
    mapping: MappingPath = None,
    key: KeyPath = None,
    leave_out: LeaveOut = None,
    fewest: Annotated[int, typer.Option(help="Fewest people behind anything shown, 10 or more.")] = 10,
    base: Annotated[int, typer.Option(help="Base to which counts are rounded: 5 or 10.")] = 5,
    exact: Annotated[bool, typer.Option("--exact", help="Exact numbers instead, which must not be released.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the description and its output-check sheet, both as CSV.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Describe records by trial group and arm, under disclosure control.

    With --out also writes the output-check sheet: for each table, which rules
    were applied with which parameters, for the staff of a safe setting.
    """
    from hlt_bayes.core.errors import RecordsError
    from hlt_bayes.display.records import description_table
    from hlt_bayes.display.table import frame_csv
    from hlt_bayes.ipd.disclosure import Rules, describe_records, output_check
    from hlt_bayes.ipd.disclosure.leave_out import share_left_out
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_check

    if exact and out is not None:
        raise RecordsError("--exact cannot be used with --out: exact numbers are shown, not written for release")
    rules = Rules(fewest=fewest, base=base)
    with claimed(out, overwrite=overwrite):
        records = read_records(file, mapping, key, released=not exact)
        description = describe_records(records, rules=None if exact else rules, leave_out=leave_out)
        if out is not None:
            sheet = output_check(description, rules, left_out=share_left_out(records, leave_out))
            write_check(
                {"description": description, "disclosure": sheet},
                {},
                out,
                specs={},
                seed=0,
                records=records.fingerprint,
                overwrite=overwrite,
            )
    if as_csv:
        output.text(frame_csv(description))
        return
    output.table(description_table(description, None if exact else rules))
    if out is not None:
        output.say(f"Written: {out} (description.csv and its output-check sheet, disclosure.csv)", whole=True)


@records_app.command(name="key")
@verb()
def records_key(output: Output, file: RecordsPath) -> None:
    """Make a key beside a file of records, which fixes the rounding and who is left out.

    Whoever has the key can repeat both: it stays with the records and never
    leaves with a result. An existing key is never replaced.
    """
    from hlt_bayes.results.key import write_key

    output.say(f"Written: {write_key(file)}", whole=True)


@records_app.command(name="rules")
@verb()
def records_rules(output: Output, as_csv: Annotated[bool, typer.Option("--csv", help="Print as CSV.")] = False) -> None:
    """List the rules of disclosure control, what they apply to, and what is not checked."""
    from hlt_bayes.display.records import rules_page
    from hlt_bayes.display.table import frame_csv
    from hlt_bayes.ipd.disclosure import Rules, rules_table
    from hlt_bayes.ipd.disclosure.leave_out import LEFT_OUT

    table = rules_table(Rules(), left_out=LEFT_OUT)
    if as_csv:
        output.text(frame_csv(table))
    else:
        output.table(rules_page(table), wrapped=("What it does", "Applied to", "Guide"), grouped=False)
