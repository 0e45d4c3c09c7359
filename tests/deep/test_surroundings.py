"""Whatever surrounds it (disk, folders, clock, home, locale, paths, another run), it works or says what is wrong."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hlt_bayes.report.verify import discrepancies, verify_result

PROGRAM = Path(sys.executable).with_name("hlt-bayes")
RUN = ["run", "--engine", "exact", "--moderators", "none", "--components", "none"]


def hlt_bayes(*arguments, before=(), **settings):
    return subprocess.run(
        [*before, PROGRAM, *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        **settings,
    )


def is_refused(result, *words):
    """Hold a result to one line of ours on standard error, without a traceback."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    line = result.stderr.strip().splitlines()[-1]
    assert line.startswith("hlt-bayes: "), result.stderr
    for word in words:
        assert word in line


def is_whole(folder):
    return len(discrepancies(verify_result(folder))) == 0


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surroundings") / "mine"
    done = hlt_bayes(*RUN, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


@contextlib.contextmanager
def mounted(folder, options):
    """Mount a file system in memory, where that is allowed."""
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here: needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("verb", ["run", "fit", "report", "export"])
def test_a_full_disk_is_said_and_leaves_nothing_half_written(verb, result, tmp_path):
    # For a report the result is there already, and no room for a second one beside it.
    kilobytes = 64 + (sum(path.stat().st_size for path in result.iterdir()) // 800 if verb == "report" else 0)
    with mounted(tmp_path / "small", f"size={kilobytes}k") as small:
        if verb == "report":
            shutil.copytree(result, small / "mine")
        before = sorted(path.name for path in small.rglob("*"))
        arguments = {
            "run": [*RUN, "--out", small / "mine"],
            "fit": ["fit", "--engine", "exact", "--out", small / "mine.nc"],
            "report": ["report", small / "mine"],
            "export": ["export", result, "--to", "all", "--out", small / "mine"],
        }[verb]
        is_refused(hlt_bayes(*arguments), "cannot be written", "No space left on device")
        assert sorted(path.name for path in small.rglob("*")) == before
        if verb == "report":
            assert is_whole(small / "mine")


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_fitted(result, tmp_path):
    with mounted(tmp_path / "fixed", "size=8m") as fixed:
        shutil.copytree(result, fixed / "mine")
        subprocess.run(["mount", "-o", "remount,ro", fixed], check=True)
        for arguments in (
            [*RUN, "--overwrite", "--out", fixed / "mine"],
            ["fit", "--out", fixed / "mine.nc"],
            ["report", fixed / "mine"],
            ["export", result, "--to", "csv", "--out", fixed / "exports"],
        ):
            began = time.monotonic()
            is_refused(hlt_bayes(*arguments), "cannot be written")
            assert "Sampling" not in hlt_bayes(*arguments).stderr, began
        assert hlt_bayes("verify", fixed / "mine").returncode == 0


def test_a_result_that_vanishes_while_its_report_is_made_is_said(result, tmp_path):
    folder = shutil.copytree(result, tmp_path / "deep" / "mine")
    process = subprocess.Popen(
        [PROGRAM, "report", folder], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    lock = folder.with_name(".mine.hlt-bayes.lock")
    while not lock.exists() and process.poll() is None:
        time.sleep(0.01)
    shutil.rmtree(folder.parent)
    _, told = process.communicate()
    assert process.returncode == 2, told
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == []


def test_two_runs_into_one_folder_at_once(result, tmp_path):
    folder = shutil.copytree(result, tmp_path / "mine")
    arguments = [*RUN, "--overwrite", "--out", folder]
    first = subprocess.Popen([PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lock = folder.with_name(".mine.hlt-bayes.lock")
    while not lock.exists() and first.poll() is None:
        time.sleep(0.01)
    is_refused(hlt_bayes("report", folder), str(folder), "another run is writing to it", "--out")
    first.communicate()
    assert first.returncode == 0
    assert is_whole(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    "settings",
    [
        {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None, "MPLCONFIGDIR": None},
        {"HOME": None},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "tr_TR.ISO-8859-9", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"TZ": "Pacific/Kiritimati", "COLUMNS": "1"},
    ],
    ids=["home that is not there", "no home", "C locale", "Turkish locale", "far east, no width"],
)
def test_home_locale_and_terminal_do_not_matter(settings, result, tmp_path):
    known = {name: value for name, value in (os.environ | settings).items() if value is not None}
    if "tr_TR" in settings.get("LC_ALL", ""):
        made = ["localedef", "-i", "tr_TR", "-f", "ISO-8859-9", tmp_path / "tr_TR.ISO-8859-9"]
        if shutil.which("localedef") is None or subprocess.run(made, capture_output=True).returncode > 1:
            pytest.skip("no Turkish locale can be made here: needs Debian's package locales")
        known["LOCPATH"] = str(tmp_path)
    folder = tmp_path / "sonuç £ ğü"
    done = hlt_bayes(*RUN, "--out", folder, env=known)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Warning") == 0, done.stderr
    for name in ("impacts.csv", "returns.csv", "comparison.csv"):
        assert (folder / name).read_bytes() == (result / name).read_bytes()
    for arguments in (["report", folder], ["export", folder, "--to", "csv", "--out", folder.with_name("ihracat")]):
        done = hlt_bayes(*arguments, env=known)
        assert done.returncode == 0, done.stderr
    assert is_whole(folder)


def test_paths_of_all_kinds(result, tmp_path):
    folder = tmp_path / "with spaces, 'quotes' & $(signs)" / "результат 結果 🧪"
    shutil.copytree(result, folder)
    spec = tmp_path / "мой спек.toml"
    spec.write_text('based_on = "primary"\nname = "mine"\ntitle = "Mine"\n', encoding="utf-8")
    trials = tmp_path / "my trials ü.csv"
    trials.write_text(hlt_bayes("evidence", "template").stdout, encoding="utf-8")
    out = tmp_path / "ähnlich 🧪"
    for arguments in (
        ["report", folder],
        ["verify", folder, "--recompute"],
        [*RUN[:3], "--moderators", "none", "--spec", spec, "--evidence", trials, "--out", out],
        ["export", out, "--evidence", trials, "--to", "all", "--out", tmp_path / "Ausgabe -> 1"],
    ):
        done = hlt_bayes(*arguments)
        assert done.returncode == 0, done.stderr
    assert is_whole(folder)
    assert is_whole(out)


@pytest.mark.parametrize("clock", ["-3650d", "+3650d"], ids=["set back ten years", "set forward"])
def test_a_clock_that_is_set_otherwise_does_not_matter(clock, result, tmp_path):
    if shutil.which("faketime") is None:
        pytest.skip("no faketime here: needs Debian's package of that name")
    folder = shutil.copytree(result, tmp_path / "mine")
    before = ("faketime", "-f", clock)
    for arguments in ([*RUN, "--overwrite", "--out", folder], ["report", folder], ["verify", folder]):
        done = hlt_bayes(*arguments, before=before)
        assert done.returncode == 0, done.stderr
    assert (folder / "impacts.csv").read_bytes() == (result / "impacts.csv").read_bytes()
