"""Tables and sentences on moderators: slopes, counterfactuals, and what delivery can explain."""

from __future__ import annotations

from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.format import interval, mean_and_sd, number, percent
from hlt_bayes.display.table import Table
from hlt_bayes.impacts.moderation import Moderation


def slopes_table(moderation: Moderation) -> Table:
    """Show ``hlt_bayes.impacts.moderation.slopes``, one row per moderator."""
    outcomes = list(dict.fromkeys(moderation.slopes["outcome"]))
    rows = []
    for _, group in moderation.slopes.groupby("moderator", sort=False):
        by_outcome = group.set_index("outcome")
        first = group.iloc[0]
        cells = [mean_and_sd(by_outcome.loc[name], name) for name in outcomes]
        rows.append((first["label"], f"{first['per']:g} {first['moderator_unit']}", *cells))
    least, most = moderation.slopes["contraction"].min(), moderation.slopes["contraction"].max()
    probabilities = moderation.slopes["prob_positive"]
    return Table(
        title="Moderator slopes (weakly identified)",
        columns=("Moderator", "Per", *(OUTCOMES[name].heading for name in outcomes)),
        rows=tuple(rows),
        notes=(
            "Posterior mean (SD) of the change in impact, all moderators in one model; the priors favour neither sign.",
            f"The {len(rows)} moderators form {moderation.effective_contrasts:.1f} independent contrast(s) between the "
            "groups: with one contrast, no slope can be distinguished from another or from a site effect.",
            f"Prior contraction of the slopes is {least:.0%} to {most:.0%}, because they share one SD and the groups "
            "differ by less than their joint prior allows. It carries no information about one slope against another: "
            f"P(>0) lies between {percent(probabilities.min())} and {percent(probabilities.max())}, and the posterior "
            f"correlation of two slopes on one outcome is {moderation.greatest_correlation:.2f} at most.",
        ),
        frame=moderation.slopes,
    )


def counterfactuals_table(moderation: Moderation) -> Table:
    """Show ``hlt_bayes.counterfactuals``, one row per group and change in delivery."""
    table = moderation.counterfactuals
    outcomes = list(dict.fromkeys(table["outcome"]))
    rows = []
    for (group, delivery, moved), part in table.groupby(["group", "delivery", "moved"], sort=False):
        by_outcome = part.set_index("outcome")
        cells = []
        for name in outcomes:
            row = by_outcome.loc[name]
            said = interval(row["lower_89"], row["upper_89"], name)
            cells.append(f"{number(row['as_it_was'], name)}: {number(row['mean'], name)} ({said})")
        rows.append((f"{group} as {delivery}", str(moved), *cells))
    return Table(
        title="Counterfactual delivery: impact as delivered, then with another group's delivery (89% interval)",
        columns=("Group", "Changed", *(OUTCOMES[name].heading for name in outcomes)),
        rows=tuple(rows),
        notes=(
            "These treat the slopes as causal, which no comparison of sites can establish. Their width comes from the "
            "priors of the slopes: the evidence does not answer this question.",
        ),
        frame=table,
    )


def what_delivery_explains(moderation: Moderation | None) -> list[str]:
    """State what the difference in delivery can and cannot explain."""
    if moderation is None:
        return []
    labels = [label.lower() for label in dict.fromkeys(moderation.slopes["label"])]
    sentences = [
        f"{len(labels)} features that differ between the sites ({', '.join(labels)}) form "
        f"{moderation.effective_contrasts:.1f} independent contrast(s) between the groups. Any of them, or any other "
        "difference, may explain why impacts differ, and the evidence cannot tell which."
    ]
    table = moderation.counterfactuals
    asked = table[(table["outcome"] == "employment") & (table["moved"] == "caseload and meeting mix")]
    for _, row in asked[asked["group"] == "SCR OOW"].iterrows():
        said = interval(row["lower_89"], row["upper_89"], "employment")
        sentences.append(
            f"With {row['delivery']}'s caseload and meeting mix, {row['group']}'s employment impact would have been "
            f"{number(row['mean'], 'employment')} ppt (89% interval {said}) instead of "
            f"{number(row['as_it_was'], 'employment')} ppt, if the slopes were causal."
        )
    return [" ".join(sentences)]
