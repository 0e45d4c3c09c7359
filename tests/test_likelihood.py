"""What a printed cell says, against rejection sampling and direct integration."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from helpers import ROOT, edit, edited_spec
from quadrature import Printed, probability_of_print
from scipy.stats import norm

from hlt_bayes.core.errors import SpecError
from hlt_bayes.evidence import load_evidence
from hlt_bayes.likelihood import (
    STAR_BOUNDS,
    bounds_of,
    estimate_at,
    log_normal_density,
    log_se_bounds,
    recovered_se,
    reported_results,
    se_at,
)
from hlt_bayes.likelihood.bounds import _z
from hlt_bayes.likelihood.likelihood import TAIL_SDS
from hlt_bayes.specs import load_impact_spec


@pytest.fixture(scope="module")
def cells(evidence, primary):
    return reported_results(evidence, primary)


def test_stars_bound_at_the_printed_levels():
    assert STAR_BOUNDS["*"] == pytest.approx((1.645, 1.960), abs=5e-4)
    assert STAR_BOUNDS["**"] == pytest.approx((1.960, 2.576), abs=5e-4)
    assert STAR_BOUNDS[""] == (0.0, STAR_BOUNDS["*"][0])
    assert STAR_BOUNDS["***"] == (STAR_BOUNDS["**"][1], np.inf)


def test_design_ses_are_those_of_the_samples(cells):
    by_cell = cells["design_se"].to_series()
    assert by_cell["employment, SCR IW"] == pytest.approx(np.sqrt(0.78 * 0.22 / 1260 + 0.75 * 0.25 / 1259))
    assert by_cell["employment, WMCA"] == pytest.approx(np.sqrt(0.22 * 0.78 / 1837 + 0.18 * 0.82 / 1838))
    assert by_cell["earnings, SCR OOW"] == pytest.approx(6000 * np.sqrt(1 / 1799 + 1 / 1792))
    assert by_cell["health, WMCA"] == pytest.approx(np.sqrt(1 / 754 + 1 / 664))
    assert by_cell["wellbeing, SCR IW"] == pytest.approx(np.sqrt(1 / 640 + 1 / 541))
    assert list(cells["cell"].to_numpy()[:3]) == ["employment, SCR IW", "employment, SCR OOW", "employment, WMCA"]


def test_the_misspelt_group_of_a_spec_is_named(evidence, tmp_path):
    path = edited_spec(tmp_path, "primary", "impact", ('earnings.sd."SCR IW"', 'earnings.sd."SCR IV"'))
    with pytest.raises(SpecError, match=r"earnings\.sd': group 'SCR IV' is unknown.*did you mean 'SCR IW'"):
        reported_results(evidence, load_impact_spec(path))
    edit(path, 'earnings.sd."SCR IV"', 'earnings.sd."Elsewhere"')
    with pytest.raises(SpecError, match=r"group 'Elsewhere' is unknown"):
        reported_results(evidence, load_impact_spec(path))


def test_an_sd_neither_printed_nor_assumed_is_asked_for(evidence, primary):
    design = primary.standard_error.design["earnings"]
    known = {group: figure for group, figure in design.sd.items() if group != "WMCA"}
    error = primary.standard_error.model_copy(
        update={"design": primary.standard_error.design | {"earnings": design.model_copy(update={"sd": known})}}
    )
    with pytest.raises(SpecError, match=r"'standard_error\.design\.earnings\.sd\.WMCA' is missing"):
        reported_results(evidence, primary.model_copy(update={"standard_error": error}))


def test_where_no_rate_is_known_the_se_is_wide_open(evidence, primary):
    design = primary.standard_error.design["employment"].model_copy(update={"rates": {}})
    error = primary.standard_error.model_copy(update={"design": primary.standard_error.design | {"employment": design}})
    cell = reported_results(evidence, primary.model_copy(update={"standard_error": error})).sel(
        cell="employment, SCR IW"
    )
    share = np.random.default_rng(1).uniform(size=1_000_000)
    log_sd = 0.5 * np.log(share * (1 - share))
    per_person = np.sqrt(1 / 1260 + 1 / 1259)
    assert cell["design_se"].item() == pytest.approx(np.exp(log_sd.mean()) * per_person, rel=2e-3)
    assert cell["log_se_sd"].item() == pytest.approx(np.hypot(log_sd.std(), 0.2), abs=2e-3)


def rejected(cell, *, stars=True, size=500_000, seed=1):
    """SEs drawn from their prior, kept where the stars allow them: the definition, not the algorithm."""
    rng = np.random.default_rng(seed)
    estimate = cell["estimate"].item() + cell["half_unit"].item() * rng.uniform(-1, 1, size)
    se = np.exp(rng.normal(cell["log_se_mean"].item(), cell["log_se_sd"].item(), size))
    z = np.abs(estimate) / se
    kept = (z > cell["z_lower"].item()) & (z < cell["z_upper"].item()) if stars else np.full(size, fill_value=True)
    return se[kept]


def off(recovered, draws):
    """Largest departure of recovered mean and quantiles from draws, in Monte Carlo standard errors."""
    errors = [abs(recovered["mean"].item() - draws.mean()) / (draws.std() / np.sqrt(draws.size))]
    for p, value in zip(recovered["probability"].to_numpy(), recovered["quantile"].to_numpy(), strict=True):
        errors.append(abs((draws < value).mean() - p) / np.sqrt(p * (1 - p) / draws.size))
    return max(errors)


def test_recovered_ses_are_those_of_rejection_sampling(cells):
    recovered = recovered_se(cells, [0.055, 0.5, 0.945]).sel(quantity="se")
    for name in cells["cell"].to_numpy():
        draws = rejected(cells.sel(cell=name))
        assert draws.size > 1000
        assert off(recovered.sel(cell=name), draws) < 4, name


def test_recovery_that_ignores_the_stars_is_found_out(cells):
    recovered = recovered_se(cells, [0.055, 0.5, 0.945]).sel(quantity="se")
    told = 0
    for name in cells["cell"].to_numpy():
        cell = cells.sel(cell=name)
        # Where a printed estimate is far from any bound, its stars exclude next to nothing.
        if rejected(cell).size < 0.9 * rejected(cell, stars=False).size:
            told += 1
            assert off(recovered.sel(cell=name), rejected(cell, stars=False)) > 20, name
    assert told >= 8


def integral(cell, impact, *, jacobian=True):
    """The model's density of one cell summed over both positions: the probability of its published values."""
    across, along = np.meshgrid((np.arange(400) + 0.5) / 400, (np.arange(4000) + 0.5) / 4000, indexing="ij")
    bounds = bounds_of(cell)
    estimate = estimate_at(across, bounds)
    se, log_prior = se_at(along, estimate, bounds, np)
    if not jacobian:
        lower, upper = log_se_bounds(estimate, bounds, np)
        log_prior = log_prior - np.log(upper - lower)
    log_density = log_prior + log_normal_density(estimate, impact, se, np)
    return np.exp(log_density).mean() * 2 * cell["half_unit"].item()


