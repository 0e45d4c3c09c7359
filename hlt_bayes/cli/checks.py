"""What a careful reviewer asks, one verb a question."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from hlt_bayes.cli.display import console, show
from hlt_bayes.cli.options import (
    EngineChoice,
    EngineName,
    EvidencePath,
    Journal,
    Overwrite,
    Scheduler,
    Seed,
    Smallest,
    Workers,
    engine_of,
    exit_codes,
    numbers,
    smallest_effects,
)
from hlt_bayes.cli.stages import Stages

if TYPE_CHECKING:
    import xarray as xr

    from hlt_bayes.evidence import Evidence
    from hlt_bayes.specs import ImpactSpec

check_app = typer.Typer(no_args_is_help=True, help="Ask of a model what a careful reviewer asks.")

SpecName = Annotated[str, typer.Option(help="Impact spec: a shipped name, or the path of a .toml file.")]
SpecNames = Annotated[
    list[str] | None, typer.Option(help="Impact spec; may be given several times. [default: all shipped]")
]
OutFolder = Annotated[Path | None, typer.Option(help="Folder for the tables and the figure.")]


@check_app.command(name="prior")
@exit_codes()
def check_prior(spec: SpecName = "primary", evidence: EvidencePath = None, seed: Seed = None) -> None:
    """Say what the prior expects to see printed, stars included, and where it conflicts with what was."""
    from hlt_bayes.checks import prior_predictive
    from hlt_bayes.report.checks import prints_table

    with Stages() as stages:
        chosen, loaded = _read(spec, evidence, stages)
        stages.enter("Drawing from the prior")
        prints = prior_predictive(chosen, loaded, seed=seed)
    show(prints_table(prints, of="prior"), console())


@check_app.command(name="posterior")
@exit_codes()
def check_posterior(
    spec: SpecName = "primary", evidence: EvidencePath = None, engine: EngineName = None, seed: Seed = None
) -> None:
    """Say what the same trial, run again, would have printed, and what the fit expects of the pooled rows."""
    from hlt_bayes.checks import held_out_rows, posterior_predictive
    from hlt_bayes.report.checks import held_out_rows_table, prints_table

    with Stages() as stages:
        chosen, loaded = _read(spec, evidence, stages)
        tree = _fitted(chosen, loaded, engine, seed, stages)
        stages.enter("Printing again")
        tables = [prints_table(posterior_predictive(tree, loaded, chosen, seed=seed), of="posterior")]
        if not loaded.of_own_trials:
            tables.append(held_out_rows_table(held_out_rows(tree, loaded, chosen, seed=seed)))
    for table in tables:
        show(table, console())


@check_app.command(name="sensitivity")
@exit_codes()
def check_sensitivity(
    spec: SpecName = "primary", evidence: EvidencePath = None, engine: EngineName = None, seed: Seed = None
) -> None:
    """Scale priors and likelihood a little, and see how impacts and returns move."""
    from hlt_bayes.checks import power_scaling
    from hlt_bayes.economics import appraise
    from hlt_bayes.report.checks import power_table
    from hlt_bayes.specs import load_economic_spec

    with Stages() as stages:
        chosen, loaded = _read(spec, evidence, stages)
        tree = _fitted(chosen, loaded, engine, seed, stages)
        stages.enter("Scaling")
        returns = None
        if not loaded.costs.empty:
            prices = load_economic_spec("published")
            own = chosen.sampling.seed if seed is None else seed
            returns = appraise(tree, prices, loaded, seed=own)["benefit_cost_ratio"]
        power = power_scaling(tree, loaded, chosen, returns=returns)
    show(power_table(power), console(), grouped=False)


@check_app.command(name="grid")
@exit_codes()
def check_grid(
    spec: SpecName = "primary",
    economics: Annotated[str, typer.Option(help="Economic spec: a shipped name, or a path.")] = "published",
    factors: Annotated[str, typer.Option(help="Factors on the scales of the priors of mu, tau and SE.")] = "0.5,1,2",
    out: OutFolder = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    journal: Journal = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Move the scales of the priors, and see how the probability that £1 returns more than £1 moves."""
    from hlt_bayes.checks import prior_grid, range_over_grid
    from hlt_bayes.errors import SpecError
    from hlt_bayes.plots import plot_prior_grid
    from hlt_bayes.report import check_target, write_check
    from hlt_bayes.report.checks import grid_table
    from hlt_bayes.specs import load_economic_spec

    try:
        scales = [float(text) for text in factors.split(",")]
    except ValueError as error:
        raise SpecError(f"--factors {factors!r}: write numbers above 0, such as 0.5,1,2") from error
    if 1.0 not in scales or min(scales) <= 0:
        raise SpecError(f"--factors {factors!r}: numbers above 0 are allowed, and 1, the spec as stated, must be one")
    if out is not None:
        check_target(out, overwrite=overwrite)
    with Stages() as stages:
        chosen, loaded = _read(spec, None, stages)
        grid = prior_grid(
            chosen,
            load_economic_spec(economics),
            loaded,
            mu=scales,
            tau=scales,
            se=scales,
            seed=seed,
            workers=workers,
            scheduler=scheduler,
            journal=journal,
            progress=stages.enter,
        )
        if out is not None:
            figures = {"grid": plot_prior_grid(grid)}
            own = chosen.sampling.seed if seed is None else seed
            write_check({"grid": grid}, figures, out, specs={spec: chosen}, seed=own, overwrite=overwrite)
    show(grid_table(range_over_grid(grid)), console())
    _say_written(out)


