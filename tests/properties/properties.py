"""What holds whatever is thrown in: a result without NaN, or an error of ours that names the place, and no trace."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from hlt_bayes.core.errors import HltBayesError

EXAMPLES = {
    "own trials": (24, 2500),
    "ledger": (12, 700),
    "impact spec": (30, 2000),
    "economic spec": (24, 1500),
    "individual spec": (15, 1000),
    "based on": (40, 1000),
    "draws": (30, 1500),
    "netCDF": (8, 500),
    "draws in columns": (18, 700),
    "records": (12, 700),
    "records in Parquet": (10, 300),
    "mapping": (12, 700),
    "arguments": (15, 600),
    "printed result": (24, 1500),
    "manifest": (20, 1500),
    "specs of a result": (12, 600),
    "evidence of a result": (6, 300),
    "HDF5 structure": (12, 400),
    "names": (60, 2500),
}
"""Examples of each property under the profiles ``ci`` and ``long``."""


def take(name):
    """Let a property take its examples of the profile that is loaded."""
    short, long = EXAMPLES[name]
    return settings(max_examples=long if settings.get_current_profile_name() == "long" else short)


@contextlib.contextmanager
def folder():
    """Give a folder that holds, in the end, what was put there and nothing else."""
    with tempfile.TemporaryDirectory(prefix="thrown.") as name:
        yield Path(name)


def listing(place):
    return sorted((str(path.relative_to(place)), path.lstat().st_size) for path in place.rglob("*"))


def result_or_error(work, *, names=(), inside=None):
    """Do the work: its result, or None where an error of ours says, with one of ``names``, what is wrong."""
    before = listing(inside) if inside else []
    try:
        result = work()
    except HltBayesError as error:
        message = str(error)
        assert message.strip()
        assert not names or any(name in message for name in names), f"no place in {message!r}"
        result = None
    if inside:
        assert listing(inside) == before, "something was left behind"
    return result


def refuse_nan(dataset, *, missing=()):
    """Refuse NaN and infinity in a dataset, but in the variables that are ``missing`` where nothing is printed."""
    for name, values in dataset.data_vars.items():
        if name not in missing and values.dtype.kind == "f":
            assert np.isfinite(values.to_numpy()).all(), f"{name} is not finite: {values.to_numpy()}"


def finds_out(strategy, check, name, *, error=Exception):
    """Hold that a property fails, within the examples of the profile ``ci``, for what is sabotaged."""

    @settings(
        max_examples=EXAMPLES[name][0],
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def search(thrown):
        check(thrown)

    with pytest.raises(error):
        search()
