"""The main job from a cold start, and how soon light commands answer."""

import json
import statistics
import sys
import tempfile
from pathlib import Path

import pandas as pd
from timing import environment_with_cache, keep, run_fresh, say

PROGRAM = Path(sys.executable).parent / "hlt-bayes"
LIGHT = {
    "hlt-bayes --help": [PROGRAM, "--help"],
    "hlt-bayes evidence": [PROGRAM, "evidence"],
    'python -c "import hlt_bayes"': [sys.executable, "-c", "import hlt_bayes"],
}
STARTS = 5


def row(command, cache, runs):
    seconds = [run.seconds for run in runs]
    return {
        "command": command,
        "cache": cache,
        "starts": len(runs),
        "best": min(seconds),
        "median": statistics.median(seconds),
        "cpu_seconds": min(run.cpu_seconds for run in runs),
        "peak_gib": max(run.peak_gib for run in runs),
    }


def main():
    rows, stages = [], []
    with tempfile.TemporaryDirectory() as kept:
        environment = environment_with_cache(Path(kept) / "cache")
        result = Path(kept) / "result"
        for cache in ("empty", "filled"):
            run = run_fresh([PROGRAM, "run", "--quiet", "--out", result, "--overwrite"], environment=environment)
            rows.append(row("hlt-bayes run", cache, [run]))
            seconds = json.loads((result / "manifest.json").read_text())["seconds"]
            rest = run.seconds - sum(seconds.values())
            stages += [
                {"cache": cache, "stage": stage, "seconds": one}
                for stage, one in {**seconds, "starting, and writing the folder": rest}.items()
            ]
            say(f"hlt-bayes run, cache {cache}: {run.seconds:.1f} s, {run.peak_gib:.2f} GiB")
        run = run_fresh([PROGRAM, "report", "--quiet", result], environment=environment)
        rows.append(row("hlt-bayes report", "filled", [run]))
    for name, command in LIGHT.items():
        rows.append(row(name, "unused", [run_fresh(command) for _ in range(STARTS)]))
        say(f"{name}: {rows[-1]['best']:.2f} s")
    keep(pd.DataFrame(rows), "main_job")
    keep(pd.DataFrame(stages), "main_job_stages")
