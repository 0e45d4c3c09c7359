"""Tables of model checks and sensitivity analyses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from hlt_bayes.checks import WHY_NO_LOO
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.format import interval, mean_and_sd, number, per_pound, percent
from hlt_bayes.display.table import Table
from hlt_bayes.evidence import MARKS
from hlt_bayes.inference.diagnostics import ESS_MIN, RHAT_MAX


def predictive_check_table(prints: pd.DataFrame, *, of: str) -> Table:
    """Show ``hlt_bayes.prior_predictive`` or ``posterior_predictive``; ``of`` is prior or posterior."""
    rows = []
    for _, row in prints.iterrows():
        outcome = row["outcome"]
        rows.append(
            (
                OUTCOMES[outcome].heading,
                row["group"],
                f"{number(row['printed'], outcome)} {row['mark']}".strip(),
                interval(row["impact_lower_89"], row["impact_upper_89"], outcome),
                interval(row["estimate_lower_89"], row["estimate_upper_89"], outcome),
                *(percent(row[f"prob_{stars}"]) for stars in range(len(MARKS))),
                "" if math.isnan(row["prob_of_mark"]) else percent(row["prob_of_mark"]),
                f"{row['surprise']:.2f}",
            )
        )
    return Table(
        title=f"{of.capitalize()} predictive check of the published results",
        columns=(
            "Outcome",
            "Group",
            "Published",
            "Impact 89%",
            "Estimate 89%",
            *(f"P({mark or 'none'})" for mark in MARKS),
            "P(observed)",
            "Predictive p",
        ),
        rows=tuple(rows),
        notes=(
            "Estimate: published estimate predicted for a trial of the same size. P(*) and so on: probability of these "
            "significance stars; P(observed): of those published. Predictive p: two-sided predictive p-value of the "
            "published estimate.",
            f"Joint probability of all published stars: {prints.attrs['prob_of_all_marks']:.2g}.",
        ),
        frame=prints,
    )


def held_out_rows_table(rows_of_report: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.held_out_rows``."""
    rows = []
    for _, row in rows_of_report.iterrows():
        outcome = row["outcome"]
        rows.append(
            (
                OUTCOMES[outcome].heading,
                row["group"],
                f"{number(row['printed'], outcome)} {row['mark']}".strip(),
                number(row["mean"], outcome),
                interval(row["lower_89"], row["upper_89"], outcome),
                percent(row["prob_of_mark"]),
                f"{row['surprise']:.2f}",
            )
        )
    return Table(
        title="Held-out pooled rows: published and predicted",
        columns=("Outcome", "Row", "Published", "Predicted", "89% interval", "P(observed)", "Predictive p"),
        rows=tuple(rows),
        notes=(
            "A pooled row is predicted as a weighted mean of its groups, with unpublished weights, plus a discrepancy. "
            "P(observed): probability of the published significance stars.",
        ),
        frame=rows_of_report,
    )


