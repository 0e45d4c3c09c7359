"""Rows of part 4: moments of pooled runs beside those of a reference."""

from typing import NamedTuple

import arviz_stats as azs
import numpy as np
import xarray as xr
from scipy.stats import logistic, norm
from statistical.test_meta import Model, posterior

from hlt_bayes.evidence import load_ips_counts
from hlt_bayes.likelihood import pooled_rows, reported_results
from hlt_bayes.meta import included, load_meta_spec
from hlt_bayes.specs import load_impact_spec
from validation.rows import row
from validation.tails import weighed

TAILS = np.array([0.055, 0.945])

NODES = np.linspace(-6.0, 6.0, 241)
NODE_WEIGHTS = norm.pdf(NODES) / norm.pdf(NODES).sum()
"""Standardised logits of the weight of the first part of a pooled row, over which each draw is averaged.

What is printed tells weights apart to a few hundredths: far fewer nodes put the means of SEs out by hundredths, too.
"""


class Pooled(NamedTuple):
    """Runs of an engine together: draws {chain, draw, quantity}, errors of mean and SD, points and errors of tails."""

    values: np.ndarray
    mean_error: np.ndarray
    sd_error: np.ndarray
    points: np.ndarray
    share_error: np.ndarray


def pooled(runs):
    """Pool runs, and say how well they know each moment; draws that are weighed are worth fewer."""
    values = np.concatenate([values for values, _ in runs])
    worth = None if runs[0][1] is None else sum(each for _, each in runs)
    data = xr.Dataset({"x": (("chain", "draw", "quantity"), values)})
    total = values.shape[0] * values.shape[1]
    # Draws of the exact engine are independent: what they are worth by their weights is all there is to know.
    factor = 1.0 if worth is None else np.sqrt(total / worth)
    mean_error, sd_error = (azs.mcse(data, method=method)["x"].to_numpy() * factor for method in ("mean", "sd"))
    points = np.quantile(values.reshape(total, -1), TAILS, axis=0).T
    ess = [azs.ess(data, method="quantile", prob=p)["x"].to_numpy() / factor**2 for p in TAILS]
    share_error = np.sqrt(TAILS * (1 - TAILS) / np.stack(ess, axis=-1))
    return Pooled(values, mean_error, sd_error, points, share_error)


def rows_against(what, found, quantities, mean, sd, shares):
    """Set an engine beside a reference: ``mean``, ``sd`` and ``shares`` give number and error by quantity."""
    rows = []
    flat = found.values.reshape(-1, len(quantities))
    for i, quantity in enumerate(quantities):
        name = ", ".join(quantity)
        for test, number, own, (expected, error) in (
            ("mean", flat[:, i].mean(), found.mean_error[i], mean[quantity]),
            ("SD", flat[:, i].std(ddof=1), found.sd_error[i], sd[quantity]),
        ):
            rows.append(row(what, test, name, found=number, expected=expected, se=np.hypot(own, error)))
        probabilities, errors = shares[quantity]
        for j, p in enumerate(TAILS):
            se = np.hypot(found.share_error[i, j], errors[j])
            label = f"{name}: P(below its {p:.1%} quantile)"
            rows.append(row(what, "tail", label, found=p, expected=probabilities[j], se=se))
    return rows


def rows_between(name, one, other, quantities):
    """Set NUTS beside the exact engine."""
    rows = []
    flat, flat_other = (each.values.reshape(-1, len(quantities)) for each in (one, other))
    for i, quantity in enumerate(quantities):
        numbers = {
            "mean": (flat[:, i].mean(), flat_other[:, i].mean(), one.mean_error[i], other.mean_error[i]),
            "SD": (flat[:, i].std(ddof=1), flat_other[:, i].std(ddof=1), one.sd_error[i], other.sd_error[i]),
        }
        for test, (found, expected, *errors) in numbers.items():
            label = ", ".join(quantity)
            rows.append(row(f"{name}: nuts v exact", test, label, found=found, expected=expected, se=np.hypot(*errors)))
    return rows


