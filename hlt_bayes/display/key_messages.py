"""Key messages: sentences generated from the results."""

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
    """Return the findings shown below the tables on the terminal and above them on the page."""
    return [
        *significance_filter(analysis.returns, analysis.comparison, analysis.prices, pooled=pools(analysis)),
        *component_findings(analysis.appraisal),
        *what_delivery_explains(analysis.moderation),
        *conflicts(analysis.comparison),
    ]


def pools(analysis: Analysis) -> bool:
    """Whether impacts come from published results, partially pooled across groups."""
    return analysis.individual_spec is None and analysis.impact_spec.structure not in ("no-pooling", "complete-pooling")


def answer(analysis: Analysis, checked: CheckTables) -> list[str]:
    """Answer the question: impacts, returns, published returns, main assumptions, and what is not known.

    Five sentences if the Health-led Trials are valued, else fewer.
    """
    return [
        *_average_impacts(analysis),
        *_returns_by_components(analysis),
        *_published_returns(analysis),
        *_main_assumptions(checked),
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
    return [f"{of_whom} average across the trial groups, the service changed {_joined(said)}."] if said else []


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
    return [f"At component prices ({appraisal.spec.title}), each £1 spent returned to {whom} {_joined(said)}."]


def _returns_at_other_prices(analysis: Analysis) -> list[str]:
    """State the return per £1 at stated prices, without a component appraisal or implied prices."""
    if analysis.economic_spec is None or analysis.prices["implied"].all():
        return []
    name = "economic" if "economic" in set(analysis.returns["perspective"]) else analysis.returns["perspective"].iloc[0]
    rows = analysis.returns[analysis.returns["perspective"] == name].set_index("group")
    said = [
        f"{pounds(rows['mean'][group])} in {group} (above £1 with probability {percent(rows['prob_above_one'][group])})"
        for group in analysis.evidence.groups
    ]
    return [f"At the prices of “{analysis.economic_spec.title}”, the {name} return on each £1 was {_joined(said)}."]


def _published_returns(analysis: Analysis) -> list[str]:
    rows = analysis.returns[analysis.returns["perspective"] == "economic"].set_index("group")
    rows = rows.loc[[group for group in analysis.evidence.groups if group in rows.index]]
    rows = rows[rows["published"].notna()]
    if rows.empty or not analysis.prices["implied"].all():
        return []
    published = _joined([f"{pounds(row['published'])} in {group}" for group, row in rows.iterrows()])
    reanalysed = _joined([pounds(row["mean"]) for _, row in rows.iterrows()])
    how = "with impacts pooled" if pools(analysis) else "with the impacts of this analysis"
    return [
        f"The published evaluation counted impacts without a significance star as zero and reported returns of "
        f"{published}; at the prices these imply, without that rule and {how}, the returns are {reanalysed}."
    ]


def _main_assumptions(checked: CheckTables) -> list[str]:
    if "assumptions" not in checked.tables:
        return []
    ranked = checked.tables["assumptions"].dropna(subset="share").head(3)
    said = [
        f"“{checked.labels.get(row['key'], row['key'])}” ({percent(row['share'])} of the variance in {row['group']})"
        for _, row in ranked.iterrows()
    ]
    return [f"The assumptions that explain most of the variance in returns are {_joined(said)}."] if said else []


def _not_known(analysis: Analysis) -> list[str]:
    said = []
    if analysis.moderation is not None:
        said.append(
            f"which of {len(analysis.moderation.spec.moderators or {})} moderators, which form "
            f"{analysis.moderation.effective_contrasts:.1f} independent contrast(s), explains the difference between "
            "sites"
        )
    if not analysis.evidence.is_user_data and analysis.individual_spec is None:
        people = {
            measure: int(analysis.evidence.arm_sizes(measure).loc[list(analysis.evidence.groups)].to_numpy().sum())
            for measure in ("recruits", "12-month survey sample")
        }
        share = 1 - people["12-month survey sample"] / people["recruits"]
        said.append(
            f"how much health and wellbeing changed for the {percent(share)} who did not answer the survey, or how "
            "long any gain lasted"
        )
    return [f"The evidence cannot show {', or '.join(said)}."] if said else []


def _joined(words: list[str]) -> str:
    """Join words as a list in a sentence."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def significance_filter(
    returns: pd.DataFrame, comparison: pd.DataFrame, prices: pd.DataFrame, *, pooled: bool = True
) -> list[str]:
    """Explain each published economic return of £0 whose impact had no significance star.

    Parameters
    ----------
    returns, comparison, prices
        Tables of ``return_summary``, ``compare`` and ``price_table``. If any price is not implied by the published
        returns, there is no such sentence.
    pooled
        Whether impacts come from published results, partially pooled across groups.
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
        how = "Partially pooled with the other groups" if pooled else "With the impacts of this analysis"
        why = (
            f" The change from {unfiltered} to {mean} is due to pooling, and depends on the prior for the "
            "between-group SD."
            if pooled
            else ""
        )
        sentences.append(
            f"{group}'s published economic return of £0 reflects a significance rule, not an estimate: its published "
            f"{outcome} impact, {as_printed(cell['text'])}, had no significance star and was counted as zero. Valued "
            f"as in the other groups ({price_in_words(price)}), it returns {unfiltered} gross for each £1. {how}, the "
            f"return has posterior mean {mean} (89% interval {low} to {high}) and exceeds £1 with probability "
            f"{percent(row['prob_above_one'])}.{why}"
        )
    return sentences


def headline(returns: pd.DataFrame, impacts: pd.DataFrame, groups: list[str]) -> list[str]:
    """State, for each trial group, the probability that the service raised each outcome, and the return per £1."""
    sentences = []
    for group in groups:
        of_group = impacts[impacts["group"] == group]
        raised = ", ".join(f"{row['outcome']} {percent(row['prob_positive'])}" for _, row in of_group.iterrows())
        sentence = f"{group}: probability that the service raised {raised}."
        for _, row in returns[returns["group"] == group].sort_values("perspective").iterrows():
            mean, low, high = (per_pound(row[name], row["perspective"]) for name in ("mean", "lower_89", "upper_89"))
            sentence += (
                f" {row['perspective'].capitalize()} benefit per £1: posterior mean {mean} (89% interval {low} to "
                f"{high}), above £1 with probability {percent(row['prob_above_one'])}."
            )
        sentences.append(sentence)
    return sentences


def conflicts(comparison: pd.DataFrame) -> list[str]:
    """List the published estimates that lie outside the 95% posterior interval of their impact."""
    fitted = comparison.dropna(subset="se")
    outside = (fitted["published"] < fitted["lower_95"]) | (fitted["published"] > fitted["upper_95"])
    cells = ", ".join(f"{row['outcome']} of {row['group']}" for _, row in fitted[outside].iterrows())
    if not cells:
        return []
    return [
        f"Possible prior-data conflict: the published estimate lies outside the 95% posterior interval for {cells}. "
        "Check that the spec's [priors.mu] and [priors.tau] suit these trials."
    ]


def people_in_words(analysis: Analysis) -> str:
    """Return how many individual records the draws are based on, and whether synthetic; empty without records."""
    attrs = analysis.draws["posterior"]["impact"].attrs
    return str(attrs.get("records", "")).removeprefix("Records of ")


def limits(analysis: Analysis) -> tuple[str, ...]:
    """Return the limitations of the evidence and the model of an analysis."""
    evidence, spec = analysis.evidence, analysis.impact_spec
    if evidence.is_user_data:
        of_money = NOTHING_VALUED if analysis.economic_spec is None else VALUED_BY_A_SPEC
        return (*LIMITS_OF_OWN_TRIALS, of_money)
    instead = {}
    if analysis.individual_spec is not None:
        instead = dict.fromkeys((NO_PUBLISHED_SE, POOLED_ROWS_NOT_USED), "")
        instead[RESPONDENTS_ONLY] = (
            NONRESPONDENTS_ASSUMED if analysis.whose == "assumed" else NONRESPONDENTS_LIKE_RESPONDENTS
        )
        made_up = (SYNTHETIC_RECORDS,) if "synthetic" in people_in_words(analysis) else ()
        share = float(analysis.draws["posterior"]["impact"].attrs.get("left_out", 0.0))
        left_out = (SOME_LEFT_OUT.format(share=share),) if share else ()
        return (*made_up, *left_out, *(limit for limit in (instead.get(one, one) for one in LIMITS) if limit))
    if spec.pooled_rows is not None:
        instead[POOLED_ROWS_NOT_USED] = ""
    if spec.nonresponse is not None:
        instead[RESPONDENTS_ONLY] = NONRESPONDENTS_ASSUMED
    if spec.joint is not None:
        instead[INDEPENDENT] = CORRELATIONS_HARDLY_IDENTIFIED
    return tuple(limit for limit in (instead.get(one, one) for one in LIMITS) if limit)


POOLED_ROWS_NOT_USED = (
    "This model does not use the published pooled rows (All SCR, All OOW) or their significance stars. They are "
    "separate estimates, not means of the published groups (earnings of All SCR: published £102, weighted mean £45), "
    "so a difference in a pooled row is not due to shrinkage alone."
)


NO_PUBLISHED_SE = (
    "The report gives no standard errors: they are recovered from rounding, significance stars and sample sizes, under "
    "a stated prior. For earnings this amounts to an assumed SD of earnings (£5,200 to £9,000), because the stars do "
    "not bound them tightly."
)

SYNTHETIC_RECORDS = (
    "The records are synthetic: they carry no information about real people, or about the trials beyond the published "
    "results. This page shows what an analysis of the real records would look like."
)

SOME_LEFT_OUT = (
    "{share:.0%} of the people, drawn at random, were left out, so that nobody's outcome can be told from two results; "
    "disclosure.csv states the rules of disclosure control applied to each file."
)

NONRESPONDENTS_LIKE_RESPONDENTS = (
    "Health and wellbeing were observed only in those who answered the 12-month survey; non-respondents are assumed to "
    "have gained as much as respondents with the same covariates. Outcomes from tax records cover everyone whose "
    "records were found."
)

RESPONDENTS_ONLY = (
    "Health and wellbeing were observed only in those who answered the 12-month survey; returns apply them to everyone "
    "randomised. For employment and earnings all those randomised are assumed to be analysed; the report says that tax "
    "records covered more of them than the surveys did, but not all."
)

NONRESPONDENTS_ASSUMED = (
    "Health and wellbeing were observed only in those who answered the 12-month survey. What non-respondents gained, "
    "and how people who answered only because they were in treatment differ, are assumptions of this model about which "
    "the data are uninformative. For employment and earnings all those randomised are assumed to be analysed."
)

INDEPENDENT = (
    "Outcomes are independent in this model. At the prices implied by the published returns, costs are taken as "
    "published; the component appraisal includes their assumed uncertainty."
)

CORRELATIONS_HARDLY_IDENTIFIED = (
    "The correlations across outcomes, of impacts and of the errors of estimates from the same people, are hardly "
    "identified: both posteriors are close to their priors."
)

LIMITS_OF_OWN_TRIALS = (
    "Standard errors missing from the file are recovered from its other columns, under the spec's prior for their "
    "ratio to the standard error implied by the sample sizes; stars are taken to mean 90, 95 and 99 %.",
    "The spec's priors were stated for the Health-led Employment Trials: check them, and change those that do not suit "
    "your trials.",
    "Groups are treated as exchangeable, and groups of one trial as independent. A few groups carry little information "
    "about how far impacts differ between groups, so the prior for that spread matters.",
    "Where neither rates nor events are known, the standard error of a difference in proportions treats every rate as "
    "equally likely, which is too wide for common outcomes and too narrow for rare ones.",
    "Outcomes are independent in this model.",
)
"""Limitations of an analysis of the user's own trials."""

NOTHING_VALUED = "The file gives no costs, so nothing is valued; an economic spec can state them in [costs.per_head]."
VALUED_BY_A_SPEC = (
    "Costs, prices and the duration of gains come from the economic spec, not from these trials' own accounts: returns "
    "depend on them, and on whether they suit the service."
)

LIMITS = (
    NO_PUBLISHED_SE,
    "Three trial groups carry little information about how far impacts differ between groups: the prior for that "
    "spread matters, most of all for an outlying group.",
    POOLED_ROWS_NOT_USED,
    RESPONDENTS_ONLY,
    "The prices implied by the published returns combine the duration of a gain and the value of a QALY, which cannot "
    "be separated. They are drawn independently of the impacts.",
    "Component prices depend on figures that are in the published economic report but not available to this package, "
    "above all the duration of gains; they are assumptions with a distribution, and hlt-bayes assumptions ranks them. "
    "Lost leisure and gains to families and employers are not counted.",
    "That impacts without a significance star count as zero is inferred from the published returns (section 2.1 gives "
    "no return where no significant impact was found); the report does not state it as a rule.",
    "The published returns are taken as gross of cost. The report calls the financial returns net, and says that the "
    "financial benefits were not much greater than the costs, which suggests net returns; but if they are net, the two "
    "groups that have one narrowly fail to imply a common price. The full economic report would settle this.",
    "The published evaluation simulated its own distribution of returns (10,000 Monte Carlo draws) and warned that a "
    "re-run might not give the same results; that distribution is not published, so only its point values are compared "
    "with the re-analysis.",
    INDEPENDENT,
)
"""Limitations of an analysis of the Health-led Trials."""
