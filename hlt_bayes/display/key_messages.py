"""What a reader should take away, in sentences made from the numbers."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.analysis import Analysis
from hlt_bayes.checks.run_checks import CheckTables
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.display.appraisal import component_findings
from hlt_bayes.display.format import as_printed, interval, per_pound, percent, pounds, price_in_words, with_unit
from hlt_bayes.display.moderators import what_delivery_explains
from hlt_bayes.economics.summaries import lead_perspective
from hlt_bayes.impacts.comparison import likelihood_word


def message(analysis: Analysis) -> list[str]:
    """Sentences that stand below the tables on the screen, and above them on the page."""
    return [
        *significance_filter(analysis.returns, analysis.comparison, analysis.prices, pooled=pools(analysis)),
        *component_findings(analysis.appraisal),
        *what_delivery_explains(analysis.moderation),
        *conflicts(analysis.comparison),
    ]


def pools(analysis: Analysis) -> bool:
    """Say whether impacts are those of print, pooled across groups as far as the evidence supports."""
    return analysis.individual_spec is None and analysis.impact_spec.structure not in ("no-pooling", "complete-pooling")


def answer(analysis: Analysis, checked: CheckTables) -> list[str]:
    """Answer the question: impacts, returns, the published ones, what they hang on, what is not known.

    Five where the Health-led Trials are valued; fewer where there is less to say.
    """
    return [
        *_average_impacts(analysis),
        *_returns_by_components(analysis),
        *_published_returns(analysis),
        *_what_returns_hang_on(checked),
        *_not_known(analysis),
    ]


def _average_impacts(analysis: Analysis) -> list[str]:
    average = analysis.estimands[analysis.estimands["kind"] == "average"]
    said = [
        f"{OUTCOMES[row['outcome']].label.lower()} by {with_unit(row['mean'], row['outcome'])} (89% interval "
        f"{interval(row['lower_89'], row['upper_89'], row['outcome'])}; {likelihood_word(row['prob_positive'])} "
        f"positive, {percent(row['prob_positive'])})"
        for _, row in average.iterrows()
    ]
    people = people_in_words(analysis)
    of_whom = f"Among {people}, on" if people else "On"
    return [f"{of_whom} average over the trial groups the service changed {_listed(said)}."] if said else []


def _returns_by_components(analysis: Analysis) -> list[str]:
    appraisal = analysis.appraisal
    if appraisal is None:
        return _returns_at_other_prices(analysis)
    perspective = lead_perspective(appraisal.spec)
    rows = appraisal.returns[appraisal.returns["perspective"] == perspective].set_index("group")
    said = [
        f"{pounds(rows['mean'][group])} in {group} ({rows['lower_89'][group]:.2f} to {rows['upper_89'][group]:.2f}; "
        f"above £1 with probability {percent(rows['prob_above_one'][group])})"
        for group in analysis.evidence.groups
    ]
    whom = "society" if perspective == "economic" else "the exchequer"
    return [f"Valued from its parts ({appraisal.spec.title}), each £1 spent returned to {whom} {_listed(said)}."]


def _returns_at_other_prices(analysis: Analysis) -> list[str]:
    """Say what each £1 returned where the prices are neither components beside nor implied by printed returns."""
    if analysis.economic_spec is None or analysis.prices["implied"].all():
        return []
    name = "economic" if "economic" in set(analysis.returns["perspective"]) else analysis.returns["perspective"].iloc[0]
    rows = analysis.returns[analysis.returns["perspective"] == name].set_index("group")
    said = [
        f"{pounds(rows['mean'][group])} in {group} (above £1 with probability {percent(rows['prob_above_one'][group])})"
        for group in analysis.evidence.groups
    ]
    return [f"At the prices of “{analysis.economic_spec.title}” each £1 spent returned ({name}) {_listed(said)}."]


def _published_returns(analysis: Analysis) -> list[str]:
    rows = analysis.returns[analysis.returns["perspective"] == "economic"].set_index("group")
    rows = rows.loc[[group for group in analysis.evidence.groups if group in rows.index]]
    rows = rows[rows["published"].notna()]
    if rows.empty or not analysis.prices["implied"].all():
        return []
    printed = _listed([f"{pounds(row['published'])} in {group}" for group, row in rows.iterrows()])
    ours = _listed([pounds(row["mean"]) for _, row in rows.iterrows()])
    how = "with impacts pooled" if pools(analysis) else "with the impacts of this analysis"
    return [
        f"The published evaluation counted an impact without a star as none and printed {printed}; at the prices that "
        f"these imply, without that rule and {how}, the same sum comes to {ours}."
    ]


def _what_returns_hang_on(checked: CheckTables) -> list[str]:
    if "assumptions" not in checked.tables:
        return []
    ranked = checked.tables["assumptions"].dropna(subset="share").head(3)
    said = [
        f"“{checked.labels.get(row['key'], row['key'])}” ({percent(row['share'])} of the variance in {row['group']})"
        for _, row in ranked.iterrows()
    ]
    return [f"Of what is assumed and not printed, returns hang most on {_listed(said)}."] if said else []


def _not_known(analysis: Analysis) -> list[str]:
    said = []
    if analysis.moderation is not None:
        said.append(
            f"which of {len(analysis.moderation.spec.moderators or {})} differences in delivery made the sites differ, "
            f"for they make {analysis.moderation.effective_contrasts:.1f} independent contrast(s) between the groups"
        )
    if not analysis.evidence.of_own_trials and analysis.individual_spec is None:
        people = {
            measure: int(analysis.evidence.arm_sizes(measure).loc[list(analysis.evidence.groups)].to_numpy().sum())
            for measure in ("recruits", "12-month survey sample")
        }
        share = 1 - people["12-month survey sample"] / people["recruits"]
        said.append(
            f"what health and wellbeing the {percent(share)} gained who did not answer the survey, nor how long any "
            "gain lasted"
        )
    return [f"The evidence cannot tell {', nor '.join(said)}."] if said else []


def _listed(words: list[str]) -> str:
    """Join words as a list in a sentence."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def significance_filter(
    returns: pd.DataFrame, comparison: pd.DataFrame, prices: pd.DataFrame, *, pooled: bool = True
) -> list[str]:
    """Sentences on each printed economic return of £0 whose impact had no star.

    Parameters
    ----------
    returns, comparison, prices
        Tables of ``return_summary``, ``compare`` and ``price_table``; returns at a price that is not implied by printed
        returns say nothing of the filter.
    pooled
        Whether impacts are those of print, pooled across groups.
    """
    if not (returns["perspective"] == "economic").any() or not prices["implied"].all():
        return []
    price = prices[prices["perspective"] == "economic"].iloc[0]
    outcome = str(price["outcome"])
    zero = returns[(returns["perspective"] == "economic") & (returns["published"] == 0)]
    cells = comparison.set_index(["outcome", "group"])
    sentences = []
    for _, row in zero.iterrows():
        group = row["group"]
        cell = cells.loc[(outcome, group)]
        if cell["stars"]:
            continue
        unfiltered, mean, low, high = (pounds(row[name]) for name in ("unfiltered", "mean", "lower_89", "upper_89"))
        how = "Pooled with the other groups" if pooled else "By the impacts of this analysis"
        why = (
            f" The step from {unfiltered} to {mean} is pooling, and depends on the prior of how far groups differ."
            if pooled
            else ""
        )
        sentences.append(
            f"{group}'s published economic return of £0 comes from a rule, not from an estimate: its printed "
            f"{outcome} impact, {as_printed(cell['text'])}, had no star and counts as none. Valued as that of the "
            f"other groups ({price_in_words(price)}), it returns {unfiltered} gross for each £1. {how}, "
            f"the return has posterior mean {mean} (89% interval {low} to {high}) and exceeds £1 with "
            f"probability {percent(row['prob_above_one'])}.{why}"
        )
    return sentences


