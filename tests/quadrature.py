"""The primary model computed again without the package: plain numpy and scipy, no sampler.

For one outcome, printed estimates ``v`` with half units ``h``, star bounds (a, b), and design SEs s0:

    L_g(theta) = integral over s of LogNormal(s; log s0 + m, d) P(|x - v| <= h, a < |x| / s < b | theta, s)
    p(mu, tau, theta | print) ~ p(mu) p(tau) product of Normal(theta_g; mu, tau) L_g(theta_g)

theta is integrated out on a grid that is fine against L (or by Gauss-Hermite where tau is small), mu and tau
on a grid.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from scipy.stats import norm

STARS = {"": (0.0, 1.6448536), "*": (1.6448536, 1.9599640), "**": (1.9599640, 2.5758293), "***": (2.5758293, np.inf)}


@dataclass(frozen=True)
class Printed:
    """What is printed of one outcome, and the priors."""

    estimate: tuple[float, ...]
    half_unit: float
    stars: tuple[str, ...]
    design_se: tuple[float, ...]
    mu_sd: float
    tau_sd: float
    log_ratio: tuple[float, float] = (0.05, 0.20)
    ignore_stars: bool = False
    variance_for_se: bool = False

    def swapped(self):
        """Control minus treatment."""
        return replace(self, estimate=tuple(-v for v in self.estimate))


def probability_of_print(printed, g, theta):
    """L_g at each theta: what is printed of group g, given its impact."""
    v, h, s0 = printed.estimate[g], printed.half_unit, printed.design_se[g]
    a, b = (0.0, np.inf) if printed.ignore_stars else STARS[printed.stars[g]]
    m, d = printed.log_ratio
    nodes = (np.arange(1500) + 0.5) / 1500 * 16 - 8
    weights = norm.pdf(nodes) * 16 / 1500
    s = s0 * np.exp(m + d * nodes)
    low = np.maximum(abs(v) - h, a * s)
    high = np.minimum(abs(v) + h, b * s)
    noise = s**2 if printed.variance_for_se else s
    centre = np.sign(v) * np.asarray(theta)[..., None]
    inside = norm.cdf((high - centre) / noise) - norm.cdf((low - centre) / noise)
    return np.where(high > low, inside, 0.0) @ weights


@cache
def posterior(printed):
    """Mean and SD of mu, tau and each impact, and P(impact > 0); on grids of twice the points within 5e-5 SDs."""
    groups = range(len(printed.estimate))
    unit = min(printed.design_se)
    mu = np.linspace(-5, 5, 201) * printed.mu_sd
    x, wx = np.polynomial.legendre.leggauss(64)
    tau, w_tau = (x + 1) / 2 * 5 * printed.tau_sd, wx * norm.pdf((x + 1) / 2 * 5)
    prior = norm.pdf(mu / printed.mu_sd)[:, None] * w_tau[None, :]

    reach = max(abs(v) + 9 * s for v, s in zip(printed.estimate, printed.design_se, strict=True))
    step = unit / 16
    theta = (np.arange(-int(reach / step) - 1, int(reach / step) + 1) + 0.5) * step
    hermite, w_hermite = np.polynomial.hermite_e.hermegauss(24)
    w_hermite = w_hermite / w_hermite.sum()

    moments = {}
    for g in groups:
        seen = probability_of_print(printed, g, theta)
        columns = np.stack([seen, seen * theta, seen * theta**2, seen * (theta > 0)], axis=1)
        table = np.empty((4, len(mu), len(tau)))
        for j, spread in enumerate(tau):
            if spread > 2 * step:
                kernel = norm.pdf((theta[None, :] - mu[:, None]) / spread) / spread * step
                table[:, :, j] = (kernel @ columns).T
            else:
                at = mu[:, None] + spread * hermite[None, :]
                value = np.interp(at, theta, seen)
                for k, power in enumerate((1.0, at, at**2, at > 0)):
                    table[k, :, j] = (value * power) @ w_hermite
        moments[g] = table

    together = prior * np.prod([moments[g][0] for g in groups], axis=0)
    total = together.sum()

    def expect(values):
        return float((together * values).sum() / total)

    answer = {"mu": _mean_sd(expect, mu[:, None]), "tau": _mean_sd(expect, tau[None, :])}
    for g in groups:
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second, positive = (np.nan_to_num(moments[g][k] / moments[g][0]) for k in (1, 2, 3))
        mean = expect(first)
        answer[g] = (mean, float(np.sqrt(expect(second) - mean**2)), expect(positive))
    return answer


def _mean_sd(expect, values):
    mean = expect(values)
    return mean, float(np.sqrt(expect(values**2) - mean**2))
