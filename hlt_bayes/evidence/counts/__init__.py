"""Which 2x2 tables of a trial agree with what its report prints, found by trying every one.

A report that prints percentages, a ratio and its interval, but no counts, often leaves a single table of
whole people that rounds to all of them. A table agrees where each number it implies lies within half a unit
of the last digit of the number printed, ends included, since sources round halves either way.

Intervals are Wald intervals: of the log for the odds ratio and the risk ratio, of the difference itself for
the risk difference. A ratio whose interval has no Wald form (no events in an arm; for the odds ratio also
nobody without one) is undefined here: such a table agrees with no printed ratio.
"""

from hlt_bayes.evidence.counts.recovery import interval_can_be_symmetric, recover_counts, recovery_verdict

__all__ = ["interval_can_be_symmetric", "recover_counts", "recovery_verdict"]
