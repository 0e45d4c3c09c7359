"""Tables and sentences of the component-price appraisal, and of what drives its returns."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from hlt_bayes.analysis import Appraisal
from hlt_bayes.display.format import NOT_CALCULATED, per_pound, percent, pounds
from hlt_bayes.display.table import Table
from hlt_bayes.economics import SUSTAINED_JOB

AT_LEAST = 0.001
"""Smallest share of variance that the draws can distinguish from zero."""


def appraisal_tables(appraisal: Appraisal | None) -> list[Table]:
    """Show returns, benefits by component, cost-effectiveness, and the bridge from the published return."""
    if appraisal is None:
        return []
    tables = [
        component_returns_table(appraisal),
        benefits_table(appraisal),
        cost_effectiveness_table(appraisal.cost_effectiveness),
    ]
    return [*tables, *walk_tables(appraisal)] if len(appraisal.walk) else tables


def component_returns_table(appraisal: Appraisal) -> Table:
    """Show ``hlt_bayes.return_summary`` at component prices."""
    rows = []
    for _, row in appraisal.returns.sort_values("perspective", kind="stable").iterrows():
        net = f"{whole(row['net_present_value_lower_89'])} to {whole(row['net_present_value_upper_89'])}"
        rows.append(
            (
                row["perspective"],
                row["group"],
                whole(row["cost_per_head_gbp"]),
                whole(row["benefit_per_head_gbp"]),
                f"{whole(row['net_present_value_gbp'])} ({net})",
                pounds(row["ratio_of_means"]),
                f"{pounds(row['mean'])} ({row['lower_89']:.2f} to {row['upper_89']:.2f})",
                percent(row["prob_above_one"]),
                f"{whole(row['loss_if_funded_gbp'])}, {whole(row['loss_if_not_gbp'])}",
            )
        )
    planned = appraisal.economics.attrs["volume"] == "planned"
    return Table(
        title=f"{appraisal.spec.title}: costs and benefits per person, benefit per £1"
        + (", at the planned volume" if planned else ""),
        columns=("Perspective", "Group", "Cost", "Benefits", "Net", "Per £1", "Ratio", "P(>£1)", "Loss"),
        rows=tuple(rows),
        notes=(
            f"£ per person randomised to treatment, {appraisal.economics['benefit_per_head'].attrs['price_year']} "
            "prices, discounted; 89% intervals. Net: net present value. Per £1: mean benefit over mean cost. Ratio: "
            "mean benefit-cost ratio. Loss: expected loss from a wrong decision to fund, and from one not to fund.",
            "Costs are the published costs in those prices, with the uncertainty assumed in the spec. Financial: "
            "exchequer cash flows. Economic: gains to society, excluding taxes and benefits saved, which are "
            "transfers.",
        ),
        frame=appraisal.returns,
    )


def benefits_table(appraisal: Appraisal) -> Table:
    """Show ``hlt_bayes.benefit_summary``, one row per benefit."""
    groups = list(dict.fromkeys(appraisal.benefits["group"]))
    rows = []
    for (perspective, _), part in appraisal.benefits.groupby(["perspective", "benefit"], sort=False):
        by_group = part.set_index("group")
        cells = [f"{whole(by_group['mean'][name])} ({whole(by_group['sd'][name])})" for name in groups]
        rows.append((str(perspective), by_group["label"].iloc[0], *cells))
    return Table(
        title="Benefits by component: mean (SD) per person",
        columns=("Perspective", "Component", *groups),
        rows=tuple(sorted(rows, key=lambda row: row[0])),
        notes=(),
        frame=appraisal.benefits,
    )


def cost_effectiveness_table(effects: pd.DataFrame) -> Table:
    """Show ``hlt_bayes.cost_effectiveness``."""
    rows = []
    for _, row in effects.iterrows():
        scale = 100 if row["effect"] == SUSTAINED_JOB else 1000
        rows.append(
            (
                row["effect"],
                row["group"],
                f"{scale * row['effect_per_head']:.1f} per {scale:,} people",
                percent(row["prob_effect_positive"]),
                "undefined" if math.isnan(row["cost_per_unit_gbp"]) else whole(row["cost_per_unit_gbp"]),
            )
        )
    undefined = effects["why_undefined"].ne("").any()
    return Table(
        title="Cost-effectiveness",
        columns=("Effect", "Group", "Gained", "P(>0)", "Cost per unit"),
        rows=tuple(rows),
        notes=(
            "Undefined: the gain is not positive in every draw, so the mean of cost over gain has no meaning. See the "
            "cost-effectiveness plane.",
        )
        if undefined
        else (),
        frame=effects,
    )


def walk_tables(appraisal: Appraisal) -> list[Table]:
    """Show ``hlt_bayes.walk``, one table per perspective: steps as rows, groups as columns."""
    tables = []
    for perspective, steps in appraisal.walk.groupby("perspective"):
        groups = list(dict.fromkeys(steps["group"]))
        rows = []
        for _, part in steps.groupby("step", sort=False):
            cells = []
            for name in groups:
                row = part[part["group"] == name].iloc[0]
                said = per_pound(row["mean"], str(perspective)) if not math.isnan(row["mean"]) else NOT_CALCULATED
                above = "" if math.isnan(row["prob_above_one"]) else f", {percent(row['prob_above_one'])}"
                cells.append(said + above)
            rows.append((part["label"].iloc[0], *cells))
        tables.append(
            Table(
                title=f"Bridge from published to re-analysed {perspective} return: mean benefit per £1, P(>£1)",
                columns=("Step", *groups),
                rows=tuple(rows),
                notes=(
                    "Steps are cumulative and use the same draws; all but the last two value a single outcome at the "
                    f"price implied by the published returns. {NOT_CALCULATED}: not calculated in the report.",
                    *(_exchequer_value_of_a_job(appraisal) if perspective == "financial" else ()),
                ),
                frame=steps,
            )
        )
    return tables


def _exchequer_value_of_a_job(appraisal: Appraisal) -> list[str]:
    """Compare exchequer component prices with the prices implied by the published returns."""
    counted = appraisal.economics["counted"].sel(perspective="financial").to_numpy()
    of_work = counted & (appraisal.economics["outcome"].to_numpy() == "employment")
    by_work = appraisal.economics.isel(benefit=np.flatnonzero(of_work))
    a_job = float((by_work["price"] * by_work["units"]).sum("benefit").mean())
    steps = appraisal.walk[(appraisal.walk["perspective"] == "financial") & (appraisal.walk["group"] == "WMCA")]
    means = steps.set_index("step")["mean"]
    return [
        f"At component prices, one more person in sustained work is worth {whole(a_job)} to the exchequer over the "
        f"time horizon, and WMCA's return is {means['components'] / means['pooled']:.0f} times that at the prices "
        "implied by the published returns. Either the evaluation omitted savings or years that are counted here, or "
        "its returns are net of something. The published economic report would settle this; until then neither "
        "figure validates the other.",
    ]


def component_findings(appraisal: Appraisal | None) -> list[str]:
    """State the return per £1 at component prices, and how long health gains must last to match a published return."""
    if appraisal is None:
        return []
    economic = appraisal.returns[appraisal.returns["perspective"] == "economic"].set_index("group")
    said = [
        f"{pounds(row['mean'])} in {group} ({row['lower_89']:.2f} to {row['upper_89']:.2f}; above £1 with probability "
        f"{percent(row['prob_above_one'])})"
        for group, row in economic.iterrows()
    ]
    volume = " at its planned volume" if appraisal.economics.attrs["volume"] == "planned" else ""
    sentences = [f"{appraisal.spec.title}: each £1 spent{volume} returns to society {'; '.join(said)}."]
    return [*sentences, *years_sentence(appraisal)] if len(economic) else []


def years_sentence(appraisal: Appraisal) -> list[str]:
    """State how many years a health gain must last to match the published return of SCR IW."""
    if appraisal.years.empty:
        return []
    printed, posterior = (
        appraisal.years[appraisal.years["impact"] == name].iloc[0] for name in ("printed", "posterior")
    )
    price = appraisal.prices[appraisal.prices["benefit"] == "health"].iloc[0]
    value = f"{whole((price['lower_gbp'] + price['upper_gbp']) / 2)} a QALY in {price['price_year']} prices"
    return [
        f"SCR IW's published return of £{_published_return(appraisal):.2f} requires, at {value}, that its published "
        f"health gain last undiminished for {_years(printed)} for everyone randomised. The posterior health gain would "
        f"have to last {_years(posterior)}, and with probability {percent(float(posterior['prob_never']))} no duration "
        "is long enough."
    ]


def _published_return(appraisal: Appraisal) -> float:
    return float(appraisal.economics["published"].sel(perspective="economic", group="SCR IW"))


def _years(row: pd.Series) -> str:
    most = "infinity" if math.isinf(row["upper_89"]) else f"{row['upper_89']:.1f}"
    return f"{row['median']:.1f} years (89% interval {row['lower_89']:.1f} to {most})"


def assumptions_table(listed: pd.DataFrame, *, perspective: str) -> Table:
    """Show ``hlt_bayes.assumptions``."""
    return Table(
        title=f"Assumptions, by share of the variance of the {perspective} return explained",
        columns=("Assumption", "Stated", "Unit", "Explains", "Group", "Would be settled by"),
        rows=tuple(
            (
                row["key"],
                row["stated"],
                row["unit"],
                "fixed" if math.isnan(row["share"]) else explained(row["share"]),
                row["group"],
                row["settled_by"],
            )
            for _, row in listed.iterrows()
        ),
        notes=(
            "Explains: expected reduction in the variance of the benefit per £1 if the figure were known, in the trial "
            "group where it is greatest. Fixed figures explain none; vary them in a spec of your own.",
        ),
        frame=listed,
    )


def tornado_table(moved: pd.DataFrame, labels: Mapping[str, str], *, group: str, perspective: str) -> Table:
    """Show ``hlt_bayes.tornado`` for one group, widest range first."""
    rows = moved[(moved["group"] == group) & (moved["perspective"] == perspective)]
    rows = rows.assign(width=(rows["high"] - rows["low"]).abs()).sort_values("width", ascending=False, kind="stable")
    return Table(
        title=f"Drivers of the {perspective} return of {group}: mean benefit per £1 with one quantity varied",
        columns=("Quantity", "From", "To", "Return from", "Return to"),
        rows=tuple(
            (
                labels[row["quantity"]],
                _figure(row["low_value"]),
                _figure(row["high_value"]),
                pounds(row["low"]),
                pounds(row["high"]),
            )
            for _, row in rows[rows["width"] >= 0.005].iterrows()
        ),
        notes=(
            f"From, to: 89% interval, or the variants of a fixed price. Base case: {pounds(rows['base'].iloc[0])}. "
            "Quantities that move the return by less than half a penny are omitted.",
        ),
        frame=rows.assign(label=rows["quantity"].map(labels)).drop(columns="width"),
    )


def volume_table(curve: pd.DataFrame, *, perspective: str) -> Table:
    """Show ``hlt_bayes.volume_curve`` for one perspective: fixed shares as rows, groups as columns."""
    rows = curve[curve["perspective"] == perspective]
    groups = list(dict.fromkeys(rows["group"]))
    lines = []
    for share, part in rows.groupby("fixed_share"):
        by_group = part.set_index("group")
        cells = (f"{whole(by_group['cost_per_head_gbp'][name])}: {pounds(by_group['mean'][name])}" for name in groups)
        lines.append((f"{share:.0%}", *cells))
    return Table(
        title=f"Planned volume, by fixed share of the cost: cost per person, mean {perspective} return",
        columns=("Fixed", *groups),
        rows=tuple(lines),
        notes=("Impacts per person are assumed unchanged. With no fixed cost, the cost is that at the actual volume.",),
        frame=rows,
    )


def whole(amount: float) -> str:
    """Format an amount to the nearest pound."""
    text = f"{amount:,.0f}"
    text = "0" if text == "-0" else text
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def explained(share: float) -> str:
    """Format a share of variance; those below ``AT_LEAST`` are shown as such."""
    return f"<{AT_LEAST:.1%}" if share < AT_LEAST else f"{share:.1%}"
