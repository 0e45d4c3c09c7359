"""What every part of the validation gives: numbers found beside those expected, judged by a rule set in advance.

The rule is the same for all parts: a part fails if any row's p is at or below ``LEVEL`` over the number of its rows, so
that one whose models are right fails with a probability of 1 % at most. The number of rows alone sets the threshold.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

LEVEL = 0.01

COLUMNS = ["what", "test", "quantity", "found", "expected", "se", "z", "p", "threshold", "passed"]


class Part(NamedTuple):
    """One part: what was simulated, how many, and its rows, judged."""

    name: str
    simulated: str
    how_many: str
    seed: int
    seconds: float
    rows: pd.DataFrame


def row(what, test, quantity, *, found, expected, se, p=None):
    """Set a number beside its expectation; without ``p`` the distance in standard errors has that of a normal."""
    z = (found - expected) / se
    p = 2 * norm.sf(abs(z)) if p is None else p
    values = (what, test, quantity, *(float(one) for one in (found, expected, se, z, p)))
    return dict(zip(COLUMNS, values, strict=False))


def judged(rows):
    """Judge all rows of a part together; a p that is no number has not passed."""
    frame = pd.DataFrame(rows)
    frame["threshold"] = LEVEL / len(frame)
    frame["passed"] = frame["p"] > frame["threshold"]
    return frame[COLUMNS]


def worst(frame):
    """Keep the row of the least p for each thing and test, and of how many that is the least, in their order."""
    frame = frame.assign(p=frame["p"].fillna(0.0))
    by = frame.groupby(["what", "test"], sort=False)
    least = frame.loc[by["p"].idxmin()].reset_index(drop=True)
    return least.assign(rows=by.size().to_numpy())


def verdict(part):
    """Say in a sentence whether a part passed."""
    rows, failed = part.rows, part.rows[~part.rows["passed"]]
    least = worst(rows).sort_values("p").iloc[0]
    named = f"{least['what']}, {least['test']} of {least['quantity']}: p {least['p']:.2g}"
    bound = f"threshold {least['threshold']:.2g}"
    if failed.empty:
        return f"Passed: all {len(rows):,} rows; the least likely is {named} ({bound})."
    return f"FAILED: {len(failed):,} of {len(rows):,} rows; the worst is {named} ({bound})."


def share_row(what, test, quantity, inside, expected):
    """Set a share {trial} beside its probability by the exact binomial test; trials are independent."""
    inside = np.asarray(inside, dtype=bool)
    p = binomtest(int(inside.sum()), inside.size, expected).pvalue
    se = np.sqrt(expected * (1 - expected) / inside.size)
    return row(what, test, quantity, found=inside.mean(), expected=expected, se=se, p=p)
