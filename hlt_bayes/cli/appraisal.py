"""Verbs for a commissioner: economic appraisal, value of information, and ranked assumptions."""

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
    Path | None, typer.Option(help="posterior.nc of a result, instead of a new fit; also give its --spec.")
]
PerspectiveChoice = Annotated[Literal["financial", "economic"], typer.Option(help="Perspective of costs and benefits.")]


class Inputs(NamedTuple):
    """Inputs of a verb, read and fitted."""

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
        typer.Option(help="planned: returns had the service reached its planned size."),
    ] = "actual",
    group: Annotated[
        str,
        typer.Option(
            help="Trial group for the tornado plot. Default: the last in the evidence.", autocompletion=group_names
        ),
    ] = "",
    engine: EngineName = None,
    out: OutFolder = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Value benefits by component, with sensitivity analysis.

    Reports costs, benefits, returns per £1, and which quantities the return is most sensitive to.
    """
    from hlt_bayes.analysis import component_appraisal
    from hlt_bayes.display.appraisal import appraisal_tables, component_findings, tornado_table, volume_table
    from hlt_bayes.economics import acceptability, acceptability_of_price, quantity_label, tornado, volume_curve
    from hlt_bayes.economics.summaries import QALY_VALUES, THRESHOLDS, qaly_benefit
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_check
    from hlt_bayes.specs import load_economic_spec

    with claimed(out, overwrite=overwrite), output.stages() as stages:
        inputs = _read_inputs(spec, economics, evidence, posterior, engine, seed, stages, group=group, volume=volume)
        stages.enter("Valuing")
        published = None if inputs.evidence.returns.empty else load_economic_spec("published")
        appraisal = component_appraisal(
            inputs.drawn,
            inputs.evidence,
            inputs.impact_spec,
            inputs.economic_spec,
            published=published,
            seed=inputs.seed,
            volume=volume,
        )
        stages.enter("One-way sensitivity analysis")
        moved = tornado(inputs.drawn, inputs.economic_spec, inputs.evidence, seed=inputs.seed, volume=volume)
        labels = {key: quantity_label(key, inputs.economic_spec) for key in moved["quantity"].unique()}
        frames = {
            "returns": appraisal.returns,
            "benefits": appraisal.benefits,
            "prices": appraisal.prices,
            "cost_effectiveness": appraisal.cost_effectiveness,
            "acceptability": acceptability(appraisal.economics, THRESHOLDS),
            "tornado": moved,
        }
        by_value = qaly_benefit(inputs.economic_spec)
        if by_value:
            drawn = appraisal.economics, inputs.drawn, inputs.evidence
            frames["acceptability_qaly"] = acceptability_of_price(*drawn, by_value, QALY_VALUES)
        if len(appraisal.walk):
            frames["walk"] = appraisal.walk
        if volume == "planned":
            frames["volume"] = volume_curve(inputs.drawn, inputs.economic_spec, inputs.evidence, seed=inputs.seed)
        perspective = list(inputs.economic_spec.perspectives)[-1]
        tables = [
            *appraisal_tables(appraisal),
            tornado_table(moved, labels, group=inputs.group, perspective=perspective),
            *([volume_table(frames["volume"], perspective=perspective)] if "volume" in frames else []),
        ]
        if out is not None:
            stages.enter("Writing the result")
            figures = _figures(inputs, appraisal.economics, frames, labels, perspective)
            specs = {"impact spec": inputs.impact_spec, "economic spec": inputs.economic_spec}
            write_check(frames, figures, out, specs=specs, seed=inputs.seed, overwrite=overwrite)
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
            help="Trial group for the new trial and the unpublished results. Default: the last in the evidence.",
            autocompletion=group_names,
        ),
    ] = "",
    perspective: PerspectiveChoice = "economic",
    engine: EngineName = None,
    out: OutFolder = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Estimate the value of information (EVPI, EVPPI, new trial).

    Perfect and partial perfect information, a new trial, and results that were not published.
    """
    import pandas as pd

    from hlt_bayes.display.plots import plot_new_trial
    from hlt_bayes.display.value_of_information import evppi_table, new_trial_table, unpublished_table
    from hlt_bayes.economics import (
        applies_to_all_randomised,
        evpi,
        evppi,
        new_trial,
        quantity_label,
        value_of_unprinted,
    )
    from hlt_bayes.economics import appraise as value
    from hlt_bayes.economics.drivers import known_quantities
    from hlt_bayes.economics.value_of_information import parts_to_learn
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_check

    with claimed(out, overwrite=overwrite), output.stages() as stages:
        inputs = _read_inputs(
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
        drawn = value(inputs.drawn, inputs.economic_spec, inputs.evidence, seed=inputs.seed)
        made_of = (drawn, inputs.drawn, inputs.economic_spec)
        parts = parts_to_learn(inputs.economic_spec, list(known_quantities(*made_of, inputs.evidence)))
        learnt = []
        for done, (name, keys) in enumerate(parts.items()):
            stages.enter("Partial perfect information", done, len(parts))
            learnt.append(evppi(*made_of, inputs.evidence, parts={name: keys}))
        values = pd.concat(learnt, ignore_index=True)
        stages.enter("A new trial")
        # A trial with a survey does not measure impacts that include non-respondents.
        measured = not applies_to_all_randomised(inputs.drawn.impact)
        trials = (
            new_trial(*made_of, inputs.impact_spec, inputs.evidence, group=inputs.group) if measured else pd.DataFrame()
        )
        stages.enter("Unpublished results")
        ranked = value_of_unprinted(
            drawn,
            inputs.tree,
            inputs.economic_spec,
            inputs.impact_spec,
            inputs.evidence,
            group=inputs.group,
            perspective=perspective,
            seed=inputs.seed,
        )
        perfect = evpi(drawn).sel(perspective=perspective).to_series().rename("value_gbp").reset_index()
        if out is not None:
            stages.enter("Writing the result")
            frames = {"evppi": values, "unprinted": ranked, **({"trials": trials} if measured else {})}
            figures = {"trials": plot_new_trial(trials, perspective=perspective)} if measured else {}
            specs = {"impact spec": inputs.impact_spec, "economic spec": inputs.economic_spec}
            write_check(frames, figures, out, specs=specs, seed=inputs.seed, overwrite=overwrite)
    labels = {key: quantity_label(key, inputs.economic_spec) for key in inputs.economic_spec.quantities()}
    output.table(evppi_table(values[values["perspective"] == perspective], perfect), wrapped=("Known perfectly",))
    if measured:
        output.table(new_trial_table(trials[trials["perspective"] == perspective]))
    else:
        output.say("New trial not valued: these impacts include non-respondents, whom a survey does not measure.")
    output.table(unpublished_table(ranked, labels, group=inputs.group), wrapped=("Not published", "Where"))
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
    """Rank assumptions by their share of the variance of the return."""
    from hlt_bayes.display.appraisal import assumptions_table
    from hlt_bayes.economics import appraise as value
    from hlt_bayes.economics import assumptions as assumed

    with output.stages() as stages:
        inputs = _read_inputs(spec, economics, evidence, posterior, engine, seed, stages, perspective=perspective)
        stages.enter("Explaining the variance")
        drawn = value(inputs.drawn, inputs.economic_spec, inputs.evidence, seed=inputs.seed)
        listed = assumed(drawn, inputs.drawn, inputs.economic_spec, inputs.evidence, perspective=perspective)
    wrapped = ("Stated", "Unit", "Would be settled by")
    output.table(assumptions_table(listed, perspective=perspective), wrapped=wrapped)


def _read_inputs(
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
) -> Inputs:
    """Read the inputs and fit the spec unless draws are given, with the exact engine if the spec has one.

    Invalid inputs raise before the fit.
    """
    from hlt_bayes.economics import check_can_be_valued, decision_population, people_per_arm
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.impacts.draws import admit
    from hlt_bayes.impacts.external_files import read_result
    from hlt_bayes.inference.exact import is_exact
    from hlt_bayes.inference.fit import fit
    from hlt_bayes.specs import load_economic_spec, load_impact_spec

    stages.enter("Reading evidence and specs")
    impact_spec, economic_spec, loaded = load_impact_spec(spec), load_economic_spec(economics), load_evidence(path)
    check_can_be_valued(impact_spec.outcomes, economic_spec, loaded, volume=volume)
    refuse_unknown(group, loaded.groups, "--group")
    group = group or loaded.groups[-1]
    refuse_unknown(perspective, economic_spec.perspectives, "--perspective")
    if decides:
        decision_population(economic_spec)
        people_per_arm(loaded, group)
    seed = impact_spec.sampling.seed if seed is None else seed
    if posterior is not None:
        tree = read_result(posterior, impact_spec)
    else:
        chosen = engine_of(engine) or ("exact" if is_exact(impact_spec) else None)
        tree = fit(impact_spec, loaded, engine=chosen, seed=seed, progress=stages.enter)
    return Inputs(impact_spec, economic_spec, loaded, tree, admit(tree), seed, group)


def _figures(
    inputs: Inputs,
    economics: xr.Dataset,
    frames: dict[str, pd.DataFrame],
    labels: dict[str, str],
    perspective: str,
) -> dict[str, Figure]:
    """Draw the figures of an appraisal, by file name."""
    from hlt_bayes.display.plots import (
        plot_acceptability,
        plot_plane,
        plot_returns,
        plot_tornado,
        plot_volume,
        plot_walk,
    )
    from hlt_bayes.economics import SUSTAINED_JOB, effects_per_head

    effects = effects_per_head(economics, inputs.drawn, inputs.economic_spec, inputs.evidence)
    figures = {
        "returns": plot_returns(economics),
        "acceptability": plot_acceptability(frames["acceptability"], perspective=perspective),
        "tornado": plot_tornado(frames["tornado"], labels, group=inputs.group, perspective=perspective),
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
