"""Tables of the meta-analysis of other IPS trials."""

from __future__ import annotations

import math
import re

import pandas as pd

from hlt_bayes.display.table import Table

_SHORT = {"odds ratio": "OR", "risk ratio": "RR"}


def methods_table(methods: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.compare_methods``."""
    notes = list(dict.fromkeys(note for note in methods["note"] if note))
    rows = [
        (
            _method(row) + (f" [{notes.index(row['note']) + 1}]" if row["note"] else ""),
            _SHORT[row["measure"]],
            "" if pd.isna(row["trials"]) else f"{row['trials']:.0f}",
            "no trials with counts"
            if pd.isna(row["estimate"])
            else _ratio(row["estimate"], row["lower"], row["upper"]),
            _interval(row["predicted_lower"], row["predicted_upper"]),
            "" if math.isnan(row["tau"]) else f"{row['tau']:.2f}",
        )
        for _, row in methods.iterrows()
    ]
    return Table(
        title="Employment in IPS trials outside severe mental illness",
        columns=("Method", "Measure", "Trials", "Ratio (95%)", "New trial (95%)", "tau"),
        rows=tuple(rows),
        notes=(
            "Ratio: IPS versus control, above 1 favours IPS; OR odds ratio, RR risk ratio. DL: DerSimonian-Laird; HK: "
            "Hartung-Knapp; PET, PEESE: extrapolated to zero standard error; Bayes: exact binomial likelihood, "
            "posterior median. New trial: prediction interval. tau: between-trial SD of log ratios.",
            *(f"[{i + 1}] {note}." for i, note in enumerate(notes)),
        ),
        frame=methods,
    )


def priors_table(priors: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.compare_priors``."""
    rows = [
        (
            f"{row['source']}, {_SHORT[row['reading']]}{' †' if row['contains_hlt'] == 'yes' else ''}",
            row["group"] + (" ‡" if row["capped"] > CAPPED else ""),
            f"{100 * row['mean']:.1f} ({100 * row['sd']:.1f})",
            f"{100 * row['lower']:.1f} to {100 * row['upper']:.1f}",
            _probability(row["p_ips"]),
            f"{row['wide_weight_posterior']:.0%}",
        )
        for _, row in priors.iterrows()
    ]
    observed = "; ".join(
        f"{row['group']} {100 * row['estimate']:.0f} (SE {100 * row['se']:.1f})"
        for _, row in priors.drop_duplicates("group").iterrows()
    )
    return Table(
        title="Prior predicted for the Health-led Trials' employment impact, ppt",
        columns=("Ratio", "Group", "Mean (SD)", "95%", "Conflict p", "Wide weight"),
        rows=tuple(rows),
        notes=(
            f"Published: {observed}. Conflict p: two-sided predictive p-value of the published estimate under the "
            "trials component alone. Wide weight: posterior weight of the wide component; prior weight "
            f"{priors['wide_weight'].iloc[0]:.0%}.",
            "† Includes the Health-led Trials: sensitivity analysis only, because as a prior it counts them twice.",
            f"‡ More than {CAPPED:.0%} of the draws would take the employment rate above 100% and are capped there: a "
            "risk ratio does not suit a group with so high a rate.",
        ),
        frame=priors,
    )


CAPPED = 0.05
"""Share of draws capped at a rate of 1 above which a table flags it."""


def _method(row: pd.Series) -> str:
    method = re.sub(r"^(published: .*? \d{4}).*", r"\1", row["method"])
    method = re.sub(r", (odds|risk) ratio", "", method)
    which = f", {row['adjusted']}" if method.startswith("published") and row["adjusted"] != "no" else ""
    return f"{method}{which}"


def _ratio(estimate: float, lower: float, upper: float) -> str:
    return f"{estimate:.2f} ({lower:.2f} to {upper:.2f})"


def _interval(lower: float, upper: float) -> str:
    return "" if math.isnan(lower) else f"{lower:.2f} to {upper:.2f}"


def _probability(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.2f}" if p >= 0.01 else f"{p:.3f}"
