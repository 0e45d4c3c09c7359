"""Fits one model, without an economic appraisal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.inputs import read_records
from hlt_bayes.cli.options import (
    EngineName,
    EvidencePath,
    KeyPath,
    LeaveOut,
    MappingPath,
    RecordsOption,
    Seed,
    check_record_options,
    engine_of,
    spec_names,
)
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def fit(
    output: Output,
    spec: Annotated[
        str | None,
        typer.Option(
            help="Impact spec (with --records, individual spec): name or path. Default: primary (records).",
            autocompletion=spec_names("impact", "individual"),
        ),
    ] = None,
    evidence: EvidencePath = None,
    records: RecordsOption = None,
    mapping: MappingPath = None,
    key: KeyPath = None,
    leave_out: LeaveOut = None,
    engine: EngineName = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="netCDF file (.nc) for the draws, usable with --posterior.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier draws in that file.")] = False,
) -> None:
    """Fit one spec, without economic appraisal, and save its draws."""
    from hlt_bayes.analysis import analyse
    from hlt_bayes.display.checks import convergence_table
    from hlt_bayes.display.impacts import estimands_table, impacts_table
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.inference.diagnostics import check_convergence
    from hlt_bayes.inference.fit import convergence_variables
    from hlt_bayes.inference.fit import fit as fit_spec
    from hlt_bayes.ipd.models import fit_records
    from hlt_bayes.results.locking import sole_writer
    from hlt_bayes.results.netcdf import check_draws_target, write_draws_file
    from hlt_bayes.specs import load_impact_spec, load_individual_spec

    individual_engine = check_record_options(
        evidence, records, engine, only_with_records={"--mapping": mapping, "--key": key, "--leave-out": leave_out}
    )
    with sole_writer(out), output.stages() as stages:
        if out is not None:
            check_draws_target(out, overwrite=overwrite)
        stages.enter("Reading evidence and specs")
        loaded = load_evidence(evidence)
        impact_spec = load_impact_spec("primary" if records is not None else spec or "primary")
        individual_spec = None if records is None else load_individual_spec(spec or "records")
        seed = (individual_spec or impact_spec).sampling.seed if seed is None else seed
        if individual_spec is not None and records is not None:
            stages.enter("Reading the records")
            people = read_records(records, mapping, key)
            tree = fit_records(
                individual_spec,
                people,
                engine=individual_engine,
                seed=seed,
                leave_out=leave_out,
                progress=stages.enter,
            )
        else:
            tree = fit_spec(impact_spec, loaded, engine=engine_of(engine), seed=seed, progress=stages.enter)
        stages.enter("Summarising")
        analysis = analyse(tree, loaded, impact_spec, None, seed=seed, individual_spec=individual_spec)
        diagnostics = analysis.diagnostics
        if individual_spec is None:
            diagnostics = check_convergence(convergence_variables(tree["posterior"].dataset, tree["reported"].dataset))
        if out is not None:
            stages.enter("Writing the draws")
            write_draws_file(tree, out, overwrite=overwrite)
    output.table(impacts_table(analysis.impacts, whose=analysis.whose))
    output.table(estimands_table(analysis.estimands))
    output.table(convergence_table(diagnostics), grouped=False)
    if out is not None:
        output.say(f"Written: {out}", whole=True)
