"""Main analysis: impacts, moderators, returns, tables and a result folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlt_bayes.cli.inputs import read_records
from hlt_bayes.cli.options import (
    EngineName,
    EvidencePath,
    KeyPath,
    LeaveOut,
    MappingPath,
    Overwrite,
    RecordsOption,
    Seed,
    Smallest,
    check_record_options,
    engine_of,
    smallest_effects,
    spec_names,
)
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb
from hlt_bayes.core.errors import RecordsError

if TYPE_CHECKING:
    from hlt_bayes.evidence import Evidence
    from hlt_bayes.ipd.data import Records


@verb()
def run(
    output: Output,
    spec: Annotated[
        str | None,
        typer.Option(
            help="Impact spec (with --records, individual spec): name or path. Default: primary (records).",
            autocompletion=spec_names("impact", "individual"),
        ),
    ] = None,
    moderators: Annotated[
        str,
        typer.Option(
            help="Extra spec with moderators, or none. Default: moderators (none with own trials or records).",
            autocompletion=spec_names("impact"),
        ),
    ] = "",
    economics: Annotated[
        str | None,
        typer.Option(
            help="Economic spec: a shipped name, or a path. Default: published (none with own trials).",
            autocompletion=spec_names("economic"),
        ),
    ] = None,
    components: Annotated[
        str,
        typer.Option(
            help="Extra spec of component prices, or none. Default: green-book (none with own trials, --economics).",
            autocompletion=spec_names("economic"),
        ),
    ] = "",
    evidence: EvidencePath = None,
    records: RecordsOption = None,
    mapping: MappingPath = None,
    key: KeyPath = None,
    leave_out: LeaveOut = None,
    engine: EngineName = None,
    smallest: Smallest = None,
    out: Annotated[Path, typer.Option(help="Result folder.")] = Path("results/primary"),
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Estimate impacts and returns, and write a result folder."""
    # The libraries behind these take seconds to import: --help must not wait for them.
    from hlt_bayes.analysis import analyse
    from hlt_bayes.display.appraisal import appraisal_tables
    from hlt_bayes.display.comparison import comparison_table
    from hlt_bayes.display.impacts import estimands_table, impacts_table
    from hlt_bayes.display.key_messages import message
    from hlt_bayes.display.moderators import counterfactuals_table, slopes_table
    from hlt_bayes.display.returns import returns_table
    from hlt_bayes.economics import check_can_be_valued
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.impacts.moderation import moderation_summary
    from hlt_bayes.inference.fit import fit
    from hlt_bayes.ipd.models import fit_records
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_result
    from hlt_bayes.specs import load_economic_spec, load_impact_spec, load_individual_spec

    effects = smallest_effects(smallest)
    individual_engine = check_record_options(
        evidence, records, engine, only_with_records={"--mapping": mapping, "--key": key, "--leave-out": leave_out}
    )
    with claimed(out, overwrite=overwrite), output.stages() as stages:
        stages.enter("Reading evidence and specs")
        impact_name = "primary" if records is not None else spec or "primary"
        impact_spec, loaded = load_impact_spec(impact_name), load_evidence(evidence)
        individual_spec = None if records is None else load_individual_spec(spec or "records")
        moderators = moderators or ("none" if loaded.is_user_data or records is not None else "moderators")
        moderated_spec = None if moderators == "none" else load_impact_spec(moderators)
        economic_spec = None
        if economics is not None or not loaded.costs.empty:
            economic_spec = load_economic_spec(economics or "published")
        components = components or ("none" if loaded.is_user_data or economics is not None else "green-book")
        component_spec = None if components == "none" else load_economic_spec(components)
        for one in filter(None, (economic_spec, component_spec)):
            # Raises now rather than after the fit.
            check_can_be_valued((individual_spec or impact_spec).outcomes, one, loaded)
        seed = (individual_spec or impact_spec).sampling.seed if seed is None else seed
        if individual_spec is not None and records is not None:
            stages.enter("Reading the records")
            people = read_records(records, mapping, key)
            _refuse_missing_groups(people, loaded, records)
            tree = fit_records(
                individual_spec,
                people,
                engine=individual_engine,
                seed=seed,
                leave_out=leave_out,
                progress=stages.enter,
            )
        else:
            tree = fit(impact_spec, loaded, engine=engine_of(engine), seed=seed, progress=stages.enter)
        moderated = None
        if moderated_spec is not None:
            moderated_tree = fit(moderated_spec, loaded, seed=seed, progress=stages.enter)
            moderated = moderation_summary(moderated_tree, moderated_spec)
        stages.enter("Valuing and comparing")
        analysis = analyse(
            tree,
            loaded,
            impact_spec,
            economic_spec,
            seed=seed,
            smallest=effects,
            moderation=moderated,
            components=component_spec,
            individual_spec=individual_spec,
        )
        stages.enter("Writing the result")
        write_result(analysis, out, overwrite=overwrite, seconds=stages.seconds)
    tables = [
        impacts_table(analysis.impacts, whose=analysis.whose),
        estimands_table(analysis.estimands),
    ]
    if economic_spec is not None:
        tables.append(returns_table(analysis.returns, analysis.prices))
    tables += appraisal_tables(analysis.appraisal)
    tables.append(comparison_table(analysis.comparison))
    if analysis.moderation is not None:
        tables += [slopes_table(analysis.moderation), counterfactuals_table(analysis.moderation)]
    for table in tables:
        output.table(table)
    for sentence in message(analysis):
        output.say(sentence, style="bold")
    output.say(f"Written: {out} (for a report: {shlex.join(['hlt-bayes', 'report', str(out)])})", whole=True)


def _refuse_missing_groups(people: Records, evidence: Evidence, path: Path) -> None:
    """Raise, before fitting, if the records lack a trial group of the evidence."""
    missing = [group for group in evidence.groups if not (people.columns(["group"])["group"] == group).any()]
    if missing:
        raise RecordsError(
            f"{path}: no records for {', '.join(missing)}; this verb needs all of {', '.join(evidence.groups)}. To fit "
            "only the groups in the file, use hlt_bayes.fit_records in Python"
        )
