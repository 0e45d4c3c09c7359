"""Recovered standard errors cover the true ones; what pooled rows add is what they print."""

import numpy as np
import pytest
import xarray as xr
from helpers import fill_block

import hlt_bayes.likelihood.recovery as recovery
from hlt_bayes.evidence import evidence_of_rows
from hlt_bayes.inference.fit import fit
from hlt_bayes.likelihood import (
    pooled_row_log_probability,
    pooled_rows,
    recovered_se,
    recovered_with_pooled_rows,
    row_arrays,
)
from hlt_bayes.likelihood.likelihood import STAR_BOUNDS
from hlt_bayes.likelihood.prepare import reported_results
from hlt_bayes.specs import load_impact_spec

CELLS, BATCH = 2000, 500
PROBABILITIES = (0.055, 0.5, 0.945)


def simulated(*, impact_sds, seed, log_ratio=(0.05, 0.2)):
    """Trials with known SEs, as a report would print them: two decimals and stars."""
    rng = np.random.default_rng(seed)
    people = rng.integers(100, 2000, size=(CELLS, 2))
    design = np.sqrt((1 / people).sum(axis=1))
    se = design * np.exp(rng.normal(*log_ratio, CELLS))
    estimate = rng.normal(rng.normal(0.0, impact_sds * design), se)
    z = np.abs(estimate) / se
    stars = np.select([z > 2.5758, z > 1.9600, z > 1.6449], ["***", "**", "*"], "none")
    rows = [
        {
            "outcome": "health",
            "group": f"G{i}",
            "estimate": f"{estimate[i]:.2f}".replace("-0.00", "0.00"),
            "unit": "SD",
            "stars": stars[i],
            "n_treatment": f"{people[i, 0]}",
            "n_control": f"{people[i, 1]}",
        }
        for i in range(CELLS)
    ]
    return rows, se, design, stars


def recovered(rows, spec, *, change=lambda cells: cells):
    """Quantiles {cell, probability} of the recovered SEs, after what a twin changes in the bounds."""
    parts = [
        change(reported_results(evidence_of_rows(rows[i : i + BATCH], name="simulated"), spec))
        for i in range(0, CELLS, BATCH)
    ]
    found = xr.concat([recovered_se(part, PROBABILITIES) for part in parts], dim="cell")
    return found["quantile"].sel(quantity="se").to_numpy()


@pytest.fixture
def coarse(monkeypatch):
    """A grid that gives the quantiles of an SE to a part in a thousand, in a tenth of the time."""
    monkeypatch.setattr(recovery, "ACROSS", 24)
    monkeypatch.setattr(recovery, "ALONG", 600)


@pytest.mark.deep
@pytest.mark.parametrize("impact_sds", [3.0, 1.0], ids=["wide impacts", "impacts of the size of an SE"])
@pytest.mark.usefixtures("coarse")
def test_89_per_cent_intervals_cover_89_per_cent_of_true_ses(primary, impact_sds, request):
    rows, se, design, stars = simulated(impact_sds=impact_sds, seed=20230420)
    quantiles = recovered(rows, primary)
    inside = (quantiles[:, 0] < se) & (se < quantiles[:, 2])
    assert 0.87 < inside.mean() < 0.91
    # With sample sizes alone the interval is that of the prior of log(SE / design SE).
    alone = design * (np.exp(0.05 + 0.2 * 1.59819) - np.exp(0.05 - 0.2 * 1.59819))
    narrower = 1 - (quantiles[:, 2] - quantiles[:, 0]) / alone
    assert narrower.mean() > 0.1
    if impact_sds == 1.0:
        by_mark = [
            f"{np.mean(stars == mark):.0%} {words}: {narrower[stars == mark].mean():.0%} narrower"
            for mark, words in (("none", "no star"), ("*", "one"), ("**", "two"), ("***", "three"))
        ]
        other_rows, other_se, _, _ = simulated(impact_sds=1.0, seed=20230420, log_ratio=(0.3, 0.1))
        other = recovered(other_rows, primary)
        elsewhere = np.mean((other[:, 0] < other_se) & (other_se < other[:, 2]))
        text = (
            f"Over {CELLS:,} simulated trials with known standard errors, published to two decimals with stars, the "
            f"89% intervals of the recovered standard errors cover {inside.mean():.1%} of the true ones, and are "
            f"{narrower.mean():.0%} narrower on average than with sample sizes alone ({'; '.join(by_mark)}). "
            "The true standard errors are drawn from the spec's prior for their ratio to those implied by the sample "
            "sizes; were they all about a third larger (log ratio 0.3, SD 0.1), the intervals would cover "
            f"{elsewhere:.0%}.\n"
        )
        fill_block("recovery", text, write=request.config.getoption("--golden"))