def missing_rows(what, fitted, wanted):
    """Say as a row that fails that not one run in two passed the gate."""
    return [row(what, "runs", "runs that passed the gate", found=fitted, expected=wanted, se=1.0, p=0.0)]


def log_probability_of_pooled_rows(estimate, se, evidence, spec):
    """Log weight {draw} of estimates and SEs {draw, cell}: the print of the pooled rows, averaged over the weights.

    Written from what ``models/impact/pooled-rows.toml`` says, without ``hlt_bayes.likelihood``'s own probability.
    """
    stated = spec.pooled_rows
    rows = pooled_rows(evidence, spec, reported_results(evidence, spec))
    scale, total = np.sqrt(3) / np.pi, np.zeros(len(estimate))
    for i in range(rows.sizes["pooled_cell"]):
        printed = {name: rows[name][i].item() for name in rows.data_vars}
        a, b = printed["first"], printed["second"]
        seen = 0.0
        for node, node_weight in zip(NODES, NODE_WEIGHTS, strict=True):
            w = 1 / (1 + np.exp(-stated.weight.mean - stated.weight.sd * node))
            of_both = np.sqrt((w * se[:, a]) ** 2 + ((1 - w) * se[:, b]) ** 2)
            mean = w * estimate[:, a] + (1 - w) * estimate[:, b]
            noise = logistic(mean, scale * stated.estimate_discrepancy.value * of_both)
            inside = noise.cdf(printed["upper"]) - noise.cdf(printed["lower"])
            size = np.abs(np.clip(mean, printed["lower"], printed["upper"]))
            # |seen| / SE within the star's bounds: log SE has a logistic error.
            with np.errstate(divide="ignore"):
                least, most = (np.log(size / of_both / printed[bound]) for bound in ("z_upper", "z_lower"))
            spread = logistic(0, scale * stated.se_discrepancy.value)
            seen = seen + node_weight * inside * (spread.cdf(most) - spread.cdf(least))
        total += np.log(seen)
    return total


def rows_of_pooled_rows(nuts, exact, quantities, evidence):
    """Hold the model with pooled rows to the primary model weighed by them."""
    spec = load_impact_spec("pooled-rows")
    flat = exact.values.reshape(-1, len(quantities))
    cells = list(reported_results(evidence, spec)["cell"].to_numpy())
    estimate, se = (
        np.stack([flat[:, quantities.index((name, cell))] for cell in cells], axis=1) for name in ("estimate", "se")
    )
    log_weight = log_probability_of_pooled_rows(estimate, se, evidence, spec)
    weights = np.exp(log_weight - log_weight.max())
    found = [weighed(flat[:, i], weights, nuts.points[i]) for i in range(len(quantities))]
    mean, sd, shares = (
        {quantity: one[place] for quantity, one in zip(quantities, found, strict=True)} for place in range(3)
    )
    return rows_against("pooled-rows: nuts v weighed", nuts, quantities, mean, sd, shares)


def rows_of_trials(runs, reading, adjusted):
    """Hold the other trials' model to quadrature."""
    spec = load_meta_spec("ips")
    counts = included(load_ips_counts(), spec.trials.outcome_classes)
    table = counts[["events_t", "n_t", "events_c", "n_c"]].to_numpy()
    what = f"ips, {reading}{', adjusted' if adjusted else ''}: nuts v quadrature"
    rows = []
    for (name, asked), expected in posterior(Model(table, reading, adjusted)).items():
        draws = xr.Dataset({"x": (("chain", "draw"), np.concatenate([run[name] for run in runs]))})
        if isinstance(asked, float):
            draws, test, label, moment = (draws > asked).astype(float), "tail", f"P({name} > {asked})", "mean"
        else:
            test, label, moment = {"mean": "mean", "sd": "SD"}[asked], name, asked
        found = draws["x"].mean() if moment == "mean" else draws["x"].std(ddof=1)
        se = azs.mcse(draws, method=moment)["x"].item()
        rows.append(row(what, test, label, found=found.item(), expected=expected, se=se))
    return rows
