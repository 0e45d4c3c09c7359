"""The closed table of export formats."""

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
    """What a format is for, the files it makes, and what makes them of an analysis."""

    description: str
    holds: str
    files: Callable[[Analysis], Files]


FORMATS = {
    "parquet": Format("Draws, a column each, as R's posterior names them", "draws.parquet", parquet),
    "csv": Format("The same as text, what is said of them in comments", "draws.csv", csv),
    "netcdf": Format("Everything that was drawn, for ArviZ and ncdf4", "posterior.nc", netcdf),
    "zarr": Format("The same in chunks, for stores in a cloud (needs zarr)", "posterior.zarr", zarr),
    "cmdstan": Format(
        "Draws as CmdStan writes them, a file a chain, for read.csv and rstan", "cmdstan-1.csv, ...", cmdstan
    ),
    "summary": Format(
        "Means, quantiles, covariance, and how near a multivariate normal comes",
        "summary.json, summary.csv, covariance.csv",
        summary,
    ),
    "metafor": Format("Printed estimates and recovered variances for metafor", "metafor.csv", metafor),
    "multinma": Format("The same as contrasts for multinma's set_agd_contrast", "multinma.csv", multinma),
    "bayesmeta": Format("The same for bayesmeta, with the spec's priors", "bayesmeta.csv", bayesmeta),
    "rbest": Format("The same for RBesT's gMAP, with the spec's priors", "rbest.csv", rbest),
    "mixture": Format(
        "Impacts as mixtures of normals for RBesT's read_mix_json, with their worth in people (needs scikit-learn)",
        "mixture-<outcome>-<group>.json",
        mixture,
    ),
}
"""Every format by its name."""


def chosen_formats(to: str | Iterable[str]) -> list[str]:
    """Name the formats asked for, each once.

    Raises
    ------
    SpecError
        A name is none of a format, or none is given.
    """
    names = list(dict.fromkeys([to] if isinstance(to, str) else to))
    for name in names:
        if name not in (*FORMATS, ALL):
            raise SpecError(f"format {unknown_name(name, (*FORMATS, ALL))}")
    if not names:
        raise SpecError(f"no format given; allowed: {', '.join(map(repr, (*FORMATS, ALL)))}")
    return list(FORMATS) if ALL in names else names
