"""Consistency checks of printed numbers: contradictions, doubtful values, and notes for the reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hlt_bayes.audit import agreement, costs_and_returns, estimates, sums
from hlt_bayes.audit.cells import SEVERITIES, UNUSED, Check, Finding, PrintedCells, as_frame
from hlt_bayes.evidence import Evidence, load_evidence

if TYPE_CHECKING:
    import pandas as pd

CHECKS: tuple[Check, ...] = (
    sums.totals_along_rows_and_columns,
    sums.sums_of_tables,
    sums.shares_of_one_choice,
    sums.totals_of_percentages,
    sums.percentages_of_counts,
    sums.people_and_sessions,
    sums.breakdowns_of_one_total,
    sums.labels_twice,
    sums.ranges,
    agreement.one_quantity_one_value,
    agreement.claims_of_running_text,
    agreement.bases_as_claimed,
    agreement.response_rates_name_their_base,
    estimates.pooled_between_parts,
    estimates.pooled_percentages,
    estimates.stars_and_sample_sizes,
    estimates.pooled_stars,
    estimates.significance_in_words,
    costs_and_returns.costs_of_pooled_rows,
    costs_and_returns.returns_and_impacts,
)
"""All checks, in the order of their findings."""


def audit_evidence(evidence: Evidence | None = None) -> pd.DataFrame:
    """Find inconsistencies among the printed cells of the evidence, by general checks that presume no known error.

    Cells are taken as printed, even where the evidence corrects them. The default is the Health-led Trials.

    Returns
    -------
    DataFrame
        One row per finding, most severe first: ``severity`` (``error``: cannot be true as printed; ``warning``:
        doubtful, truncated, or labelled differently elsewhere; ``note``: worth knowing when using the numbers),
        ``check``, ``document`` and ``place`` of its first cell, ``arithmetic`` in numbers, ``cells`` (document, place,
        row, column, printed text), and ``treatment``, how the package handles it.
    """
    return as_frame(audit_findings(load_evidence() if evidence is None else evidence))


def audit_findings(evidence: Evidence) -> Iterator[Finding]:
    """As ``audit_evidence``, but yield each finding with its ``Cell`` objects."""
    printed = PrintedCells(evidence)
    yield from dict.fromkeys(finding for check in CHECKS for finding in check(printed))


__all__ = ["CHECKS", "SEVERITIES", "UNUSED", "Finding", "audit_evidence", "audit_findings"]
