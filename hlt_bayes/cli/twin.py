"""Generates synthetic records for testing an analysis of real records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.options import spec_names
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def twin(
    output: Output,
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same records.", min=0, max=2**63 - 1)] = 1,
    n: Annotated[int, typer.Option("--n", help="Number of people.", min=100)] = 9785,
    spec: Annotated[
        str,
        typer.Option(help="Synthetic data spec: a shipped name, or a path.", autocompletion=spec_names("twin")),
    ] = "published",
    out: Annotated[Path, typer.Option(help="File for the records: .csv, .parquet or .dta.")] = Path("twin.csv"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier synthetic records.")] = False,
) -> None:
    """Generate synthetic records and print their true impacts.

    The records have the structure of the trials' records.
    """
    from hlt_bayes.display.synthetic import truth_table
    from hlt_bayes.ipd.synthetic import make_twin
    from hlt_bayes.results.locking import sole_writer
    from hlt_bayes.results.synthetic import check_twin_target, write_twin
    from hlt_bayes.specs import load_twin_spec

    with sole_writer(out), output.stages() as stages:
        check_twin_target(out, overwrite=overwrite)
        stages.enter("Generating records")
        made = make_twin(load_twin_spec(spec), n=n, seed=seed)
        stages.enter("Writing")
        truth = write_twin(made, out, overwrite=overwrite)
    output.table(truth_table(made.truth))
    output.say(f"Written: {out} (synthetic records) and {truth} (true values)", whole=True)