def by_hand(cell, impact):
    stars = next(mark for mark, bounds in STAR_BOUNDS.items() if bounds[0] == cell["z_lower"].item())
    printed = Printed(
        (cell["estimate"].item(),), cell["half_unit"].item(), (stars,), (cell["design_se"].item(),), mu_sd=1, tau_sd=1
    )
    return float(probability_of_print(printed, 0, np.array([impact]))[0])


def test_the_density_over_the_positions_is_the_probability_of_the_print(cells):
    for name in cells["cell"].to_numpy():
        cell = cells.sel(cell=name)
        for impact in (0.0, 0.7 * cell["estimate"].item(), 1.5 * cell["estimate"].item()):
            assert integral(cell, impact) == pytest.approx(by_hand(cell, impact), rel=0.01), name


def test_a_density_without_its_jacobian_is_found_out(cells):
    cell = cells.sel(cell="health, WMCA")
    assert integral(cell, 0.05, jacobian=False) != pytest.approx(by_hand(cell, 0.05), rel=0.3)


def test_numpy_and_pytensor_say_the_same(cells):
    rng = np.random.default_rng(3)
    u, w = rng.uniform(size=(2, cells.sizes["cell"]))
    bounds = bounds_of(cells)
    position, se_position = pt.vector("position"), pt.vector("se_position")
    shared = {name: pytensor.shared(values) for name, values in bounds.items()}
    estimate = estimate_at(position, shared)
    outputs = [estimate, *se_at(se_position, estimate, shared, pt), *log_se_bounds(estimate, shared, pt)]
    compiled = pytensor.function([position, se_position], outputs, mode="FAST_COMPILE")
    estimate = estimate_at(u, bounds)
    expected = [estimate, *se_at(w, estimate, bounds, np), *log_se_bounds(estimate, bounds, np)]
    for ours, theirs in zip(compiled(u, w), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_prior_is_cut_where_it_holds_nothing():
    assert norm.cdf(-TAIL_SDS) < 1e-22
    assert TAIL_SDS == 10
    assert "(ten of its SDs beyond" in (ROOT / "models/README.md").read_text(encoding="utf-8")


def test_the_misprint_as_printed_asks_for_an_se_that_cannot_be(primary):
    cells = reported_results(load_evidence(as_printed=True), primary)
    recovered = recovered_se(cells, [0.5]).sel(cell="wellbeing, WMCA", probability=0.5, quantity="se")
    assert recovered["quantile"].item() > 8 * cells["design_se"].sel(cell="wellbeing, WMCA").item()
    assert np.isfinite(recovered["mean"].item())


def test_a_spec_that_contradicts_the_print_is_refused_with_its_key(evidence, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """based_on = "primary"
name = "mine"
title = "Mine"

[standard_error.design.earnings.sd."SCR IW"]
value = 1e-6
unit = "GBP in the 12 months"
why = "a slip"
source = "assumption"
""",
        encoding="utf-8",
    )
    with pytest.raises(
        SpecError, match=r"key 'standard_error': it implies an SE near .* earnings of SCR IW, .* check its assumed SDs"
    ):
        reported_results(evidence, load_impact_spec(path))


def test_small_p_values_bound_an_se_to_every_digit():
    for p in (0.05, 1e-6, 1e-20, 1e-200):
        assert _z(p) == pytest.approx(norm.isf(p / 2), rel=1e-9)
