# Reads exported files as a user of R does, and computes from them what they should hold.
# Usage: Rscript read_exports.R folder result.json

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
probabilities <- c(0.025, 0.055, 0.25, 0.5, 0.75, 0.945, 0.975)
options(warn = 2)

file_in <- function(name) file.path(folder, name)
read_commented <- function(path) read.csv(path, comment.char = "#", check.names = FALSE)

# Draws as a table, by posterior.
draws <- posterior::as_draws_df(read_commented(file_in("draws.csv")))
summarised <- posterior::summarise_draws(
  draws, mean = mean, sd = stats::sd, ~ stats::quantile(.x, probs = probabilities, names = FALSE)
)
table_of_draws <- list(
  chains = posterior::nchains(draws),
  iterations = posterior::niterations(draws),
  variable = summarised$variable,
  moments = unname(as.matrix(summarised[, -1])),
  array_dim = posterior::ndraws(posterior::subset_draws(draws, variable = "impact_new[health]", chain = 2))
)
impacts <- grep("^impact\\[", posterior::variables(draws), value = TRUE)
by_readr <- readr::read_csv(file_in("draws.csv"), comment = "#", show_col_types = FALSE)

# CmdStan's files, chain by chain, and by rstan where it is.
chains <- lapply(sort(list.files(folder, "^cmdstan-.*csv$", full.names = TRUE)), read_commented)
stacked <- do.call(rbind, chains)
by_rstan <- NULL
if (requireNamespace("rstan", quietly = TRUE)) {
  fit <- suppressWarnings(rstan::read_stan_csv(sort(list.files(folder, "^cmdstan-.*csv$", full.names = TRUE))))
  means <- rstan::get_posterior_mean(fit, pars = "impact")
  by_rstan <- list(dim = dim(rstan::extract(fit, "impact")[[1]]), mean = as.list(means[, ncol(means)]))
}

# netCDF, whose dims R has in the reverse order.
nc <- ncdf4::nc_open(file_in("posterior.nc"))
impact <- ncdf4::ncvar_get(nc, "posterior/impact")
dimnames(impact) <- list(ncdf4::ncvar_get(nc, "posterior/group"), ncdf4::ncvar_get(nc, "posterior/outcome"), NULL, NULL)
netcdf <- list(
  groups = dimnames(impact)[[1]], outcomes = dimnames(impact)[[2]], mean = apply(impact, c(1, 2), mean),
  cite = ncdf4::ncatt_get(nc, 0, "cite")$value, unit = ncdf4::ncatt_get(nc, "posterior/impact", "unit")$value
)
ncdf4::nc_close(nc)

# Moments.
moments <- jsonlite::fromJSON(file_in("summary.json"))
square <- as.matrix(read.csv(file_in("covariance.csv"), comment.char = "#", check.names = FALSE, row.names = 1))
of_draws <- stats::cov(as.data.frame(draws)[, moments$impacts$label])
covariance <- list(
  json = max(abs(moments$covariance / of_draws - 1)), csv = max(abs(square / of_draws - 1)),
  symmetric = isSymmetric(square), labels = identical(rownames(square), moments$impacts$label)
)

# Effect sizes.
effects <- read_commented(file_in("metafor.csv"))
pooled <- lapply(split(effects, effects$outcome), function(one) {
  fit <- metafor::rma(yi, vi, data = one, method = "EE", slab = slab)
  list(estimate = as.numeric(fit$b), se = fit$se, slab = fit$slab)
})
contrasts <- read_commented(file_in("multinma.csv"))
contrasts <- contrasts[contrasts$outcome == "employment", ]
multinma <- list(
  one_baseline = all(tapply(is.na(contrasts$y), contrasts$study, sum) == 1),
  whole_sizes = is.integer(contrasts$sample_size) && !anyNA(contrasts$sample_size) && all(contrasts$sample_size > 0),
  estimates = contrasts$y[!is.na(contrasts$y)], ses = contrasts$se[!is.na(contrasts$y)]
)

