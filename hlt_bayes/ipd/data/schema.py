"""Schema of individual records, one row per person randomised, used to read, check and generate them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from hlt_bayes.core.vocabulary import ARMS, GROUPS, SITES

if TYPE_CHECKING:
    import pandera.pandas as pa

ColumnKind = Literal["identifier", "category", "flag", "count", "number", "date"]
Population = Literal["everyone", "treatment", "respondents", "4-month respondents", "not always in work"]

PROVIDERS = {
    "Sheffield": "SCR",
    "Rotherham": "SCR",
    "Doncaster": "SCR",
    "Bassetlaw": "SCR",
    "Barnsley": "SCR",
    "D&W": "WMCA",
    "Prospects": "WMCA",
    "Remploy BSC": "WMCA",
    "Remploy Wolves": "WMCA",
}
"""Areas (SCR) and providers (WMCA), each with its site: theory-based evaluation, Tables 6.1 and 6.8."""

FIRST_DAY, LAST_DAY = "2018-05-01", "2019-10-31"
"""Randomisation window: synthesis report, Table 6.2 (May 2018 to October 2019)."""

MONTHS = tuple(range(1, 13))
"""Months since randomisation that tax and benefit records cover."""


@dataclass(frozen=True)
class Column:
    """One column: its content, the people it applies to, and its source in the published reports.

    ``codes`` are the allowed values of a category, ``printed`` the reports' label of each (for a flag, of True), and
    ``measure`` the name of the published table's rows in the ledger. ``lower`` and ``upper`` bound numbers. Only
    ``people`` may have a value. A column that is not ``required`` may be absent from a file or have missing values.
    ``top`` is the highest value that enters a mean or SD that is shown; higher ones count as it.
    """

    label: str
    kind: ColumnKind
    source: str
    unit: str = ""
    codes: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    measure: str = ""
    lower: float = float("-inf")
    upper: float = float("inf")
    people: Population = "everyone"
    required: bool = False
    top: float = float("inf")

    @property
    def highest(self) -> float:
        """Highest value that enters a mean or SD that is shown."""
        return min(self.upper, self.top)


def _category(label: str, source: str, codes: tuple[str, ...], *, measure: str = "", required: bool = False) -> Column:
    """Use the reports' labels as codes, in plain characters: '30-39', '<30'."""
    plain = tuple(code.replace(" \N{EN DASH} ", "-").replace("< ", "<") for code in codes)
    return Column(label, "category", source, codes=plain, printed=codes, measure=measure, required=required)


def _flags(
    stem: str, measure: str, source: str, printed: dict[str, str], people: Population = "everyone"
) -> dict[str, Column]:
    return {
        f"{stem}_{name}": Column(text, "flag", source, printed=(text,), measure=measure, people=people)
        for name, text in printed.items()
    }


UNKNOWN = "Don\N{RIGHT SINGLE QUOTATION MARK}t know/Prefer not to say"

DESIGN = {
    "person": Column("Person identifier, unique within a file", "identifier", "archive", required=True),
    "site": _category("Site", "synthesis, Table 1.1", tuple(dict.fromkeys(SITES.values())), required=True),
    "group": _category("Trial group", "synthesis, Table 1.1", GROUPS, required=True),
    "arm": _category("Arm", "synthesis, Table 1.1", ARMS, required=True),
    "randomised": Column("Date of randomisation", "date", "synthesis, Table 6.2", required=True),
    "provider": _category("Area (SCR) or provider (WMCA)", "theory, Tables 6.1 and 6.8", tuple(PROVIDERS)),
    "specialist": Column(
        "Employment specialist at the first appointment, at which people were randomised",
        "identifier",
        "synthesis, section 6.2",
    ),
    "referral_route": _category(
        "Referral route", "theory, Tables 6.3 and 6.10", ("GP", "specialist care service", "other")
    ),
    "synthetic": Column(
        "Synthetic: True in every row of a synthetic data set, False or absent in real records", "flag", ""
    ),
}

