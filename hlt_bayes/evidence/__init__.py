"""Published evidence: a ledger with one row per printed cell, and data frames derived from it."""

from hlt_bayes.evidence.ips_trials import load_ips_counts, load_ips_trials
from hlt_bayes.evidence.ledger import Evidence
from hlt_bayes.evidence.load import evidence_of_rows, load_evidence
from hlt_bayes.evidence.schema import MARKS

__all__ = ["MARKS", "Evidence", "evidence_of_rows", "load_evidence", "load_ips_counts", "load_ips_trials"]
