"""On what the numbers were measured."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from timing import keep

PACKAGES = ("hlt-bayes", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy", "xarray", "arviz-stats")
R_PACKAGES = ("brms", "rstan", "posterior")
VERSIONS_OF_R = "cat('R', as.character(getRversion()), '\\n'); for (name in c({names})) " + (
    "if (requireNamespace(name, quietly = TRUE)) cat(name, as.character(packageVersion(name)), '\\n')"
)
NOT_THERE = "not there"


def of_processor():
    """Name of the processor, where Linux says it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def of_r():
    """Versions of R, and of what is used of it."""
    names = ", ".join(f"'{name}'" for name in R_PACKAGES)
    found = dict.fromkeys(("R", *R_PACKAGES), NOT_THERE)
    try:
        command = ["Rscript", "-e", VERSIONS_OF_R.format(names=names)]
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except FileNotFoundError:
        return found
    return found | dict(line.split() for line in output.splitlines())


def main():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {
        "date": datetime.now(tz=UTC).date().isoformat(),
        "processor": of_processor(),
        "cores": os.cpu_count(),
        "memory_gib": f"{memory:.1f}",
        "load_at_start": f"{os.getloadavg()[0]:.2f}",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        **of_r(),
    }
    keep(pd.DataFrame({"what": facts.keys(), "value": facts.values()}), "machine")
