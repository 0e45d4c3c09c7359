"""Draw from any PyMC model by NUTS: compiled once, reproducible by seed."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import xarray as xr

from hlt_bayes.core.progress import Progress, silent
from hlt_bayes.specs import IndividualSampling, Sampling

if TYPE_CHECKING:
    import pymc as pm


@contextlib.contextmanager
def without_fastmath() -> Iterator[None]:
    """Compile without fast-math.

    With fast-math LLVM may reorder sums wherever it inlines, and it inlines freshly compiled code but not code
    loaded from the cache: the first and second runs would differ in the last bit, and chains that differ in the
    last bit soon differ completely.
    """
    import pytensor

    with pytensor.config.change_flags(numba__fastmath=False):
        yield


def sample_model(
    model: pm.Model,
    settings: Sampling | IndividualSampling,
    *,
    seed: int,
    progress: Progress | None = None,
    engine: Literal["nuts", "pymc"] = "nuts",
) -> xr.DataTree:
    """Draw from the posterior of any PyMC model by NUTS; the caller must run ``check_convergence``.

    Parameters
    ----------
    model, settings
        The model; chains, tuning, draws.
    seed
        Used by this call alone.
    progress
        As in ``fit``.
    engine
        ``"nuts"`` (nutpie, whose compiled code is cached) or ``"pymc"`` (PyMC's own NUTS).
    """
    report = progress or silent
    report("Compiling the model", 0, 0)
    with without_fastmath():
        return (
            _by_pymc(model, settings, seed, report) if engine == "pymc" else _by_nutpie(model, settings, seed, report)
        )


def _by_pymc(model: pm.Model, settings: Sampling | IndividualSampling, seed: int, report: Progress) -> xr.DataTree:
    import pymc as pm

    total = settings.chains * (settings.tune + settings.draws)
    done = itertools.count(1)

    def show(**_: object) -> None:
        report("Sampling", next(done), total)

    with model:
        sampled: xr.DataTree = pm.sample(
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=1,
            target_accept=settings.target_accept,
            random_seed=seed,
            nuts_sampler="pymc",
            progressbar=False,
            compute_convergence_checks=False,
            callback=show,
        )
    return sampled


def _by_nutpie(model: pm.Model, settings: Sampling | IndividualSampling, seed: int, report: Progress) -> xr.DataTree:
    compiled = compile_nuts(model)
    return draw_nuts(compiled, settings, seed=seed, report=report)


def compile_nuts(model: pm.Model) -> Any:  # noqa: ANN401 - nutpie has no types
    """Compile a model for ``draw_nuts``, within ``without_fastmath``; frozen data halve the time."""
    import nutpie

    return nutpie.compile_pymc_model(model, backend="numba", freeze_model=True)


def draw_nuts(
    compiled: Any,  # noqa: ANN401 - nutpie has no types
    settings: Sampling | IndividualSampling,
    *,
    seed: int,
    report: Progress,
) -> xr.DataTree:
    """Draw from a compiled model by NUTS."""
    import nutpie

    total = settings.chains * (settings.tune + settings.draws)

    def show(chains: list[Any]) -> None:
        report("Sampling", sum(chain.finished_draws for chain in chains), total)

    report("Sampling", 0, total)
    # Non-blocking, because on Ctrl-C the blocking call returns the draws so far as if they were complete.
    sampler = nutpie.sample(
        compiled,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        target_accept=settings.target_accept,
        seed=seed,
        save_warmup=False,
        progress_bar=False,
        progress_callback=show,
        blocking=False,
    )
    try:
        sampled: xr.DataTree = sampler.wait()
    except BaseException:
        sampler.cancel()
        raise
    report("Sampling", total, total)
    # netCDF files cannot hold strings of object dtype.
    sampled["sample_stats"] = sampled["sample_stats"].dataset.drop_vars("divergence_message")
    return sampled