# Priors: bayesmeta's densities, as it defines them, in its place.
dhalfnormal <- function(x, scale) ifelse(x < 0, 0, 2 * stats::dnorm(x, 0, scale))
priors <- read_commented(file_in("bayesmeta.csv"))
one <- priors[priors$outcome == "earnings", ]
density <- eval(parse(text = gsub("bayesmeta::", "", one$tau.prior[1], fixed = TRUE)))
bayesmeta <- list(
  at = density(c(0, 100, 500)), total = stats::integrate(density, 0, 5000, rel.tol = 1e-10)$value,
  mean = one$mu.prior.mean[1], sd = one$mu.prior.sd[1]
)
gmap <- read_commented(file_in("rbest.csv"))
gmap <- gmap[gmap$outcome == "earnings", ]

# Mixtures, read as RBesT's read_mix_json reads them: as older versions do, and as newer ones do.
read_old <- function(path) {
  read <- jsonlite::fromJSON(readLines(path))
  mix <- read$comp
  attributes(mix) <- read$meta
  mix
}
read_new <- function(path) {
  read <- jsonlite::fromJSON(readLines(path), simplifyMatrix = FALSE)
  mix <- do.call(rbind, lapply(read$comp, function(row) unlist(row, use.names = FALSE)))
  attributes(mix) <- read$meta
  mix
}
mixture <- function(path) {
  mix <- read_old(path)
  components <- unclass(mix)
  weight <- components["w", ]
  centre <- components["m", ]
  spread <- components["s", ]
  density <- function(x) rowSums(sapply(seq_along(weight), function(k) weight[k] * dnorm(x, centre[k], spread[k])))
  slope <- function(x) {
    rowSums(sapply(seq_along(weight), function(k) -weight[k] * (x - centre[k]) / spread[k]^2 * dnorm(x, centre[k], spread[k])))
  }
  cumulative <- function(x) sum(weight * pnorm(x, centre, spread))
  middle <- sum(weight * centre)
  sd <- sqrt(sum(weight * (spread^2 + centre^2)) - middle^2)
  range <- c(min(centre - 9 * spread), max(centre + 9 * spread))
  quantiles <- sapply(probabilities, function(p) uniroot(function(x) cumulative(x) - p, range, tol = 1e-13 * sd)$root)
  grid <- seq(range[1], range[2], length.out = 400001)
  inside <- density(grid) > 0
  information <- sum((slope(grid)^2 / density(grid))[inside]) * (grid[2] - grid[1])
  list(
    same = identical(unclass(mix), unclass(read_new(path))) && identical(attributes(mix), attributes(read_new(path))),
    class = class(mix), dim = dim(mix), rows = dimnames(mix)[[1]], sigma = attr(mix, "sigma"),
    link = attr(mix, "link"), likelihood = attr(mix, "likelihood"), weights = as.numeric(weight), mean = middle, sd = sd,
    at = middle + c(-2, -1, 0, 1, 2) * sd, density = density(middle + c(-2, -1, 0, 1, 2) * sd), quantiles = quantiles,
    elir = attr(mix, "sigma")^2 * information
  )
}
files <- list.files(folder, "^mixture-.*json$")
mixtures <- setNames(lapply(files, function(name) mixture(file_in(name))), files)

result <- list(
  table = table_of_draws, impacts = impacts, readr = identical(names(by_readr), names(read_commented(file_in("draws.csv")))),
  cmdstan = list(chains = length(chains), mean = as.list(colMeans(stacked)), comments = grep("#", names(stacked))),
  rstan = by_rstan, netcdf = netcdf, covariance = covariance, pooled = pooled, multinma = multinma,
  bayesmeta = bayesmeta, gmap = gmap, mixtures = mixtures
)
writeLines(jsonlite::toJSON(result, auto_unbox = TRUE, digits = NA, null = "null", na = "null"), arguments[2])
