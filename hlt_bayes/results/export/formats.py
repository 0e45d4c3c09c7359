"""Table of the export formats."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.results.export.draws import Files, cmdstan, csv, netcdf, parquet, zarr
from hlt_bayes.results.export.priors import mixture
from hlt_bayes.results.export.summary import summary
from hlt_bayes.results.export.trials import bayesmeta, metafor, multinma, rbest

ALL = "all"


class Format(NamedTuple):
    """Description of a format, the files it contains, and the function that makes them from an analysis."""

    description: str
    holds: str
    files: Callable[[Analysis], Files]


FORMATS = {
    "parquet": Format("Draws in columns, named as in the R package posterior", "draws.parquet", parquet),
    "csv": Format("The same as text, with metadata in comments", "draws.csv", csv),
    "netcdf": Format("All draws, for ArviZ and ncdf4", "posterior.nc", netcdf),
    "zarr": Format("The same, chunked for cloud storage (needs zarr)", "posterior.zarr", zarr),
    "cmdstan": Format(
        "Draws in CmdStan CSV format, one file per chain, for read.csv and rstan", "cmdstan-1.csv, ...", cmdstan
    ),
    "summary": Format(
        "Means, quantiles, covariance, and the error of a multivariate normal approximation",
        "summary.json, summary.csv, covariance.csv",
        summary,
    ),
    "metafor": Format("Published estimates and recovered variances for metafor", "metafor.csv", metafor),
    "multinma": Format("The same as contrasts for multinma's set_agd_contrast", "multinma.csv", multinma),
    "bayesmeta": Format("The same for bayesmeta, with the spec's priors", "bayesmeta.csv", bayesmeta),
    "rbest": Format("The same for RBesT's gMAP, with the spec's priors", "rbest.csv", rbest),
    "mixture": Format(
        "Impacts as normal mixtures for RBesT's read_mix_json, with effective sample size (needs scikit-learn)",
        "mixture-<outcome>-<group>.json",
        mixture,
    ),
}
"""All formats, by name."""


def chosen_formats(to: str | Iterable[str]) -> list[str]:
    """Return the names of the requested formats, without duplicates.

    Raises
    ------
    SpecError
        A format is unknown, or none is given.
    """
    names = list(dict.fromkeys([to] if isinstance(to, str) else to))
    for name in names:
        if name not in (*FORMATS, ALL):
            raise SpecError(f"format {unknown_name(name, (*FORMATS, ALL))}")
    if not names:
        raise SpecError(f"no format given; allowed: {', '.join(map(repr, (*FORMATS, ALL)))}")
    return list(FORMATS) if ALL in names else names
