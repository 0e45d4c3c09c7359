"""Fits an impact model by NUTS and refuses draws that did not converge."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.errors import ConvergenceError
from hlt_bayes.evidence import Evidence
from hlt_bayes.reported import reported_results
from hlt_bayes.seeds import stream_seed
from hlt_bayes.specs import ImpactSpec, Sampling
from hlt_bayes.structures import build_model
from hlt_bayes.vocabulary import OUTCOMES

if TYPE_CHECKING:
    import pymc as pm

RHAT_MAX = 1.01
ESS_MIN = 400
BFMI_MIN = 0.3
PRIOR_DRAWS = 4000
ESTIMAND = "per person randomised; health and wellbeing as seen in those who answered the survey"
GATED = ("impact", "mu", "tau", "estimate", "se")
"""Variables of the posterior that are reported, and so must have converged."""

Progress = Callable[[str, int, int], None]
"""Called with the stage, the steps done and the steps in all (0 where not known)."""


def fit(
    spec: ImpactSpec, evidence: Evidence, *, seed: int | None = None, progress: Progress | None = None
) -> xr.DataTree:
    """Draw from the posterior of an impact model, and check that the chains converged.

    Parameters
    ----------
    spec, evidence
        The model, and what is printed.
    seed
        In place of the spec's. The same seed gives the same draws bit for bit on the same machine with
        the same versions, whether or not the compiled code was cached.
    progress
        Told how far compiling and sampling have come; may be called from another thread.

    Returns
    -------
    DataTree
        ``posterior`` with ``impact`` {chain, draw, outcome, group} (treatment minus control per person
        randomised, positive is better, units in its attrs), ``mu`` and ``tau`` {outcome}, ``estimate``
        and ``se`` {cell}; ``prior`` likewise; ``sample_stats``; ``reported`` {cell}, what was fitted to.

    Raises
    ------
    ConvergenceError
        R-hat, effective sample size, divergences or energy fail the gate; its message lists them.
    """
    seed = spec.sampling.seed if seed is None else seed
    report = progress or _silent
    model = build_model(spec, evidence)
    sampled = sample_model(model, spec.sampling, seed=stream_seed(seed, "posterior"), progress=report)
    report("Drawing from the prior", 0, 0)
    with exact_arithmetic():
        prior = _draw_prior(model, seed=stream_seed(seed, "prior"))
    cells = reported_results(evidence, spec)
    check_convergence(gated(sampled["posterior"].dataset, cells), sample_stats=sampled["sample_stats"].dataset)
    tree = xr.DataTree.from_dict(
        {
            "posterior": _plain(sampled["posterior"].dataset),
            "prior": _plain(prior),
            "sample_stats": _plain(sampled["sample_stats"].dataset),
            "reported": cells,
        }
    )
    for group in ("posterior", "prior"):
        tree[group]["impact"].attrs.update(impact_attrs(spec, evidence, seed=seed))
    return tree


def gated(posterior: xr.Dataset, cells: xr.Dataset) -> xr.Dataset:
    """Choose what must have converged: all that is reported, but estimates that counts of events give exactly."""
    names = [name for name in (*GATED, "weight") if name in posterior and name != "estimate"]
    chosen, rounded = posterior[names], (cells["upper"] > cells["lower"]).to_numpy()
    if not rounded.any():
        return chosen
    return chosen.assign(estimate=posterior["estimate"].isel(cell=rounded).rename(cell="rounded_cell"))


def impact_attrs(spec: ImpactSpec, evidence: Evidence, *, seed: int) -> dict[str, str]:
    """Say of an array of impact draws what it is and how it was made."""
    return {
        "unit": json.dumps({name: OUTCOMES[name].unit for name in spec.outcomes}),
        "sign": "treatment minus control; positive is better; zero is no effect",
        "estimand": "as printed, trial by trial" if evidence.of_own_trials else ESTIMAND,
        "spec": spec.name,
        "spec_sha256": spec.fingerprint,
        "evidence_sha256": evidence.sha256,
        "seed": str(seed),
        "versions": sampler_versions(),
    }


def sampler_versions() -> str:
    """Versions, as JSON, of what draws depend on."""
    return json.dumps({name: version(name) for name in ("hlt-bayes", "pymc", "pytensor", "nutpie", "numba")})


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Report nothing."""