def headline(returns: pd.DataFrame, impacts: pd.DataFrame, groups: list[str]) -> list[str]:
    """Say of each trial group how likely the service raised each outcome, and what each £1 returned."""
    sentences = []
    for group in groups:
        of_group = impacts[impacts["group"] == group]
        raised = ", ".join(f"{row['outcome']} {percent(row['prob_positive'])}" for _, row in of_group.iterrows())
        sentence = f"{group}: probability that the service raised {raised}."
        for _, row in returns[returns["group"] == group].sort_values("perspective").iterrows():
            mean, low, high = (per_pound(row[name], row["perspective"]) for name in ("mean", "lower_89", "upper_89"))
            sentence += (
                f" {row['perspective'].capitalize()} benefit of each £1: posterior mean {mean} (89% interval {low} to "
                f"{high}), above £1 with probability {percent(row['prob_above_one'])}."
            )
        sentences.append(sentence)
    return sentences


def conflicts(comparison: pd.DataFrame) -> list[str]:
    """Say which printed estimates lie outside the 95% interval of their posterior: there priors speak loudest."""
    fitted = comparison.dropna(subset="se")
    outside = (fitted["published"] < fitted["lower_95"]) | (fitted["published"] > fitted["upper_95"])
    cells = ", ".join(f"{row['outcome']} of {row['group']}" for _, row in fitted[outside].iterrows())
    if not cells:
        return []
    return [
        f"The printed estimate lies outside the 95% interval of its posterior: {cells}. There prior and print "
        "conflict: see whether the spec's [priors.mu] and [priors.tau] suit these trials."
    ]


def people_in_words(analysis: Analysis) -> str:
    """Say how many people the draws were made of, and whether they are real; empty where they are not of people."""
    attrs = analysis.draws["posterior"]["impact"].attrs
    return str(attrs.get("records", "")).removeprefix("Records of ")


