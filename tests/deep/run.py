"""Run everything that is too long for each change, before a release: run.py [PART ...].

What has passed is not run again while the code stays as it is, so that an interrupted run goes on where it was. At the
end a table says what took how long and what failed. Ends with 1 if anything failed.
"""

import argparse
import hashlib
import json
import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".deep"
CODE = ("hlt_bayes", "models", "notebooks", "tests", "pyproject.toml", "constraints.txt", "README.md")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--numprocesses", "2", "--dist", "worksteal")
VALIDATE = (sys.executable, "tests/deep/validation/validate.py", "--journal", str(KEPT / "journal"))

PARTS = {
    "coverage": (*PYTEST, "-m", "not deep", "--cov", "--cov-report=term"),
    "fuzz": (*PYTEST, "tests/properties", "--hypothesis-profile=long"),
    "kills": (*PYTEST, "-m", "deep", "tests/deep/test_kill.py", "--kills", "25"),
    "versions": (sys.executable, "tests/deep/versions.py"),
    "calibration": VALIDATE,
}
"""Commands by name, besides one part for each other file that has tests marked ``deep``; the longest stand last."""


class Finished(NamedTuple):
    """A part that has ended: of which code, how it ended, seconds, and the lines that say what failed."""

    code: str
    passed: bool
    seconds: float
    said: list[str]


def hash_of_code():
    """Hash of all files that decide what a part finds."""
    found = hashlib.sha256()
    for name in CODE:
        place = ROOT / name
        files = [place] if place.is_file() else sorted(one for one in place.rglob("*") if one.is_file())
        for file in files:
            if "__pycache__" not in file.parts and file.stem != "validation":  # which a part writes
                found.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return found.hexdigest()


def parts():
    """All parts: a file with deep tests each, then ``PARTS``."""
    listing = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "deep", "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        raise SystemExit(f"deep tests cannot be collected:\n{listing.stdout}{listing.stderr}")
    files = dict.fromkeys(re.findall(r"^(tests/\S+\.py)::", listing.stdout, flags=re.MULTILINE))
    files.pop("tests/deep/test_kill.py")
    return {Path(file).stem: (*PYTEST, "-m", "deep", file) for file in files} | PARTS


def run(name, command, code):
    """Run a part, whose output goes to a file."""
    log = KEPT / f"{name}.log"
    began = time.monotonic()
    with log.open("w", encoding="utf-8") as file:
        ended = subprocess.run(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, check=False)
    seconds = time.monotonic() - began
    text = log.read_text(encoding="utf-8", errors="replace")
    failed = re.findall(r"^(?:FAILED|ERROR)\b.*$|^.*\bFAILED$", text, flags=re.MULTILINE)
    last = [line.strip("= ") for line in text.splitlines() if line.strip()][-1:]
    return Finished(code, ended.returncode == 0, seconds, failed or last)


def table(found):
    """A line for each part: how it ended, how long it took, and what failed."""
    lines = ["| Part | Ended | Took | |", "| --- | --- | --- | --- |"]
    for name, one in found.items():
        took = timedelta(seconds=round(one.seconds))
        lines.append(f"| {name} | {'passed' if one.passed else 'FAILED'} | {took} | {'; '.join(one.said)} |")
    total = timedelta(seconds=round(sum(one.seconds for one in found.values())))
    return "\n".join([*lines, f"| all | | {total} | |"]) + "\n"


def main(arguments=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="by default all of them")
    parser.add_argument("--list", action="store_true", help="name the parts and end")
    given = parser.parse_args(arguments)
    known = parts()
    if given.list:
        print("\n".join(known))
        return 0
    for name in given.parts:
        if name not in known:
            raise SystemExit(f"{name}: no such part; there are {', '.join(known)}")
    KEPT.mkdir(exist_ok=True)
    kept, code = KEPT / "finished.json", hash_of_code()
    before = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    found = {name: one for name, fields in before.items() if (one := Finished(**fields)).code == code}
    wanted = given.parts or list(known)
    for name in wanted:
        if name in found and found[name].passed:
            print(f"{name}: passed before", flush=True)
            continue
        print(f"{name}: running, output in {KEPT / name}.log", flush=True)
        found[name] = run(name, known[name], code)
        print(f"{name}: {'passed' if found[name].passed else 'FAILED'}", flush=True)
        kept.write_text(json.dumps({key: one._asdict() for key, one in found.items()}, indent=1), encoding="utf-8")
    text = table({name: found[name] for name in wanted})
    (KEPT / "table.md").write_text(text, encoding="utf-8")
    print(text)
    return int(not all(found[name].passed for name in wanted))


if __name__ == "__main__":
    raise SystemExit(main())
