"""The primary model, fitted once for all tests that need it."""

import pytest

from hlt_bayes.analysis import analyse
from hlt_bayes.fitting import fit


def pytest_collection_modifyitems(items):
    for item in items:
        if "statistical" in item.path.parts and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.statistical)


@pytest.fixture(scope="session")
def fitted(primary, evidence):
    return fit(primary, evidence)


@pytest.fixture(scope="session")
def reanalysis(fitted, evidence, primary, published):
    return analyse(fitted, evidence, primary, published, seed=primary.sampling.seed)
