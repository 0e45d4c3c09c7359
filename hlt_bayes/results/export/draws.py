"""Exports of draws: tables, netCDF, Zarr and CmdStan CSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.results.export.content import SIGN, Array, arrays, draws_table, metadata
from hlt_bayes.results.export.csv_tables import comments, write_csv
from hlt_bayes.results.netcdf import netcdf_bytes
from hlt_bayes.results.parquet import write_parquet

UNKEYED_HASH = "records_sha256"

Files = dict[str, Callable[[Path], None]]
"""Function that writes each file of a format, by file name."""

SAMPLER = {
    "lp__": ("logp", "lp"),
    "accept_stat__": ("mean_tree_accept", "acceptance_rate"),
    "stepsize__": ("step_size",),
    "treedepth__": ("depth", "tree_depth"),
    "n_leapfrog__": ("n_steps",),
    "divergent__": ("diverging",),
    "energy__": ("energy",),
}
"""Sampler statistics under their CmdStan names, in CmdStan order, with the names that nutpie and PyMC use."""


def parquet(analysis: Analysis) -> Files:
    """Draws in columns, with metadata in the Parquet schema."""
    return {"draws.parquet": partial(_write_parquet, analysis)}


def csv(analysis: Analysis) -> Files:
    """Draws in columns, with metadata in comments."""
    return {"draws.csv": lambda path: write_csv(draws_table(analysis), path, metadata(analysis, with_returns=True))}


def netcdf(analysis: Analysis) -> Files:
    """All draws, in the ArviZ layout."""
    return {"posterior.nc": lambda path: _write_bytes(path, netcdf_bytes(_tree(analysis)))}


def zarr(analysis: Analysis) -> Files:
    """All draws, in the ArviZ layout, chunked.

    Raises
    ------
    SpecError
        Zarr is not installed.
    """
    try:
        import zarr  # noqa: F401
    except ModuleNotFoundError as error:
        raise SpecError("format 'zarr' needs Zarr, which is not installed: pip install 'hlt-bayes[export]'") from error
    return {"posterior.zarr": lambda path: _write_zarr(_tree(analysis), path)}


def cmdstan(analysis: Analysis) -> Files:
    """Draws in CmdStan CSV format, one file per chain."""
    found = arrays(analysis)
    chains = found[0].draws.sizes["chain"]
    return {f"cmdstan-{chain + 1}.csv": partial(_write_cmdstan, analysis, found, chain) for chain in range(chains)}


def _write_parquet(analysis: Analysis, path: Path) -> None:
    write_parquet(draws_table(analysis), path, metadata(analysis, with_returns=True))


def _write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _tree(analysis: Analysis) -> xr.DataTree:
    """Draws with metadata at the root, and with unit and sign on the impacts, as in a fit by this package."""
    tree = analysis.draws.copy()
    tree.attrs.update(metadata(analysis, with_returns=True))
    outcomes = [str(name) for name in analysis.admitted.impact["outcome"].to_numpy()]
    fields = {"unit": json.dumps({name: OUTCOMES[name].unit for name in outcomes}), "sign": SIGN}
    posterior = analysis.draws["posterior"].dataset
    impact = posterior["impact"]
    # Version 0.1.0 kept a hash of the records there, which confirms guesses at them.
    impact = impact.drop_attrs().assign_attrs({key: impact.attrs[key] for key in impact.attrs if key != UNKEYED_HASH})
    tree["posterior"] = xr.DataTree(posterior.assign(impact=impact.assign_attrs({**fields, **impact.attrs})))
    return tree


def _write_zarr(tree: xr.DataTree, path: Path) -> None:
    # Zarr format 2 with consolidated metadata: supported by every reader, and tried first by xarray.
    tree.to_zarr(path, mode="w", zarr_format=2, consolidated=True)


def _write_cmdstan(analysis: Analysis, found: Sequence[Array], chain: int, path: Path) -> None:
    """Write one chain: comments, then draws, with arrays in column-major order as in CmdStan."""
    fields = {key: value for key, value in metadata(analysis, with_returns=True).items() if key != "seed"}
    columns = _sampler_columns(analysis.draws, chain)
    lines = []
    for array in found:
        for at, labels, values in array.cells():
            name = ".".join([array.name, *(str(index + 1) for index in at)])
            columns[name] = values[chain]
            lines.append(f"# {name} = {json.dumps(labels, ensure_ascii=False)}\n")
    head = [
        f"# model = {fields['spec']}\n",
        "# method = sample\n",
        f"# num_samples = {found[0].draws.sizes['draw']}\n",
        "# num_warmup = 0\n",
        "# save_warmup = 0\n",
        "# thin = 1\n",
        f"# id = {chain + 1}\n",
        f"# seed = {analysis.seed}\n",
    ]
    notes = [
        "num_warmup and thin describe this file: it contains no warm-up draws and every later draw",
        "cmdstanpy.from_csv also needs the sampler's adaptation, which is not stored: in Python, read posterior.nc",
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("".join(head) + comments(fields, notes) + "".join(lines))
        pd.DataFrame(columns).to_csv(file, index=False, lineterminator="\n")


def _sampler_columns(tree: xr.DataTree, chain: int) -> dict[str, np.ndarray]:
    """Sampler statistics of each draw, as far as available."""
    if "sample_stats" not in tree.children:
        return {}
    stats = tree["sample_stats"].dataset
    found = {}
    for name, known in SAMPLER.items():
        theirs = next((one for one in known if one in stats and set(stats[one].dims) == {"chain", "draw"}), None)
        if theirs is not None:
            values = stats[theirs].transpose("chain", "draw").to_numpy()[chain]
            found[name] = values.astype(int) if values.dtype.kind in "bui" else values
    return found
