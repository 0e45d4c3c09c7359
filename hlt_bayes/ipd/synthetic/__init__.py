"""Synthetic records calibrated to the published results, with known true values."""

from hlt_bayes.ipd.synthetic.make import Twin, make_twin

__all__ = ["Twin", "make_twin"]