def stars_of_the_next_level(cells):
    marks = list(STAR_BOUNDS.values())[:4]
    following = [marks[min(1 + [low for low, _ in marks].index(low), 3)] for low in cells["z_lower"].to_numpy()]
    lower, upper = zip(*following, strict=True)
    return cells.assign(z_lower=("cell", np.array(lower)), z_upper=("cell", np.array(upper)))


WRONG = {
    "stars of the next level": stars_of_the_next_level,
    "SE of half the people": lambda cells: cells.assign(log_se_mean=cells["log_se_mean"] + 0.5 * np.log(2)),
    "cut-off for the interval": lambda cells: cells.assign(
        z_upper=cells["z_upper"].where(cells["z_lower"] == 0, 1.01 * cells["z_lower"])
    ),
}


@pytest.mark.deep
@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_recovery_does_not_cover(primary, fault):
    rows, se, _, stars = simulated(impact_sds=3.0, seed=20230420)
    quantiles = recovered(rows, primary, change=WRONG[fault])
    inside = (quantiles[:, 0] < se) & (se < quantiles[:, 2])
    # A cut-off in place of an interval harms starred cells alone.
    assert inside[stars != "none" if fault.startswith("cut-off") else slice(None)].mean() < 0.75


def accepted(cells, rows, spec, *, seed, stars=None):
    """SEs of the parts by trying: draw all that is not printed, keep what prints all three parts and both rows."""
    rng = np.random.default_rng(seed)
    size, kept = 4_000_000, []
    for name in cells["cell"].to_numpy():
        cell = cells.sel(cell=name)
        x = rng.uniform(cell["lower"].item(), cell["upper"].item(), size)
        s = np.exp(rng.normal(cell["log_se_mean"].item(), cell["log_se_sd"].item(), size))
        z = np.abs(x) / s
        good = (z > cell["z_lower"].item()) & (z < cell["z_upper"].item())
        kept.append((x[good], s[good]))
    size = min(len(x) for x, _ in kept)
    x, s = (np.array([part[i][:size] for part in kept]) for i in (0, 1))
    agree = np.ones(size, dtype=bool)
    stated = spec.pooled_rows
    scale = np.sqrt(3) / np.pi
    for i in range(rows.sizes["pooled_cell"]):
        row = rows.isel(pooled_cell=i)
        a, b = int(row["first"]), int(row["second"])
        w = 1 / (1 + np.exp(-rng.normal(stated.weight.mean, stated.weight.sd, size)))
        pooled_se = np.sqrt((w * s[a]) ** 2 + ((1 - w) * s[b]) ** 2)
        mean = w * x[a] + (1 - w) * x[b]
        noisy = mean + rng.logistic(0, scale * stated.estimate_discrepancy.value, size) * pooled_se
        log_se = np.log(pooled_se) + rng.logistic(0, scale * stated.se_discrepancy.value, size)
        seen = np.clip(mean, row["lower"].item(), row["upper"].item())
        z = np.abs(seen) / np.exp(log_se)
        bounds = (row["z_lower"].item(), row["z_upper"].item()) if stars is None else STAR_BOUNDS[stars]
        agree &= (noisy > row["lower"].item()) & (noisy < row["upper"].item()) & (z > bounds[0]) & (z < bounds[1])
    return s[:, agree]


@pytest.fixture(scope="module")
def with_rows():
    return load_impact_spec("pooled-rows")


