"""Bayesian re-analysis of the Health-led Employment Trials, from published tables to return on investment.

The public names are listed in ``__init__.pyi`` and imported on first use, so that importing the package loads no PyMC.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
