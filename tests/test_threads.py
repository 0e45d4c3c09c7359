"""BLAS has one thread where this package decides, unless the user chose a number."""

import os
import subprocess
import sys

import numpy as np  # noqa: F401 -- loads a BLAS library
import pytest
from threadpoolctl import threadpool_info

from hlt_bayes.core.threads import BLAS_THREADS, cap_blas_threads, one_blas_thread

COMMAND_LINE = """
import sys
from hlt_bayes.cli import app, main
@app.command(name="threads")
def threads():
    import numpy
    from threadpoolctl import threadpool_info
    print(sorted({one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}))
assert "numpy" not in sys.modules
sys.argv = ["hlt-bayes", "threads"]
main()
"""


def threads_of_blas():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.fixture
def no_number_chosen(monkeypatch):
    for name in BLAS_THREADS:
        # Set first, so that what a test adds goes away where there was nothing.
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("no_number_chosen")
def test_every_variable_is_set_where_none_is_and_none_where_one_is():
    before = dict(os.environ)
    for name in BLAS_THREADS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, "3")
            cap_blas_threads()
            assert os.environ == before | {name: "3"}
    cap_blas_threads()
    assert os.environ == before | dict.fromkeys(BLAS_THREADS, "1")


@pytest.mark.usefixtures("no_number_chosen")
@pytest.mark.parametrize(("chosen", "expected"), [({}, "[1]"), ({"OMP_NUM_THREADS": "2"}, "[2]")])
def test_the_command_line_has_one_thread_unless_the_user_chose(chosen, expected):
    command = [sys.executable, "-c", COMMAND_LINE]
    result = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **chosen})
    assert result.stdout.strip() == expected


@pytest.mark.usefixtures("no_number_chosen")
def test_where_numpy_is_loaded_already_the_limit_holds_within_the_block_alone(monkeypatch):
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=2, user_api="blas"):
        with one_blas_thread():
            assert threads_of_blas() == {1}
        assert threads_of_blas() == {2}
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
        with one_blas_thread():
            assert threads_of_blas() == {2}
