"""A synthetic twin of the records: shaped like the published numbers, with a truth that is known."""

from hlt_bayes.ipd.synthetic.make import Twin, make_twin

__all__ = ["Twin", "make_twin"]
