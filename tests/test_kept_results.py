"""A journal keeps data, bit for bit, and reading it runs nothing."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hlt_bayes.core.errors import TaskError
from hlt_bayes.core.parallel import run_tasks
from hlt_bayes.core.parallel.journal import Journal, digest
from hlt_bayes.core.parallel.serialise import from_bytes, to_bytes

FRAME = pd.DataFrame({"group": ["WMCA", "SCR IW"], "mean": [0.1, np.nan], "n": [3, 4]}, index=["b", "a"])


@pytest.mark.parametrize(
    "result",
    [
        None,
        [True, 3, -0.0, 0.1 + 0.2, float("inf"), "WMCA £"],
        {"ranks": np.arange(6).reshape(2, 3), ("a", 1): (1, [2.5])},
        {"mean": np.float64(0.1), "flag": np.array([True, False]), "name": np.array(["a", "bc"])},
        FRAME,
        {"table": FRAME, "more": [FRAME.reset_index(drop=True)]},
    ],
    ids=["nothing", "plain", "nested", "numpy", "frame", "frames"],
)
def test_what_a_journal_keeps_comes_back_as_it_was(result):
    again = from_bytes(to_bytes(result))
    # Their text tells apart what == does not: types, the sign of a zero, the last bit.
    assert repr(again) == repr(result)
    if isinstance(result, pd.DataFrame):
        pd.testing.assert_frame_equal(again, result, check_exact=True)
    if isinstance(result, dict) and "ranks" in result:
        assert again["ranks"].dtype == result["ranks"].dtype


def test_a_journal_keeps_data_alone(tmp_path):
    with pytest.raises(TaskError, match=r"returned a PosixPath, which a journal cannot store; allowed: None, text"):
        run_tasks(Path, ["a"], workers=1, journal=tmp_path / "journal")
    with pytest.raises(TaskError, match="returned a ndarray"):
        to_bytes(np.array([{}], dtype=object))
    with pytest.raises(TaskError, match="data frame that a journal cannot store"):
        to_bytes(pd.DataFrame({"mixed": [1, "a"]}))


class Opens:
    """What a manipulated journal may hold: unpickled it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


def test_reading_a_journal_runs_nothing(tmp_path):
    journal, opened = tmp_path / "journal", tmp_path / "opened"
    book = Journal(journal)
    book.read(set())
    book.append(digest((abs, -1.5)), pickle.dumps(Opens(str(opened))))
    book.close()
    with pytest.raises(TaskError, match="a result in the journal cannot be read"):
        run_tasks(abs, [-1.5], workers=1, journal=journal)
    assert not opened.exists()
    pickle.loads(pickle.dumps(Opens(str(opened)))).close()  # noqa: S301 -- shows that it would
    assert opened.exists()
