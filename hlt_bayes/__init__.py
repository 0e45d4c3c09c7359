"""Bayesian re-analysis of the Health-led Employment Trials, from printed tables to return on investment.

The public names stand in ``__init__.pyi``. Each is imported when it is first used: importing the package loads no PyMC.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
