"""Exports an analysis to other software: draws, moments, effect sizes and priors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.errors import HltBayesError, SpecError
from hlt_bayes.evidence import Evidence
from hlt_bayes.results.export.draws import Files
from hlt_bayes.results.export.formats import ALL, FORMATS, Format, chosen_formats
from hlt_bayes.results.export.write import write_all

__all__ = ["ALL", "FORMATS", "Format", "export"]


def export(
    result: Analysis | str | Path,
    *,
    to: str | Iterable[str],
    out: str | Path,
    overwrite: bool = False,
    evidence: Evidence | str | Path | None = None,
    note: Callable[[str], object] = print,
) -> list[Path]:
    """Export an analysis to the formats of other software.

    Parameters
    ----------
    result
        Analysis returned by ``hlt_bayes.analyse``, or a result folder.
    to
        One or more formats named in ``results.export.FORMATS``, or ``"all"``, which omits those not available for this
        analysis.
    out
        Output folder, created if needed; not a result folder.
    overwrite
        Replace files of the same names.
    evidence
        For a result folder: the evidence it was fitted to, or its path, if not the published evidence.
    note
        Called with a message for each format that ``"all"`` omits, including the reason.

    Returns
    -------
    list of Path
        Files written (a folder for Zarr). Either all are written or none.

    Raises
    ------
    SpecError
        A format is unknown or needs a library that is not installed.
    EvidenceError, ImpactError
        A format is not available for this analysis.
    ResultFolderError
        A file may not be written; see ``hlt_bayes.results.export.write.check_targets``.
    """
    names = chosen_formats(to)
    everything = ALL in ([to] if isinstance(to, str) else list(to))
    analysis = _analysis(result, evidence)
    files: Files = {}
    for name in names:
        try:
            files |= FORMATS[name].files(analysis)
        except HltBayesError as error:
            if not everything:
                raise
            note(f"{name}: omitted: {error}")
    return write_all(files, Path(out), overwrite=overwrite)


def _analysis(result: Analysis | str | Path, evidence: Evidence | str | Path | None) -> Analysis:
    if isinstance(result, Analysis):
        return result
    if not isinstance(result, str | Path):
        raise SpecError(f"a {type(result).__name__} given; export takes an Analysis or a result folder")
    from hlt_bayes.results.read import load_result

    return load_result(result, evidence=evidence)
