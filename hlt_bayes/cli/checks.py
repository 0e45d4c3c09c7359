"""Model checks, one verb per check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hlt_bayes.cli.calibration import check_calibration
from hlt_bayes.cli.inputs import fitted, read_all, read_one
from hlt_bayes.cli.options import (
    EconomicsName,
    EngineChoice,
    EngineName,
    EvidencePath,
    JournalPath,
    OutFolder,
    Overwrite,
    Scheduler,
    Seed,
    Smallest,
    SpecName,
    SpecNames,
    Workers,
    numbers,
    smallest_effects,
)
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb

check_app = typer.Typer(no_args_is_help=True, help="Check a model: priors, fit, sensitivity and calibration.")


@check_app.command(name="prior")
@verb()
def check_prior(output: Output, spec: SpecName = "primary", evidence: EvidencePath = None, seed: Seed = None) -> None:
    """Prior predictive check of the published results, with prior-data conflict."""
    from hlt_bayes.checks import prior_predictive
    from hlt_bayes.display.checks import predictive_check_table

    with output.stages() as stages:
        chosen, loaded = read_one(spec, evidence, stages)
        stages.enter("Drawing from the prior")
        prints = prior_predictive(chosen, loaded, seed=seed)
    output.table(predictive_check_table(prints, of="prior"))


@check_app.command(name="posterior")
@verb()
def check_posterior(
    output: Output,
    spec: SpecName = "primary",
    evidence: EvidencePath = None,
    engine: EngineName = None,
    seed: Seed = None,
) -> None:
    """Posterior predictive check of the published results.

    Also predicts the published pooled rows, which the fit does not use.
    """
    from hlt_bayes.checks import held_out_rows, posterior_predictive
    from hlt_bayes.display.checks import held_out_rows_table, predictive_check_table

    with output.stages() as stages:
        chosen, loaded = read_one(spec, evidence, stages)
        tree = fitted(chosen, loaded, engine, seed, stages)
        stages.enter("Simulating replicate results")
        tables = [predictive_check_table(posterior_predictive(tree, loaded, chosen, seed=seed), of="posterior")]
        if not loaded.is_user_data:
            tables.append(held_out_rows_table(held_out_rows(tree, loaded, chosen, seed=seed)))
    for table in tables:
        output.table(table)


@check_app.command(name="sensitivity")
@verb()
def check_sensitivity(
    output: Output,
    spec: SpecName = "primary",
    evidence: EvidencePath = None,
    engine: EngineName = None,
    seed: Seed = None,
) -> None:
    """Power-scaling sensitivity to the priors and the likelihood."""
    from hlt_bayes.checks import power_scaling
    from hlt_bayes.display.checks import power_table
    from hlt_bayes.economics import appraise
    from hlt_bayes.specs import load_economic_spec

    with output.stages() as stages:
        chosen, loaded = read_one(spec, evidence, stages)
        tree = fitted(chosen, loaded, engine, seed, stages)
        stages.enter("Power scaling")
        returns = None
        if not loaded.costs.empty:
            prices = load_economic_spec("published")
            own = chosen.sampling.seed if seed is None else seed
            returns = appraise(tree, prices, loaded, seed=own)["benefit_cost_ratio"]
        power = power_scaling(tree, loaded, chosen, returns=returns)
    output.table(power_table(power), wrapped=("Diagnosis",), grouped=False)


@check_app.command(name="grid")
@verb()
def check_grid(
    output: Output,
    spec: SpecName = "primary",
    economics: EconomicsName = "published",
    factors: Annotated[str, typer.Option(help="Multipliers of the prior scales of mu, tau and SE.")] = "0.5,1,2",
    out: OutFolder = None,
    workers: Workers = None,
    scheduler: Scheduler = None,
    journal: JournalPath = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Show how P(return > £1) changes with the scales of the priors."""
    from hlt_bayes.checks import prior_grid, range_over_grid
    from hlt_bayes.core.errors import SpecError
    from hlt_bayes.display.checks import grid_table
    from hlt_bayes.display.plots import plot_prior_grid
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_check
    from hlt_bayes.specs import load_economic_spec

    try:
        scales = [float(text) for text in factors.split(",")]
    except ValueError as error:
        raise SpecError(f"--factors {factors!r}: write numbers above 0, such as 0.5,1,2") from error
    if 1.0 not in scales or min(scales) <= 0:
        raise SpecError(f"--factors {factors!r}: all must be above 0, and 1 (the spec as stated) must be included")
    with claimed(out, overwrite=overwrite), output.stages() as stages:
        chosen, loaded = read_one(spec, None, stages)
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
    output.table(grid_table(range_over_grid(grid)))
    _say_written(output, out)


