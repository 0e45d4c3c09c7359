"""Published evidence: a ledger with one row a printed cell, and the frames drawn from it."""

from hlt_bayes.evidence.ledger import Evidence
from hlt_bayes.evidence.reading import evidence_of_rows, load_evidence
from hlt_bayes.evidence.schema import MARKS
from hlt_bayes.evidence.trials import load_ips_counts, load_ips_trials

__all__ = ["MARKS", "Evidence", "evidence_of_rows", "load_evidence", "load_ips_counts", "load_ips_trials"]
