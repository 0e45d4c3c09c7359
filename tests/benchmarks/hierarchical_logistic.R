# The model of models/individual/log-odds.toml by brms, on the columns that our regression has.
# Usage: Rscript hierarchical_logistic.R people.csv result.json
# Debian has Boost, which rstan looks for in the package BH, where the compiler finds it by itself.
suppressMessages({library(brms); library(posterior); library(jsonlite)})
rstan::rstan_options(boost_lib = "/usr/include")
arguments <- commandArgs(trailingOnly = TRUE)
people <- read.csv(arguments[1])
components <- grep("^component", names(people), value = TRUE)
formula <- as.formula(paste(
  "events ~ 0 + group + step +", paste(components, collapse = " + "), "+ (0 + step | group)"
))
priors <- c(
  set_prior("normal(0, 2)", class = "b"),
  set_prior("normal(0, 0.3)", class = "b", coef = "step"),
  set_prior("normal(0, 1)", class = "b", coef = components),
  set_prior("normal(0, 0.2)", class = "sd")
)
began <- Sys.time()
model <- brm(formula, data = people, family = bernoulli(), prior = priors, chains = 0, silent = 2, refresh = 0)
compiled <- Sys.time()
fit <- update(
  model, chains = 4, cores = 2, iter = 2000, warmup = 1000, seed = 1, control = list(adapt_delta = 0.95),
  recompile = FALSE, silent = 2, refresh = 0
)
sampled <- Sys.time()
draws <- as_draws_array(fit)
names_of_groups <- grep("^r_group", variables(draws), value = TRUE)
effects <- lapply(names_of_groups, function(name) {
  draws[, , "b_step", drop = TRUE] + draws[, , name, drop = TRUE]
})
names(effects) <- names_of_groups
reported <- c(effects, list(mu = draws[, , "b_step", drop = TRUE], tau = draws[, , "sd_group__step", drop = TRUE]))
reported <- lapply(reported, function(one) matrix(one, ncol = 4))
ess <- sapply(reported, function(one) min(ess_bulk(one), ess_tail(one)))
divergences <- sum(nuts_params(fit, pars = "divergent__")$Value)
write_json(list(
  compile = as.numeric(compiled - began, units = "secs"),
  sample = as.numeric(sampled - compiled, units = "secs"),
  divergences = divergences,
  ess = as.list(ess),
  mean = lapply(reported, mean),
  sd = lapply(reported, function(one) sd(as.vector(one)))
), arguments[2], auto_unbox = TRUE, digits = 8)
