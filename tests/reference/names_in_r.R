# Reads the names of trials from exported files, and writes draws as netCDF-3 and netCDF-4, as a user of R does.
# Usage: Rscript names_in_r.R folder result.json

arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
options(warn = 2)
file_in <- function(name) file.path(folder, name)
read_commented <- function(path) read.csv(path, comment.char = "#", check.names = FALSE)

names_of <- function(table) {
  impact <- posterior::as_draws_rvars(table)$impact
  list(dim = dim(impact), names = dimnames(impact)[[2]], means = as.numeric(mean(impact)))
}
by_base <- names_of(read_commented(file_in("draws.csv")))
by_readr <- names_of(readr::read_csv(file_in("draws.csv"), comment = "#", show_col_types = FALSE))

labelled <- grep("^# impact[.]", readLines(file_in("cmdstan-1.csv"), encoding = "UTF-8"), value = TRUE)
by_cmdstan <- vapply(labelled, function(line) jsonlite::fromJSON(sub("^.*? = ", "", line))[2], "", USE.NAMES = FALSE)

nc <- ncdf4::nc_open(file_in("posterior.nc"))
by_netcdf <- as.character(ncdf4::ncvar_get(nc, "posterior/group"))
impact <- ncdf4::ncvar_get(nc, "posterior/impact", collapse_degen = FALSE)
ncdf4::nc_close(nc)

for (four in c(FALSE, TRUE)) {
  dims <- list(
    chain = ncdf4::ncdim_def("chain", "", seq_len(dim(impact)[4])),
    draw = ncdf4::ncdim_def("draw", "", seq_len(dim(impact)[3])),
    outcome = ncdf4::ncdim_def("outcome", "", seq_len(dim(impact)[2]), create_dimvar = FALSE),
    group = ncdf4::ncdim_def("group", "", seq_len(dim(impact)[1]), create_dimvar = FALSE),
    length = ncdf4::ncdim_def("length", "", 1:60, create_dimvar = FALSE)
  )
  variables <- list(
    ncdf4::ncvar_def("impact", "", dims[c("group", "outcome", "draw", "chain")], prec = "double"),
    ncdf4::ncvar_def("outcome", "", dims[c("length", "outcome")], prec = "char"),
    ncdf4::ncvar_def("group", "", dims[c("length", "group")], prec = "char")
  )
  out <- ncdf4::nc_create(file_in(if (four) "from-r-4.nc" else "from-r-3.nc"), variables, force_v4 = four)
  ncdf4::ncvar_put(out, "impact", impact)
  ncdf4::ncvar_put(out, "outcome", "employment")
  ncdf4::ncvar_put(out, "group", by_netcdf)
  ncdf4::nc_close(out)
}

jsonlite::write_json(
  list(
    base = by_base, readr = by_readr, cmdstan = by_cmdstan, netcdf = by_netcdf,
    metafor = read_commented(file_in("metafor.csv"))$study
  ),
  arguments[2], auto_unbox = TRUE, digits = NA
)
