"""Models of individual records: regressions with impacts partially pooled across trial groups."""

from hlt_bayes.ipd.models.aggregation import aggregate
from hlt_bayes.ipd.models.fitting import fit_records
from hlt_bayes.ipd.models.model import individual_model

__all__ = ["aggregate", "fit_records", "individual_model"]
