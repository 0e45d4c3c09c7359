"""Writes result folders: an analysis, a meta-analysis of other trials, or the output of a check."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from hlt_bayes.analysis import Analysis
from hlt_bayes.display.plots import plot_funnel, plot_impacts, plot_returns, plot_trials, plot_walk
from hlt_bayes.evidence.kept import evidence_json
from hlt_bayes.ipd.disclosure.output_check import output_check_of_result
from hlt_bayes.ipd.disclosure.rules import Rules
from hlt_bayes.meta import PooledTrials
from hlt_bayes.results.contents import DRAWS, EVIDENCE, MODERATED_DRAWS, SPECS, allowed_files
from hlt_bayes.results.figures import origin_of, save
from hlt_bayes.results.folder import replacing
from hlt_bayes.results.manifest import RECORDS, Input, Settings, made_now, write_manifest
from hlt_bayes.results.netcdf import netcdf_bytes
from hlt_bayes.specs import EconomicSpec, ImpactSpec, IndividualSpec, Spec

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


def write_result(
    analysis: Analysis,
    folder: str | Path,
    *,
    overwrite: bool = False,
    seconds: Callable[[], Mapping[str, float]] = dict,
) -> Path:
    """Write draws, tables, figures, specs and manifest to a result folder, atomically.

    Reload it with ``hlt_bayes.load_result``; write its report with ``hlt_bayes.write_report``.

    Parameters
    ----------
    analysis
        Analysis to write.
    folder
        Target folder.
    overwrite
        Replace an existing result; nothing else is ever replaced.
    seconds
        Function that returns the duration of each stage so far, for the manifest.

    Raises
    ------
    ResultFolderError
        ``folder`` may not be written; see ``hlt_bayes.results.folder.check_target``.
    """
    target = Path(folder)
    with replacing(target, overwrite=overwrite) as staging:
        _write_draws(analysis.draws, staging / DRAWS)
        if analysis.moderation is not None:
            _write_draws(analysis.moderation.draws, staging / MODERATED_DRAWS)
        for name, table in tables_of(analysis).items():
            table.to_csv(staging / f"{name}.csv", index=False)
        figures = {"impacts": plot_impacts(analysis.comparison)}
        if analysis.economic_spec is not None:
            figures["returns"] = plot_returns(analysis.draws["economics"].dataset)
        if analysis.appraisal is not None and len(analysis.appraisal.walk):
            figures["walk"] = plot_walk(analysis.appraisal.walk)
        specs = specs_of(analysis)
        origin = origin_of(specs, analysis.evidence)
        for name, figure in figures.items():
            save(figure, staging / name, origin)
        resolved = {kind: spec.model_dump(mode="json") for kind, spec in specs.items()}
        (staging / SPECS).write_text(json.dumps(resolved, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if analysis.evidence.contents:
            (staging / EVIDENCE).write_text(evidence_json(analysis.evidence), encoding="utf-8")
        engine = analysis.draws["posterior"]["impact"].attrs.get("engine")
        used = None if engine is None else str(engine)
        settings = Settings(smallest=dict(analysis.smallest), engine=used)
        made = made_now("analysis", seed=analysis.seed, inputs=_inputs(analysis), seconds=seconds(), settings=settings)
        write_manifest(staging, made)
    return target


def tables_of(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """Tables of a result, by file name without suffix."""
    tables = {"impacts": analysis.impacts, "estimands": analysis.estimands, "comparison": analysis.comparison}
    if analysis.economic_spec is not None:
        tables["returns"] = analysis.returns
    if analysis.moderation is not None:
        tables["moderators"] = analysis.moderation.slopes
        tables["counterfactuals"] = analysis.moderation.counterfactuals
    if analysis.appraisal is not None:
        tables["appraisal"], tables["benefits"] = analysis.appraisal.returns, analysis.appraisal.benefits
        if len(analysis.appraisal.walk):
            tables["walk"] = analysis.appraisal.walk
    if analysis.individual_spec is not None:
        tables["disclosure"] = _output_check(analysis)
    return tables


def _output_check(analysis: Analysis) -> pd.DataFrame:
    """Output-check sheet of a result on records, for all files that it and its report may have."""
    return output_check_of_result(
        allowed_files(specs_of(analysis), reported=True),
        left_out=float(analysis.draws["posterior"]["impact"].attrs.get("left_out", 0.0)),
        subgroups="subgroup_impact" in analysis.draws["posterior"],
        rules=Rules(),
    )


def write_trials(trials: PooledTrials, folder: str | Path, *, overwrite: bool = False) -> Path:
    """Write tables, forest plot, funnel plot and manifest of the other trials, atomically.

    Raises
    ------
    ResultFolderError
        As ``write_result``.
    """
    target = Path(folder)
    with replacing(target, overwrite=overwrite) as staging:
        for name in ("effects", "pooled"):
            getattr(trials, name).to_csv(staging / f"{name}.csv")
        for name in ("methods", "priors"):
            getattr(trials, name).to_csv(staging / f"{name}.csv", index=False)
        origin = origin_of({"meta": trials.spec})
        shown = trials.pooled.loc[[name for name in trials.pooled.index if name != "DL-HK"]]
        save(plot_trials(trials.effects, shown), staging / "forest", origin)
        save(plot_funnel(trials.effects, float(trials.pooled["mean"]["DL"])), staging / "funnel", origin)
        write_manifest(staging, made_now("trials", seed=trials.seed, inputs={"meta spec": _spec_used(trials.spec)}))
    return target


def write_check(
    tables: Mapping[str, pd.DataFrame],
    figures: Mapping[str, Figure],
    folder: str | Path,
    *,
    specs: Mapping[str, Spec],
    seed: int,
    records: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write named tables and figures, and a manifest, atomically; ``records`` is the fingerprint of those described.

    Raises
    ------
    ResultFolderError
        As ``write_result``.
    """
    target = Path(folder)
    with replacing(target, overwrite=overwrite) as staging:
        for name, table in tables.items():
            table.to_csv(staging / f"{name}.csv", index=False)
        origin = origin_of(specs)
        for name, figure in figures.items():
            save(figure, staging / name, origin)
        inputs = {name: Input(sha256=spec.fingerprint) for name, spec in specs.items()}
        if records is not None:
            inputs[RECORDS] = Input(hmac_sha256=records)
        write_manifest(staging, made_now("check", seed=seed, inputs=inputs))
    return target


