"""Pooled estimates of all methods in one table, with the published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.progress import Progress
from hlt_bayes.evidence import load_evidence, load_ips_counts, load_ips_trials
from hlt_bayes.likelihood import recovered_se, reported_results
from hlt_bayes.meta.binomial import Reading, fit_trials
from hlt_bayes.meta.effects import effect_sizes, included
from hlt_bayes.meta.pooling import pooled_effects
from hlt_bayes.meta.prior import briefing_ratio, ips_prior, prior_data_conflict, ratio_of_new_trial
from hlt_bayes.meta.small_study import pet_peese, pooled_by_size
from hlt_bayes.specs import load_impact_spec
from hlt_bayes.specs.meta import MetaSpec, Wide


@dataclass(frozen=True)
class PooledTrials:
    """One meta-analysis: log odds ratios by trial and pooled, and the tables made from them.

    ``effects`` as from ``effect_sizes``; ``pooled`` as from ``pooled_effects`` and ``pooled_posterior``; ``methods`` as
    from ``compare_methods``; ``priors`` as from ``compare_priors``.
    """

    spec: MetaSpec
    seed: int
    effects: pd.DataFrame
    pooled: pd.DataFrame
    methods: pd.DataFrame
    priors: pd.DataFrame


FITS: tuple[tuple[str, Reading, bool], ...] = (
    ("Bayes, odds ratio", "odds ratio", False),
    ("Bayes, odds ratio, size-adjusted", "odds ratio", True),
    ("Bayes, risk ratio, size-adjusted", "risk ratio", True),
)
"""Name, reading and adjustment of each fit of ``pooled_trials``."""

FADYL_WITH_COUNTS = ("bejerholm2017", "davis2012", "davis2018", "hellstrom2017", "poremski2015")
"""Trials pooled by Fadyl et al 2020 that have counts here; two more have none."""

_WHY_BENCHMARKS_DIFFER = {
    "POOLED_whitworth2024": "18 trials, among them the Health-led Trials and large ones without counts here",
    "POOLED_fadyl2020": "7 trials, two of them (reme2015, reme2019) without counts here",
    "POOLED_frederick2019": "another population: mostly severe mental illness",
}
_RATIOS = ["estimate", "lower", "upper", "predicted_lower", "predicted_upper"]
_MEASURES = {"OR": "odds ratio", "RR": "risk ratio"}


def compare_methods(
    counts: pd.DataFrame, fits: Mapping[str, xr.DataTree], *, known: pd.DataFrame, printed: pd.DataFrame
) -> pd.DataFrame:
    """Compare the pooled ratios of all methods with each other and with the published ones.

    Parameters
    ----------
    counts
        Trials to pool (``included``).
    fits
        Fits from ``fit_trials`` to the same trials, by display name.
    known
        From ``load_ips_counts``: all trials with counts, to repeat the pooling of Fadyl et al 2020.
    printed
        From ``load_ips_trials``: its rows ``POOLED_*`` are the benchmarks.

    Returns
    -------
    DataFrame
        ``method``, ``measure``, ``trials``, ``adjusted`` (how, for size), ``estimate`` with 95% interval
        ``lower`` to ``upper``, ``predicted_lower`` and ``predicted_upper`` of a new trial (all ratios, 1 is no
        effect; the Bayesian estimate is a posterior median), ``tau`` (log scale), ``note``. Missing where not
        applicable.
    """
    effects = effect_sizes(counts)
    fadyl = effect_sizes(known.loc[list(FADYL_WITH_COUNTS)], measure="log risk ratio")
    unadjusted = {"measure": "odds ratio", "adjusted": "no"}
    blocks = [
        _block(pooled_effects(effects), unadjusted),
        _block(pet_peese(effects), unadjusted | {"adjusted": "by SE or variance"}),
        _block(pooled_by_size(effects), unadjusted | {"adjusted": "by class"}, prefix="DL, "),
        _block(pooled_posterior(fits), {}),
        _block(
            pooled_effects(fadyl, methods=("DL",)),
            {"measure": "risk ratio", "adjusted": "no", "note": "five of the seven trials of Fadyl et al 2020"},
        ),
        _benchmarks(printed),
    ]
    columns = ["method", "measure", "trials", "adjusted", *_RATIOS, "tau", "note"]
    return (
        pd.concat(blocks, ignore_index=True).reindex(columns=columns).astype({"trials": "Int64"}).fillna({"note": ""})
    )


def pooled_posterior(fits: Mapping[str, xr.DataTree]) -> pd.DataFrame:
    """Summarise fits of ``fit_trials`` as ``pooled_effects`` does: one row per fit, on the log scale.

    ``mean`` is the posterior median of ``mu``; intervals are equal-tailed 95%; ``tau2`` is the square of the posterior
    median of ``tau``.
    """
    rows = {}
    for name, fitted in fits.items():
        posterior = fitted["posterior"].dataset
        mean, lower, upper = posterior["mu"].quantile([0.5, 0.025, 0.975]).to_numpy()
        predicted_lower, predicted_upper = posterior["theta_new"].quantile([0.025, 0.975]).to_numpy()
        rows[name] = {
            "trials": posterior.sizes["trial"],
            "mean": mean,
            "lower": lower,
            "upper": upper,
            "tau2": posterior["tau"].median().item() ** 2,
            "predicted_lower": predicted_lower,
            "predicted_upper": predicted_upper,
            "measure": posterior.attrs["reading"],
            "adjusted": posterior.attrs["adjusted_for_size"],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def _block(table: pd.DataFrame, columns: Mapping[str, str], *, prefix: str = "") -> pd.DataFrame:
    table = table.rename(columns={"mean": "estimate"}).reset_index(names="method")
    ratios = [name for name in _RATIOS if name in table]
    table[ratios] = np.exp(table[ratios].astype(float))
    if "tau2" in table:
        table["tau"] = np.sqrt(table["tau2"].astype(float))
    return table.assign(method=prefix + table["method"], **columns)


def _benchmarks(printed: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for _, row in printed[printed["study_id"].str.startswith("POOLED_")].iterrows():
        for prefix in ("", "second_"):
            measure, _, which = str(row[f"{prefix}measure"]).partition(", ")
            if measure not in _MEASURES:
                continue
            rows.append(
                {
                    "method": f"published: {row['citation']}",
                    "measure": _MEASURES[measure],
                    "adjusted": which or "no",
                    "estimate": row[f"{prefix}estimate"],
                    "lower": row["ci_low" if not prefix else "second_ci_low"],
                    "upper": row["ci_high" if not prefix else "second_ci_high"],
                    "note": _WHY_BENCHMARKS_DIFFER.get(row["study_id"], ""),
                }
            )
    return pd.DataFrame(rows)


def compare_priors(
    ratios: Sequence[xr.DataArray],
    control_rates: Mapping[str, float],
    wide: Wide,
    *,
    estimate: Mapping[str, float],
    se: Mapping[str, float],
) -> pd.DataFrame:
    """Compare the priors that the predicted ratios imply for each group with each other and with the data.

    Parameters
    ----------
    ratios
        From ``ratio_of_new_trial`` and ``briefing_ratio``; the latter as a sensitivity analysis.
    control_rates, wide
        As in ``ips_prior``.
    estimate, se
        As in ``prior_data_conflict``.

    Returns
    -------
    DataFrame
        One row per ratio and group: ``source``, ``reading``, ``adjusted_for_size``, ``contains_hlt``, ``group``;
        ``mean``, ``sd`` of the component ``ips`` (proportion), ``lower`` and ``upper`` (95% of the predictive
        draws), ``capped``; and the columns of ``prior_data_conflict``.
    """
    blocks = []
    for ratio in ratios:
        prior = ips_prior(ratio, control_rates, wide, hlt_counted_twice="as a sensitivity")
        ends = prior["quantile"].sel(kind="predictive", probability=[0.025, 0.975]).to_numpy()
        block = pd.DataFrame(
            {
                **{name: ratio.attrs[name] for name in ("source", "reading", "adjusted_for_size", "contains_hlt")},
                "group": list(control_rates),
                "mean": prior["mean"].sel(component="ips").to_numpy(),
                "sd": prior["sd"].sel(component="ips").to_numpy(),
                "lower": ends[:, 0],
                "upper": ends[:, 1],
                "capped": prior["capped"].to_numpy(),
            }
        )
        blocks.append(block.merge(prior_data_conflict(prior, estimate, se).reset_index(), on="group"))
    return pd.concat(blocks, ignore_index=True)


def pooled_trials(spec: MetaSpec, *, seed: int | None = None, progress: Progress | None = None) -> PooledTrials:
    """Pool the trials that a spec includes by every method, and derive priors for the Health-led trial groups.

    Control rates are those published, or else assumed by the primary impact spec; standard errors are the medians
    recovered under that spec.
    """
    known, trials = load_ips_counts(), load_ips_trials()
    counts = included(known, spec.trials.outcome_classes)
    fits = {
        name: fit_trials(
            counts, spec, reading=reading, adjust_for_size=adjusted, seed=seed, progress=_named(progress, name)
        )
        for name, reading, adjusted in FITS
    }
    evidence, impact_spec = load_evidence(), load_impact_spec("primary")
    cells = reported_results(evidence, impact_spec)
    cells = cells.isel(cell=np.flatnonzero(cells["outcome"].to_numpy() == "employment"))
    groups = [str(group) for group in cells["group"].to_numpy()]
    design = impact_spec.standard_error.design["employment"]
    assumed = {group: rates.control for group, rates in getattr(design, "rates", {}).items()}
    printed = evidence.employment_rates["control"].to_dict()
    se = recovered_se(cells, [0.5])["quantile"].sel(quantity="se", probability=0.5).to_numpy()
    readings: tuple[Reading, ...] = ("odds ratio", "risk ratio")
    ratios = [ratio_of_new_trial(fits[name]) for name, _, adjusted in FITS if adjusted]
    ratios += [briefing_ratio(trials, reading=reading) for reading in readings]
    priors = compare_priors(
        ratios,
        {group: printed.get(group, assumed.get(group, float("nan"))) for group in groups},
        spec.wide,
        estimate=dict(zip(groups, cells["estimate"].to_numpy(), strict=True)),
        se=dict(zip(groups, se, strict=True)),
    )
    effects = effect_sizes(counts)
    of_odds = {name: fits[name] for name, reading, _ in FITS if reading == "odds ratio"}
    return PooledTrials(
        spec=spec,
        seed=spec.sampling.seed if seed is None else seed,
        effects=effects,
        pooled=pd.concat([pooled_effects(effects), pooled_posterior(of_odds)]),
        methods=compare_methods(counts, fits, known=known, printed=trials),
        priors=priors,
    )


def _named(progress: Progress | None, name: str) -> Progress | None:
    """Prefix the stages of progress with the name of the fit."""
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{name}: {stage[0].lower()}{stage[1:]}", done, total)
