"""Tables and sentences of an appraisal by component prices, and what it hinges on."""

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
"""A share of variance below this is within what so many draws can tell from nothing."""


def appraisal_tables(appraisal: Appraisal | None) -> list[Table]:
    """Show an appraisal: returns, benefits by component, what the cost buys, and the walk from the published return."""
    if appraisal is None:
        return []
    tables = [
        component_returns_table(appraisal),
        benefits_table(appraisal),
        cost_effectiveness_table(appraisal.cost_effectiveness),
    ]
    return [*tables, *walk_tables(appraisal)] if len(appraisal.walk) else tables


def component_returns_table(appraisal: Appraisal) -> Table:
    """Show ``hlt_bayes.return_summary`` of component prices."""
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
        columns=("Benefit", "Group", "Cost", "Benefits", "Net", "Per £1", "Ratio", "P(>£1)", "Loss"),
        rows=tuple(rows),
        notes=(
            f"£ of {appraisal.economics['benefit_per_head'].attrs['price_year']} prices per person randomised to "
            "treatment, discounted; 89% intervals. Per £1: mean benefit over mean cost. Ratio: mean of the ratio over "
            "its draws. Loss: expected loss per person of funding where that turns out wrong, and of not funding.",
            "Costs are the printed ones in those prices, with the uncertainty that the spec assumes. Financial: money "
            "of the exchequer; economic: gains to society, in which taxes and benefits saved, which only change hands, "
            "do not count.",
        ),
        frame=appraisal.returns,
    )


def benefits_table(appraisal: Appraisal) -> Table:
    """Show ``hlt_bayes.benefit_summary``, a row a benefit."""
    groups = list(dict.fromkeys(appraisal.benefits["group"]))
    rows = []
    for (perspective, _), part in appraisal.benefits.groupby(["perspective", "benefit"], sort=False):
        by_group = part.set_index("group")
        cells = [f"{whole(by_group['mean'][name])} ({whole(by_group['sd'][name])})" for name in groups]
        rows.append((str(perspective), by_group["label"].iloc[0], *cells))
    return Table(
        title="What the benefits are made of: mean (SD) per person",
        columns=("Benefit", "Component", *groups),
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
        title="What the cost buys",
        columns=("Effect", "Group", "Gained", "P(>0)", "Cost for each"),
        rows=tuple(rows),
        notes=(
            "Undefined: the gain is not above 0 in all draws; where it is below, cost over gain has another meaning, "
            "so that the ratio has no mean. The cost-effectiveness plane shows both.",
        )
        if undefined
        else (),
        frame=effects,
    )


def walk_tables(appraisal: Appraisal) -> list[Table]:
    """Show ``hlt_bayes.walk``, a table a perspective: steps as rows, groups as columns."""
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
                title=f"From the published {perspective} return to ours, a step at a time: mean benefit per £1, P(>£1)",
                columns=("Step", *groups),
                rows=tuple(rows),
                notes=(
                    "Each step keeps what the one before changed, on the same draws; all but the last two value one "
                    f"outcome at the price that the printed returns imply. {NOT_CALCULATED}: not calculated in the "
                    "report.",
                    *(_of_a_job(appraisal) if perspective == "financial" else ()),
                ),
                frame=steps,
            )
        )
    return tables


def _of_a_job(appraisal: Appraisal) -> list[str]:
    """Say how far the component prices of the exchequer lie from those that the printed returns imply."""
    counted = appraisal.economics["counted"].sel(perspective="financial").to_numpy()
    of_work = counted & (appraisal.economics["outcome"].to_numpy() == "employment")
    by_work = appraisal.economics.isel(benefit=np.flatnonzero(of_work))
    a_job = float((by_work["price"] * by_work["units"]).sum("benefit").mean())
    steps = appraisal.walk[(appraisal.walk["perspective"] == "financial") & (appraisal.walk["group"] == "WMCA")]
    means = steps.set_index("step")["mean"]
    return [
        f"The components value one more person in sustained work at {whole(a_job)} to the exchequer over the years, "
        f"and WMCA's return at {means['components'] / means['pooled']:.0f} times what printed returns imply. Either "
        "the evaluation left out savings or years that stand here, or its returns are net of something; the published "
        "economic report would say, and until then neither is a check on the other.",
    ]


