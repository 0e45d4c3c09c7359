"""Whatever the command line is connected to, it ends in its output or in one line, with exit code 2."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import invoked

PROGRAM = [sys.executable, "-c", "from hlt_bayes.cli.app import main; main()"]
pytestmark = [pytest.mark.ci, pytest.mark.skipif(sys.platform == "win32", reason="streams of POSIX shells")]


def ended(*arguments, **settings):
    return subprocess.run(
        [*PROGRAM, *arguments], stderr=subprocess.PIPE, text=True, encoding="utf-8", check=False, **settings
    )


def is_one_line(done, *words):
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("hlt-bayes: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["--help"], ["audit", "--csv"]])
def test_standard_output_that_is_full_is_said(arguments):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        is_one_line(ended(*arguments, stdout=full), "standard output cannot be written (No space left on device)")


def test_standard_output_that_is_closed_is_said_before_a_file_takes_its_place():
    is_one_line(ended("models", preexec_fn=lambda: os.close(1)), "standard output is closed")


@pytest.mark.parametrize("arguments", [["verify", "nothing"], ["verify", "nothing", "--quiet"]])
def test_the_exit_code_tells_what_a_full_standard_error_cannot(arguments):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_standard_error_that_is_closed_does_not_matter():
    done = subprocess.run(
        [*PROGRAM, "models", "--json"],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.close(2),
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout.startswith(b'{"verb": "models"')


def test_a_reader_that_ends_early_does_not_matter():
    done = subprocess.run(
        ["sh", "-c", '"$@" | head -n 1', "sh", *PROGRAM, "audit", "--csv"], capture_output=True, check=True
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


def test_a_working_directory_that_is_gone_is_said(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = ended("models", stdout=subprocess.DEVNULL, cwd=gone, preexec_fn=gone.rmdir)
    is_one_line(done, "the working directory cannot be used (No such file or directory)")


@pytest.mark.parametrize("backend", ["no-such-backend", "module://no.such.module", "qtagg"])
def test_windows_for_figures_do_not_matter(backend):
    done = ended("models", stdout=subprocess.DEVNULL, env={**os.environ, "MPLBACKEND": backend})
    assert (done.returncode, done.stderr) == (0, "")
    script = "from hlt_bayes.cli.app import main\ntry: main()\nfinally: import matplotlib.pyplot"
    drawn = subprocess.run(
        [sys.executable, "-c", script, "models"],
        env={**os.environ, "MPLBACKEND": backend},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert drawn.returncode == 0


@pytest.mark.parametrize("place", ["/", "", ".", "..", "/proc/..", "a/.."])
def test_a_result_needs_a_name(place, tmp_path):
    done = invoked("run", "--out", place, cwd=tmp_path)
    assert done.exit_code == 2
    assert "is not the name of a new file or folder; give one, such as results/mine" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["/proc/mine", "/proc/a/b", "/dev/null/mine", "/sys/mine"])
@pytest.mark.parametrize("verb", [["run", "--out"], ["fit", "--out"], ["ips", "--out"]])
def test_a_place_that_takes_no_files_is_not_said_to_be_locked(verb, place):
    done = invoked(*verb, place + (".nc" if verb[0] == "fit" else ""))
    assert done.exit_code == 2
    assert "another run" not in done.stderr
    assert "cannot be written" in done.stderr
