"""Finds what has changed in a result since it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import EvidencePath
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb
from hlt_bayes.core.errors import ResultFolderError


@verb()
def verify(
    output: Output,
    result: Annotated[Path, typer.Argument(help="Folder of a result.")] = Path("results/primary"),
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Make the tables of an analysis again from its draws, and compare.")
    ] = False,
    evidence: EvidencePath = None,
) -> None:
    """Say whether a result still is what was written.

    Compares every file with the hashes in its manifest; exit code 2 if any departs.
    """
    from hlt_bayes.results.verify import discrepancies, verification_table, verify_result

    with output.stages() as stages:
        stages.enter("Reading the result")
        findings = verify_result(result, recompute=recompute, evidence=evidence)
    output.table(verification_table(findings, result), grouped=False)
    if len(discrepancies(findings)):
        raise typer.Exit(ResultFolderError.exit_code)
