"""Leave out some people at random, so that two outputs cannot be told apart by one person."""

from __future__ import annotations

import numpy as np

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.core.vocabulary import ARMS, GROUPS
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.disclosure.rules import CERTAINLY, LARGEST_LEFT_OUT, ON_AVERAGE

LEFT_OUT = 0.02
"""Share of people left out of what is computed from real records, unless another is given."""

SMALLEST = 0.01
"""Smallest share but 0 that may be left out."""


def share_left_out(records: Records, share: float | None) -> float:
    """Return the share of people to leave out: as given, or by default ``LEFT_OUT`` of real records and no synthetic.

    Raises
    ------
    RecordsError
        The share is not allowed.
    """
    if share is None:
        return 0.0 if records.synthetic else LEFT_OUT
    if share != 0 and not SMALLEST <= share <= LARGEST_LEFT_OUT:
        raise RecordsError(
            f"leave_out {share!r} given; allowed: 0, or {SMALLEST} to {LARGEST_LEFT_OUT}, the share of people left out"
        )
    return float(share)


def some_left_out(records: Records, *, share: float | None = None) -> Records:
    """Leave out people at random, each person of a trial group and arm with the same probability.

    Who is left out is fixed by the records of the trial group and arm, and their key: of the same records always the
    same people, of records that differ by one person others. Two outputs then differ by more than one person
    can make, and nobody can know whether a certain person was in them. Estimates are as of fewer people: unbiased,
    with SEs larger by the square root of 1 / (1 - share).

    Parameters
    ----------
    records
        The individual records.
    share
        Share of people left out, 0 or 0.01 to 0.2; by default 0.02 of real records and 0 of synthetic. Unless it is 0,
        three people of each trial group and arm are left out at least, and five on average if that is more.

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
    if share == 0.0:
        return records
    frame, kept = records.columns(["group", "arm"]), []
    for group in GROUPS:
        for arm in ARMS:
            here = ((frame["group"] == group) & (frame["arm"] == arm)).to_numpy(bool)
            # Another share draws anew: nested samples would differ by single people.
            rng = np.random.default_rng(int(records.chance(f"left out, {share!r}", here) * 2**53))
            places = records.in_order(here)
            kept.append(places[rng.permutation(len(places)) >= _number(len(places), share, rng)])
    return records.only(np.concatenate(kept))


def _number(people: int, share: float, rng: np.random.Generator) -> int:
    """Draw how many of so many people are left out, half of them at most."""
    others = people - CERTAINLY
    if others <= 0:
        return people // 2
    probability = max(0.0, max(share * people, float(ON_AVERAGE)) - CERTAINLY) / others
    return min(people // 2, CERTAINLY + int(rng.binomial(others, min(1.0, probability))))