BASELINE = {
    "age": _category("Age", "synthesis, Table 1.2", ("< 30", "30 – 39", "40 – 49", "50+"), measure="age"),  # noqa: RUF001
    "gender": _category("Gender", "synthesis, Table 1.3", ("Male", "Female", "Other"), measure="gender"),
    "ethnic_group": _category(
        "Ethnic group",
        "synthesis, Table 1.4",
        (
            "White",
            "Asian/Asian British",
            "Black/African/Caribbean/Black British",
            "Mixed/multiple ethnic groups",
            "Other ethnic group",
        ),
        measure="ethnic group",
    ),
    **_flags(
        "condition",
        "health condition",
        "synthesis, Table 1.5",
        {
            "stress_anxiety": "Stress or anxiety",
            "depression": "Depression",
            "fatigue_memory": "Fatigue or problems with concentration or memory",
            "pain": "Pain or discomfort",
            "neck_back": "Problems with neck or back",
            "legs_feet": "Problems with legs or feet",
            "dizziness_balance": "Dizziness or balance problems",
            "arms_hands": "Problems with arms or hands",
            "digestion": "Problems with bowels, stomach, liver, kidneys or digestion",
            "chest_breathing": "Chest or breathing problems",
            "arthritis": "Arthritis",
            "skin_allergies": "Skin conditions or allergies",
            "heart_blood_pressure": "Heart or blood pressure problems",
            "learning": "Learning difficulties",
            "other_mental": "Mental health condition (other than depression/stress)",
            "other": "Other health or disability issue",
            "seeing": "Difficulty with seeing",
            "hearing": "Difficulty with hearing",
            "addiction": "Problems due to alcohol or drug addiction",
            "speech": "Speech problems",
            "progressive": "Progressive illness not covered above",
            "unknown": UNKNOWN,
        },
    ),
    "limitation": _category(
        "How far health limits everyday activities",
        "synthesis, Table 1.6",
        (
            "A great deal",
            "To some extent",
            "A little",
            "Not at all",
            "I do not have a health condition or disability",
        ),
        measure="extent of limitation",
    ),
    "work_history": _category(
        "Paid employment in the last 2 years",
        "synthesis, Table 1.7",
        (
            "Always been in paid employment",
            "Been in paid employment for more than half the time",
            "Been in paid employment for less than half the time",
            "Not been in paid employment in last 2 years",
        ),
        measure="employment history",
    ),
    **_flags(
        "reason",
        "reason not in employment",
        "synthesis, Table 1.8",
        {
            "mental_health": "Mental health issues",
            "no_suitable_job": "Unable to find a suitable job",
            "physical_health": "Physical health issues",
            "caring": "Caring responsibilities",
            "education": "Education/training",
            "other": "Other",
            "unknown": UNKNOWN,
        },
        people="not always in work",
    ),
    **_flags(
        "barrier",
        "barrier to employment",
        "synthesis, Table 1.9",
        {
            "no_suitable_job": "Difficulty finding a suitable job",
            "mental_health": "Mental health condition",
            "confidence": "Lack of confidence in abilities or skills",
            "qualifications": "Lack of qualifications or experience",
            "physical_health": "Physical health condition",
            "transport": "Availability or cost of transport to work",
            "worse_off": "Being financially being worse off",
            "caring": "Caring for a child, or an elderly or disabled family member",
            "other": "Another reason",
            "childcare": "Availability or cost of childcare",
            "nothing": "Nothing",
            "not_applicable": "Not applicable",
            "unknown": UNKNOWN,
        },
    ),
    "qualification": _category(
        "Highest qualification",
        "synthesis, Table 1.10",
        (
            "Degree/higher degree/equivalent; NVQ or SVQ levels 4 or 5",
            "Higher educational qualification below degree level",
            "A levels or Highers; NVQ or SVQ level 3",
            "GCSE grades A-C or equivalent",
            "GCSE grades D-G or equivalent",
            "Other quals inc. vocational and foreign quals below degree level",
            "No formal qualifications",
        ),
        measure="qualification",
    ),
    "dependent_children": Column(
        "Dependent children",
        "flag",
        "synthesis, Table 1.11",
        printed=("Dependent children",),
        measure="dependent children",
    ),
}