def check_convergence(quantities: xr.Dataset, *, sample_stats: xr.Dataset | None = None) -> pd.DataFrame:
    """Let draws pass only if they converged.

    That is: R-hat <= 1.01, bulk and tail ESS >= 400, and, where ``sample_stats`` is given, no divergence and
    E-BFMI >= 0.3 in every chain.

    Parameters
    ----------
    quantities
        Dataset {chain, draw, ...} of every quantity that is reported.
    sample_stats
        ``diverging`` and ``energy`` {chain, draw} of the sampler.

    Returns
    -------
    DataFrame
        ``rhat``, ``ess_bulk``, ``ess_tail`` of each quantity.

    Raises
    ------
    ConvergenceError
        Something failed, or cannot be computed; the message is a table of what, and of what to try.
    """
    import arviz_stats as azs

    with np.errstate(divide="ignore", invalid="ignore"):
        diagnostics = {
            "rhat": azs.rhat(quantities),
            "ess_bulk": azs.ess(quantities, method="bulk"),
            "ess_tail": azs.ess(quantities, method="tail"),
        }
    table = pd.DataFrame({name: _flat(values) for name, values in diagnostics.items()})
    # Not "above the bound": a diagnostic that is not a number must fail as well.
    passed = (table["rhat"] <= RHAT_MAX) & (table["ess_bulk"] >= ESS_MIN) & (table["ess_tail"] >= ESS_MIN)
    failed = [
        f"{name}: R-hat {row.rhat:.3f}, bulk ESS {row.ess_bulk:.0f}, tail ESS {row.ess_tail:.0f}"
        for name, row in table[~passed].iterrows()
    ]
    if sample_stats is not None:
        divergences = int(sample_stats["diverging"].sum())
        if divergences:
            failed.append(f"{divergences} divergent transitions of {sample_stats['diverging'].size}; none is allowed")
        for chain, energy in zip(sample_stats["chain"].to_numpy(), sample_stats["energy"].to_numpy(), strict=True):
            bfmi = np.square(np.diff(energy)).mean() / np.var(energy)
            if not bfmi >= BFMI_MIN:
                failed.append(f"chain {chain}: E-BFMI {bfmi:.2f}")
    if failed:
        raise ConvergenceError(
            "\n".join(
                [
                    f"the sampler did not converge, so no result is given. What failed (allowed: R-hat <= {RHAT_MAX}, "
                    f"ESS >= {ESS_MIN}, no divergence, E-BFMI >= {BFMI_MIN}):",
                    *(f"  {line}" for line in failed),
                    "What to try, in the [sampling] of a spec of ours: more draws and tune where only ESS is low; "
                    "target_accept nearer 1 (0.99) where transitions diverge; another --seed to see whether it "
                    "recurs. If it does, the priors leave something that the evidence does not settle. Draws made "
                    "elsewhere need more draws there, or chains that agree.",
                ]
            )
        )
    return table


def _flat(dataset: xr.Dataset) -> dict[str, float]:
    """Value of each element of each variable, by a name such as ``impact[health, WMCA]``."""
    values = {}
    for name, array in dataset.data_vars.items():
        labels = [array[dim].to_numpy() for dim in array.dims]
        for index in np.ndindex(array.shape):
            where = ", ".join(str(label[i]) for label, i in zip(labels, index, strict=True))
            values[f"{name}[{where}]" if where else str(name)] = float(array.to_numpy()[index])
    return values


@contextlib.contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Compile without fast-math.

    Under it LLVM may reorder sums wherever it inlines, and it inlines what it has just compiled but not
    what it loads from the cache: the first run and the second would differ in the last bit, and chains
    that differ in the last bit soon differ altogether.
    """
    import pytensor

    with pytensor.config.change_flags(numba__fastmath=False):
        yield


def sample_model(model: pm.Model, settings: Sampling, *, seed: int, progress: Progress | None = None) -> xr.DataTree:
    """Draw from the posterior of any PyMC model by NUTS; the caller lets the draws through ``check_convergence``.

    Parameters
    ----------
    model, settings
        The model; chains, tuning, draws.
    seed
        Of this call alone.
    progress
        As in ``fit``.
    """
    import nutpie

    report = progress or _silent
    report("Compiling the model", 0, 0)
    total = settings.chains * (settings.tune + settings.draws)

    def show(chains: list[Any]) -> None:
        report("Sampling", sum(chain.finished_draws for chain in chains), total)

    with exact_arithmetic():
        compiled = nutpie.compile_pymc_model(model, backend="numba")
        report("Sampling", 0, total)
        # Not blocking: the blocking call answers Ctrl-C with the draws made so far, as if they were all.
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
    # Strings as objects, which no netCDF file takes.
    sampled["sample_stats"] = sampled["sample_stats"].dataset.drop_vars("divergence_message")
    return sampled


def _draw_prior(model: pm.Model, *, seed: int) -> xr.Dataset:
    """Draw what the printed results do not enter: everything above the likelihood."""
    import pymc as pm

    names = ["mu", "tau", "impact"]
    drawn = pm.draw([model[name] for name in names], draws=PRIOR_DRAWS, random_seed=seed)
    dims = {name: ("chain", "draw", *model.named_vars_to_dims[name]) for name in names}
    arrays = {name: (dims[name], np.asarray(values)[None]) for name, values in zip(names, drawn, strict=True)}
    coords = {"chain": [0], "draw": np.arange(PRIOR_DRAWS)}
    coords |= {dim: list(model.coords[dim]) for dim in ("outcome", "group")}
    return xr.Dataset(arrays, coords=coords)


def _plain(dataset: xr.Dataset) -> xr.Dataset:
    """Draws without the hour at which they were made, so that equal draws make equal files."""
    return dataset.drop_attrs(deep=False).assign_attrs(created_by=f"hlt-bayes {version('hlt-bayes')}")
