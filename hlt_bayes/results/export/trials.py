"""Published estimates with recovered standard errors, in the formats of meta-analysis packages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.errors import EvidenceError
from hlt_bayes.core.vocabulary import ARMS, POOLED_GROUPS
from hlt_bayes.results.export.content import metadata
from hlt_bayes.results.export.csv_tables import write_csv
from hlt_bayes.results.export.draws import Files
from hlt_bayes.results.export.prior_translation import of_bayesmeta, of_gmap, of_mu

EFFECT_MEASURES = {"employment": "RD", "earnings": "MD", "health": "SMD", "wellbeing": "SMD"}
"""metafor's codes for the effect measures; health and wellbeing are published in SDs of the outcome."""

NOT_THE_POSTERIOR = (
    "Estimates are as published and standard errors are recovered from the published results; neither is a posterior "
    "summary. Posterior means are shrunk towards each other and correlated, so pooling them would count evidence twice."
)
RECOVERED = (
    "Standard errors are medians given rounding, significance stars, sample sizes and the spec's priors; "
    "se_lower_89 and se_upper_89 are the 89% interval, ignored by a meta-analysis that treats them as known."
)
PER_OUTCOME = "Outcomes have different units: analyse one outcome at a time."


def metafor(analysis: Analysis) -> Files:
    """Effect sizes for metafor's ``rma(yi, vi)``.

    Raises
    ------
    EvidenceError
        As ``printed_estimates``.
    """
    notes = ["R: metafor::rma(yi, vi, data = subset(d, outcome == 'employment'), slab = slab)", PER_OUTCOME]
    return _files("metafor", analysis, _of_metafor, notes)


def multinma(analysis: Analysis) -> Files:
    """Contrasts for multinma's ``set_agd_contrast``: two rows per study, with no estimate for the baseline arm.

    Raises
    ------
    EvidenceError
        As ``printed_estimates``.
    """
    notes = [
        "R: multinma::set_agd_contrast(subset(d, outcome == 'employment'), study, trt, y = y, se = se, "
        "sample_size = sample_size)",
        "A two-arm study needs no standard error for its baseline arm; omit sample_size if any value is NA.",
        PER_OUTCOME,
    ]
    return _files("multinma", analysis, _of_multinma, notes)


def bayesmeta(analysis: Analysis) -> Files:
    """Effect sizes for the R package bayesmeta, with the spec's priors in its notation.

    Raises
    ------
    EvidenceError
        As ``printed_estimates``.
    """
    notes = [
        "R: e <- subset(d, outcome == 'employment'); bayesmeta::bayesmeta(e$y, e$sigma, labels = e$labels, "
        "mu.prior.mean = e$mu.prior.mean[1], mu.prior.sd = e$mu.prior.sd[1], "
        "tau.prior = eval(parse(text = e$tau.prior[1])))",
        PER_OUTCOME,
    ]
    return _files("bayesmeta", analysis, _of_bayesmeta, notes)


def rbest(analysis: Analysis) -> Files:
    """Effect sizes for RBesT's ``gMAP``, with the spec's priors in its notation.

    Raises
    ------
    EvidenceError
        As ``printed_estimates``.
    """
    notes = [
        "R: e <- subset(d, outcome == 'employment'); RBesT::gMAP(cbind(y, y.se) ~ 1 | study, data = e, family = "
        "gaussian, weights = n, tau.dist = e$tau.dist[1], tau.prior = cbind(e$tau.prior.a[1], e$tau.prior.b[1]), "
        "beta.prior = cbind(e$beta.prior.mean[1], e$beta.prior.sd[1]))",
        "n is the total of both arms and sets gMAP's reference scale, so its effective sample sizes are for both arms "
        "together; those of the mixtures exported by hlt-bayes are per arm.",
        PER_OUTCOME,
    ]
    return _files("rbest", analysis, _of_rbest, notes)


def printed_estimates(analysis: Analysis) -> pd.DataFrame:
    """Return the published estimate and recovered standard error of each trial group, without pooled rows.

    Returns
    -------
    DataFrame
        ``outcome``, ``group``, ``published``, ``half_unit``, ``se`` with its 89% interval, ``unit``; numbers analysed
        in each arm (``n_treatment``, ``n_control``), missing if not published.

    Raises
    ------
    EvidenceError
        The draws come from individual participant data, which have no published estimate; or no standard error was
        recovered.
    """
    if analysis.individual_spec is not None:
        raise EvidenceError(
            "the draws come from individual records, for which there is no published estimate; aggregate the records "
            "with hlt_bayes.aggregate, analyse the resulting file of trials and export that"
        )
    columns = ["outcome", "group", "published", "half_unit", "se", "se_lower_89", "se_upper_89", "unit"]
    table = analysis.comparison[~analysis.comparison["group"].isin(list(POOLED_GROUPS))]
    table = table.dropna(subset=["published", "se"])[columns].reset_index(drop=True)
    if table.empty:
        raise EvidenceError(
            f"{analysis.evidence.path}: no trial group has a published estimate with a recovered standard error; "
            "export the draws instead (parquet, csv, netcdf)"
        )
    return table.join(_arm_sizes(analysis, table))


