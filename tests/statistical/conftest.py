"""Fits that tests share, made once for all of them."""

import re
import shutil
import subprocess
from functools import cache, partial

import pytest
from helpers import NUMBER, block_of_readme, edited_spec, fill_block, made_once, words

from hlt_bayes.analysis import analyse
from hlt_bayes.inference.fit import fit
from hlt_bayes.meta import fit_trials


@pytest.fixture(scope="session")
def fitted(primary, evidence, tmp_path_factory):
    return made_once(tmp_path_factory, "fitted", lambda: fit(primary, evidence))


@pytest.fixture(scope="session")
def exactly_fitted(primary, evidence, tmp_path_factory):
    return made_once(tmp_path_factory, "exactly_fitted", lambda: fit(primary, evidence, engine="exact"))


@pytest.fixture(scope="session")
def reanalysis(fitted, evidence, primary, published):
    return analyse(fitted, evidence, primary, published, seed=primary.sampling.seed)


@pytest.fixture(scope="session")
def ips_fit(ips_counts, ips_spec, tmp_path_factory):
    """Fit the other trials of IPS by reading and adjustment for size, each fit once."""

    def fitted(reading, *, adjusted):
        name = f"ips, {reading}, {'adjusted' if adjusted else 'as they are'}"
        make = partial(fit_trials, ips_counts, ips_spec, reading=reading, adjust_for_size=adjusted)
        return made_once(tmp_path_factory, name, make)

    return cache(fitted)


@pytest.fixture(scope="session")
def few_draws(tmp_path_factory):
    """The spec ``primary`` with fewer draws, for verbs whose words and files do not depend on how many there are."""
    renamed, fewer = ('name = "primary"', 'name = "few-draws"'), ("draws = 2000", "draws = 500")
    return edited_spec(tmp_path_factory.mktemp("spec"), "primary", "impact", renamed, fewer)


@pytest.fixture
def held(request):
    """Hold a block of the README to a text, or write it there under --golden.

    Words must agree; numbers to three units of their last digit, or a tenth: on another machine draws differ, by
    several Monte Carlo errors at most, which are a fiftieth of an SD.
    """

    def check(name, text):
        if request.config.getoption("--golden"):
            fill_block(name, text, write=True)
        block = block_of_readme(name)
        assert words(block) == words(text)
        for shown, fresh in zip(re.findall(NUMBER, block), re.findall(NUMBER, text), strict=True):
            decimals = len(shown.partition(".")[2])
            ours, theirs = (float(one.replace(",", "")) for one in (fresh, shown))
            assert abs(ours - theirs) <= max(3.01 * 10.0**-decimals, 0.1 * abs(ours)), (name, shown, fresh)

    return check


R_PACKAGES = ("jsonlite", "metafor", "ncdf4", "posterior", "readr")


@pytest.fixture(scope="session")
def rscript():
    """Rscript with all packages that are needed."""
    found = shutil.which("Rscript")
    if found is None:
        pytest.skip("no Rscript here")
    asked = f"cat(Filter(function(p) !requireNamespace(p, quietly = TRUE), c{R_PACKAGES!r}))"
    missing = subprocess.run([found, "-e", asked], capture_output=True, text=True, check=True).stdout.split()
    if missing:
        pytest.skip(f"R has no package {', '.join(missing)}")
    return found
