"""What a commissioner asks: what £1 returns and what that hinges on, what more evidence is worth, what is assumed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from hlt_bayes.cli.options import (
    EconomicsName,
    EngineName,
    EvidencePath,
    OutFolder,
    Overwrite,
    Seed,
    SpecName,
    engine_of,
    group_names,
    refuse_unknown,
)
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.stages import Stages
from hlt_bayes.cli.verbs import verb

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.figure import Figure

    from hlt_bayes.economics import Volume
    from hlt_bayes.evidence import Evidence
    from hlt_bayes.impacts.draws import CheckedDraws
    from hlt_bayes.specs import EconomicSpec, ImpactSpec

Posterior = Annotated[
    Path | None, typer.Option(help="posterior.nc of a result, in place of a new fit (give its --spec, too).")
]
PerspectiveChoice = Annotated[Literal["financial", "economic"], typer.Option(help="Whose costs and benefits.")]


class Question(NamedTuple):
    """What a verb starts from."""

    impact_spec: ImpactSpec
    economic_spec: EconomicSpec
    evidence: Evidence
    tree: xr.DataTree
    drawn: CheckedDraws
    seed: int
    group: str


@verb()
def appraise(
    output: Output,
    spec: SpecName = "primary",
    economics: EconomicsName = "green-book",
    evidence: EvidencePath = None,
    posterior: Posterior = None,
    volume: Annotated[
        Literal["actual", "planned"],
        typer.Option(help="planned: what the same service would have returned at its planned size."),
    ] = "actual",
    group: Annotated[
        str,
        typer.Option(help="Whose return is taken apart. [default: the last trial group]", autocompletion=group_names),
    ] = "",
    engine: EngineName = None,
    out: OutFolder = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Value impacts by component: what £1 returns, and why.

    Costs, benefits, what £1 returns, and what that hinges on.
    """
    from hlt_bayes.analysis import component_appraisal
    from hlt_bayes.display.appraisal import appraisal_tables, component_findings, tornado_table, volume_table
    from hlt_bayes.economics import acceptability, acceptability_of_price, quantity_label, tornado, volume_curve
    from hlt_bayes.economics.summaries import QALY_VALUES, THRESHOLDS, qaly_benefit
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_check
    from hlt_bayes.specs import load_economic_spec

    with claimed(out, overwrite=overwrite), output.stages() as stages:
        asked = _question(spec, economics, evidence, posterior, engine, seed, stages, group=group, volume=volume)
        stages.enter("Valuing")
        published = None if asked.evidence.returns.empty else load_economic_spec("published")
        appraisal = component_appraisal(
            asked.drawn,
            asked.evidence,
            asked.impact_spec,
            asked.economic_spec,
            published=published,
            seed=asked.seed,
            volume=volume,
        )
        stages.enter("Moving one quantity at a time")
        moved = tornado(asked.drawn, asked.economic_spec, asked.evidence, seed=asked.seed, volume=volume)
        labels = {key: quantity_label(key, asked.economic_spec) for key in moved["quantity"].unique()}
        frames = {
            "returns": appraisal.returns,
            "benefits": appraisal.benefits,
            "prices": appraisal.prices,
            "cost_effectiveness": appraisal.cost_effectiveness,
            "acceptability": acceptability(appraisal.economics, THRESHOLDS),
            "tornado": moved,
        }
        by_value = qaly_benefit(asked.economic_spec)
        if by_value:
            drawn = appraisal.economics, asked.drawn, asked.evidence
            frames["acceptability_qaly"] = acceptability_of_price(*drawn, by_value, QALY_VALUES)
        if len(appraisal.walk):
            frames["walk"] = appraisal.walk
        if volume == "planned":
            frames["volume"] = volume_curve(asked.drawn, asked.economic_spec, asked.evidence, seed=asked.seed)
        perspective = list(asked.economic_spec.perspectives)[-1]
        tables = [
            *appraisal_tables(appraisal),
            tornado_table(moved, labels, group=asked.group, perspective=perspective),
            *([volume_table(frames["volume"], perspective=perspective)] if "volume" in frames else []),
        ]
        if out is not None:
            stages.enter("Writing the result")
            figures = _figures(asked, appraisal.economics, frames, labels, perspective)
            specs = {"impact spec": asked.impact_spec, "economic spec": asked.economic_spec}
            write_check(frames, figures, out, specs=specs, seed=asked.seed, overwrite=overwrite)
    for table in tables:
        output.table(table, wrapped=("Component", "Quantity", "Step"))
    for sentence in component_findings(appraisal):
        output.say(sentence, style="bold")
    if out is not None:
        output.say(f"Written: {out}", whole=True)