_EQ5D = (-0.6, 1.0)
_SCALES: dict[str, tuple[str, str, ColumnKind, tuple[float, float]]] = {
    "eq5d": ("Health, EQ-5D-5L index", "index; 1 is full health, 0 as bad as dead", "number", _EQ5D),
    "swemwbs": ("Wellbeing, SWEMWBS", "points, 7 to 35", "number", (7, 35)),
    "jsse": ("Job-search self-efficacy, 9 items", "points, 9 to 45", "number", (9, 45)),
}
"""Scales measured at baseline and in both surveys: label, unit, kind, bounds."""

_SURVEY: dict[str, tuple[str, str, ColumnKind, tuple[float, float]]] = {
    **_SCALES,
    "working": ("In work, employed or self-employed", "", "flag", (0, 1)),
    "working_16_hours": ("Works 16 or more hours a week", "", "flag", (0, 1)),
    "weeks_working": ("Weeks in work since randomisation", "weeks", "count", (0, 60)),
    "weeks_16_hours": ("Weeks of 16 or more hours since randomisation", "weeks", "count", (0, 60)),
    "weeks_16_hours_unbroken": ("Weeks of 16 or more hours without a gap", "weeks", "count", (0, 60)),
    "msk_hq": ("Musculoskeletal health, MSK-HQ", "points, 0 to 56", "number", (0, 56)),
    "still_has_condition": ("Still has a health condition or disability", "", "flag", (0, 1)),
    "life_satisfaction": ("Life satisfaction, ONS-1", "points, 0 to 10", "number", (0, 10)),
    "gse": ("General self-efficacy, 10 items", "points, 10 to 40", "number", (10, 40)),
}
"""Items of both surveys (synthesis report, Table 6.3)."""

_LAST_SURVEY: dict[str, tuple[str, str, ColumnKind, tuple[float, float]]] = {
    "gad7": ("Anxiety, GAD-7", "points, 0 to 21", "number", (0, 21)),
    "phq8": ("Depression, PHQ-8", "points, 0 to 24", "number", (0, 24)),
}


def _asked(
    asked: dict[str, tuple[str, str, ColumnKind, tuple[float, float]]], form: str, when: str, people: Population
) -> dict[str, Column]:
    return {
        form.format(name): Column(
            f"{label}, {when}",
            kind,
            "synthesis, Table 6.3",
            unit=unit,
            lower=bounds[0],
            upper=bounds[1],
            people=people,
        )
        for name, (label, unit, kind, bounds) in asked.items()
    }


def _monthly(stem: str, label: str, kind: ColumnKind, unit: str = "", top: float = float("inf")) -> dict[str, Column]:
    return {
        f"{stem}_month_{month}": Column(
            f"{label}, month {month}",
            kind,
            "synthesis, Table 6.3",
            unit=unit,
            lower=0 if unit else float("-inf"),
            top=top,
        )
        for month in MONTHS
    }


SCALES_AT_START = _asked(_SCALES, "baseline_{}", "at baseline", "everyone")

OUTCOMES_OF_RECORDS = {
    "employed_13_weeks": Column(
        "Employed for 13 or more of the 52 weeks since randomisation", "flag", "synthesis, Table 6.3"
    ),
    "months_employed": Column(
        "Months employed since randomisation", "count", "synthesis, Table 6.3", unit="months", lower=0, upper=12
    ),
    "earnings": Column(
        "Earnings in the 12 months since randomisation",
        "number",
        "synthesis, Table 6.3",
        unit="GBP in the 12 months",
        lower=0,
        upper=1_000_000,
        top=60_000,
    ),
    **_monthly("employed", "Employed", "flag"),
    **_monthly("earnings", "Earnings", "number", "GBP", top=10_000),
    **_monthly("benefits", "On out-of-work benefits", "flag"),
    **_asked({**_SURVEY, **_LAST_SURVEY}, "{}", "at 12 months", "respondents"),
    **_asked(_SURVEY, "{}_4_months", "at 4 months", "4-month respondents"),
}