def power_table(power: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.power_scaling``."""
    return Table(
        title="Power-scaling sensitivity to prior and likelihood",
        columns=("Quantity", "Prior", "Likelihood", "Diagnosis"),
        rows=tuple(
            (str(row["quantity"]), f"{row['prior']:.3f}", f"{row['likelihood']:.3f}", str(row["diagnosis"]))
            for _, row in power.iterrows()
        ),
        notes=(
            "Values above 0.05 indicate sensitivity. Sensitivity to both suggests prior-data conflict; to the prior "
            "alone, a weakly informative likelihood, as for tau with three groups.",
        ),
        frame=power,
    )


def convergence_table(diagnostics: pd.DataFrame, *, most: int | None = None) -> Table:
    """Show ``hlt_bayes.check_convergence``, or the ``most`` quantities with the largest R-hat."""
    named = diagnostics.rename_axis("quantity").reset_index()
    shown = named if most is None else named.sort_values("rhat", ascending=False, kind="stable").head(most)
    return Table(
        title="Convergence" if most is None else f"Convergence: the {len(shown)} largest R-hats of {len(named)}",
        columns=("Quantity", "R-hat", "Bulk ESS", "Tail ESS"),
        rows=tuple(
            (row["quantity"], f"{row['rhat']:.3f}", f"{row['ess_bulk']:,.0f}", f"{row['ess_tail']:,.0f}")
            for _, row in shown.iterrows()
        ),
        notes=(
            f"Results are given only if all checks pass: R-hat <= {RHAT_MAX}, bulk and tail ESS >= {ESS_MIN}; for "
            "NUTS also sufficient E-BFMI and no divergences.",
        ),
        frame=shown,
    )


def grid_table(ranges: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.checks.range_over_grid``."""
    return Table(
        title="Sensitivity to priors of the probability that £1 returns more than £1",
        columns=("Perspective", "Group", "As stated", "Least", "Greatest", "By mu", "By tau", "By SE"),
        rows=tuple(
            (
                row["perspective"],
                row["group"],
                *(percent(row[name]) for name in ("as_stated", "least", "greatest")),
                *(f"{100 * row[f'moved_by_{name}']:.0f} points" for name in ("mu", "tau", "se")),
            )
            for _, row in ranges.sort_values("perspective", kind="stable").iterrows()
        ),
        notes=(
            "Least and greatest: over the grid of prior scales. By mu, tau, SE: range when only that prior scale is "
            "varied, in percentage points.",
        ),
        frame=ranges,
    )


def specs_table(impacts: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.impacts_by_spec`` for groups, average and new group: one row per impact, one column per spec."""
    specs = list(dict.fromkeys(impacts["spec"]))
    shown = impacts[impacts["kind"].isin(["group", "average", "new"])]
    rows = []
    for (outcome, estimand), part in shown.groupby(["outcome", "estimand"], sort=False):
        by_spec = part.set_index("spec")
        cells = [mean_and_sd(by_spec.loc[spec], str(outcome)) if spec in by_spec.index else "" for spec in specs]
        rows.append((OUTCOMES[str(outcome)].heading, str(estimand), *cells))
    return Table(
        title="Impacts by spec: posterior mean (SD)",
        columns=("Outcome", "Impact", *specs),
        rows=tuple(rows),
        notes=("New group: blank if groups are not pooled. Average: weighted by numbers randomised to treatment.",),
        frame=shown,
    )


def returns_by_spec_table(returns: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.returns_by_spec``: one row per return, one column per spec."""
    specs = list(dict.fromkeys(returns["spec"]))
    rows = []
    for (perspective, group), part in returns.groupby(["perspective", "group"], sort=False):
        by_spec = part.set_index("spec")
        cells = [
            f"{per_pound(by_spec['mean'][spec], str(perspective))}, {percent(by_spec['prob_above_one'][spec])}"
            for spec in specs
        ]
        rows.append((str(perspective), str(group), *cells))
    return Table(
        title="Returns by spec: mean gross benefit per £1, P(>£1)",
        columns=("Perspective", "Group", *specs),
        rows=tuple(rows),
        notes=(),
        frame=returns,
    )


def scores_table(scores: Mapping[str, pd.DataFrame], without: Sequence[str]) -> Table:
    """Show ``hlt_bayes.held_out_scores`` of several specs; those in ``without`` have no exact engine."""
    first = next(iter(scores.values()))
    rows = [
        (
            OUTCOMES[row["outcome"]].label,
            row["group"],
            *(f"{table['log_probability'].iloc[position]:.2f}" for table in scores.values()),
        )
        for position, (_, row) in enumerate(first.iterrows())
    ]
    rows.append(("All", "", *(f"{table['log_probability'].sum():.2f}" for table in scores.values())))
    left_out = (f"No exact engine, so no score: {', '.join(without)}.",) if without else ()
    return Table(
        title="Held-out log probability of each published cell, given all others",
        columns=("Outcome", "Group", *scores),
        rows=tuple(rows),
        notes=(WHY_NO_LOO, *left_out),
        frame=pd.concat([table.assign(spec=name) for name, table in scores.items()]),
    )


def contraction_table(learnt: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.contraction``."""
    return Table(
        title="Prior contraction by parameter",
        columns=("Parameter", "Prior SD", "Posterior SD", "Contraction"),
        rows=tuple(
            (row["parameter"], f"{row['prior_sd']:.3g}", f"{row['posterior_sd']:.3g}", f"{row['contraction']:.0%}")
            for _, row in learnt.iterrows()
        ),
        notes=("Contraction: 1 minus posterior variance over prior variance; 0% if nothing was learnt.",),
        frame=learnt,
    )


def alone_table(alone: pd.DataFrame) -> Table:
    """Show the slopes of models with a single moderator each."""
    outcomes = list(dict.fromkeys(alone["outcome"]))
    rows = []
    for label, part in alone.groupby("label", sort=False):
        by_outcome = part.set_index("outcome")
        cells = []
        for name in outcomes:
            row = by_outcome.loc[name]
            cells.append(f"{mean_and_sd(row, name)}, {row['contraction']:.0%}")
        rows.append((str(label), f"{part['per'].iloc[0]:g} {part['moderator_unit'].iloc[0]}", *cells))
    return Table(
        title="One moderator at a time: slope (SD), contraction",
        columns=("Moderator", "Per", *(OUTCOMES[name].heading for name in outcomes)),
        rows=tuple(rows),
        notes=("Each moderator alone represents the whole difference between the sites, so the slopes are similar.",),
        frame=alone,
    )


def impact_of_new_site_table(summary: pd.DataFrame, delivery: Mapping[str, float]) -> Table:
    """Show the predicted impact at a new site with a given delivery."""
    rows = [
        (
            OUTCOMES[row["outcome"]].heading,
            number(row["mean"], row["outcome"]),
            interval(row["lower_89"], row["upper_89"], row["outcome"]),
            percent(row["prob_positive"]),
        )
        for _, row in summary.iterrows()
    ]
    given = ", ".join(f"{name} {value:g}" for name, value in delivery.items())
    return Table(
        title=f"Predicted impact at a new site with {given}",
        columns=("Outcome", "Mean", "89% interval", "P(>0)"),
        rows=tuple(rows),
        notes=("Other moderators at their reference values. The priors of slopes and new groups drive the width.",),
        frame=summary,
    )


def calibrations_table(records: pd.DataFrame, stale: Sequence[tuple[str, str]]) -> Table:
    """Show the calibration results; ``stale`` lists specs and engines whose model has changed since."""
    rows, verdicts = [], []
    for _, row in records.iterrows():
        old = (row["spec"], row["engine"]) in stale
        verdict = "out of date" if old else ("calibrated" if row["calibrated"] else "not calibrated")
        verdicts.append(verdict)
        rows.append(
            (
                row["spec"],
                row["engine"],
                f"{row['replicates']:,}",
                str(row["quantities"]),
                f"{row['least_p']:.2g}",
                f"{row['threshold']:.2g}",
                verdict,
            )
        )
    return Table(
        title="Simulation-based calibration of the shipped specs",
        columns=("Spec", "Engine", "Replicates", "Quantities", "Smallest p", "Threshold", "Verdict"),
        rows=tuple(rows),
        notes=(
            "Chi-square test, over 20 bins, of the ranks of true parameters among posterior draws, for each quantity. "
            "Threshold: 1% over all quantities of a spec (Bonferroni).",
        ),
        frame=records.assign(verdict=verdicts),
    )
