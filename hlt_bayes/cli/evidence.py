"""The published values, and their inconsistencies."""

from __future__ import annotations

from typing import Annotated

import typer

from hlt_bayes.cli.options import EvidencePath, group_names, outcome_names
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb

evidence_app = typer.Typer(invoke_without_command=True, help="List, filter and show the published values.")


@evidence_app.callback()
@verb()
def evidence_list(
    output: Output,
    document: Annotated[str, typer.Option(help="Only cells of this document.")] = "",
    place: Annotated[str, typer.Option(help="Only cells of this table or section.")] = "",
    measure: Annotated[str, typer.Option(help="Only cells of this measure.")] = "",
    outcome: Annotated[str, typer.Option(help="Only cells of this outcome.", autocompletion=outcome_names)] = "",
    group: Annotated[
        str, typer.Option(help="Only cells of this trial group or pooled row.", autocompletion=group_names)
    ] = "",
    contains: Annotated[str, typer.Option(help="Only cells whose row, column or text contains this.")] = "",
) -> None:
    """List, filter and show the published values.

    Without a filter, lists tables and sections; with one, the matching cells.
    """
    from hlt_bayes.display.evidence import cells_table, places_table
    from hlt_bayes.evidence import load_evidence

    loaded = load_evidence()
    filters = {"document": document, "place": place, "measure": measure, "outcome": outcome, "group": group}
    filters["contains"] = contains
    table = cells_table(loaded, filters) if any(filters.values()) else places_table(loaded)
    output.table(table, wrapped=("Place", "Title", "Row", "Column", "Measures"), grouped=False)


@evidence_app.command(name="show")
@verb()
def evidence_show(
    output: Output,
    place: Annotated[str, typer.Argument(help='For example "Table 2.1" or "Section 2.1".')],
    document: Annotated[str, typer.Option(help="Only the table of this document.")] = "",
) -> None:
    """Print a table as published, with corrections marked."""
    from hlt_bayes.display.evidence import printed_tables
    from hlt_bayes.evidence import load_evidence

    for table in printed_tables(load_evidence(), place, document=document):
        output.table(table, grouped=False)


@evidence_app.command(name="template")
@verb(tables=False)
def evidence_template(output: Output) -> None:
    """Print the published impacts as a CSV template for your own trials.

    The format is that of run --evidence.
    """
    from hlt_bayes.display.evidence import trials_csv
    from hlt_bayes.evidence import load_evidence

    output.text(trials_csv(load_evidence()))


@verb()
def audit(
    output: Output,
    evidence: EvidencePath = None,
    severity: Annotated[str, typer.Option(help="Only findings of this severity: error, warning or note.")] = "",
    used: Annotated[bool, typer.Option("--used", help="Only findings in numbers used by an analysis.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all columns as CSV.")] = False,
) -> None:
    """List inconsistencies in the published numbers.

    Also shows how the analysis treats each of them.
    """
    from hlt_bayes.audit import audit_evidence as find
    from hlt_bayes.display.audit import audit_table, of_severity, of_used_cells
    from hlt_bayes.display.table import frame_csv
    from hlt_bayes.evidence import load_evidence

    findings = of_severity(find(load_evidence(evidence)), severity)
    findings = of_used_cells(findings) if used else findings
    if as_csv:
        output.text(frame_csv(findings))
    else:
        output.table(audit_table(findings), wrapped=("Finding",))