def health(evidence, spec):
    cells = reported_results(evidence, spec)
    part = cells.isel(cell=np.flatnonzero(cells["outcome"].to_numpy() == "health"))
    return part, pooled_rows(evidence, spec, part)


def departures(result, draws, part):
    worth = result["effective_draws"].sel(outcome_name="health").item()
    found = []
    for i, name in enumerate(part["cell"].to_numpy()):
        for p in PROBABILITIES:
            value = result["quantile"].sel(cell=name, quantity="se", probability=p).item()
            error = np.sqrt(p * (1 - p) * (1 / draws.shape[1] + 1 / worth))
            found.append(abs((draws[i] < value).mean() - p) / error)
    return max(found)


@pytest.mark.ci
def test_what_pooled_rows_add_is_what_trying_finds(evidence, with_rows):
    part, rows = health(evidence, with_rows)
    result = recovered_with_pooled_rows(evidence, with_rows, PROBABILITIES, seed=1)
    draws = accepted(part, rows, with_rows, seed=2)
    assert draws.shape[1] > 5000
    assert departures(result, draws, part) < 5
    assert departures(result, accepted(part, rows, with_rows, seed=2, stars="**"), part) > 10


@pytest.mark.ci
def test_pooled_stars_narrow_the_ses_of_their_parts(evidence, with_rows, request):
    result = recovered_with_pooled_rows(evidence, with_rows, PROBABILITIES, seed=1)["quantile"]
    alone = recovered_se(reported_results(evidence, with_rows), PROBABILITIES)["quantile"]
    lines = ["| Cell | SE without the pooled rows (89%) | with them (89%) |", "| --- | --- | --- |"]
    for name in alone["cell"].to_numpy():
        if name.startswith(("health", "wellbeing")):
            texts = [
                f"{q[1]:.4f} ({q[0]:.4f} to {q[2]:.4f})"
                for q in (found.sel(cell=name, quantity="se").to_numpy() for found in (alone, result))
            ]
            lines.append(f"| {name} | {texts[0]} | {texts[1]} |")
    fill_block("pooled-rows", "\n".join([*lines, ""]), write=request.config.getoption("--golden"))
    before, after = (found.sel(cell="health, SCR OOW", quantity="se").to_numpy() for found in (alone, result))
    assert after[1] < before[1]
    assert after[2] < before[2]


@pytest.mark.deep
def test_the_model_with_pooled_rows_is_the_primary_one_weighed_by_them(fitted, evidence, with_rows):
    posterior = fitted["posterior"].dataset
    cells = reported_results(evidence, with_rows)
    rows = pooled_rows(evidence, with_rows, cells)
    estimate, se = (
        posterior[name].stack(sample=("chain", "draw")).transpose("sample", "cell").to_numpy()
        for name in ("estimate", "se")
    )
    # Each draw weighed at many weights of the first part: the average over their prior.
    rng = np.random.default_rng(3)
    logit = rng.normal(0.0, 0.5, size=(200, len(estimate), rows.sizes["pooled_cell"]))
    terms = [
        pooled_row_log_probability(estimate, se, 1 / (1 + np.exp(-one)), rows=row_arrays(rows), spec=with_rows, xp=np)
        for one in logit
    ]
    log_weights = np.log(np.exp(np.stack(terms)).mean(axis=0)).sum(axis=-1)
    weights = np.exp(log_weights - log_weights.max())
    worth = weights.sum() ** 2 / (weights**2).sum()
    ours = (
        fit(with_rows, evidence)["posterior"]["se"]
        .stack(sample=("chain", "draw"))
        .transpose("cell", "sample")
        .to_numpy()
    )
    for i, name in enumerate(cells["cell"].to_numpy()):
        mean = np.average(se[:, i], weights=weights)
        # Draws of one chain resemble each other: a third of them is a cautious count.
        error = se[:, i].std() * np.sqrt(1 / (worth / 3) + 1 / (ours.shape[1] / 3))
        assert abs(ours[i].mean() - mean) < 4 * error, name
