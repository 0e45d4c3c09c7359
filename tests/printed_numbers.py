"""What Table 2.1 prints and the primary model assumes, typed in again for the quadrature, and ways to get it wrong."""

from dataclasses import replace

import numpy as np
from quadrature import Printed


def mean_se(sd, n1, n0):
    return sd * np.sqrt(1 / n1 + 1 / n0)


def rate_se(p1, n1, p0, n0):
    return np.sqrt(p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)


SURVEY = (mean_se(1, 640, 541), mean_se(1, 762, 726), mean_se(1, 754, 664))
PRINTED = {
    "employment": Printed(
        estimate=(0.03, -0.02, 0.04),
        half_unit=0.005,
        stars=("*", "", "***"),
        design_se=(
            rate_se(0.78, 1260, 0.75, 1259),
            rate_se(0.25, 1799, 0.27, 1792),
            rate_se(0.22, 1837, 0.18, 1838),
        ),
        mu_sd=0.05,
        tau_sd=0.03,
    ),
    "earnings": Printed(
        estimate=(442, -233, 150),
        half_unit=0.5,
        stars=("", "", ""),
        design_se=(mean_se(9000, 1260, 1259), mean_se(6000, 1799, 1792), mean_se(5200, 1837, 1838)),
        mu_sd=600,
        tau_sd=300,
    ),
    "health": Printed(
        estimate=(0.10, 0.10, 0.05), half_unit=0.005, stars=("*", "*", ""), design_se=SURVEY, mu_sd=0.15, tau_sd=0.08
    ),
    "wellbeing": Printed(
        estimate=(0.18, 0.12, 0.09), half_unit=0.005, stars=("***", "*", ""), design_se=SURVEY, mu_sd=0.15, tau_sd=0.08
    ),
}
SABOTAGE = {
    "arms swapped": ("employment", lambda printed: printed.swapped()),
    "stars ignored": ("wellbeing", lambda printed: replace(printed, ignore_stars=True)),
    "variance taken for SE": ("health", lambda printed: replace(printed, variance_for_se=True)),
    "half the sample": (
        "employment",
        lambda printed: replace(printed, design_se=tuple(np.sqrt(2) * se for se in printed.design_se)),
    ),
}
