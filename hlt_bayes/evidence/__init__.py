"""Published evidence: a ledger with one row a printed cell, and the frames drawn from it."""

from hlt_bayes.evidence.reading import Evidence, load_evidence

__all__ = ["Evidence", "load_evidence"]
