"""Frequentist pooling against metafor (R 3.8.1 of the package), on the 13 BCG trials of Colditz et al 1994.

tests/reference/bcg.csv is metafor's ``dat.bcg``. In R:

    library(metafor); options(digits=10)
    dat <- escalc(measure="RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg)
    for (m in c("DL","REML")) for (t in c("z","knha")) {
      r <- rma(yi, vi, data=dat, method=m, test=t, control=list(threshold=1e-12)); p <- predict(r, pi.type="riley")
      print(c(r$b, r$se, r$ci.lb, r$ci.ub, r$tau2, p$pi.lb, p$pi.ub)) }
"""

import sys

import numpy as np
import pandas as pd
import pytest
from helpers import REFERENCE

from hlt_bayes.core.errors import EvidenceError, HltBayesError
from hlt_bayes.evidence.ips_trials import load_ips_counts
from hlt_bayes.meta import effect_sizes, included, leave_one_out, pet_peese, pooled_by_size, pooled_effects
from hlt_bayes.meta.effects import ZERO_CORRECTION, library

POOLED = ["mean", "se", "lower", "upper", "tau2", "predicted_lower", "predicted_upper"]
BCG = {
    "DL": [-0.7141172221, 0.1787420895, -1.064445280, -0.3637891641, 0.3087602629, -1.998838496, 0.5706040516],
    "DL-HK": [-0.7141172221, 0.1806966283, -1.107821354, -0.3204130900, 0.3087602629, -2.000162352, 0.5719279077],
    "REML": [-0.7145323422, 0.1797815161, -1.066897639, -0.3621670455, 0.3132432581, -2.008375907, 0.5793112226],
    "REML-HK": [-0.7145323422, 0.1807917441, -1.108443714, -0.3206209706, 0.3132432581, -2.009057650, 0.5799929661],
}
# REML: tau^2 is found by a search, in PyMARE to about 2e-7.
CLOSE = 1e-6


@pytest.fixture(scope="module")
def bcg():
    return effect_sizes(pd.read_csv(REFERENCE / "bcg.csv").set_index("trial"), measure="log risk ratio")


@pytest.fixture(scope="module")
def ips():
    counts = load_ips_counts()
    return effect_sizes(included(counts, counts["outcome_class"].unique()))


@pytest.mark.parametrize("method", BCG)
def test_pooled_effects_are_those_of_metafor(bcg, method):
    row = pooled_effects(bcg).loc[method]
    np.testing.assert_allclose(row[POOLED].astype(float), BCG[method], rtol=CLOSE)
    # r$QE, r$QEp and, of DL, r$I2 / 100
    np.testing.assert_allclose([row["q"], row["q_p"], row["i2"]], [152.2330081, 1.996764591e-26, 0.9211734685])
    assert row["trials"] == 13


def test_a_wrong_input_departs_from_metafor(bcg):
    variance_for_se = bcg.assign(se=bcg["se"] ** 2)
    assert abs(pooled_effects(variance_for_se).loc["REML", "mean"] / BCG["REML"][0] - 1) > 0.01
    assert pooled_effects(bcg.assign(effect=-bcg["effect"])).loc["REML", "mean"] > 0.7


def test_leave_one_out_is_that_of_metafor(bcg):
    # l <- leave1out(rma(yi, vi, data=dat, method="REML", control=list(threshold=1e-12))); l$estimate; l$se; l$tau2
    table = leave_one_out(bcg, method="REML")
    estimate = [-0.7070837847, -0.6540312003, -0.6855544108, -0.6284093698, -0.7641700951, -0.7108765556, -0.6552475998]
    estimate += [-0.7947676045, -0.7411972993, -0.6530329153, -0.7578586267, -0.7598120993, -0.7775361849]
    se = [0.1899610145, 0.1806953862, 0.1857061967, 0.1766188918, 0.1917876447, 0.2002540484, 0.1804733692]
    se += [0.1798776860, 0.1966749177, 0.1842674879, 0.1957868661, 0.1820909819, 0.1855359774]
    tau2 = [0.3361567018, 0.2925830840, 0.3207379296, 0.2627581481, 0.3278032604, 0.3595540704, 0.2930258698]
    tau2 += [0.2731829294, 0.3494520098, 0.2987245046, 0.3404882878, 0.3081622148, 0.3037333664]
    np.testing.assert_allclose(table["mean"], estimate, rtol=CLOSE)
    np.testing.assert_allclose(table["se"], se, rtol=CLOSE)
    np.testing.assert_allclose(table["tau2"], tau2, rtol=CLOSE)
    assert table.index[7] == "TPT Madras 1980"


