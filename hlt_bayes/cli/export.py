"""Exports a result to the formats of other software."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import OriginalEvidence
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def export(
    output: Output,
    result: Annotated[Path, typer.Argument(help="Result folder.")] = Path("results/primary"),
    to: Annotated[
        list[str] | None, typer.Option(help="Format, or all; may be repeated. Without --to, lists the formats.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder, created if needed.")] = Path("exports"),
    evidence: OriginalEvidence = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
) -> None:
    """Export a result to R, Stan, ArviZ and meta-analysis packages.

    Exports draws, moments, effect sizes and priors. Without --to, lists the formats.
    """
    import pandas as pd

    from hlt_bayes.display.table import Table
    from hlt_bayes.results.export import FORMATS
    from hlt_bayes.results.export import export as write

    if not to:
        rows = tuple((name, one.description, one.holds) for name, one in FORMATS.items())
        frame = pd.DataFrame(rows, columns=["format", "description", "holds"])
        notes_below = ("Choose formats with --to FORMAT, or all of them with --to all.",)
        table = Table("Export formats", ("Format", "Content", "Files"), rows, notes_below, frame)
        output.table(table, wrapped=("Content", "Files"), grouped=False)
        return
    notes: list[str] = []
    with output.stages() as stages:
        stages.enter("Exporting")
        written = write(result, to=to, out=out, overwrite=overwrite, evidence=evidence, note=notes.append)
    for line in notes:
        output.say(line, whole=True)
    for path in written:
        output.say(f"Written: {path}", whole=True)
