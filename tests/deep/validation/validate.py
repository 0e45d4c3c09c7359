"""Rerun everything statistical, and write one page of results: validate.py [--short] [--journal FOLDER] [--out PAGE].

Ends with 1 if a part fails. With a journal an interrupted run goes on where it was; start a new one when the package or
this folder has changed.
"""

import argparse
import sys
import time
from pathlib import Path

DEEP = Path(__file__).resolve().parents[1]
TESTS = DEEP.parent
sys.path[:0] = [str(TESTS), str(DEEP)]

from hlt_bayes.evidence import load_evidence  # noqa: E402 -- found on the path that is set above
from validation import calibrations, engines, page, recoveries, twins  # noqa: E402

PAGE = TESTS / "reference/validation.md"

SEED = 20261124

SETTINGS = {
    "full": {
        "recovery": {"sets": 5},
        "engines": {"seeds": {"nuts": 4, "exact": 2}},
        "twins": {"laplace": 100, "nuts": 6},
        # Half of what ``hlt-bayes calibrate`` does, whose results models/calibration.csv keeps.
        "calibration": {"replicates": {"exact": 1000, "nuts": 100}},
    },
    "short": {
        "recovery": {"sets": 1, "situations": ("wide impacts",)},
        "engines": {
            "seeds": {"nuts": 1, "exact": 1},
            "specs": ("complete-pooling",),
            "batches": 10,
            "readings": (),
        },
        "twins": {"laplace": 30, "nuts": 0, "outcomes": ("health",)},
        "calibration": {"specs": {"complete-pooling": ["exact"]}, "replicates": {"exact": 200}},
    },
}


def parts_of(evidence, settings, *, workers=None, journal=None, progress=None, finished=None):
    """Run all parts, the shortest first, and give them in the order of the page."""
    chosen = SETTINGS[settings]

    def running(name):
        return {"workers": workers, "journal": journal and journal / name, "progress": progress}

    runs = {
        "recovery": lambda own: recoveries.part(seed=SEED, **chosen["recovery"], **own),
        "engines": lambda own: engines.part(evidence, seed=SEED, **chosen["engines"], **own),
        "twins": lambda own: twins.part(seed=SEED, **chosen["twins"], **own),
        "calibration": lambda own: calibrations.part(evidence, seed=SEED, **chosen["calibration"], **own),
    }
    done = {}
    for name, run in runs.items():
        done[name] = run(running(name))
        if finished is not None:
            finished(name, done[name])
    return [done[name] for name in ("calibration", "recovery", "twins", "engines")]


def main(arguments=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="a few of everything")
    parser.add_argument("--journal", type=Path, help="folder that keeps what is finished")
    parser.add_argument("--workers", type=int, help="processes; by default one a core")
    parser.add_argument(
        "--out", type=Path, help=f"the page; without it {PAGE.name} in {PAGE.parent}, or with --short none"
    )
    given = parser.parse_args(arguments)
    begin, settings = time.perf_counter(), "short" if given.short else "full"
    resumed = given.journal is not None and given.journal.exists() and any(given.journal.iterdir())
    if given.journal is not None:
        given.journal.mkdir(parents=True, exist_ok=True)

    def progress(stage, done, total):
        print(f"{time.perf_counter() - begin:7.0f} s  {stage}: {done} of {total}", file=sys.stderr, flush=True)

    def finished(name, part):
        print(f"{time.perf_counter() - begin:7.0f} s  {part.name}: {page.verdict(part)}", file=sys.stderr, flush=True)
        if given.journal is not None:
            part.rows.to_csv(given.journal / f"{name}.csv", index=False)

    evidence = load_evidence()
    hashes = page.models(evidence)
    parts = parts_of(
        evidence, settings, workers=given.workers, journal=given.journal, progress=progress, finished=finished
    )
    kept = page.kept_rows(parts)
    text = page.page(
        parts,
        kept,
        hashes=hashes,
        kept_table=calibrations.kept_table(evidence),
        settings=settings,
        seconds=time.perf_counter() - begin,
        resumed=resumed,
    )
    out = given.out or (None if given.short else PAGE)
    if out is None:
        print(text)
    else:
        kept.to_csv(out.with_suffix(".csv"), index=False)
        out.write_text(text, encoding="utf-8")
        print(f"Written: {out}")
    return 0 if kept["passed"].all() else 1


if __name__ == "__main__":
    raise SystemExit(main())