def test_dersimonian_laird_is_cut_at_zero_where_trials_agree():
    # In R: d <- escalc(measure="OR", ai=c(10,12,30), n1i=c(50,60,140), ci=c(7,8,21), n2i=c(50,61,139))
    # for (t in c("z","knha")) { r <- rma(yi, vi, data=d, method="DL", test=t); c(r$b, r$se, r$ci.lb, r$ci.ub, r$tau2) }
    alike = {"events_t": [10, 12, 30], "n_t": [50, 60, 140], "events_c": [7, 8, 21], "n_c": [50, 61, 139]}
    table = pooled_effects(effect_sizes(pd.DataFrame(alike)))
    for family in ("DL", "REML"):
        wald, hk = (table.loc[name, POOLED[:5]].astype(float) for name in (family, f"{family}-HK"))
        np.testing.assert_allclose(wald, [0.44506817253, 0.23824904493, -0.02189137489, 0.91202771994, 0], atol=1e-10)
        np.testing.assert_allclose(hk, [0.44506817253, 0.02292205550, 0.34644252787, 0.54369381718, 0], atol=1e-10)
    assert (table["i2"] == 0).all()


@pytest.mark.parametrize(
    ("measure", "effect", "variance"),
    [
        ("log odds ratio", [-2.0485643031, 0.5045560108], [2.3885488276, 0.2480345912]),
        ("log risk ratio", [-1.8993901334, 0.4219944101], [2.192640693, 0.175273224]),
        ("risk difference", [-0.13528138528, 0.06885245902], [0.007187746093, 0.004534664429]),
    ],
)
def test_effects_are_those_of_metafor_with_the_correction_only_where_a_cell_is_zero(measure, effect, variance):
    # In R: escalc(measure="OR" | "RR" | "RD", ai=c(0,12), n1i=c(20,60), ci=c(3,8), n2i=c(21,61))
    trials = pd.DataFrame({"events_t": [0, 12], "n_t": [20, 60], "events_c": [3, 8], "n_c": [21, 61]})
    effects = effect_sizes(trials, measure=measure)
    np.testing.assert_allclose(effects["effect"], effect, rtol=1e-9)
    np.testing.assert_allclose(effects["se"] ** 2, variance, rtol=1e-9)
    assert (ZERO_CORRECTION, effects["corrected"].tolist()) == (0.5, [True, False])
    assert effects.attrs["measure"] == measure


def test_pet_and_peese_are_those_of_lm(bcg, ips):
    # for (x in c("sqrt(vi)","vi")) { m <- lm(paste("yi ~", x), weights=1/vi, data=dat)
    #   c(coef(summary(m))[,1:2], confint(m)[1,], coef(summary(m))[2,4]) }
    columns = ["mean", "slope", "se", "slope_se", "lower", "upper", "slope_p"]
    expected = {
        "PET": [-0.1909286424, -2.1120421209, 0.2200849495, 1.5072213284, -0.6753323503, 0.2934750656, 0.1887069951],
        "PEESE": [-0.3799535064, -2.3605576077, 0.1572552917, 2.7550410055, -0.7260700698, -0.0338369430, 0.4098258121],
    }
    for method, values in expected.items():
        np.testing.assert_allclose(pet_peese(bcg).loc[method, columns].astype(float), values, rtol=1e-7)
    # the same of the twelve trials of IPS, d of ips_counts.csv with include == "yes", log odds ratios
    np.testing.assert_allclose(pet_peese(ips).loc["PET", ["mean", "slope"]], [-0.0516776890, 2.4741433452], rtol=1e-7)
    np.testing.assert_allclose(pet_peese(ips).loc["PEESE", ["mean", "slope"]], [0.4234413084, 2.4379675432], rtol=1e-7)


