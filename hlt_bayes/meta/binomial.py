"""Random-effects model of the trials with a binomial likelihood, and its posterior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import EvidenceError, unknown_name
from hlt_bayes.core.progress import Progress
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.inference.diagnostics import check_convergence
from hlt_bayes.inference.fit import sampler_versions
from hlt_bayes.inference.nuts import sample_model
from hlt_bayes.meta.effects import checked_counts, effect_sizes
from hlt_bayes.specs.meta import MetaSpec

if TYPE_CHECKING:
    import pymc as pm

Reading = Literal["odds ratio", "risk ratio"]
READINGS: tuple[Reading, ...] = get_args(Reading)
"""Ratio that trials are taken to share, whatever their control rates."""

LARGEST_RATE = 1 - 1e-9


def trials_model(counts: pd.DataFrame, spec: MetaSpec, *, reading: Reading, adjust_for_size: bool) -> pm.Model:
    """Build the PyMC model; its mathematics is in ``models/meta/ips.toml``.

    Parameters
    ----------
    counts
        ``events_t``, ``n_t``, ``events_c``, ``n_c``, one row per trial (``load_ips_counts``, ``included``).
    spec
        Its priors and reference size.
    reading
        ``theta`` is the log of this ratio.
    adjust_for_size
        If True, ``mu`` is for a trial of infinite size (with ``size_slope`` in the model); otherwise for all trials.

    Returns
    -------
    pymc.Model
        ``mu`` and ``tau``; ``theta`` {trial}; ``theta_new``, for a new trial of infinite size (without
        adjustment: one like these trials); ``size_slope`` if adjusted. Log ratios: above 0 is better.

    Raises
    ------
    EvidenceError
        The counts contain an excluded trial or are invalid, or the reading is unknown.
    """
    import pymc as pm

    if reading not in READINGS:
        raise EvidenceError(f"reading {unknown_name(reading, READINGS)}")
    if "include" in counts and (counts["include"] == "no").any():
        left_out = ", ".join(map(repr, counts.index[counts["include"] == "no"]))
        raise EvidenceError(
            f"the counts contain excluded trials ({left_out}); select trials with included(counts, ...)"
        )
    counts = checked_counts(counts).astype(int)
    priors = spec.priors
    with pm.Model(coords={"trial": counts.index.to_numpy(dtype=object)}) as model:
        mu = pm.Normal("mu", priors.mu.mean, priors.mu.sd)
        tau = pm.HalfNormal("tau", priors.tau.sd)
        centre = mu
        if adjust_for_size:
            slope = pm.Normal("size_slope", priors.size_slope.mean, priors.size_slope.sd)
            centre = mu + slope * size_covariate(counts, spec).to_numpy()
        z = pm.Normal("z", 0.0, 1.0, dims="trial")
        theta = pm.Deterministic("theta", centre + tau * z, dims="trial")
        pm.Deterministic("theta_new", mu + tau * pm.Normal("z_new", 0.0, 1.0))
        control_logit = pm.Normal("control_logit", priors.control_logit.mean, priors.control_logit.sd, dims="trial")
        control_rate = pm.math.sigmoid(control_logit)
        if reading == "odds ratio":
            treated_rate = pm.math.sigmoid(control_logit + theta)
        else:
            treated_rate = pm.math.minimum(control_rate * pm.math.exp(theta), LARGEST_RATE)
        for arm, rate in (("c", control_rate), ("t", treated_rate)):
            people, events = counts[f"n_{arm}"].to_numpy(), counts[f"events_{arm}"].to_numpy()
            pm.Binomial(f"events_{arm}", n=people, p=rate, observed=events, dims="trial")
    return model


def size_covariate(counts: pd.DataFrame, spec: MetaSpec) -> pd.Series:
    """1 / n_t + 1 / n_c relative to a trial of the reference size: 0 for infinite size, independent of the effect."""
    return (1 / counts["n_t"] + 1 / counts["n_c"]) * spec.reference_size.value / 2


def fit_trials(
    counts: pd.DataFrame,
    spec: MetaSpec,
    *,
    reading: Reading = "odds ratio",
    adjust_for_size: bool = True,
    seed: int | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """Draw from the posterior of the trials' ratios, and check that the chains converged.

    Parameters
    ----------
    counts, spec, reading, adjust_for_size
        As in ``trials_model``.
    seed
        Overrides the seed of the spec.
    progress
        As in ``hlt_bayes.fit``.

    Returns
    -------
    DataTree
        ``posterior`` {chain, draw} with the variables of ``trials_model`` and ``i2``: the share of tau^2 in
        the variance of a typical trial's log ratio (Higgins and Thompson 2002); attrs give reading and
        adjustment. ``sample_stats``; ``trials`` {trial}: the counts and the size covariate.

    Raises
    ------
    ConvergenceError
        As in ``hlt_bayes.check_convergence``.
    """
    model = trials_model(counts, spec, reading=reading, adjust_for_size=adjust_for_size)
    seed = spec.sampling.seed if seed is None else seed
    purpose = f"trials, {reading}, {'adjusted' if adjust_for_size else 'as they are'}"
    sampled = sample_model(model, spec.sampling, seed=stream_seed(seed, purpose), progress=progress)
    names = ["mu", "tau", "theta_new", "theta", *(["size_slope"] if adjust_for_size else [])]
    posterior = sampled["posterior"].dataset[names]
    check_convergence(posterior, sample_stats=sampled["sample_stats"].dataset)
    weight = effect_sizes(counts, measure=f"log {reading}")["se"] ** -2  # type: ignore[arg-type]
    typical = (len(weight) - 1) * weight.sum() / (weight.sum() ** 2 - (weight**2).sum())
    posterior = posterior.assign(i2=posterior["tau"] ** 2 / (posterior["tau"] ** 2 + typical))
    posterior = posterior.drop_attrs(deep=False).assign_attrs(
        source="trials",
        reading=reading,
        adjusted_for_size="by 1 / n" if adjust_for_size else "no",
        contains_hlt="no",
        unit=f"log {reading}",
        sign="IPS against control; above 0 is better; 0 is no effect",
        spec=spec.name,
        spec_sha256=spec.fingerprint,
        seed=str(seed),
        versions=sampler_versions(),
    )
    trials = checked_counts(counts).assign(size=size_covariate(counts, spec)).rename_axis("trial").to_xarray()
    stats = sampled["sample_stats"].dataset.drop_attrs(deep=False)
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats, "trials": trials})