def specs_of(analysis: Analysis) -> dict[str, ImpactSpec | IndividualSpec | EconomicSpec]:
    """Specs of an analysis, by role."""
    specs: dict[str, ImpactSpec | IndividualSpec | EconomicSpec] = {"impact": analysis.impact_spec}
    if analysis.individual_spec is not None:
        specs["individual"] = analysis.individual_spec
    if analysis.moderation is not None:
        specs["moderators"] = analysis.moderation.spec
    if analysis.economic_spec is not None:
        specs["economic"] = analysis.economic_spec
    if analysis.appraisal is not None:
        specs["components"] = analysis.appraisal.spec
    return specs


def _write_draws(draws: xr.DataTree, file: Path) -> None:
    file.write_bytes(netcdf_bytes(draws))


def _inputs(analysis: Analysis) -> dict[str, Input]:
    attrs = analysis.draws["posterior"]["impact"].attrs
    hmac = attrs.get("records_hmac_sha256")
    records = {RECORDS: Input(hmac_sha256=hmac)} if "records" in attrs else {}
    return {
        "evidence": Input(sha256=analysis.evidence.sha256, files=analysis.evidence.files),
        **records,
        **{f"{kind} spec": _spec_used(spec) for kind, spec in specs_of(analysis).items()},
    }


def _spec_used(spec: Spec) -> Input:
    return Input(name=spec.name, sha256=spec.fingerprint, files=spec.files)