def _arm_sizes(analysis: Analysis, table: pd.DataFrame) -> pd.DataFrame:
    """Numbers analysed in each arm: as published with the estimate, otherwise of the sample named in the spec."""
    printed = analysis.evidence.impacts.set_index(["outcome", "group"])
    rows = []
    for outcome, group in zip(table["outcome"], table["group"], strict=True):
        beside = printed.loc[(outcome, group)]
        sizes = analysis.evidence.arm_sizes(analysis.impact_spec.standard_error.design[outcome].sample)
        of_sample = sizes.loc[group] if group in sizes.index else {}
        rows.append(
            {
                f"n_{arm}": beside[f"n_{arm}"] if pd.notna(beside["n_treatment"]) else of_sample.get(arm, np.nan)
                for arm in ARMS
            }
        )
    return pd.DataFrame(rows, index=table.index).astype("Int64")


def _files(
    name: str, analysis: Analysis, table: Callable[[Analysis, pd.DataFrame], pd.DataFrame], notes: list[str]
) -> Files:
    made = table(analysis, printed_estimates(analysis))
    all_notes = [NOT_THE_POSTERIOR, RECOVERED, *notes]

    def write(path: Path) -> None:
        about = {key: text for key, text in metadata(analysis).items() if key != "draws_of"}
        write_csv(made, path, about, all_notes)

    return {f"{name}.csv": write}


def _of_metafor(analysis: Analysis, printed: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "outcome": printed["outcome"],
            "study": printed["group"],
            "yi": printed["published"],
            "vi": printed["se"] ** 2,
            "sei": printed["se"],
            "measure": printed["outcome"].map(EFFECT_MEASURES),
            "slab": printed["group"],
            "ni": printed["n_treatment"] + printed["n_control"],
            "n1i": printed["n_treatment"],
            "n2i": printed["n_control"],
            "se_lower_89": printed["se_lower_89"],
            "se_upper_89": printed["se_upper_89"],
            "half_unit": printed["half_unit"],
            "unit": printed["unit"],
            "site": [analysis.evidence.sites.get(group, group) for group in printed["group"]],
        }
    )


def _of_multinma(_: Analysis, printed: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for row in printed.to_dict("records"):
        head = {"outcome": row["outcome"], "study": row["group"]}
        rows.append({**head, "trt": "control", "y": np.nan, "se": np.nan, "sample_size": row["n_control"]})
        treated = {"trt": "treatment", "y": row["published"], "se": row["se"], "sample_size": row["n_treatment"]}
        rows.append({**head, **treated})
    return pd.DataFrame(rows).astype({"sample_size": "Int64"})


def _of_bayesmeta(analysis: Analysis, printed: pd.DataFrame) -> pd.DataFrame:
    return _with_priors(
        pd.DataFrame(
            {
                "outcome": printed["outcome"],
                "labels": printed["group"],
                "y": printed["published"],
                "sigma": printed["se"],
            }
        ),
        {outcome: of_mu(analysis.impact_spec, outcome, "mu.prior") for outcome in printed["outcome"]},
        {outcome: of_bayesmeta(analysis.impact_spec, outcome) for outcome in printed["outcome"]},
    )


def _of_rbest(analysis: Analysis, printed: pd.DataFrame) -> pd.DataFrame:
    return _with_priors(
        pd.DataFrame(
            {
                "outcome": printed["outcome"],
                "study": printed["group"],
                "y": printed["published"],
                "y.se": printed["se"],
                "n": printed["n_treatment"] + printed["n_control"],
            }
        ),
        {outcome: of_mu(analysis.impact_spec, outcome, "beta.prior") for outcome in printed["outcome"]},
        {outcome: of_gmap(analysis.impact_spec, outcome) for outcome in printed["outcome"]},
    )


def _with_priors(table: pd.DataFrame, *priors: dict[str, dict[str, object]]) -> pd.DataFrame:
    """Add the priors of each outcome to all of its rows."""
    for of_outcomes in priors:
        columns = pd.DataFrame([of_outcomes[outcome] for outcome in table["outcome"]], index=table.index)
        table = table.join(columns)
    return table