@check_app.command(name="specs")
@verb()
def check_specs(
    output: Output,
    spec: SpecNames = None,
    evidence: EvidencePath = None,
    smallest: Smallest = None,
    out: OutFolder = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit several specs and compare their impacts and returns."""
    from hlt_bayes.checks import compare_specs, impacts_by_spec, returns_by_spec
    from hlt_bayes.display.checks import returns_by_spec_table, specs_table
    from hlt_bayes.display.plots import plot_specs
    from hlt_bayes.impacts.draws import admit
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_check
    from hlt_bayes.specs import load_economic_spec

    with claimed(out, overwrite=overwrite), output.stages() as stages:
        effects = smallest_effects(smallest)
        chosen, loaded = read_all(spec, evidence, stages)
        fits = compare_specs(chosen, loaded, seed=seed, progress=stages.enter)
        drawn = {name: admit(tree) for name, tree in fits.items()}
        own = chosen[0].sampling.seed if seed is None else seed
        frames = {"specs": impacts_by_spec(drawn, loaded, smallest=effects)}
        tables = [specs_table(frames["specs"])]
        if not loaded.costs.empty:
            frames["returns"] = returns_by_spec(drawn, load_economic_spec("published"), loaded, seed=own)
            tables.append(returns_by_spec_table(frames["returns"]))
        if out is not None:
            figures = {"specs": plot_specs(frames["specs"])}
            by_name = {one.name: one for one in chosen}
            write_check(frames, figures, out, specs=by_name, seed=own, overwrite=overwrite)
    for table in tables:
        output.table(table)
    _say_written(output, out)


@check_app.command(name="held-out")
@verb()
def check_held_out(output: Output, spec: SpecNames = None, evidence: EvidencePath = None, seed: Seed = None) -> None:
    """Score how well each spec predicts each published impact from the others."""
    from hlt_bayes.checks import held_out_scores
    from hlt_bayes.core.errors import SpecError
    from hlt_bayes.display.checks import scores_table
    from hlt_bayes.inference.exact import is_exact

    with output.stages() as stages:
        chosen, loaded = read_all(spec, evidence, stages)
        without = [one.name for one in chosen if not is_exact(one)]
        scored = [one for one in chosen if is_exact(one)]
        if not scored:
            raise SpecError(f"held-out scores need the exact engine; give a spec other than {', '.join(without)}")
        scores = {}
        for done, one in enumerate(scored):
            stages.enter("Leave-one-out", done, len(scored))
            scores[one.name] = held_out_scores(one, loaded, seed=seed)
    output.table(scores_table(scores, without))


@check_app.command(name="contraction")
@verb()
def check_contraction(
    output: Output,
    spec: SpecName = "sites",
    evidence: EvidencePath = None,
    engine: EngineName = None,
    seed: Seed = None,
) -> None:
    """Prior contraction: how much narrower the posterior is than the prior."""
    from hlt_bayes.display.checks import contraction_table
    from hlt_bayes.impacts.moderation import contraction

    with output.stages() as stages:
        chosen, loaded = read_one(spec, evidence, stages)
        learnt = contraction(fitted(chosen, loaded, engine, seed, stages))
    output.table(contraction_table(learnt), grouped=False)


@check_app.command(name="moderators")
@verb()
def check_moderators(
    output: Output,
    spec: SpecName = "moderators",
    evidence: EvidencePath = None,
    new_site: Annotated[
        list[str] | None, typer.Option(help="Moderator value at a new site, such as caseload=12; may be repeated.")
    ] = None,
    engine: EngineName = None,
    seed: Seed = None,
) -> None:
    """Estimate moderator effects, singly and jointly, with counterfactuals."""
    import pandas as pd

    from hlt_bayes.display.checks import alone_table, impact_of_new_site_table
    from hlt_bayes.display.moderators import counterfactuals_table, slopes_table
    from hlt_bayes.impacts.draws import impact_summary
    from hlt_bayes.impacts.moderation import counterfactual, moderation_summary, slopes, with_one_moderator

    delivery = numbers(new_site, option="--new-site", example="caseload=12")
    with output.stages() as stages:
        chosen, loaded = read_one(spec, evidence, stages)
        tree = fitted(chosen, loaded, engine, seed, stages)
        together = moderation_summary(tree, chosen)
        names, alone = list(chosen.moderators or {}), []
        for done, name in enumerate(names):
            stages.enter("One moderator at a time", done, len(names))
            one = with_one_moderator(chosen, name)
            alone.append(slopes(fitted(one, loaded, EngineChoice.EXACT, seed, None), one))
    output.table(slopes_table(together), grouped=False)
    output.table(alone_table(pd.concat(alone)), grouped=False)
    output.table(counterfactuals_table(together))
    if delivery:
        draws = counterfactual(tree, chosen, "new group", delivery=delivery)
        output.table(impact_of_new_site_table(impact_summary(draws), delivery), grouped=False)


check_app.command(name="calibration")(check_calibration)


def _say_written(output: Output, out: Path | None) -> None:
    if out is not None:
        output.say(f"Written: {out}", whole=True)
