"""Vocabulary of the Health-led Trials: outcomes with their units, trial groups, arms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """A primary outcome.

    ``unit`` is the unit of the impact arrays; multiplying by ``display_scale`` gives ``display_unit``, which tables
    show to ``decimals`` decimal places. Positive is better for all four outcomes.
    """

    label: str
    measure: str
    unit: str
    printed_unit: str
    display_unit: str
    display_scale: float
    decimals: int

    @property
    def heading(self) -> str:
        """Label and display unit, as a table heading."""
        return f"{self.label} {self.display_unit}"


OUTCOMES = {
    "employment": Outcome(
        label="Employment",
        measure="in work for 13 or more weeks of the 12 months",
        unit="proportion",
        printed_unit="ppt",
        display_unit="ppt",
        display_scale=100.0,
        decimals=1,
    ),
    "earnings": Outcome(
        label="Earnings",
        measure="total earnings in the 12 months",
        unit="GBP in the 12 months",
        printed_unit="GBP",
        display_unit="£",
        display_scale=1.0,
        decimals=0,
    ),
    "health": Outcome(
        label="Health",
        measure="EQ-5D-5L at 12 months",
        unit="SD of EQ-5D-5L",
        printed_unit="SD",
        display_unit="SD",
        display_scale=1.0,
        decimals=3,
    ),
    "wellbeing": Outcome(
        label="Wellbeing",
        measure="SWEMWBS at 12 months",
        unit="SD of SWEMWBS",
        printed_unit="SD",
        display_unit="SD",
        display_scale=1.0,
        decimals=3,
    ),
}

GROUPS = ("SCR IW", "SCR OOW", "WMCA")
"""Trial groups: Sheffield City Region in work and out of work; West Midlands, all out of work."""

SITES = {"SCR IW": "SCR", "SCR OOW": "SCR", "WMCA": "WMCA"}
"""Site of each trial group."""

POOLED_GROUPS = {"All SCR": ("SCR IW", "SCR OOW"), "All OOW": ("SCR OOW", "WMCA")}
"""Published rows that pool trial groups; derived here, never modelled as a group."""

RESERVED = (*POOLED_GROUPS, "All")
"""Names that no group of trials or draws may have."""

REPORTED_GROUPS = ("SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW")
"""Trial groups and pooled rows in the order of the reports."""

ARMS = ("treatment", "control")

SURVEY_OUTCOMES = ("health", "wellbeing")
"""Outcomes observed only in respondents to the 12-month survey; the others come from tax records."""

OF_ALL_RANDOMISED = "per person randomised; those who did not answer the survey gain a share of what the others gained"
"""Estimand of impacts that include survey non-respondents."""
