"""The words of the Health-led Trials: outcomes with their units, trial groups, arms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """A primary outcome.

    ``unit`` is that of the impact arrays; a value times ``display_scale`` is in ``display_unit``,
    in which tables show ``decimals`` digits. Positive is better for each of the four.
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
        """Label and display unit, as tables show them."""
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
"""The site of each trial group."""

POOLED_GROUPS = {"All SCR": ("SCR IW", "SCR OOW"), "All OOW": ("SCR OOW", "WMCA")}
"""Rows that the reports pool over trial groups; derived here, never a group of a model."""

REPORTED_GROUPS = ("SCR IW", "SCR OOW", "All SCR", "WMCA", "All OOW")
"""Trial groups and pooled rows in the order in which the reports print them."""

ARMS = ("treatment", "control")

SURVEY_OUTCOMES = ("health", "wellbeing")
"""Outcomes that were seen only in those who answered the 12-month survey; the others stand in tax records."""

OF_ALL_RANDOMISED = "per person randomised; those who did not answer the survey gain a share of what the others gained"
"""Estimand of impacts that speak for those who did not answer, too."""
