"""Profiles of the property tests: ``ci`` is small and always the same, ``long`` searches anew.

    pytest tests/properties --hypothesis-profile=long

or ``HLT_BAYES_FUZZ=long`` in the environment. ``EXAMPLES`` says how many each test takes under which.
"""

import os
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase

# What Hypothesis keeps whatever the profile, tables of characters and the like, stays out of the tree.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "hypothesis-of-hlt-bayes")

SLOW_BY_NATURE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=SLOW_BY_NATURE,
    print_blob=True,
)
settings.register_profile(
    "long",
    derandomize=False,
    deadline=None,
    database=DirectoryBasedExampleDatabase(Path(__file__).parents[2] / ".hypothesis/examples"),
    suppress_health_check=SLOW_BY_NATURE,
    print_blob=True,
)
settings.load_profile(os.environ.get("HLT_BAYES_FUZZ", "ci"))