RESPONSE = {
    "answered_4_months": Column("Answered the 4-month survey", "flag", "synthesis, Table 6.2"),
    "answered": Column("Answered the 12-month survey", "flag", "synthesis, Table 6.2"),
    "survey_weight": Column(
        "Weight for non-response to the 12-month survey",
        "number",
        "synthesis, section 6.2.2",
        unit="mean about 1",
        lower=1e-6,
        upper=1000,
        top=5,
        people="respondents",
    ),
}

CONTACT_BANDS = {
    "contacts_brief": "less than 15 minutes",
    "contacts_15_30": "15 to 30 minutes",
    "contacts_30_60": "30 to 60 minutes",
    "contacts_60_90": "60 to 90 minutes",
    "contacts_90_120": "90 to 120 minutes",
    "contacts_120_180": "120 to 180 minutes",
    "contacts_half_day": "half a day or more",
}
"""Columns of contact counts, by length of contact: theory-based evaluation, Table 6.6."""

DELIVERY = {
    **{
        name: Column(
            f"Contacts of {length}",
            "count",
            "theory, Table 6.6",
            unit="contacts",
            lower=0,
            upper=2000,
            top=20,
            people="treatment",
        )
        for name, length in CONTACT_BANDS.items()
    },
    "first_session_days": Column(
        "Time from randomisation to the first session",
        "count",
        "synthesis, section 3.3.3",
        unit="days",
        lower=0,
        upper=600,
        top=180,
        people="treatment",
    ),
    "caseload": Column(
        "Mean caseload of the person's specialist during the support",
        "number",
        "synthesis, section 3.3.1",
        unit="clients",
        lower=1,
        upper=200,
        top=60,
        people="treatment",
    ),
}

COLUMNS: dict[str, Column] = {
    **DESIGN,
    **BASELINE,
    **SCALES_AT_START,
    **OUTCOMES_OF_RECORDS,
    **RESPONSE,
    **DELIVERY,
}
"""All columns that records may have, by name, in the order in which files are written."""

DTYPES = {
    "identifier": "string",
    "category": "category",
    "flag": "boolean",
    "count": "Int32",
    "number": "float64",
    "date": "datetime64[s]",
}
"""Pandas dtype of each kind of column; missing values are pandas' own."""


@cache
def records_schema() -> pa.DataFrameSchema:
    """Pandera schema of the single columns; rules between columns are in ``hlt_bayes.ipd.data.rules``.

    The error text of each check states what is allowed, as a finding shows it.
    """
    import pandera.pandas as pa

    def checks(column: Column) -> list[pa.Check]:
        if column.kind == "category":
            return [pa.Check.isin(column.codes, error=f"allowed: {', '.join(column.codes)}")]
        if column.kind == "date":
            return [pa.Check.in_range(FIRST_DAY, LAST_DAY, error=f"allowed: {FIRST_DAY} to {LAST_DAY}")]
        if column.kind in ("count", "number") and column.upper < float("inf"):
            allowed = f"allowed: {column.lower:,.10g} to {column.upper:,.10g} {column.unit}".strip()
            return [pa.Check.in_range(column.lower, column.upper, error=allowed)]
        if column.kind in ("count", "number"):
            return [pa.Check.ge(column.lower, error=f"allowed: {column.lower:,.10g} or more {column.unit}".strip())]
        return []

    return pa.DataFrameSchema(
        {
            name: pa.Column(
                nullable=not column.required, required=column.required, unique=name == "person", checks=checks(column)
            )
            for name, column in COLUMNS.items()
        },
        strict=True,
    )
