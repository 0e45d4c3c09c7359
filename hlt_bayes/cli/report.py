"""Completes a result with what a reader asks of it, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import EvidencePath
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def report(
    output: Output,
    result: Annotated[Path, typer.Argument(help="Folder of a result.")] = Path("results/primary"),
    evidence: EvidencePath = None,
) -> None:
    """Write a result's page: all of it in one file, offline.

    Asks what a careful reader asks (checks, other models, what returns hinge on, the audit, reporting checklists), and
    writes report.html with an explorer into the folder, and the tables that it adds.
    """
    from hlt_bayes.report.checklists import checklists_table, read_checklists
    from hlt_bayes.report.write import write_report

    with output.stages() as stages:
        page = write_report(result, evidence=evidence, progress=stages.enter)
    output.table(checklists_table(read_checklists(result)), wrapped=("Asks for", "Where, or why not"))
    output.say(f"Written: {page} ({page.stat().st_size / 1e6:.1f} MB; works offline)", whole=True)
