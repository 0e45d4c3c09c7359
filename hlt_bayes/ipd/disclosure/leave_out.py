"""Leave out some people at random, so that two results cannot be told apart by one person."""

from __future__ import annotations

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.disclosure.rules import LARGEST_LEFT_OUT

LEFT_OUT = 0.02
"""Share of people left out of fits to real records, unless another is given."""


def share_left_out(records: Records, share: float | None) -> float:
    """Return the share of people to leave out: as given, or by default ``LEFT_OUT`` of real records and no synthetic.

    Raises
    ------
    RecordsError
        The share is not allowed.
    """
    if share is None:
        return 0.0 if records.synthetic else LEFT_OUT
    if not 0.0 <= share <= LARGEST_LEFT_OUT:
        raise RecordsError(f"leave_out {share!r} given; allowed: 0 to {LARGEST_LEFT_OUT}, the share of people left out")
    return float(share)


def some_left_out(records: Records, *, share: float | None = None) -> Records:
    """Leave out each person with the same small probability.

    Who is left out is fixed by the records and their key: of the same records always the same people, of records that
    differ by one person others throughout. A result then differs from another by more than one person can make, and
    nobody can know whether a certain person was in it. Estimates are as of fewer people drawn at random: unbiased, with
    SEs larger by the square root of 1 / (1 - share).

    Parameters
    ----------
    records
        The individual records.
    share
        Share of people left out, 0 to 0.2; by default 0.02 of real records and 0 of synthetic.

    Returns
    -------
    Records
        With the same key.

    Raises
    ------
    RecordsError
        The share is not allowed.

    Examples
    --------
    >>> import hlt_bayes as hb
    >>> from hlt_bayes.ipd.disclosure import some_left_out
    >>> records = hb.make_twin(n=600, seed=1).records
    >>> len(some_left_out(records)), len(some_left_out(records, share=0.1)) < 600
    (600, True)
    """
    share = share_left_out(records, share)
    return records if share == 0.0 else records.sample(1.0 - share)
