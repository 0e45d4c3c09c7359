"""Complete a result folder: run the checks, and write tables, figures, checklists and the report page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hlt_bayes.analysis import Analysis
from hlt_bayes.checks.run_checks import CheckTables, run_checks
from hlt_bayes.core.progress import Progress, silent
from hlt_bayes.display.plots import (
    plot_acceptability,
    plot_impacts,
    plot_moderators,
    plot_plane,
    plot_prior_posterior,
    plot_returns,
    plot_specs,
    plot_tornado,
    plot_walk,
)
from hlt_bayes.economics.summaries import lead_perspective
from hlt_bayes.evidence import Evidence
from hlt_bayes.inference.structures import build_model
from hlt_bayes.report.page import page
from hlt_bayes.results.contents import PAGE
from hlt_bayes.results.figures import origin_of, svg
from hlt_bayes.results.folder import claimed, replacing
from hlt_bayes.results.manifest import Manifest, read_manifest, unchanged_bytes, write_manifest
from hlt_bayes.results.read import load_result, refusing_malformed_draws
from hlt_bayes.results.write import specs_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_report(
    folder: str | Path, *, evidence: Evidence | str | Path | None = None, progress: Progress | None = None
) -> Path:
    """Write ``report.html`` and its additional tables into a result folder.

    Parameters
    ----------
    folder
        A result of ``hlt_bayes.write_result``; an existing page is replaced.
    evidence
        As in ``hlt_bayes.load_result``.

    Returns
    -------
    Path
        The page: one self-contained file that works offline.

    Raises
    ------
    ResultFolderError
        As ``load_result``; or the folder cannot be written. The folder is then unchanged.
    """
    target = Path(folder)
    tell = progress or silent
    tell("Reading the result", 0, 0)
    read_manifest(target)
    with claimed(target, overwrite=True):
        manifest = read_manifest(target)
        kept = [name for name in manifest.outputs if name != PAGE]
        for name in kept:
            # Files copied below are hashed anew; an edited file must not get a new hash.
            unchanged_bytes(target / name, manifest)
        analysis = load_result(target, evidence=evidence)
        with refusing_malformed_draws(target, manifest):
            checked = run_checks(analysis, progress=progress)
            tell("Writing the report", 0, 0)
            with replacing(target, overwrite=True) as staging:
                for name in kept:
                    (staging / name).write_bytes(unchanged_bytes(target / name, manifest))
                _add_report(analysis, checked, staging, manifest)
    return target / PAGE


def complete(analysis: Analysis, folder: Path, manifest: Manifest, *, progress: Progress | None = None) -> None:
    """Add page and checks to a folder that ``write_result`` has just filled, with the facts of ``manifest``."""
    _add_report(analysis, run_checks(analysis, progress=progress), folder, manifest)


def _add_report(analysis: Analysis, checked: CheckTables, folder: Path, manifest: Manifest) -> None:
    origin = origin_of(specs_of(analysis), analysis.evidence)
    pictures = {name: svg(figure, name, origin) for name, figure in _figures(analysis, checked).items()}
    for name, table in checked.tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    # The checklists look for their artefacts in the folder, including the manifest.
    write_manifest(folder, manifest)
    text, worked_out = page(analysis, checked, pictures, folder=folder, manifest=manifest, model=_model(analysis))
    worked_out.to_csv(folder / "checklists.csv", index=False)
    (folder / PAGE).write_text(text, encoding="utf-8")
    write_manifest(folder, manifest)


def _model(analysis: Analysis) -> str:
    """Return the impact model in symbols; empty for a model of individual records."""
    if analysis.individual_spec is not None:
        return ""
    text: str = build_model(analysis.impact_spec, analysis.evidence).str_repr()
    return text


def _figures(analysis: Analysis, checked: CheckTables) -> dict[str, Figure]:
    """Draw the figures of the page."""
    figures: dict[str, Figure] = {"impacts": plot_impacts(analysis.comparison)}
    if analysis.economic_spec is not None:
        figures["returns"] = plot_returns(analysis.draws["economics"].dataset)
    if "prior" in analysis.draws.children and "mu" in analysis.draws["prior"]:
        figures["prior_posterior"] = plot_prior_posterior(analysis.draws)
    if "specs" in checked.tables:
        figures["specs"] = plot_specs(checked.tables["specs"])
    if analysis.moderation is not None:
        figures["moderators"] = plot_moderators(analysis.moderation.slopes)
    if analysis.appraisal is not None:
        figures |= _figures_of_components(analysis, checked)
    return figures


def _figures_of_components(analysis: Analysis, checked: CheckTables) -> dict[str, Figure]:
    appraisal = analysis.appraisal
    assert appraisal is not None  # noqa: S101 - checked by the caller
    perspective, economics = lead_perspective(appraisal.spec), appraisal.economics
    figures = {
        "acceptability": plot_acceptability(checked.tables["acceptability"], perspective=perspective),
        "plane": plot_plane(
            economics["benefit_per_head"].sel(perspective=perspective),
            economics["cost_per_head"],
            unit="£ of benefit",
            price=1.0,
        ),
        "tornado": plot_tornado(
            checked.tables["tornado"], checked.labels, group=analysis.evidence.groups[-1], perspective=perspective
        ),
    }
    if "acceptability_qaly" in checked.tables:
        figures["acceptability_qaly"] = plot_acceptability(
            checked.tables["acceptability_qaly"], perspective=perspective
        )
    if len(appraisal.walk):
        figures["walk"] = plot_walk(appraisal.walk, perspective=perspective)
    return figures
