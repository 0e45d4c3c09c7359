"""Verifies that a result is unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import OriginalEvidence
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb
from hlt_bayes.core.errors import ResultFolderError


@verb()
def verify(
    output: Output,
    result: Annotated[Path, typer.Argument(help="Result folder.")] = Path("results/primary"),
    recompute: Annotated[
        bool,
        typer.Option("--recompute", help="Also make tables, figures and page again from the draws, and compare them."),
    ] = False,
    evidence: OriginalEvidence = None,
) -> None:
    """Verify that a result has not changed since it was written.

    Compares every file with the hashes in the manifest, and draws, specs and
    evidence with each other; exit code 2 if any differs.
    """
    from hlt_bayes.report.verify import discrepancies, verification_table, verify_result

    with output.stages() as stages:
        findings = verify_result(result, recompute=recompute, evidence=evidence, progress=stages.enter)
    output.table(verification_table(findings, result), grouped=False)
    if len(discrepancies(findings)):
        raise typer.Exit(ResultFolderError.exit_code)
