"""Writes the report of a result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import OriginalEvidence
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def report(
    output: Output,
    result: Annotated[Path, typer.Argument(help="Result folder.")] = Path("results/primary"),
    evidence: OriginalEvidence = None,
) -> None:
    """Write the report of a result: one HTML file that works offline.

    Runs model checks, alternative models, a sensitivity analysis of returns,
    the audit and reporting checklists. Adds report.html, with an interactive
    explorer, and the new tables to the result folder.
    """
    from hlt_bayes.report.checklists import checklists_table, read_checklists
    from hlt_bayes.report.write import write_report

    with output.stages() as stages:
        page = write_report(result, evidence=evidence, progress=stages.enter)
    output.table(checklists_table(read_checklists(result)), wrapped=("Asks for", "Where, or why not"))
    output.say(f"Written: {page} ({page.stat().st_size / 1e6:.1f} MB; works offline)", whole=True)
