"""Models of individual records: regressions whose impacts are pooled across trial groups."""

from hlt_bayes.individual.aggregation import aggregate
from hlt_bayes.individual.fitting import fit_records
from hlt_bayes.individual.model import individual_model

__all__ = ["aggregate", "fit_records", "individual_model"]
