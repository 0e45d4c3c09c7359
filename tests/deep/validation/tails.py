"""Tail probabilities by the importance sampler of ``tests/importance.py``, which itself gives means and SDs.

Given a draw of it every quantity is normal or known, so that the probability below any point is an average of normal
probabilities. Also the same for draws that are weighed.
"""

import numpy as np
from importance import weighed_batch
from scipy.stats import norm


def tail_probabilities(family, points, *, batches, size, seed):
    """Probability below each point, and its Monte Carlo error, by quantity: arrays as long as ``points[quantity]``."""
    found = {}
    for place, block in enumerate(family.blocks()):
        totals, sums, offset, labels = [], [], None, []
        for rng in np.random.default_rng([seed, place]).spawn(batches):
            labels, log_weight, mean, variance = weighed_batch(family, block, size, rng)
            offset = log_weight.max() if offset is None else offset
            weight = np.exp(log_weight - offset)
            at = np.stack([points[label] for label in labels])
            distance = at - mean[:, :, None]
            sd = np.sqrt(np.maximum(variance, 0.0))[:, :, None]
            known = np.broadcast_to(sd == 0, distance.shape)
            z = np.divide(distance, sd, out=np.where(distance >= 0, np.inf, -np.inf), where=~known)
            sums.append(np.tensordot(weight, norm.cdf(z), axes=1))
            totals.append(weight.sum())
        totals, sums = np.array(totals), np.array(sums)
        share = (totals / totals.sum())[:, None, None]
        each = sums / totals[:, None, None]
        whole = (share * each).sum(axis=0)
        error = np.sqrt((share**2 * (each - whole) ** 2).sum(axis=0) * batches / (batches - 1))
        found |= {label: (whole[i], error[i]) for i, label in enumerate(labels)}
    return found


def weighed(values, weights, points):
    """Mean, SD and probability below each point of draws {draw} that are weighed, each with its Monte Carlo error."""
    weights = weights / weights.sum()

    def error(residual):
        return np.sqrt(((weights[:, None] * residual) ** 2).sum(axis=0))

    mean = weights @ values
    away = values - mean
    sd = np.sqrt(weights @ away**2)
    below = (values[:, None] < points).astype(float)
    shares = weights @ below
    return (
        (mean, error(away[:, None]).item()),
        (sd, error(((away**2 - sd**2) / (2 * sd))[:, None]).item()),
        (shares, error(below - shares)),
    )
