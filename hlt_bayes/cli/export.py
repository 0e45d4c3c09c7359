"""Writes a result in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import EvidencePath
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def export(
    output: Output,
    result: Annotated[Path, typer.Argument(help="Folder of a result.")] = Path("results/primary"),
    to: Annotated[
        list[str] | None, typer.Option(help="Format, or all; may be given several times. Without it they are listed.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the files, made where needed.")] = Path("exports"),
    evidence: EvidencePath = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
) -> None:
    """Write a result for R, Stan, ArviZ and meta-analysis.

    Draws, moments, effect sizes and priors; without --to the formats are listed.
    """
    import pandas as pd

    from hlt_bayes.display.table import Table
    from hlt_bayes.results.export import FORMATS
    from hlt_bayes.results.export import export as write

    if not to:
        rows = tuple((name, one.description, one.holds) for name, one in FORMATS.items())
        frame = pd.DataFrame(rows, columns=["format", "description", "holds"])
        notes_below = ("Write one with --to, or all.",)
        table = Table("Formats of export", ("Format", "What it is", "Files"), rows, notes_below, frame)
        output.table(table, wrapped=("What it is", "Files"), grouped=False)
        return
    notes: list[str] = []
    with output.stages() as stages:
        stages.enter("Exporting")
        written = write(result, to=to, out=out, overwrite=overwrite, evidence=evidence, note=notes.append)
    for line in notes:
        output.say(line, whole=True)
    for path in written:
        output.say(f"Written: {path}", whole=True)
