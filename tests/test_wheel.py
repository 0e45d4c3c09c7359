"""An installed wheel finds its specs, its evidence and its page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

LOOK = """
import hlt_bayes, hlt_bayes.specs, jinja2
print(hlt_bayes.__file__)
print(hlt_bayes.specs.models_folder())
print(hlt_bayes.load_impact_spec("primary").name, hlt_bayes.load_economic_spec("published").name)
print(len(hlt_bayes.load_evidence().impacts))
print(jinja2.PackageLoader("hlt_bayes.report", ".").list_templates())
"""


@pytest.mark.ci
def test_a_wheel_carries_all_that_it_reads(tmp_path):
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "installed"
    subprocess.run([*pip, "install", "--no-deps", "--target", target, wheel], check=True, cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(target)}
    result = subprocess.run(
        [sys.executable, "-c", LOOK], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    where, models, specs, impacts, templates = result.stdout.splitlines()
    assert Path(where).is_relative_to(target)
    assert Path(models) == target / "hlt_bayes/_models"
    assert (specs, impacts) == ("primary published", "20")
    assert "page.html.jinja" in templates
