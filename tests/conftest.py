"""Evidence, specs and draws that many tests share."""

from __future__ import annotations

import shutil
from pathlib import Path

from hlt_bayes.core.threads import cap_blas_threads

cap_blas_threads()  # before NumPy is imported, here and in every process that a test starts

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import xarray as xr  # noqa: E402
from file_access import Watch, edges  # noqa: E402
from helpers import REFERENCE, answer_here, fill_block  # noqa: E402

import hlt_bayes  # noqa: E402
from hlt_bayes.analysis import analyse  # noqa: E402
from hlt_bayes.core.vocabulary import GROUPS, OUTCOMES  # noqa: E402
from hlt_bayes.evidence import load_evidence, load_ips_counts  # noqa: E402
from hlt_bayes.evidence.load import EMBEDDED  # noqa: E402
from hlt_bayes.impacts import external_files  # noqa: E402
from hlt_bayes.ipd.synthetic import make_twin  # noqa: E402
from hlt_bayes.meta import included, load_meta_spec  # noqa: E402
from hlt_bayes.results.write import write_result  # noqa: E402
from hlt_bayes.specs import load_economic_spec, load_impact_spec  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--golden", action="store_true", help="write golden texts and the README's tables anew")
    parser.addoption("--kills", type=int, default=4, help="how often each verb is killed by tests/deep/test_kill.py")


DEEP = Path(__file__).parent / "deep"

WATCH = Watch(Path(hlt_bayes.__file__).parent, edges())
WATCH.install()


def tiers(item):
    """Which of the later tiers a test is of; ``make test`` runs what is of none."""
    return {"ci", "deep"} & {marker.name for marker in item.iter_markers()}


def pytest_collection_modifyitems(items):
    """Count all of tests/deep as deep."""
    for item in items:
        if DEEP in item.path.parents and not tiers(item):
            item.add_marker(pytest.mark.deep)


def watched(item):
    """Refuse files to the pure rooms while a test or its fixtures run, and say so even where the refusal was caught."""
    WATCH.refused.clear()
    # Deep tests run the package in processes of their own.
    WATCH.on = "deep" not in tiers(item)
    try:
        result = yield
    finally:
        WATCH.on = False
    assert not WATCH.refused, f"only the edges of CONTRIBUTING.md may: {WATCH.refused}"
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    return (yield from watched(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    return (yield from watched(item))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item):
    return (yield from watched(item))


@pytest.fixture
def file_watch():
    """Give what watches every test's files, on while the test runs."""
    return WATCH


@pytest.fixture(scope="session")
def golden(request):
    """Compare a text with tests/reference/<name>, or write it there under --golden."""

    def check(name, text):
        path = REFERENCE / name
        if request.config.getoption("--golden"):
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return check


@pytest.fixture
def filled(request):
    """Hold a block of the README to a text, or write it there under --golden."""
    return lambda name, text: fill_block(name, text, write=request.config.getoption("--golden"))


@pytest.fixture(scope="session")
def evidence():
    return load_evidence()


@pytest.fixture(scope="session")
def primary():
    return load_impact_spec("primary")


@pytest.fixture(scope="session")
def published():
    return load_economic_spec("published")


@pytest.fixture(scope="session")
def components():
    return load_economic_spec("green-book")


@pytest.fixture(scope="session")
def ips_spec():
    return load_meta_spec("ips")


@pytest.fixture(scope="session")
def ips_counts(ips_spec):
    """The trials of IPS that are pooled."""
    return included(load_ips_counts(), ips_spec.trials.outcome_classes)


@pytest.fixture
def evidence_folder(tmp_path):
    """A copy of the embedded evidence that a test may damage."""
    folder = tmp_path / "evidence"
    folder.mkdir()
    for name in ("sources.toml", "tables.toml", "relations.toml"):
        shutil.copy(EMBEDDED / name, folder)
    shutil.copytree(EMBEDDED / "tables", folder / "tables")
    return folder


@pytest.fixture(scope="session")
def drawn():
    """Impact draws made elsewhere: skewed, correlated across outcomes, independent over draws."""
    rng = np.random.default_rng(20230420)
    shape = (4, 1000, len(OUTCOMES), len(GROUPS))
    scale = np.array([0.02, 200.0, 0.05, 0.05])[:, None]
    centre = np.array([[0.02, -0.01, 0.03], [150, -60, 100], [0.09, 0.08, 0.07], [0.15, 0.12, 0.11]])
    common = rng.gamma(2.0, size=(*shape[:2], 1, 1)) - 2.0
    values = centre + scale * (0.5 * common + rng.normal(size=shape))
    impact = xr.DataArray(
        values,
        dims=("chain", "draw", "outcome", "group"),
        coords={"chain": range(4), "draw": range(1000), "outcome": list(OUTCOMES), "group": list(GROUPS)},
    )
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"impact": impact})})


@pytest.fixture(scope="session")
def analysis(drawn, evidence, primary, published):
    """All that follows from the draws made elsewhere."""
    return analyse(drawn, evidence, primary, published, seed=1)


@pytest.fixture(scope="session")
def written_once(analysis, tmp_path_factory):
    """The result folder of ``analysis``, for tests that only look."""
    return write_result(analysis, tmp_path_factory.mktemp("written_once") / "mine")


@pytest.fixture
def result_folder(written_once, tmp_path):
    """A copy of that folder, for tests that do more."""
    return shutil.copytree(written_once, tmp_path / "mine")


@pytest.fixture(scope="session")
def with_components(drawn, evidence, primary, published, components):
    """An analysis with an appraisal by components and a smallest effect."""
    return analyse(drawn, evidence, primary, published, seed=1, smallest={"health": 0.05}, components=components)


@pytest.fixture
def netcdf_read_here(monkeypatch):
    """Read netCDF in this process, for tests that are not about that: starting another one takes a while."""
    monkeypatch.setattr(external_files, "_answer", answer_here)


@pytest.fixture(scope="session")
def written_with_components(with_components, tmp_path_factory):
    """Its result folder, for tests that only look."""
    return write_result(with_components, tmp_path_factory.mktemp("written_with_components") / "mine")


@pytest.fixture
def folder(written_with_components, tmp_path):
    """A copy of that folder, for tests that do more."""
    return shutil.copytree(written_with_components, tmp_path / "mine")


@pytest.fixture(scope="session")
def twin():
    """Synthetic records of as many people as the trials had, and what is true of them."""
    return make_twin(seed=1)
