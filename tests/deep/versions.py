"""Run the fast tests with the lowest declared versions and with the newest there are: versions.py [PYTEST ARGUMENTS].

The lowest of what ``pyproject.toml`` declares go with the lowest Python, the newest (no pins) with the newest. Each
gets an environment of its own in a temporary folder. Ends with 1 if any fails.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = Path(sys.executable).with_name("uv")
CASES = (("3.12", "lowest-direct"), ("3.13", "highest"))


def tried(python, resolution, arguments):
    """Make an environment and run the tests in it; says whether they passed."""
    print(f"Python {python}, {resolution} versions", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "env"
        subprocess.run([UV, "venv", "--quiet", "--python", python, place], cwd=ROOT, check=True)
        install = [UV, "pip", "install", "--quiet", "--python", place / "bin/python", "--resolution", resolution]
        subprocess.run([*install, "--editable", ".[dev]"], cwd=ROOT, check=True)
        tests = [place / "bin/pytest", "--numprocesses", "2", "--dist", "worksteal", "-p", "no:cacheprovider"]
        return subprocess.run([*tests, *arguments], cwd=ROOT, check=False).returncode == 0


if __name__ == "__main__":
    results = {case: tried(*case, sys.argv[1:]) for case in CASES}
    for (python, resolution), passed in results.items():
        print(f"Python {python}, {resolution} versions: {'passed' if passed else 'FAILED'}")
    raise SystemExit(not all(results.values()))
