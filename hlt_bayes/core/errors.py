"""Errors of this package. Each says where, what was found, what is allowed and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HltBayesError(Exception):
    """Root of the package's errors; ``exit_code`` is what the command line returns."""

    exit_code = 2


class EvidenceError(HltBayesError):
    """Evidence that is missing, malformed or contradicts itself."""


class SpecError(HltBayesError):
    """An analysis spec that is missing, malformed or does not fit the evidence."""


class PriceYearError(HltBayesError):
    """Sums of money in prices of two years, or of a year without an index."""


class ImpactError(HltBayesError):
    """Impact draws that are not the labelled array described in ``hlt_bayes.impacts.draws``."""


class ResultFolderError(HltBayesError):
    """A result folder that may not be written or is not one of ours."""


class RecordsError(HltBayesError):
    """Individual records that cannot be read or break the schema; the message never says what a record holds."""


class TaskError(HltBayesError):
    """Tasks that could not be run."""


class ConvergenceError(HltBayesError):
    """Draws that may not be used because the sampler did not converge."""

    exit_code = 3


SHOWN_NAMES = 20
"""Names that an error lists at most."""


def unknown_name(found: object, allowed: Iterable[object]) -> str:
    """Say which names are allowed in place of ``found``, the nearest where one is near; of many, only some."""
    names = [str(name) for name in allowed]
    near = difflib.get_close_matches(str(found), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"{str(found)!r} is unknown; allowed: {', '.join(map(repr, names[:SHOWN_NAMES]))}{more}{hint}"
