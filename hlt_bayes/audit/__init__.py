"""General checks of a ledger of printed cells: what does not add up, and what a reader should know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hlt_bayes.audit import agreement, costs_and_returns, estimates, sums
from hlt_bayes.audit.cells import SEVERITIES, UNUSED, Book, Check, Finding, as_frame
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
"""Every check, in the order in which their findings come."""


def audit_evidence(evidence: Evidence | None = None) -> pd.DataFrame:
    """Find what does not add up in the printed cells of an evidence, by checks that know no fault beforehand.

    The cells are taken as printed, also where the evidence corrects them; without an evidence they are those of the
    Health-led Trials.

    Returns
    -------
    DataFrame
        A row a finding, the gravest first: ``severity`` (``error``: it cannot be true as printed; ``warning``: it is
        doubtful, cut, or named otherwise elsewhere; ``note``: a reader of the numbers should know), ``check``,
        ``document`` and ``place`` of its first cell, ``arithmetic`` in numbers, ``cells`` (document, place, row,
        column, printed text), and ``treatment``, what the package does about it.
    """
    return as_frame(audit_findings(load_evidence() if evidence is None else evidence))


def audit_findings(evidence: Evidence) -> Iterator[Finding]:
    """As ``audit_evidence``, with the cells of each finding as they are."""
    book = Book(evidence)
    yield from dict.fromkeys(finding for check in CHECKS for finding in check(book))


__all__ = ["CHECKS", "SEVERITIES", "UNUSED", "Finding", "audit_evidence", "audit_findings"]