@check_app.command(name="specs")
@exit_codes()
def check_specs(
    spec: SpecNames = None,
    evidence: EvidencePath = None,
    smallest: Smallest = None,
    out: OutFolder = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit several specs, and set all impacts and returns side by side."""
    from hlt_bayes.checks import compare_specs, impacts_by_spec, returns_by_spec
    from hlt_bayes.plots import plot_specs
    from hlt_bayes.report import check_target, write_check
    from hlt_bayes.report.checks import returns_by_spec_table, specs_table
    from hlt_bayes.specs import load_economic_spec

    if out is not None:
        check_target(out, overwrite=overwrite)
    with Stages() as stages:
        chosen, loaded = _read_all(spec, evidence, stages)
        trees = compare_specs(chosen, loaded, seed=seed, progress=stages.enter)
        own = chosen[0].sampling.seed if seed is None else seed
        frames = {"specs": impacts_by_spec(trees, loaded, smallest=smallest_effects(smallest))}
        tables = [specs_table(frames["specs"])]
        if not loaded.costs.empty:
            frames["returns"] = returns_by_spec(trees, load_economic_spec("published"), loaded, seed=own)
            tables.append(returns_by_spec_table(frames["returns"]))
        if out is not None:
            figures = {"specs": plot_specs(frames["specs"])}
            by_name = {one.name: one for one in chosen}
            write_check(frames, figures, out, specs=by_name, seed=own, overwrite=overwrite)
    for table in tables:
        show(table, console())
    _say_written(out)


@check_app.command(name="held-out")
@exit_codes()
def check_held_out(spec: SpecNames = None, evidence: EvidencePath = None, seed: Seed = None) -> None:
    """Score how well each spec predicts what is printed of a cell from all others."""
    from hlt_bayes.checks import held_out_scores
    from hlt_bayes.errors import SpecError
    from hlt_bayes.exact import is_exact
    from hlt_bayes.report.checks import scores_table

    with Stages() as stages:
        chosen, loaded = _read_all(spec, evidence, stages)
        without = [one.name for one in chosen if not is_exact(one)]
        scored = [one for one in chosen if is_exact(one)]
        if not scored:
            raise SpecError(f"no exact engine for {', '.join(without)}, so no held-out score; take another spec")
        scores = {}
        for done, one in enumerate(scored):
            stages.enter("Leaving out cell by cell", done, len(scored))
            scores[one.name] = held_out_scores(one, loaded, seed=seed)
    show(scores_table(scores, without), console())


@check_app.command(name="contraction")
@exit_codes()
def check_contraction(
    spec: SpecName = "sites", evidence: EvidencePath = None, engine: EngineName = None, seed: Seed = None
) -> None:
    """Say how much narrower the posterior of each parameter is than its prior."""
    from hlt_bayes.moderation import contraction
    from hlt_bayes.report.checks import contraction_table

    with Stages() as stages:
        chosen, loaded = _read(spec, evidence, stages)
        learnt = contraction(_fitted(chosen, loaded, engine, seed, stages))
    show(contraction_table(learnt), console(), grouped=False)


@check_app.command(name="moderators")
@exit_codes()
def check_moderators(
    spec: SpecName = "moderators",
    evidence: EvidencePath = None,
    new_site: Annotated[
        list[str] | None, typer.Option(help="Delivery of a new site, such as caseload=12; may be given several times.")
    ] = None,
    engine: EngineName = None,
    seed: Seed = None,
) -> None:
    """Say what the evidence tells of moderators, one at a time and together, and give counterfactuals."""
    import pandas as pd

    from hlt_bayes.impacts import impact_summary
    from hlt_bayes.moderation import counterfactual, moderation_summary, slopes, with_one_moderator
    from hlt_bayes.report.checks import alone_table, impact_of_new_site_table
    from hlt_bayes.report.delivery import counterfactuals_table, slopes_table

    delivery = numbers(new_site, option="--new-site", example="caseload=12")
    with Stages() as stages:
        chosen, loaded = _read(spec, evidence, stages)
        tree = _fitted(chosen, loaded, engine, seed, stages)
        together = moderation_summary(tree, chosen)
        names, alone = list(chosen.moderators or {}), []
        for done, name in enumerate(names):
            stages.enter("One moderator at a time", done, len(names))
            one = with_one_moderator(chosen, name)
            alone.append(slopes(_fitted(one, loaded, EngineChoice.EXACT, seed, None), one))
    screen = console()
    show(slopes_table(together), screen, grouped=False)
    show(alone_table(pd.concat(alone)), screen, grouped=False)
    show(counterfactuals_table(together), screen)
    if delivery:
        draws = counterfactual(tree, chosen, "new group", delivery=delivery)
        show(impact_of_new_site_table(impact_summary(draws), delivery), screen, grouped=False)


@check_app.command(name="calibration")
@exit_codes()
def check_calibration(
    spec: SpecNames = None,
    again: Annotated[
        bool, typer.Option("--again", help="Calibrate anew, and keep the result beside the specs.")
    ] = False,
    engine: Annotated[
        Literal["nuts", "exact"] | None,
        typer.Option(help="Only that of this engine. [default: nuts, and exact where it can be]"),
    ] = None,
    replicates: Annotated[int | None, typer.Option(help="In place of 200 (nuts) and 2,000 (exact).", min=100)] = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    journal: Journal = None,
) -> None:
    """Show whether the shipped specs find what is known to be there, and whether that is still of today's models."""
    import pandas as pd

    from hlt_bayes.calibration import (
        calibrate,
        calibration_record,
        calibrations_file,
        engines_of,
        read_calibrations,
        stale,
    )
    from hlt_bayes.report import write_calibrations
    from hlt_bayes.report.checks import calibrations_table

    with Stages() as stages:
        chosen, loaded = _read_all(spec, None, stages)
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
        stages.enter("Comparing with today's models")
        records = read_calibrations()
        records = records[records["spec"].isin([one.name for one in chosen])]
        old = stale(records, chosen, loaded)
    show(calibrations_table(records, old), console(), grouped=False)


def _read(spec: str, path: Path | None, stages: Stages) -> tuple[ImpactSpec, Evidence]:
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.specs import load_impact_spec

    stages.enter("Reading evidence and specs")
    return load_impact_spec(spec), load_evidence(path)


def _read_all(names: list[str] | None, path: Path | None, stages: Stages) -> tuple[list[ImpactSpec], Evidence]:
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.specs import load_impact_spec, shipped_specs

    stages.enter("Reading evidence and specs")
    return [load_impact_spec(name) for name in names or shipped_specs("impact")], load_evidence(path)


def _fitted(
    spec: ImpactSpec, evidence: Evidence, engine: EngineChoice | None, seed: int | None, stages: Stages | None
) -> xr.DataTree:
    """Fit by the engine asked for, else by the exact one where the spec has it."""
    from hlt_bayes.exact import is_exact
    from hlt_bayes.fitting import fit

    chosen = engine_of(engine or (EngineChoice.EXACT if is_exact(spec) else None))
    return fit(spec, evidence, engine=chosen, seed=seed, progress=stages.enter if stages else None)


def _say_written(out: Path | None) -> None:
    if out is not None:
        console().print(f"Written: {out}", soft_wrap=True)
