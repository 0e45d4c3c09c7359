"""Compares results with the published results and with each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlt_bayes.cli.options import EvidencePath, group_names, outcome_names, refuse_unknown
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb
from hlt_bayes.core.errors import SpecError

if TYPE_CHECKING:
    import pandas as pd


@verb()
def compare(
    output: Output,
    results: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[RESULT]...", help="Result folders. Default: spec primary, exact engine."),
    ] = None,
    outcome: Annotated[str, typer.Option(help="Only impacts on this outcome.", autocompletion=outcome_names)] = "",
    group: Annotated[
        str, typer.Option(help="Only results of this group or pooled row.", autocompletion=group_names)
    ] = "",
    changed: Annotated[
        bool, typer.Option("--changed", help="Only impacts that differ from the published ones; omits pooled rows.")
    ] = False,
    evidence: EvidencePath = None,
) -> None:
    """Compare a result with the published one, or several results.

    One result, or none: compared with the published result, cell by cell.
    Several: impacts and returns side by side, with differences in means from
    the first.
    """
    from hlt_bayes.display.comparison import changed as keep_changed
    from hlt_bayes.display.comparison import comparison_table, impacts_side_by_side, returns_side_by_side
    from hlt_bayes.results.read import load_result

    paths = results or []
    if changed and len(paths) > 1:
        raise SpecError("--changed compares one result with the published one; omit it, or give only one result")
    with output.stages() as stages:
        if len(paths) < 2:
            if paths:
                stages.enter("Reading the result")
                comparison = load_result(paths[0], evidence=evidence).comparison
            else:
                stages.enter("Fitting and comparing")
                comparison = _of_primary(evidence)
            comparison = _chosen(comparison, outcome, group)
            tables = [comparison_table(keep_changed(comparison) if changed else comparison)]
        else:
            names = _names(paths)
            analyses = {}
            for done, (name, path) in enumerate(zip(names, paths, strict=True)):
                stages.enter("Reading the results", done, len(paths))
                analyses[name] = load_result(path, evidence=evidence)
            impacts = {name: _chosen(one.impacts, outcome, group) for name, one in analyses.items()}
            tables = [impacts_side_by_side(impacts)]
            valued = {name: one.returns for name, one in analyses.items() if len(one.returns)}
            if len(valued) > 1 and not outcome:
                tables.append(returns_side_by_side({name: _chosen(one, "", group) for name, one in valued.items()}))
    for table in tables:
        output.table(table)


def _of_primary(path: Path | None) -> pd.DataFrame:
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.impacts.comparison import compare as beside_published
    from hlt_bayes.inference.fit import fit
    from hlt_bayes.likelihood import reported_results
    from hlt_bayes.specs import load_impact_spec

    spec, loaded = load_impact_spec("primary"), load_evidence(path)
    return beside_published(fit(spec, loaded, engine="exact"), loaded, reported_results(loaded, spec))


def _chosen(frame: pd.DataFrame, outcome: str, group: str) -> pd.DataFrame:
    """Keep the rows of an outcome and a group, if given."""
    for column, wanted in (("outcome", outcome), ("group", group)):
        if wanted:
            refuse_unknown(wanted, list(dict.fromkeys(frame[column])), f"--{column}")
            frame = frame[frame[column] == wanted]
    return frame


def _names(paths: list[Path]) -> list[str]:
    """Name results by folder, or by full path if two folders have the same name."""
    short = [path.resolve().name for path in paths]
    names = short if len(set(short)) == len(short) else [str(path) for path in paths]
    if len(set(names)) < len(names):
        raise SpecError(f"{', '.join(names)}: a result is given twice; give each once")
    return names
