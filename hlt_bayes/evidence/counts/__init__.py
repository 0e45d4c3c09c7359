"""Finds the 2x2 tables of a trial that agree with its published results, by exhaustive search.

A report that gives percentages, a ratio and its interval, but no counts, is often consistent with only one table of
whole numbers. A table agrees if each number it implies lies within half a unit of the last published digit, bounds
included, because sources round halves either way.

Intervals are Wald intervals: on the log scale for the odds ratio and the risk ratio, on the natural scale for the risk
difference. A ratio without a Wald interval (no events in an arm; for the odds ratio, also no non-events) is undefined
here: such a table agrees with no published ratio.
"""

from hlt_bayes.evidence.counts.recovery import interval_can_be_symmetric, recover_counts, recovery_verdict

__all__ = ["interval_can_be_symmetric", "recover_counts", "recovery_verdict"]
