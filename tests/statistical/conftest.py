"""The primary model, fitted once for all tests that need it."""

import re

import pytest
from helpers import NUMBER, block_of_readme, fill_block, words

from hlt_bayes.analysis import analyse
from hlt_bayes.inference.fit import fit


@pytest.fixture(scope="session")
def fitted(primary, evidence):
    return fit(primary, evidence)


@pytest.fixture(scope="session")
def reanalysis(fitted, evidence, primary, published):
    return analyse(fitted, evidence, primary, published, seed=primary.sampling.seed)


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
