"""Meta-analysis of trials of Individual Placement and Support other than the Health-led, and a prior from it."""

from hlt_bayes.meta.binomial import fit_trials, size_covariate, trials_model
from hlt_bayes.meta.effects import effect_sizes, included
from hlt_bayes.meta.pooling import leave_one_out, pooled_effects
from hlt_bayes.meta.prior import briefing_ratio, ips_prior, prior_data_conflict, ratio_of_new_trial
from hlt_bayes.meta.small_study import pet_peese, pooled_by_size
from hlt_bayes.meta.summary import PooledTrials, compare_methods, compare_priors, pooled_posterior, pooled_trials
from hlt_bayes.specs.meta import MetaSpec, load_meta_spec

__all__ = [
    "MetaSpec",
    "PooledTrials",
    "briefing_ratio",
    "compare_methods",
    "compare_priors",
    "effect_sizes",
    "fit_trials",
    "included",
    "ips_prior",
    "leave_one_out",
    "load_meta_spec",
    "pet_peese",
    "pooled_by_size",
    "pooled_effects",
    "pooled_posterior",
    "pooled_trials",
    "prior_data_conflict",
    "ratio_of_new_trial",
    "size_covariate",
    "trials_model",
]