def test_the_trials_of_ips_pool_as_in_metafor(ips):
    # rma(yi, vi, data=d, method="REML", test="knha", control=list(threshold=1e-12)); predict(r, pi.type="riley")
    expected = [1.0335657891, 0.2396567223, 0.5060848996, 1.5610466785, 0.3328091837, -0.3583426332, 2.4254742113]
    np.testing.assert_allclose(pooled_effects(ips).loc["REML-HK", POOLED].astype(float), expected, rtol=CLOSE)


def test_small_trials_show_what_the_briefing_printed_of_them(ips):
    # The briefing: trials below 100 people 5.03 (2.50 to 10.14). Ours are not all of the same trials.
    table = pooled_by_size(ips)
    assert table["trials"].tolist() == [7, 5, 0]
    small = np.exp(table.loc["below 100", ["mean", "lower", "upper"]].astype(float))
    np.testing.assert_allclose(small, [4.86, 2.42, 9.76], atol=0.005)
    medium = np.exp(table.loc["100 to 1,000", ["mean", "lower", "upper"]].astype(float))
    np.testing.assert_allclose(medium, [1.77, 1.31, 2.39], atol=0.005)
    assert table.loc["above 1,000"].drop("trials").isna().all()


def test_pooled_figures_that_trials_are_missing_for_are_near_but_not_forced():
    # Fadyl et al 2020: RR 1.70 (1.23-2.34) of seven trials; five of them have counts here.
    known = load_ips_counts().loc[["bejerholm2017", "davis2012", "davis2018", "hellstrom2017", "poremski2015"]]
    row = pooled_effects(effect_sizes(known, measure="log risk ratio"), methods=("DL",)).loc["DL"]
    np.testing.assert_allclose(np.exp(row[["mean", "lower", "upper"]].astype(float)), [1.75, 1.20, 2.54], atol=0.005)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"events_t": [7, 12]}, "trial 'a': 7 of 5 given; events_t must be a whole number from 0 to n_t"),
        ({"events_t": [2.5, 12]}, "trial 'a': 2.5 of 5 given"),
        ({"n_c": [0, 60]}, "trial 'a': 3 of 0 given"),
        ({"events_c": [np.nan, 8]}, "trial 'a': nan of 9 given"),
    ],
)
def test_counts_that_cannot_be_are_refused(change, said):
    counts = {"events_t": [3, 12], "n_t": [5, 60], "events_c": [3, 8], "n_c": [9, 61]} | change
    with pytest.raises(EvidenceError, match=said):
        effect_sizes(pd.DataFrame(counts, index=["a", "b"]))


def test_a_trial_twice_one_trial_alone_and_an_unknown_measure_are_refused(bcg):
    counts = pd.DataFrame({"events_t": [3, 3], "n_t": [5, 5], "events_c": [3, 3], "n_c": [9, 9]}, index=["a", "a"])
    with pytest.raises(EvidenceError, match="trial 'a' occurs more than once"):
        effect_sizes(counts)
    with pytest.raises(EvidenceError, match="1 trial given; pooling needs two or more"):
        pooled_effects(bcg.head(1))
    with pytest.raises(EvidenceError, match="an SE above 0"):
        pooled_effects(bcg.assign(se=0.0))
    with pytest.raises(EvidenceError, match="2 trials given; PET and PEESE need three or more"):
        pet_peese(bcg.head(2))
    with pytest.raises(EvidenceError, match=r"measure 'log odd ratio' is unknown; .* did you mean 'log odds ratio'"):
        effect_sizes(counts, measure="log odd ratio")
    assert pooled_effects(bcg.head(2))["predicted_lower"].isna().all()


def test_a_missing_library_is_named_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymare.estimators", None)
    with pytest.raises(HltBayesError, match=r"needs pymare, .* pip install 'hlt-bayes\[meta\]'"):
        library("pymare.estimators")
