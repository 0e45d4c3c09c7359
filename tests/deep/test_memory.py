"""A million draws take bounded memory, and are worth their number; how long they take, ``make bench`` measures."""

import re
import subprocess
import sys

from helpers import ROOT

MILLION = """
import resource
import hlt_bayes as hb
from hlt_bayes.inference.exact import exact_posterior

evidence, spec = hb.load_evidence(), hb.load_impact_spec("primary")
cells = hb.reported_results(evidence, spec)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
posterior, statistics = exact_posterior(cells, spec, chains=4, draws=250_000, seed=1)
kept = sum(array.nbytes for array in posterior.data_vars.values()) / 1024
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown / kept, statistics["effective_draws"].min().item())
"""


def test_a_million_exact_draws():
    result = subprocess.run([sys.executable, "-c", MILLION], capture_output=True, text=True, check=True)
    times_what_is_kept, effective = map(float, result.stdout.split())
    # What is kept is held before and after it is resampled; the blocks that are weighed add little.
    assert times_what_is_kept < 4
    assert effective > 850_000


def test_a_million_appraised_draws_under_five_specs():
    command = [sys.executable, ROOT / "tests/benchmarks/economics.py", "1000000", "3000000"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    peak = {}
    for line in result.stdout.splitlines()[1:]:
        draws, _, gib = re.findall(r"[\d,.]+", line)
        peak[int(draws.replace(",", ""))] = float(gib)
    assert peak[1_000_000] < 2.0, result.stdout
    # Three times the draws take no more memory, but for what the allocator keeps.
    assert peak[3_000_000] < peak[1_000_000] + 0.3, result.stdout
