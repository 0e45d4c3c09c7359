"""Whether a mean would rest on few people: exact rules, for estimates and fits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hlt_bayes.ipd.disclosure.rules import Rules


def rests_on_few(values: npt.NDArray[np.float64], rules: Rules, *, of_money: bool) -> str:
    """Say why a mean of ``values`` {person} would tell of single people; empty if it would not.

    Fewer than ``rules.fewest`` differ from the commonest value; or, ``of_money`` (values that are 0 or more), the two
    largest have more than ``rules.two_largest`` of the total, or all others less than ``rules.p`` of the largest.

    Examples
    --------
    >>> import numpy as np
    >>> from hlt_bayes.ipd.disclosure import Rules
    >>> from hlt_bayes.ipd.disclosure.contributions import rests_on_few
    >>> rests_on_few(np.array([0.0] * 76 + [123456.0]), Rules(), of_money=True)
    'fewer than 10 values differ from the commonest one'
    """
    if len(values) - np.unique(values, return_counts=True)[1].max(initial=0) < rules.fewest:
        return f"fewer than {rules.fewest} values differ from the commonest one"
    if of_money:
        total, largest = values.sum(), np.sort(values)[::-1]
        others = total - largest[:2].sum()
        if largest[:2].sum() > rules.two_largest * total or others < rules.p * largest[0]:
            return "one or two people have most of the total"
    return ""