@verb()
def voi(
    output: Output,
    spec: SpecName = "primary",
    economics: EconomicsName = "green-book",
    evidence: EvidencePath = None,
    posterior: Posterior = None,
    group: Annotated[
        str,
        typer.Option(
            help="Trial group of the new trial, and of what was not printed. [default: the last]",
            autocompletion=group_names,
        ),
    ] = "",
    perspective: PerspectiveChoice = "economic",
    engine: EngineName = None,
    out: OutFolder = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Say what more evidence is worth.

    Perfect, in part, by another trial, and what was not printed.
    """
    import pandas as pd

    from hlt_bayes.display.plots import plot_new_trial
    from hlt_bayes.display.value_of_information import evppi_table, new_trial_table, unprinted_table
    from hlt_bayes.economics import appraise as value
    from hlt_bayes.economics import evpi, evppi, new_trial, quantity_label, speaks_for_all, value_of_unprinted
    from hlt_bayes.economics.drivers import known_quantities
    from hlt_bayes.economics.value_of_information import parts_to_learn
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_check

    with claimed(out, overwrite=overwrite), output.stages() as stages:
        asked = _question(
            spec,
            economics,
            evidence,
            posterior,
            engine,
            seed,
            stages,
            group=group,
            perspective=perspective,
            decides=True,
        )
        stages.enter("Valuing")
        drawn = value(asked.drawn, asked.economic_spec, asked.evidence, seed=asked.seed)
        made_of = (drawn, asked.drawn, asked.economic_spec)
        parts = parts_to_learn(asked.economic_spec, list(known_quantities(*made_of, asked.evidence)))
        learnt = []
        for done, (name, keys) in enumerate(parts.items()):
            stages.enter("Learning part by part", done, len(parts))
            learnt.append(evppi(*made_of, asked.evidence, parts={name: keys}))
        values = pd.concat(learnt, ignore_index=True)
        stages.enter("A new trial")
        # Impacts that speak for those who did not answer are not what a trial with a survey measures.
        measured = not speaks_for_all(asked.drawn.impact)
        trials = (
            new_trial(*made_of, asked.impact_spec, asked.evidence, group=asked.group) if measured else pd.DataFrame()
        )
        stages.enter("What was not printed")
        ranked = value_of_unprinted(
            drawn,
            asked.tree,
            asked.economic_spec,
            asked.impact_spec,
            asked.evidence,
            group=asked.group,
            perspective=perspective,
            seed=asked.seed,
        )
        perfect = evpi(drawn).sel(perspective=perspective).to_series().rename("value_gbp").reset_index()
        if out is not None:
            stages.enter("Writing the result")
            frames = {"evppi": values, "unprinted": ranked, **({"trials": trials} if measured else {})}
            figures = {"trials": plot_new_trial(trials, perspective=perspective)} if measured else {}
            specs = {"impact spec": asked.impact_spec, "economic spec": asked.economic_spec}
            write_check(frames, figures, out, specs=specs, seed=asked.seed, overwrite=overwrite)
    labels = {key: quantity_label(key, asked.economic_spec) for key in asked.economic_spec.quantities()}
    output.table(evppi_table(values[values["perspective"] == perspective], perfect), wrapped=("Learnt",))
    if measured:
        output.table(new_trial_table(trials[trials["perspective"] == perspective]))
    else:
        output.say("No new trial: these impacts speak for those who did not answer, too, whom no survey measures.")
    output.table(unprinted_table(ranked, labels, group=asked.group), wrapped=("Not printed", "Where"))
    if out is not None:
        output.say(f"Written: {out}", whole=True)


@verb()
def assumptions(
    output: Output,
    spec: SpecName = "primary",
    economics: EconomicsName = "green-book",
    evidence: EvidencePath = None,
    posterior: Posterior = None,
    perspective: PerspectiveChoice = "economic",
    engine: EngineName = None,
    seed: Seed = None,
) -> None:
    """List what is assumed, by how much hangs on it.

    That is, how much of the variance of the return each assumption explains.
    """
    from hlt_bayes.display.appraisal import assumptions_table
    from hlt_bayes.economics import appraise as value
    from hlt_bayes.economics import assumptions as assumed

    with output.stages() as stages:
        asked = _question(spec, economics, evidence, posterior, engine, seed, stages, perspective=perspective)
        stages.enter("Explaining the variance")
        drawn = value(asked.drawn, asked.economic_spec, asked.evidence, seed=asked.seed)
        listed = assumed(drawn, asked.drawn, asked.economic_spec, asked.evidence, perspective=perspective)
    wrapped = ("Stated", "Unit", "Would be settled by")
    output.table(assumptions_table(listed, perspective=perspective), wrapped=wrapped)


def _question(
    spec: str,
    economics: str,
    path: Path | None,
    posterior: Path | None,
    engine: EngineName,
    seed: int | None,
    stages: Stages,
    *,
    group: str = "",
    perspective: str = "",
    volume: Volume = "actual",
    decides: bool = False,
) -> Question:
    """Read what is asked, and fit it where no draws are given, by the exact engine where the spec has one.

    What cannot be answered is refused before the fit.
    """
    from hlt_bayes.economics import people_concerned, people_per_arm, refuse_what_cannot_be_valued
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.impacts.draws import admit
    from hlt_bayes.impacts.external_files import read_result
    from hlt_bayes.inference.exact import is_exact
    from hlt_bayes.inference.fit import fit
    from hlt_bayes.specs import load_economic_spec, load_impact_spec

    stages.enter("Reading evidence and specs")
    impact_spec, economic_spec, loaded = load_impact_spec(spec), load_economic_spec(economics), load_evidence(path)
    refuse_what_cannot_be_valued(impact_spec.outcomes, economic_spec, loaded, volume=volume)
    refuse_unknown(group, loaded.groups, "--group")
    group = group or loaded.groups[-1]
    refuse_unknown(perspective, economic_spec.perspectives, "--perspective")
    if decides:
        people_concerned(economic_spec)
        people_per_arm(loaded, group)
    seed = impact_spec.sampling.seed if seed is None else seed
    if posterior is not None:
        tree = read_result(posterior, impact_spec)
    else:
        chosen = engine_of(engine) or ("exact" if is_exact(impact_spec) else None)
        tree = fit(impact_spec, loaded, engine=chosen, seed=seed, progress=stages.enter)
    return Question(impact_spec, economic_spec, loaded, tree, admit(tree), seed, group)


def _figures(
    asked: Question,
    economics: xr.Dataset,
    frames: dict[str, pd.DataFrame],
    labels: dict[str, str],
    perspective: str,
) -> dict[str, Figure]:
    """Draw what the tables say, by the name of the file."""
    from hlt_bayes.display.plots import (
        plot_acceptability,
        plot_plane,
        plot_returns,
        plot_tornado,
        plot_volume,
        plot_walk,
    )
    from hlt_bayes.economics import SUSTAINED_JOB, effects_per_head

    effects = effects_per_head(economics, asked.drawn, asked.economic_spec, asked.evidence)
    figures = {
        "returns": plot_returns(economics),
        "acceptability": plot_acceptability(frames["acceptability"], perspective=perspective),
        "tornado": plot_tornado(frames["tornado"], labels, group=asked.group, perspective=perspective),
    }
    for name, effect in (("plane_jobs", SUSTAINED_JOB), ("plane_qalys", "QALY")):
        if effect in effects:
            figures[name] = plot_plane(effects[effect], economics["cost_per_head"], unit=f"{effect}s")
    if "acceptability_qaly" in frames:
        figures["acceptability_qaly"] = plot_acceptability(frames["acceptability_qaly"], perspective=perspective)
    if "walk" in frames:
        figures["walk"] = plot_walk(frames["walk"])
    if "volume" in frames:
        figures["volume"] = plot_volume(frames["volume"], perspective=perspective)
    return figures
