"""Tables and sentences of moderators: slopes, counterfactuals, and what delivery explains."""

from __future__ import annotations

from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.format import interval, mean_and_sd, number, percent
from hlt_bayes.display.table import Table
from hlt_bayes.impacts.moderation import Moderation


def slopes_table(moderation: Moderation) -> Table:
    """Show ``hlt_bayes.impacts.moderation.slopes``, a row a moderator."""
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
        title="Moderators: what each slope is, which is next to unknown",
        columns=("Moderator", "Per", *(OUTCOMES[name].heading for name in outcomes)),
        rows=tuple(rows),
        notes=(
            "Posterior mean (SD) of the change in impact, all moderators together; none has a favoured sign.",
            f"The {len(rows)} moderators make {moderation.effective_contrasts:.1f} independent contrast(s) between the "
            "groups: where that is 1, no slope can be told from another, nor from the site.",
            f"Slopes contract by {least:.0%} to {most:.0%} of their prior variance, because they share one SD and the "
            "groups differ by less than the prior of all together allows. Of one against another that says nothing: "
            f"P(>0) lies between {percent(probabilities.min())} and {percent(probabilities.max())}, and of two slopes "
            f"on one outcome the posterior correlation is {moderation.greatest_correlation:.2f} at most.",
        ),
        frame=moderation.slopes,
    )


def counterfactuals_table(moderation: Moderation) -> Table:
    """Show ``hlt_bayes.counterfactuals``, a row a group and exchange."""
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
        title="Had one group's service been delivered as another's: the impact as it was, and then (89% interval)",
        columns=("Group", "Moved", *(OUTCOMES[name].heading for name in outcomes)),
        rows=tuple(rows),
        notes=(
            "These take the slopes as causal, which no comparison of sites can show; they are as wide as the slopes' "
            "priors make them, and answer a question that the evidence does not.",
        ),
        frame=table,
    )


def what_delivery_explains(moderation: Moderation | None) -> list[str]:
    """Say what the difference in delivery can and cannot explain."""
    if moderation is None:
        return []
    labels = [label.lower() for label in dict.fromkeys(moderation.slopes["label"])]
    sentences = [
        f"{len(labels)} things that differ between the sites ({', '.join(labels)}) make "
        f"{moderation.effective_contrasts:.1f} independent contrast(s) between the groups: any of them, or anything "
        "else that differs, may be why impacts differ, and the evidence cannot tell which."
    ]
    table = moderation.counterfactuals
    asked = table[(table["outcome"] == "employment") & (table["moved"] == "caseload and meeting mix")]
    for _, row in asked[asked["group"] == "SCR OOW"].iterrows():
        said = interval(row["lower_89"], row["upper_89"], "employment")
        sentences.append(
            f"Had {row['group']} had {row['delivery']}'s caseload and meeting mix, its employment impact would have "
            f"been {number(row['mean'], 'employment')} ppt (89% interval {said}) in place of "
            f"{number(row['as_it_was'], 'employment')} ppt, if those were its causes at all."
        )
    return [" ".join(sentences)]
