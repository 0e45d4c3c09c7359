"""Posterior draws of the impacts from published results: structures, NUTS, exact draws, calibration."""
