"""An appraisal of a million draws is quick and small, and memory does not grow with the draws."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("economics.py")


@pytest.mark.timed
@pytest.mark.slow
def test_a_million_draws_under_five_specs():
    result = subprocess.run(
        [sys.executable, SCRIPT, "1000", "1000000", "3000000"], capture_output=True, text=True, check=True
    )
    found = {}
    for line in result.stdout.splitlines()[1:]:
        draws, seconds, peak = re.findall(r"[\d,.]+", line)
        found[int(draws.replace(",", ""))] = float(seconds), float(peak)
    # Two seconds are aimed at; another machine, or one that is busy, takes longer.
    assert found[1_000_000][0] < 6.0, result.stdout
    assert found[1_000_000][1] < 2.0, result.stdout
    # Three times the draws take no more memory, but for what the allocator keeps.
    assert found[3_000_000][1] < found[1_000_000][1] + 0.3, result.stdout