def limits(analysis: Analysis) -> tuple[str, ...]:
    """Say what the evidence and the model of an analysis cannot tell."""
    evidence, spec = analysis.evidence, analysis.impact_spec
    if evidence.of_own_trials:
        of_money = NOTHING_VALUED if analysis.economic_spec is None else VALUED_BY_A_SPEC
        return (*LIMITS_OF_OWN_TRIALS, of_money)
    instead = {}
    if analysis.individual_spec is not None:
        instead = dict.fromkeys((PRINTS_NO_SE, UNUSED_POOLED_ROWS), "")
        instead[SEEN_OF_SOME] = ASSUMED_OF_SOME if analysis.whose == "assumed" else SEEN_OF_SOME_LIKE_THEM
        made_up = (MADE_UP,) if "synthetic" in people_in_words(analysis) else ()
        return (*made_up, *(limit for limit in (instead.get(one, one) for one in LIMITS) if limit))
    if spec.pooled_rows is not None:
        instead[UNUSED_POOLED_ROWS] = ""
    if spec.nonresponse is not None:
        instead[SEEN_OF_SOME] = ASSUMED_OF_SOME
    if spec.joint is not None:
        instead[INDEPENDENT] = HARDLY_LEARNT
    return tuple(limit for limit in (instead.get(one, one) for one in LIMITS) if limit)


UNUSED_POOLED_ROWS = (
    "The printed pooled rows (All SCR, All OOW) and their stars are information that this model does not use. They "
    "are estimates of their own, not means of the printed groups (earnings of All SCR: printed £102, weighted mean "
    "£45), so a difference in a pooled row is not shrinkage alone."
)


PRINTS_NO_SE = (
    "The report prints no standard errors: they are recovered from rounding, stars and sample sizes, under a stated "
    "prior. For earnings that is in effect an assumed SD of earnings (£5,200 to £9,000), because no star bounds them "
    "tightly."
)

MADE_UP = (
    "The people are synthetic: nothing here says anything of anybody, or of the trials beyond what they printed. It "
    "shows what an analysis of the real records would look like."
)

SEEN_OF_SOME_LIKE_THEM = (
    "Health and wellbeing were seen only in those who answered the 12-month survey; the others are taken to have "
    "gained as those did who were like them in the covariates of the spec. Outcomes from tax records are those of "
    "everybody whose records were found."
)

SEEN_OF_SOME = (
    "Health and wellbeing were seen only in those who answered the 12-month survey; returns apply them to everybody "
    "randomised. For employment and earnings all recruits are taken as analysed; the report says that tax records "
    "covered more of them than the surveys, not all."
)

ASSUMED_OF_SOME = (
    "Health and wellbeing were seen only in those who answered the 12-month survey. What the others gained, and how "
    "those differ who answered only because they were in treatment, is assumed in this model, and nothing is learnt of "
    "it. For employment and earnings all recruits are taken as analysed."
)

INDEPENDENT = (
    "Outcomes are independent in this model. At the prices that the published returns imply, costs are taken as "
    "printed; the appraisal by components has their uncertainty, as assumed."
)

HARDLY_LEARNT = (
    "How impacts, and the errors of estimates on the same people, go together across outcomes is hardly learnt: both "
    "are as their priors say."
)

LIMITS_OF_OWN_TRIALS = (
    "Standard errors that the file does not give are recovered from what it does give, under the spec's prior of how "
    "far a standard error departs from that of the sample sizes; stars are read as 90, 95 and 99 %.",
    "The spec's priors were stated for the Health-led Employment Trials: read them, and move those that do not suit "
    "yours.",
    "Groups are taken as exchangeable, and groups of one trial as independent; few of them say little about how far "
    "impacts differ between groups, so that the prior of that spread matters.",
    "Where neither rates nor events are known, the standard error of a difference of shares takes every rate as "
    "equally likely, which is too wide for common outcomes and too narrow for rare ones.",
    "Outcomes are independent in this model.",
)
"""What a file of somebody's own trials and this model cannot tell."""

NOTHING_VALUED = "The file states no costs, so nothing is valued; an economic spec may state them, in [costs.per_head]."
VALUED_BY_A_SPEC = (
    "Costs, prices and how long gains last are those that the economic spec states, not of these trials' own accounts: "
    "returns hang on them, and on whether they suit the service."
)

LIMITS = (
    PRINTS_NO_SE,
    "Three trial groups say little about how far impacts differ between groups: the prior of that spread matters, "
    "most of all for a group that lies apart.",
    UNUSED_POOLED_ROWS,
    SEEN_OF_SOME,
    "Prices that the published returns imply are not prices of ours: how long a gain lasts and what a QALY is worth "
    "are inside them and cannot be told apart. They are drawn independently of the impacts.",
    "Component prices hang on figures that the published economic report has and this package has not, above all on "
    "how long gains last; they are assumptions with a distribution, and hlt-bayes assumptions ranks them. Leisure lost "
    "and gains of families and employers are not counted.",
    "That an impact without a star counts as none is how the printed returns read (section 2.1 gives no return where "
    "no significant impact was found); the report does not state it as a rule.",
    "The printed returns are read as gross of cost. The report calls the financial ones net, and says that the "
    "financial benefits were not much greater than the costs, which fits a net reading; but read so, the two groups "
    "that have one imply no price in common, narrowly. The full economic report would settle it.",
    "The published evaluation drew its own distribution of the returns (10,000 Monte Carlo draws) and warned that a "
    "re-run might not give the same results; it is not printed, so only its point values stand beside ours.",
    INDEPENDENT,
)
"""What the evidence and this model cannot tell."""
