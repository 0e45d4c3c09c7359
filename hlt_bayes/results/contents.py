"""Which files the result folder of an analysis has, so that one more or one less is noticed."""

from __future__ import annotations

from collections.abc import Collection

SPECS = "specs.json"
EVIDENCE = "evidence.json"
DRAWS = "posterior.nc"
MODERATED_DRAWS = "moderators.nc"
PAGE = "report.html"
OUTPUT_CHECK = "disclosure.csv"

OF_EVERY_ANALYSIS = (
    DRAWS,
    SPECS,
    EVIDENCE,
    "impacts.csv",
    "estimands.csv",
    "comparison.csv",
    "impacts.png",
    "impacts.svg",
)
BY_ROLE = {
    "individual": (OUTPUT_CHECK,),
    "economic": ("returns.csv", "returns.png", "returns.svg"),
    "moderators": (MODERATED_DRAWS, "moderators.csv", "counterfactuals.csv"),
    "components": ("appraisal.csv", "benefits.csv"),
}
"""Further files of an analysis that has a spec in this role."""

WALK = ("walk.csv", "walk.png", "walk.svg")
"""Files of the comparison with the published evaluation, if that gives returns."""

OF_EVERY_REPORT = (PAGE, "checklists.csv", "diagnostics.csv")
OF_SOME_REPORTS = (
    *("audit.csv", "prior_predictive.csv", "posterior_predictive.csv", "power_scaling.csv", "specs.csv"),
    *("specs_returns.csv", "tornado.csv", "acceptability.csv", "acceptability_qaly.csv", "assumptions.csv"),
)


def required_files(roles: Collection[str], *, reported: bool) -> set[str]:
    """Files that an analysis with specs in these ``roles`` has, and its report if it has one."""
    by_role = {name for role in roles for name in BY_ROLE.get(role, ())}
    return {*OF_EVERY_ANALYSIS, *by_role, *(OF_EVERY_REPORT if reported else ())}


def allowed_files(roles: Collection[str], *, reported: bool) -> set[str]:
    """As ``required_files``, with those that only some such results have."""
    walk = WALK if {"economic", "components"} <= set(roles) else ()
    return required_files(roles, reported=reported) | {*walk, *(OF_SOME_REPORTS if reported else ())}