def component_findings(appraisal: Appraisal | None) -> list[str]:
    """Say what each £1 returns by component prices, and how long a health gain must last for a published return."""
    if appraisal is None:
        return []
    economic = appraisal.returns[appraisal.returns["perspective"] == "economic"].set_index("group")
    said = [
        f"{group} {pounds(row['mean'])} ({row['lower_89']:.2f} to {row['upper_89']:.2f}; above £1 with probability "
        f"{percent(row['prob_above_one'])})"
        for group, row in economic.iterrows()
    ]
    volume = " at its planned volume" if appraisal.economics.attrs["volume"] == "planned" else ""
    sentences = [f"{appraisal.spec.title}, each £1 of the service{volume} returns to society: {'; '.join(said)}."]
    return [*sentences, *years_sentence(appraisal)] if len(economic) else []


def years_sentence(appraisal: Appraisal) -> list[str]:
    """Say how many years a health gain must last for the printed return of SCR IW."""
    if appraisal.years.empty:
        return []
    printed, posterior = (
        appraisal.years[appraisal.years["impact"] == name].iloc[0] for name in ("printed", "posterior")
    )
    price = appraisal.prices[appraisal.prices["benefit"] == "health"].iloc[0]
    value = f"{whole((price['lower_gbp'] + price['upper_gbp']) / 2)} a QALY in {price['price_year']} prices"
    return [
        f"SCR IW's published £{_printed_return(appraisal):.2f} presupposes, at {value}, that its printed "
        f"health gain lasts undiminished for {_years(printed)}, for everybody randomised; the gain that the posterior "
        f"holds likely, for {_years(posterior)}, and with probability {percent(float(posterior['prob_never']))} no "
        "number of years is enough."
    ]


def _printed_return(appraisal: Appraisal) -> float:
    return float(appraisal.economics["published"].sel(perspective="economic", group="SCR IW"))


def _years(row: pd.Series) -> str:
    most = "without end" if math.isinf(row["upper_89"]) else f"{row['upper_89']:.1f}"
    return f"{row['median']:.1f} years (89% interval {row['lower_89']:.1f} to {most})"


def assumptions_table(listed: pd.DataFrame, *, perspective: str) -> Table:
    """Show ``hlt_bayes.assumptions``."""
    return Table(
        title=f"What is assumed, by how much of the variance of the {perspective} return it explains",
        columns=("Assumption", "Stated", "Unit", "Explains", "Of", "Would be settled by"),
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
            "Explains: share of the variance of the benefit per £1 that would go, were this figure known, in the trial "
            "group where that is most. What is fixed varies nothing here; move it in a spec of your own.",
        ),
        frame=listed,
    )


def tornado_table(moved: pd.DataFrame, labels: Mapping[str, str], *, group: str, perspective: str) -> Table:
    """Show ``hlt_bayes.tornado`` of one group, the widest first."""
    rows = moved[(moved["group"] == group) & (moved["perspective"] == perspective)]
    rows = rows.assign(width=(rows["high"] - rows["low"]).abs()).sort_values("width", ascending=False, kind="stable")
    return Table(
        title=f"What the {perspective} return of {group} hinges on: mean benefit per £1 with one quantity moved",
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
            f"From, to: 89% interval; of a fixed price its variants. As drawn: {pounds(rows['base'].iloc[0])}. What "
            "moves the return by less than half a penny is left out.",
        ),
        frame=rows.assign(label=rows["quantity"].map(labels)).drop(columns="width"),
    )


def volume_table(curve: pd.DataFrame, *, perspective: str) -> Table:
    """Show ``hlt_bayes.volume_curve`` of one perspective: shares as rows, groups as columns."""
    rows = curve[curve["perspective"] == perspective]
    groups = list(dict.fromkeys(rows["group"]))
    lines = []
    for share, part in rows.groupby("fixed_share"):
        by_group = part.set_index("group")
        cells = (f"{whole(by_group['cost_per_head_gbp'][name])}: {pounds(by_group['mean'][name])}" for name in groups)
        lines.append((f"{share:.0%}", *cells))
    return Table(
        title=f"At the planned volume, by how much of the cost is fixed: cost per person, mean {perspective} return",
        columns=("Fixed", *groups),
        rows=tuple(lines),
        notes=("Impacts per person are taken as they were; with nothing fixed the cost is that of the actual volume.",),
        frame=rows,
    )


def whole(amount: float) -> str:
    """Say an amount to the pound."""
    text = f"{amount:,.0f}"
    text = "0" if text == "-0" else text
    return f"-£{text[1:]}" if text.startswith("-") else f"£{text}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def explained(share: float) -> str:
    """Say a share of variance, none of which so many draws can tell from nothing."""
    return f"<{AT_LEAST:.1%}" if share < AT_LEAST else f"{share:.1%}"
