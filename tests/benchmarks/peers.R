# Random-effects meta-analyses with known standard errors by brms, each phase apart.
# Usage: Rscript peers.R job.json folder; writes result.json and the draws, folder/<seed>_<data set>.bin.
# The scales of the priors are data of the Stan program, so that data sets of one job share one compilation.
# Debian has Boost, which rstan looks for in the package BH, where the compiler finds it by itself.
seconds <- function() proc.time()[["elapsed"]]
began <- seconds()
suppressMessages({library(brms); library(jsonlite)})
rstan::rstan_options(boost_lib = "/usr/include")
arguments <- commandArgs(trailingOnly = TRUE)
job <- read_json(arguments[1], simplifyVector = TRUE, simplifyDataFrame = FALSE)
folder <- arguments[2]
imported <- seconds()

formula <- bf(y | se(se) ~ 1 + (1 | group))
tau_prior <- c("half-normal" = "normal(0, tau_scale)", "half-cauchy" = "cauchy(0, tau_scale)")[[job$tau_family]]
priors <- c(
  set_prior("normal(0, mu_sd)", class = "Intercept"),
  set_prior(tau_prior, class = "sd")
)
unfitted <- lapply(job$sets, function(one) {
  frame <- data.frame(y = one$estimate, se = one$se, group = one$group)
  scales <- stanvar(one$mu_sd, name = "mu_sd") + stanvar(one$tau_scale, name = "tau_scale")
  brm(formula, data = frame, prior = priors, stanvars = scales, empty = TRUE)
})
code <- stancode(unfitted[[1]])
stopifnot(all(sapply(unfitted, function(one) identical(as.character(stancode(one)), as.character(code)))))
inputs <- lapply(unfitted, standata)
built <- seconds()
model <- rstan::stan_model(model_code = code)
compiled <- seconds()

sample <- function(seed, cores) {
  lapply(inputs, function(data) {
    rstan::sampling(
      model, data = data, chains = job$chains, cores = cores, iter = job$tune + job$draws, warmup = job$tune,
      seed = seed, control = list(adapt_delta = job$target_accept), refresh = 0
    )
  })
}
keep <- function(fits, seed) {
  divergences <- 0
  for (name in names(fits)) {
    fit <- unfitted[[name]]
    fit$fit <- fits[[name]]
    fit <- rename_pars(fit)
    draws <- posterior::as_draws_array(fit)
    groups <- paste0("r_group[", gsub(" ", ".", job$sets[[name]]$group), ",Intercept]")
    mu <- draws[, , "b_Intercept", drop = TRUE]
    of_interest <- c(list(mu, draws[, , "sd_group__Intercept", drop = TRUE]), lapply(groups, function(group) {
      mu + draws[, , group, drop = TRUE]
    }))
    writeBin(unlist(lapply(of_interest, as.vector)), file.path(folder, sprintf("%d_%s.bin", seed, name)))
    divergences <- divergences + rstan::get_num_divergent(fits[[name]])
  }
  divergences
}
suppressWarnings({
  # Chains that last a tenth of a second are sooner done one after another; whichever is faster counts.
  before <- seconds()
  fits <- sample(job$seeds[1], 1)
  alone <- seconds() - before
  before <- seconds()
  if (job$timed) sample(job$seeds[1], 2)
  together <- seconds() - before
  before <- seconds()
  for (name in names(fits)) {
    fit <- unfitted[[name]]
    fit$fit <- fits[[name]]
    summary(rename_pars(fit))
    coef(rename_pars(fit))
  }
  summarised <- seconds() - before
  divergences <- keep(fits, job$seeds[1])
  for (seed in job$seeds[-1]) divergences <- divergences + keep(sample(seed, 1), seed)
})
write_json(list(
  import = imported - began,
  build = built - imported,
  compile = compiled - built,
  sample = if (job$timed) min(alone, together) else alone,
  sample_cores = if (job$timed && together < alone) 2 else 1,
  summarise = summarised,
  divergences = divergences
), file.path(folder, "result.json"), auto_unbox = TRUE, digits = 8)
