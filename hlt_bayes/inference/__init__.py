"""From what is printed to posterior draws of the impacts: structures, NUTS, exact draws, calibration."""
