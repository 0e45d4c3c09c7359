"""Each check finds the one fault planted in a small made-up publication, and nothing in a clean one."""

import re

import pytest
from helpers import fill_block
from made_up import RELATIONS, cell, publication, structure, with_structure

from hlt_bayes.audit import CHECKS, audit_evidence
from hlt_bayes.audit.agreement import bases_as_claimed, claims_of_running_text, one_quantity_one_value
from hlt_bayes.audit.agreement import response_rates_name_their_base as response_rates
from hlt_bayes.audit.cells import PrintedCells
from hlt_bayes.audit.costs_and_returns import costs_of_pooled_rows, returns_and_impacts
from hlt_bayes.audit.estimates import (
    pooled_between_parts,
    pooled_percentages,
    pooled_stars,
    significance_in_words,
    stars_and_sample_sizes,
)
from hlt_bayes.audit.sums import (
    breakdowns_of_one_total,
    labels_twice,
    people_and_sessions,
    percentages_of_counts,
    ranges,
    shares_of_one_choice,
    sums_of_tables,
    totals_along_rows_and_columns,
    totals_of_percentages,
)
from hlt_bayes.display.audit import of_used_cells
from hlt_bayes.display.table import frame_csv


@pytest.fixture(scope="module")
def audited(evidence):
    return audit_evidence(evidence)


def test_a_clean_publication_gives_no_finding():
    findings = audit_evidence(publication())
    assert findings.empty, findings.to_string()


AGAIN = cell("Section 2", 1, "in 4 months", "", "4", "months", "support duration", category="in work")
PER_MONTH = [
    cell("Section 2", 1, "6 a week", "", "6", "contacts per week", "employer contacts required"),
    cell("Section 2", 2, "6 a month", "", "6", "contacts per month", "employer contacts required"),
]

PATHWAYS = [
    cell("Section 1", 10, "care", "", "27%", "%", "referral pathway", category="specialist care service"),
    cell("Section 1", 11, "other", "", "40%", "%", "referral pathway", category="other"),
]
OTHER_BREAKDOWN = [
    cell("Table 9b", 1, "GP", "Sessions", "600", "sessions", "sessions", category="place: GP"),
    cell("Table 9b", 2, "other", "Sessions", "500", "sessions", "sessions", category="place: other"),
]
BREAKDOWN = structure("Table 9b", sessions_column="Sessions", breakdown_of="sessions")

