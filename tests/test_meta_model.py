"""The spec, the model as built, and the tables and figures of the trials; no sampling."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import edit
from matplotlib.collections import LineCollection
from scipy.stats import halfnorm, norm

from hlt_bayes.core.errors import EvidenceError, SpecError
from hlt_bayes.display.plots import plot_funnel, plot_trials
from hlt_bayes.evidence.ips_trials import load_ips_counts, load_ips_trials
from hlt_bayes.meta import (
    compare_methods,
    effect_sizes,
    load_meta_spec,
    pooled_effects,
    size_covariate,
    trials_model,
)
from hlt_bayes.specs import models_folder


@pytest.fixture(scope="module")
def fitted(ips_counts):
    """What a fit looks like, drawn elsewhere."""
    rng = np.random.default_rng(1)
    shape = ("chain", "draw")
    mu, tau = rng.normal(0.4, 0.2, (2, 500)), abs(rng.normal(0, 0.4, (2, 500)))
    posterior = xr.Dataset(
        {"mu": (shape, mu), "tau": (shape, tau), "theta_new": (shape, mu + tau * rng.normal(size=mu.shape))},
        coords={"trial": list(ips_counts.index)},
        attrs={"source": "trials", "reading": "odds ratio", "adjusted_for_size": "by 1 / n", "contains_hlt": "no"},
    )
    return xr.DataTree.from_dict({"posterior": posterior})


def test_the_figures_in_the_reasons_of_the_spec(ips_spec, ips_counts):
    priors = ips_spec.priors
    assert round(np.exp(2 * priors.mu.sd), 1) == 7.4
    assert round(halfnorm.ppf(0.5, scale=priors.tau.sd), 2) == 0.34
    assert round(np.exp(2 * 1.96)) == 50
    logit = norm(priors.control_logit.mean, priors.control_logit.sd).ppf([0.025, 0.975])
    np.testing.assert_array_equal(np.round(100 / (1 + np.exp(-logit))), [2, 87])
    arms = ips_counts[["n_t", "n_c"]].to_numpy()
    assert np.quantile(arms, 0.4) < ips_spec.reference_size.value < np.quantile(arms, 0.6)


def test_a_health_led_trial_is_as_good_as_infinite(ips_spec):
    groups = pd.DataFrame({"n_t": [1260, 1799, 1837], "n_c": [1259, 1792, 1838]})
    assert size_covariate(groups, ips_spec).max() < 0.05
    assert size_covariate(pd.DataFrame({"n_t": [50], "n_c": [50]}), ips_spec).item() == pytest.approx(1.0)


def test_an_unknown_spec_and_an_unknown_key_are_named(tmp_path):
    with pytest.raises(SpecError, match="meta spec 'isp' is unknown; allowed: 'ips'; did you mean 'ips'"):
        load_meta_spec("isp")
    path = tmp_path / "mine.toml"
    path.write_bytes((models_folder() / "meta/ips.toml").read_bytes())
    edit(path, "weight = 0.2", "weight = 1.2")
    edit(path, '"steady employment"]', '"steady job"]')
    edit(path, "[reference_size]\nvalue", "[reference_size]\namount")
    with pytest.raises(SpecError) as error:
        load_meta_spec(path)
    for said in (
        "'wide.weight': 1.2 given",
        "'steady job' is unknown",
        "'amount' is unknown",
        "'reference_size.value'",
    ):
        assert said in str(error.value)


def test_the_model_is_the_golden_one(golden, ips_counts, ips_spec):
    texts = []
    for reading in ("odds ratio", "risk ratio"):
        model = trials_model(ips_counts, ips_spec, reading=reading, adjust_for_size=True)
        texts.append(f"{reading}\n{model.str_repr()}\n")
    golden("model_ips.txt", "\n".join(texts))


@pytest.mark.parametrize("reading", ["odds ratio", "risk ratio"])
def test_the_likelihood_is_binomial_in_each_arm(ips_counts, ips_spec, reading):
    from scipy.stats import binom

    model = trials_model(ips_counts, ips_spec, reading=reading, adjust_for_size=False)
    point = model.initial_point()
    point |= {"mu": np.array(0.3), "z": np.linspace(-0.5, 0.5, 12), "control_logit": np.linspace(-2, 0, 12)}
    found = dict(
        zip(("c", "t"), model.compile_logp(vars=model.observed_RVs, sum=False, mode="FAST_COMPILE")(point), strict=True)
    )
    control = 1 / (1 + np.exp(-point["control_logit"]))
    theta = 0.3 + np.exp(point["tau_log__"]) * point["z"]
    odds = control / (1 - control) * np.exp(theta)
    treated = odds / (1 + odds) if reading == "odds ratio" else control * np.exp(theta)
    for arm, rate in (("c", control), ("t", treated)):
        expected = binom.logpmf(ips_counts[f"events_{arm}"], ips_counts[f"n_{arm}"], rate)
        np.testing.assert_allclose(found[arm], expected, rtol=1e-6)


def test_an_unknown_reading_and_counts_that_cannot_be_are_refused(ips_counts, ips_spec):
    with pytest.raises(EvidenceError, match="reading 'odds' is unknown; allowed: 'odds ratio', 'risk ratio'"):
        trials_model(ips_counts, ips_spec, reading="odds", adjust_for_size=True)
    wrong = ips_counts.assign(events_t=ips_counts["n_t"] + 1)
    with pytest.raises(EvidenceError, match="trial 'davis2012': 43 of 42 given"):
        trials_model(wrong, ips_spec, reading="odds ratio", adjust_for_size=True)


def test_methods_stand_beside_what_is_published(ips_counts, fitted):
    table = compare_methods(ips_counts, {"Bayes": fitted}, known=load_ips_counts(), printed=load_ips_trials())
    rows = table.set_index("method")
    assert table["method"].head(9).tolist() == [
        *("DL", "DL-HK", "REML", "REML-HK", "PET", "PEESE"),
        *("DL, below 100", "DL, 100 to 1,000", "DL, above 1,000"),
    ]
    np.testing.assert_allclose(
        rows.loc["REML-HK", ["estimate", "lower", "upper"]].astype(float), [2.81, 1.66, 4.76], atol=0.005
    )
    draws = fitted["posterior"]["mu"]
    assert rows.loc["Bayes", "estimate"] == pytest.approx(np.exp(draws.median().item()))
    assert rows.loc["Bayes", "upper"] == pytest.approx(np.exp(np.quantile(draws, 0.975)))
    published = table[table["method"].str.startswith("published")]
    assert published["estimate"].tolist() == [1.78, 1.32, 1.70, 1.63]
    assert published["measure"].tolist() == ["odds ratio", "odds ratio", "risk ratio", "risk ratio"]
    assert published["upper"].tolist() == [2.22, 1.46, 2.34, 1.82]
    assert (published["note"] != "").all()
    assert table.loc[table["trials"] == 5, "note"].tolist()[-1].startswith("five of the seven")


def segments(axis):
    lines = (lines for lines in axis.collections if isinstance(lines, LineCollection))
    return [np.array([segment[:, 0] for segment in line.get_segments() if len(segment)]) for line in lines]


def test_the_forest_shows_the_largest_trial_at_the_bottom_and_pooled_intervals(ips_counts):
    effects = effect_sizes(ips_counts)
    pooled = pooled_effects(effects)
    (axis,) = plot_trials(effects, pooled).axes
    labels = [label.get_text() for label in axis.get_yticklabels()]
    assert (labels[0], labels[11], labels[12]) == ("lones2017 (n = 45)", "davis2018 (n = 541)", "DL")
    trials, predicted, intervals = segments(axis)
    by_size = effects.sort_values("people")
    np.testing.assert_allclose(trials[:, 1], by_size["effect"] + 1.959964 * by_size["se"], rtol=1e-6)
    np.testing.assert_allclose(predicted, pooled[["predicted_lower", "predicted_upper"]])
    np.testing.assert_allclose(intervals, pooled[["lower", "upper"]])
    np.testing.assert_allclose(axis.lines[1].get_xdata(), by_size["effect"])
    ticks = dict(zip([label.get_text() for label in axis.get_xticklabels()], axis.get_xticks(), strict=True))
    assert ticks["4"] == pytest.approx(np.log(4))


def test_the_funnel_shows_effects_against_their_errors(ips_counts):
    effects = effect_sizes(ips_counts)
    (axis,) = plot_funnel(effects, 1.0).axes
    trials = next(line for line in axis.lines if line.get_label() == "trial")
    np.testing.assert_allclose(np.transpose(trials.get_data()), effects[["effect", "se"]])
    shade = axis.patches[0].get_xy()
    np.testing.assert_allclose(shade[1:3, 0] / shade[1:3, 1], [-1.6448536, -1.959964], rtol=1e-6)
    assert axis.get_ylim()[0] > axis.get_ylim()[1] == 0


def test_a_figure_of_risk_differences_is_refused(ips_counts):
    effects = effect_sizes(ips_counts, measure="risk difference")
    with pytest.raises(EvidenceError, match="'risk difference' given; must be 'log odds ratio' or"):
        plot_funnel(effects, 0.1)
