"""Simulation-based calibration of the shipped specs."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hlt_bayes.cli.inputs import read_all
from hlt_bayes.cli.options import JournalPath, Scheduler, SpecNames, Workers
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def check_calibration(
    output: Output,
    spec: SpecNames = None,
    again: Annotated[bool, typer.Option("--again", help="Run the calibration again and store the result.")] = False,
    engine: Annotated[
        Literal["nuts", "exact"] | None,
        typer.Option(help="With --again: only this engine. Default: nuts, and exact if available."),
    ] = None,
    replicates: Annotated[
        int | None,
        typer.Option(help="With --again: number of replicates. Default: 200 (nuts), 2,000 (exact).", min=100),
    ] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    journal: JournalPath = None,
) -> None:
    """Show the simulation-based calibration of the shipped specs.

    Flags results from an earlier version of a model.
    """
    import pandas as pd

    from hlt_bayes.display.checks import calibrations_table
    from hlt_bayes.inference.calibration import calibrate, calibration_record, engines_of, stale
    from hlt_bayes.results.calibrations import calibrations_file, read_calibrations, write_calibrations

    with output.stages() as stages:
        chosen, loaded = read_all(spec, None, stages)
        if again:
            for one in chosen:
                for name in [engine] if engine else engines_of(one):
                    summary = calibrate(
                        one,
                        loaded,
                        engine=name,
                        replicates=replicates,
                        workers=workers,
                        scheduler=scheduler,
                        journal=journal,
                        progress=stages.enter,
                    )
                    record = calibration_record(one, loaded, summary, engine=name)
                    write_calibrations(pd.DataFrame([record]), calibrations_file())
        stages.enter("Comparing with current models")
        records = read_calibrations()
        records = records[records["spec"].isin([one.name for one in chosen])]
        old = stale(records, chosen, loaded)
    output.table(calibrations_table(records, old), grouped=False)