PLANTED = {
    "total of a row": (totals_along_rows_and_columns, {("Table 1", 1, "GP"): "31"}, {}, r"31 \+ 70 = 101, printed 100"),
    "total of a column": (
        totals_along_rows_and_columns,
        {("Table 2", 3, "GP"): "51"},
        {},
        r"31 \+ 19 = 50, printed 51",
    ),
    "total of bases": (totals_along_rows_and_columns, {("Table 4", 3, "Total %"): "420"}, {}, "300 .* 100 = 400"),
    "sum of two tables": (sums_of_tables, {("Table 3", 2, "Other"): "62"}, {}, r"30 \+ 31 = 61, printed 62"),
    "shares of a column": (shares_of_one_choice, {("Table 4", 1, "B %"): "22"}, {}, r"22 \+ 80 = 102 %; .* 99 to 101"),
    "shares of a row": (shares_of_one_choice, {("Table 6", 2, "F"): "60%"}, {}, r"30 \+ 60 = 90 %"),
    "total percentage": (
        totals_of_percentages,
        {("Table 4", 1, "Total %"): "33"},
        {},
        "between 34.5 and 35.5 %, printed 33",
    ),
    "total row": (totals_of_percentages, {("Table 6", 3, "M"): "55%"}, {}, "100 x 60 .* 50 x 30.* printed 55%"),
    "percentage": (percentages_of_counts, {("Table 5", 2, "Percentage"): "53%"}, {}, "75 / 150 = 50.00 %, printed 53%"),
    "percentage cut": (
        percentages_of_counts,
        {("Table 5", 1, "Percentage"): "84%"},
        {},
        "84.67 %, printed 84%: truncated, not rou",
    ),
    "exchanged": (
        percentages_of_counts,
        {("Table 5", 1, "Percentage"): "50%", ("Table 5", 2, "Percentage"): "85%"},
        {},
        "exchanged",
    ),
    "more people than sessions": (
        people_and_sessions,
        {("Table 5", 2, "Sessions"): "70"},
        {},
        "75 people had 70 sessions",
    ),
    "breakdowns": (
        breakdowns_of_one_total,
        {},
        {"more": OTHER_BREAKDOWN, "tables": [*with_structure("Table 5", breakdown_of="sessions"), BREAKDOWN]},
        r"1,200 \(Table 5\) v 1,100 \(Table 9b\) sessions",
    ),
    "pathways in words": (shares_of_one_choice, {("Section 1", 6, ""): "43%"}, {"more": PATHWAYS}, "= 110 %"),
    "label twice": (
        labels_twice,
        {("Table 5", 2, name): {"row": "short"} for name in ("Sessions", "People", "Percentage")},
        {},
        "'short' heads 2 rows",
    ),
    "share above 100": (ranges, {("Section 1", 6, ""): "133%"}, {}, "133% lies outside 0 to 100"),
    "two values": (one_quantity_one_value, {}, {"more": [AGAIN]}, "3 v 4 for one quantity"),
    "two units": (one_quantity_one_value, {}, {"more": PER_MONTH}, "6 contacts per week v 6 contacts per month"),
    "sum in words": (claims_of_running_text, {("Section 1", 3, ""): "13"}, {}, r"9 \+ 3 is 12, printed 13"),
    "order in words": (
        claims_of_running_text,
        {("Section 1", 4, ""): "2", ("Section 1", 3, ""): "5"},
        {},
        "2 is not above 3",
    ),
    "divisor of nothing": (
        claims_of_running_text,
        {("Section 1", 5, ""): "0"},
        {"relations": [RELATIONS[0].model_copy(update={"kind": "ratio"})]},
        r"12 months are 9 and 3: 9 / 0 divides by a value that may be zero",
    ),
    "ratio in words": (
        claims_of_running_text,
        {("Section 1", 3, ""): "4"},
        {"relations": [RELATIONS[0].model_copy(update={"kind": "ratio"})]},
        r"9 / 3 is 3, printed 4",
    ),
    "base": (bases_as_claimed, {}, {"tables": with_structure("Table 1", base_people=160)}, "the table's total is 150"),
    "base of a response rate": (response_rates, {("Section 1", 1, ""): {"base": None}}, {}, "60% is 600 of 1,000"),
    "pooled row outside": (pooled_between_parts, {("Table 8", 5, "health"): "0.20 sd **"}, {}, "not between them"),
    "weight of a pooled row": (
        pooled_between_parts,
        {("Table 8", 3, "earnings"): "£130"},
        {},
        "a weight of 0.70 to 0.70",
    ),
    "pooled percentage": (
        pooled_percentages,
        {("Section 1", 9, ""): "40%"},
        {},
        "weighted by their bases 100 and 300 give 24.5 to",
    ),
    "star too many": (
        stars_and_sample_sizes,
        {("Table 8", 4, "health"): "0.03 sd **"},
        {},
        r"\*\* requires an SE of .* at most 0.31",
    ),
    "star too few": (
        stars_and_sample_sizes,
        {("Table 8", 4, "health"): "0.9 sd"},
        {},
        "the absence of a star requires an SE of 0.517 or more, at least 8.95",
    ),
    "pooled star": (pooled_stars, {("Table 8", 3, "health"): "0.07 sd ***"}, {}, "not possible"),
    "significance": (
        significance_in_words,
        {("Section 1", 2, ""): "99%"},
        {},
        r"says 99%, which is \*\*\*; the table prints 0.10 sd \*",
    ),
    "cost of a pooled row": (
        costs_of_pooled_rows,
        {("Table 9", 5, "cost per head"): "£2,300"},
        {},
        "cost £2,399.5 to £2,400.5, printed £2,300",
    ),
    "returns at no one price": (
        returns_and_impacts,
        {("Table 9", 1, "economic return"): "£4.00"},
        {},
        "no single price explains all",
    ),
    "return of zero": (
        returns_and_impacts,
        {("Table 9", 4, "economic return"): "£0.00"},
        {},
        r"0\.13 sd \*\* returns £1\..* printed £0.00",
    ),
    "called net": (
        returns_and_impacts,
        {("Table 9", 1, "financial return"): {"row": "a very small net financial return of £0.02"}},
        {},
        "the text calls the returns net; if they are gross of cost, one price",
    ),
    "absent star": (
        stars_and_sample_sizes,
        {("Table 7", 3, "SCR IW"): "n/a"},
        {},
        "£250 without a star needs an SE of at",
    ),
    "economic below financial": (
        returns_and_impacts,
        {
            ("Table 9", 2, "financial return"): "£2.50",
            ("Table 9", 1, "financial return"): "n/c",
            ("Table 9", 4, "financial return"): "n/c",
            ("Table 9", 5, "financial return"): "n/c",
        },
        {},
        "the economic return does not include the financial one",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_is_found_by_its_check(fault):
    check, change, more, message = PLANTED[fault]
    planted = publication(change, **more)
    found = list(check(PrintedCells(planted)))
    assert any(re.search(message, finding.arithmetic) for finding in found), found
    assert not list(check(PrintedCells(publication())))


TRUE_FINDINGS = {
    "total of interviews": ("parts and total", "48 + 17 + 34 + 34 + 17 + 8 = 158, printed 157"),
    "base of ages": ("parts and total", "2,519 + 3,571 + 3,675 = 9,765, printed 9,785"),
    "gender of one provider": ("shares of one choice", "42 + 48 = 90 %"),
    "gender in total": ("total percentage", "printed 52%"),
    "exchanged providers": ("percentage of a count", "124 / 349 = 35.53 %, printed 33%"),
    "cut percentages": ("percentage of a count", "550 / 1,792 = 30.69 %, printed 30%: truncated, not rounded"),
    "people without sessions": ("people and sessions", "486 people had 75 sessions"),
    "labels": ("label twice", "'Telephone' heads 2 rows"),
    "response of 12 months": ("one quantity, two values", "41.8 is 4,087 of 9,785; 46% is 4,087 of 8,945"),
    "response of 4 months": ("one quantity, two values", "56.6% is 5,407 of 9,539"),
    "job outcomes": ("one quantity, two values", "550 v 757"),
    "fieldwork": ("one quantity, two values", "Oct 2019 v Jun 2019 v May 2019"),
    "records": ("one quantity, two values", "1,772 v 1,773 v 1,792"),
    "recruits": ("one quantity, two values", "3,675 v 3,586"),
    "employer contacts": ("one quantity, two values", "6 contacts per week v 6 contacts per month"),
    "condition management": ("one quantity, two values", "60% v 63%"),
    "partners": ("one quantity, two values", "3 interviews v 2"),
    "base line": ("base as claimed", "(n=3686)', the table's total is 3586"),
    "same people, two claims": ("base as claimed", "4,055 people are"),
    "duration": ("claim of the text", "9 + 4 is 13, printed 12"),
    "specialist referrals": ("claim of the text", "100 x 1,556 / 6,016 is 25.86, printed 24%"),
    "prevalence": ("claim of the text", "stress or anxiety, against SCR out of work: 76 is not above 81"),
    "most common mode": ("claim of the text", "92% is not above 95%"),
    "contacts": ("claim of the text", "is 16.7, printed 8"),
    "response cut": ("claim of the text", "56.68, printed 56.6%: truncated, not rounded"),
    "misprint, by its neighbours": ("pooled row outside its parts", "0.10 sd ** pools 0.12 sd * and 0.9sd"),
    "misprint, by its people": ("star and sample size", "at least 9.71 times as large"),
    "a wide star": ("star and sample size", "at least 1.13 times as large"),
    "support of SCR": ("percentage of two groups together", "27.4 to 28.4 %, printed 39%"),
    "weight of earnings": ("weight of a pooled row", "implies a weight of 0.49 to 0.50"),
    "pooled star of health": ("pooled star", "if equal, these are at most 0.0576"),
    "level of wellbeing": ("significance in words", "the text says 90%, which is *; the table prints 0.18 sd ***"),
    "net or gross": ("returns gross or net", "£907 to £1,669 explains them all; if they are net, no single price does"),
    "WMCA's zero": ("return of zero", "0.05 sd returns £0.539 to £0.728 for each £1, printed £0"),
    "economic below financial": ("economic below financial", "economic return £0, financial return £0.01"),
    "pathways": ("shares of one choice", "18 + 24 + 56 = 98 %"),
    "modes and lengths": ("two breakdowns of one total", "80,240 (Table 6.5) v 64,716 (Table 6.6)"),
    "returns of the summary": ("one quantity, two values", "£0 v £0.01"),
    "points higher": ("claim of the text", "is 13.9, printed 15"),
    "opted out": ("claim of the text", "9,785 - 8,945 is 840, printed 287"),
}


@pytest.mark.parametrize("name", TRUE_FINDINGS)
def test_the_checks_find_what_the_reports_hold(audited, name):
    check, text = TRUE_FINDINGS[name]
    found = audited[(audited["check"] == check) & audited["arithmetic"].str.contains(text, regex=False)]
    assert len(found) >= 1


def test_the_audit_reads_as_its_golden_text(audited, golden):
    golden("audit.csv", frame_csv(audited))


def test_findings_name_their_cells_and_what_is_done(audited):
    misprint = audited[audited["check"] == "pooled row outside its parts"].iloc[0]
    assert "synthesis, Table 2.1, WMCA, wellbeing: '0.9sd'" in misprint["cells"].replace("Wellbeing", "wellbeing")
    assert misprint["treatment"].endswith("0.9sd: used as '0.09 sd', see the corrections")
    assert list(audited["severity"].unique()) == ["error", "warning", "note"]


def test_every_check_has_a_planted_fault():
    assert {check for check, *_ in PLANTED.values()} == set(CHECKS)


def test_the_readme_counts_the_findings_and_shows_those_that_touch_the_analysis(audited, request):
    counts = audited["severity"].value_counts()
    used = of_used_cells(audited)
    lines = [
        f"It finds {counts['error']} errors (cannot be true as printed), {counts['warning']} warnings and "
        f"{counts['note']} notes. Those in cells that an analysis uses:",
        "",
        *(
            f"- {row['severity']}, {row['document']} {row['place']}, {row['check']}: {row['arithmetic']}"
            for _, row in used[used["severity"] != "note"].iterrows()
        ),
        "",
    ]
    fill_block("audit", "\n".join(lines).replace("*", r"\*"), write=request.config.getoption("--golden"))
