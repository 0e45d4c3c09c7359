"""Data flows one way: no module imports one to its right; the edges alone read, write and draw."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hlt_bayes

PACKAGE = Path(hlt_bayes.__file__).parent
ORDER = [
    ["errors", "seeds", "vocabulary"],
    ["strict", "tasks"],
    ["evidence"],
    ["counts"],
    ["priors"],
    ["specs"],
    ["reported"],
    ["records"],
    ["auditing", "structures", "convergence"],
    ["exact"],
    ["fitting"],
    ["individual", "meta", "calibration"],
    ["impacts"],
    ["economics", "comparison", "estimands", "moderation", "elsewhere"],
    ["checks"],
    ["analysis"],
    ["scrutiny"],
    ["plots"],
    ["report"],
    ["exporting"],
    ["cli"],
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
MODULES = {
    path: path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for path in PACKAGE.rglob("*.py")
    if path != PACKAGE / "__init__.py"
}


def imported(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_to_the_left(path):
    room = MODULES[path]
    for name in imported(path):
        if name.startswith("hlt_bayes."):
            other = name.split(".")[1]
            assert other == room or RANK[other] < RANK[room], f"{room} must not import {other}"


def test_every_room_has_its_place_in_the_order():
    assert set(MODULES.values()) == set(RANK)


@pytest.mark.parametrize(
    ("calls", "rooms"),
    [
        (
            {"read_bytes", "read_text", "read_csv", "read_parquet", "read_stata"},
            {"strict", "evidence", "records", "report", "elsewhere", "calibration"},
        ),
        (
            {"write_bytes", "write_text", "to_csv", "to_netcdf", "savefig", "mkdir", "mkdtemp", "rmtree"},
            {"report", "exporting"},
        ),
        ({"sample", "draw", "sample_prior_predictive"}, {"fitting", "calibration"}),
    ],
    ids=["read", "write", "sample"],
)
def test_only_the_edges_do_it(calls, rooms):
    found = {
        room
        for path, room in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in calls
    }
    assert found <= rooms


def test_importing_the_package_loads_no_heavy_library():
    code = "import sys, hlt_bayes; print(sorted({'pymc', 'pandas', 'numpy', 'arviz'} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_no_module_hides_a_public_name():
    # Importing hlt_bayes.x anywhere binds hlt_bayes.x to the module, whatever the package offers by that name.
    assert not set(hlt_bayes.__all__) & set(MODULES.values())


def test_every_public_name_is_there_and_says_what_it_is():
    for name in hlt_bayes.__all__:
        assert getattr(hlt_bayes, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'sumary'"):
        _ = hlt_bayes.sumary
