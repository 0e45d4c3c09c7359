"""Errors raised by this package. Each message says where, what was found, what is allowed and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HltBayesError(Exception):
    """Base class of the package's errors; ``exit_code`` is the exit status of the command line."""

    exit_code = 2


class EvidenceError(HltBayesError):
    """Evidence that is missing, malformed or contradicts itself."""


class SpecError(HltBayesError):
    """An analysis spec that is missing, malformed or does not fit the evidence."""


class PriceYearError(HltBayesError):
    """Amounts in different price years, or in a price year without an index."""


class ImpactError(HltBayesError):
    """Impact draws that are not the labelled array described in ``hlt_bayes.impacts.draws``."""


class ResultFolderError(HltBayesError):
    """A result folder that cannot be written, or was not written by this package."""


class RecordsError(HltBayesError):
    """Individual records that cannot be read or violate the schema; the message never discloses a recorded value."""


class TaskError(HltBayesError):
    """Tasks that could not be run."""


class ConvergenceError(HltBayesError):
    """Draws that must not be used because the sampler did not converge."""

    exit_code = 3


class HltBayesWarning(UserWarning):
    """Something to look at that is no error, such as two names that are nearly the same."""


SHOWN_NAMES = 20
"""Maximum number of allowed names that an error lists."""


def unknown_name(found: object, allowed: Iterable[object]) -> str:
    """Message that ``found`` is unknown, with the allowed names (at most ``SHOWN_NAMES``) and any close match."""
    names = [str(name) for name in allowed]
    near = difflib.get_close_matches(str(found), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"{str(found)!r} is unknown; allowed: {', '.join(map(repr, names[:SHOWN_NAMES]))}{more}{hint}"
