"""Makes synthetic records, on which an analysis of real ones can be tried and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.display import console, show
from hlt_bayes.cli.options import exit_codes
from hlt_bayes.cli.stages import Stages


@exit_codes()
def twin(
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same records.", min=0, max=2**63 - 1)] = 1,
    n: Annotated[int, typer.Option("--n", help="People.", min=100)] = 9785,
    spec: Annotated[str, typer.Option(help="Twin spec: a shipped name, or the path of a .toml file.")] = "published",
    out: Annotated[Path, typer.Option(help="File of the records: .csv, .parquet or .dta.")] = Path("twin.csv"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace synthetic records of ours.")] = False,
) -> None:
    """Make synthetic records shaped like the trials, and print the impacts that are true of them."""
    from hlt_bayes.records.twin import make_twin
    from hlt_bayes.report.twin import check_twin_target, truth_table, write_twin
    from hlt_bayes.specs import load_twin_spec

    check_twin_target(out, overwrite=overwrite)
    with Stages() as stages:
        stages.enter("Making records")
        made = make_twin(load_twin_spec(spec), n=n, seed=seed)
        stages.enter("Writing")
        truth = write_twin(made, out, overwrite=overwrite)
    screen = console()
    show(truth_table(made.truth), screen)
    screen.print(f"Written: {out} (synthetic), and what is true of it: {truth}", soft_wrap=True)
