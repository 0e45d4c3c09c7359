"""Carries an analysis into the tools of others: draws, moments, effect sizes and priors as files."""

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
    """Write an analysis in the formats of other tools.

    Parameters
    ----------
    result
        What ``hlt_bayes.analyse`` gives, or the folder of a result.
    to
        One format or several, by the names of ``results.export.FORMATS``; or ``"all"``, which leaves out what this
        analysis does not have.
    out
        Folder of the files, made where needed; not a result folder.
    overwrite
        Whether files of the same names are replaced.
    evidence
        Of a result folder: what it was made from, or its path, where that is not the published evidence.
    note
        Told of each format that ``"all"`` leaves out, and why.

    Returns
    -------
    list of Path
        The files, a folder for Zarr. All of them are written, or none.

    Raises
    ------
    SpecError
        An unknown format, or one that needs a library that is not installed.
    EvidenceError, ImpactError
        A format for which the analysis has nothing.
    ResultFolderError
        A file that may not be written; see ``hlt_bayes.results.export.write.check_targets``.
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
            note(f"{name}: left out: {error}")
    return write_all(files, Path(out), overwrite=overwrite)


def _analysis(result: Analysis | str | Path, evidence: Evidence | str | Path | None) -> Analysis:
    if isinstance(result, Analysis):
        return result
    if not isinstance(result, str | Path):
        raise SpecError(f"a {type(result).__name__} given; export takes an Analysis or the folder of a result")
    from hlt_bayes.results.read import load_result

    return load_result(result, evidence=evidence)
