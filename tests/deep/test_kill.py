"""Killed at any moment, a run leaves its result whole or absent, and the next one works.

``--kills N`` says how often each verb is killed; ``make faults`` does it 25 times, 100 in all.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hlt_bayes.report.verify import discrepancies, verify_result
from hlt_bayes.results.locking import sole_writer

PROGRAM = Path(sys.executable).with_name("hlt-bayes")
QUICK = ["--engine", "exact"]
VERBS = {
    "run": ["run", *QUICK, "--moderators", "none", "--overwrite", "--out", "{out}/mine"],
    "fit": ["fit", *QUICK, "--overwrite", "--out", "{out}/mine.nc"],
    "report": ["report", "{out}/mine"],
    "export": ["export", "{result}", "--to", "all", "--overwrite", "--out", "{out}/mine"],
}
LAST = 0.15
"""Share of the time, at the end, in which half of the kills fall: that is when files are written."""


def command(verb, **places):
    return [PROGRAM, *(part.format(**places) for part in VERBS[verb])]


def killed_after(seconds, arguments):
    """Start a program and kill it and all that it started; give how long it ran where it ended before, else None."""
    began = time.monotonic()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None
    return time.monotonic() - began


def contents(place):
    """Hash of each file of a place, by name."""
    if place.is_file():
        return {place.name: hashlib.sha256(place.read_bytes()).hexdigest()}
    files = (path for path in place.rglob("*") if path.is_file())
    return {str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    out = tmp_path_factory.mktemp("kill")
    subprocess.run(command("run", out=out), check=True, capture_output=True)
    return out / "mine"


@pytest.mark.parametrize("verb", VERBS)
def test_killed_at_random_moments(verb, result, tmp_path, request):
    rng = random.Random(f"{verb} 2018")  # noqa: S311 -- moments, not secrets
    place = tmp_path / ("mine.nc" if verb == "fit" else "mine")
    start = {"report": lambda: shutil.copytree(result, place)}.get(verb, lambda: None)
    places = {"out": tmp_path, "result": result}
    start()
    before = contents(place) if place.exists() else {}
    began = time.monotonic()
    subprocess.run(command(verb, **places), check=True, capture_output=True)
    seconds = time.monotonic() - began
    after = contents(place)
    killed = 0
    for attempt in range(request.config.getoption("--kills")):
        if attempt % 2 and place.exists():
            shutil.rmtree(place) if place.is_dir() else place.unlink()
            start()
        share = rng.random() if attempt % 4 < 2 else 1 - LAST * rng.random()
        ran = killed_after(share * seconds, command(verb, **places))
        if ran is None:
            killed += 1
        else:
            # The first run, or a busier machine, was slower: from here on moments are of the time that it takes now.
            seconds = ran
        whole(verb, place, before, after)
    assert killed, "every run had ended before it was killed"
    subprocess.run(command(verb, **places), check=True, capture_output=True)
    whole(verb, place, before, after)
    assert place.exists()
    assert [path.name for path in tmp_path.iterdir()] == [place.name]
    assert not [path.name for path in place.parent.glob(".*")]


def whole(verb, place, before, after):
    """Hold what stands in a place, if anything, to what was there before, or is there after a run that ends."""
    if not place.exists():
        return
    if verb in ("run", "report"):
        # A manifest tells the time; it has the hashes of all else.
        assert len(discrepancies(verify_result(place))) == 0
        assert contents(place).keys() in (before.keys(), after.keys())
    else:
        found = {name: digest for name, digest in contents(place).items() if ".hlt-bayes" not in name}
        assert found.items() <= after.items()
    with sole_writer(place / "export" if verb == "export" else place):
        left = [path for path in place.parent.iterdir() if "hlt-bayes-" in path.name]
    assert left == []
