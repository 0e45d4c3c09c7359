"""A random-effects meta-analysis with known standard errors, integrated over mu and tau: NumPy and SciPy alone.

    x_g ~ Normal(theta_g, se_g), theta_g ~ Normal(mu, tau), mu ~ Normal(0, mu_sd), tau ~ half-normal or half-Cauchy

Panels of Gauss-Legendre nodes cover mu, and t = tau / (tau + scale), so that all of tau lies between 0 and 1.
"""

from typing import NamedTuple

import numpy as np
from numpy.polynomial import Legendre
from numpy.polynomial.legendre import leggauss
from scipy.optimize import brentq
from scipy.special import ndtr

NODES = 10
NEGLIGIBLE = 1e-16


class Axis(NamedTuple):
    """Ends of panels, and nodes with their weights in all of them."""

    edges: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray


class Meta(NamedTuple):
    """Estimates and standard errors {group}, and the scales of the priors."""

    estimate: np.ndarray
    se: np.ndarray
    mu_sd: float
    tau_scale: float
    tau_family: str


class Posterior(NamedTuple):
    """Posterior mass {mu, tau} at the nodes of a grid."""

    meta: Meta
    mu: Axis
    t: Axis
    mass: np.ndarray

    @property
    def tau(self):
        return self.meta.tau_scale * self.t.nodes / (1 - self.t.nodes)

    def mean_and_sd(self, quantity):
        """Of ``"mu"``, ``"tau"`` or, by its position, the impact of a group."""
        mean, variance = self._given_node(quantity)
        centre = float((self.mass * mean).sum())
        return centre, float(np.sqrt((self.mass * (variance + (mean - centre) ** 2)).sum()))

    def quantile(self, quantity, probability):
        """Where ``probability`` of the posterior lies below."""
        if quantity == "mu":
            return _quantile(self.mu, self.mass.sum(axis=1), probability)
        if quantity == "tau":
            t = _quantile(self.t, self.mass.sum(axis=0), probability)
            return self.meta.tau_scale * t / (1 - t)
        # Given tau an impact is normal: a kernel over mu as narrow as tau would fall between the nodes.
        of_tau = self.mass.sum(axis=0)
        kept = of_tau > NEGLIGIBLE
        mass, at_node = (
            self.mass[:, kept] / of_tau[kept],
            [np.broadcast_to(one, self.mass.shape)[:, kept] for one in self._given_node(quantity)],
        )
        mean = (mass * at_node[0]).sum(axis=0)
        sd = np.sqrt((mass * (at_node[1] + (at_node[0] - mean) ** 2)).sum(axis=0))
        return brentq(
            lambda at: float(of_tau[kept] @ ndtr((at - mean) / sd)) - probability,
            (mean - 10 * sd).min(),
            (mean + 10 * sd).max(),
            xtol=1e-15,
            rtol=1e-14,
        )

    def _given_node(self, quantity):
        """Mean and variance {mu, tau} at each node."""
        mu, tau = self.mu.nodes[:, None], self.tau[None, :]
        if quantity in ("mu", "tau"):
            return {"mu": mu, "tau": tau}[quantity], 0.0
        x, se = self.meta.estimate[quantity], self.meta.se[quantity]
        towards = tau**2 / (tau**2 + se**2)
        return towards * x + (1 - towards) * mu, towards * se**2


def integrate(meta, *, fineness=1):
    """Give the posterior; panels of mu and of t are ``fineness`` times as many."""
    t = _axis(np.linspace(0, 1, 64 * fineness + 1))
    # Where mu lies is found on a coarse grid of its prior, and then looked at closely.
    rough = _posterior(meta, _axis(np.linspace(-8, 8, 200) * meta.mu_sd), t)
    mean, sd = rough.mean_and_sd("mu")
    return _posterior(meta, _axis(mean + sd * np.linspace(-12, 12, 48 * fineness + 1)), t)


def _posterior(meta, mu, t):
    tau = meta.tau_scale * t.nodes / (1 - t.nodes)
    scaled = tau / meta.tau_scale
    log_prior = {"half-normal": -0.5 * scaled**2, "half-cauchy": -np.log1p(scaled**2)}[meta.tau_family]
    log_density = log_prior - 2 * np.log1p(-t.nodes) - 0.5 * (mu.nodes[:, None] / meta.mu_sd) ** 2
    for x, se in zip(meta.estimate, meta.se, strict=True):
        variance = se**2 + tau**2
        log_density = log_density - 0.5 * (np.log(variance) + (x - mu.nodes[:, None]) ** 2 / variance)
    mass = np.exp(log_density - log_density.max()) * mu.weights[:, None] * t.weights
    return Posterior(meta, mu, t, mass / mass.sum())


def _axis(edges):
    x, w = leggauss(NODES)
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    return Axis(edges, (middle[:, None] + half[:, None] * x).ravel(), (half[:, None] * w).ravel())


def _quantile(axis, mass, probability):
    """Quantile of what has ``mass`` at the nodes: of the polynomial through the density at those of one panel."""
    below = np.concatenate([[0.0], np.cumsum(mass.reshape(-1, NODES).sum(axis=1))])
    panel = int(np.clip(np.searchsorted(below, probability) - 1, 0, len(below) - 2))
    here = slice(panel * NODES, (panel + 1) * NODES)
    low, high = axis.edges[panel], axis.edges[panel + 1]
    density = Legendre.fit(axis.nodes[here], (mass / axis.weights)[here], NODES - 1, domain=[low, high])
    integral = density.integ(lbnd=low)
    wanted = probability - below[panel]
    if wanted >= integral(high):
        return float(high)
    return brentq(lambda at: integral(at) - wanted, low, high, xtol=1e-300, rtol=1e-14)
