"""Tests are of one of three tiers, each tier is run by its command, and the deep one goes on where it was."""

import importlib.util
import itertools
import re
import sys
import tomllib
from types import SimpleNamespace

import pytest
from helpers import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def runner():
    """The module tests/deep/run.py, afresh."""
    spec = importlib.util.spec_from_file_location("run_deep", ROOT / "tests/deep/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def deep(monkeypatch, tmp_path):
    """The runner of the deep tier, of made-up parts and code."""
    module = runner()
    code = tmp_path / "code.txt"
    code.write_text("one", encoding="utf-8")
    monkeypatch.setattr(module, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(module, "hash_of_code", lambda: code.read_text(encoding="utf-8"))
    seconds = itertools.count(0, 7)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    monkeypatch.setattr(module, "parts", lambda: {"good": script(tmp_path, "good"), "bad": script(tmp_path, "bad", 1)})
    return module


def script(folder, name, code=0):
    """A command that says so, counts its runs in a file, and ends with a code."""
    count = f"open({str(folder / name)!r}, 'a').write('.')"
    say = f"print('FAILED tests/test_{name}.py::test_it - AssertionError' if {code} else 'all well')"
    return sys.executable, "-c", f"{count}\n{say}\nraise SystemExit({code})"


def runs(folder, name):
    return len((folder / name).read_text(encoding="utf-8"))


def test_what_passed_is_not_run_again_until_the_code_changes(deep, tmp_path, capsys):
    assert deep.main([]) == 1
    table = (tmp_path / "kept/table.md").read_text(encoding="utf-8")
    assert re.search(r"\| good \| passed \| 0:00:07 \| all well \|", table)
    assert re.search(r"\| bad \| FAILED \| 0:00:07 \| FAILED tests/test_bad\.py::test_it - AssertionError \|", table)
    assert table in capsys.readouterr().out
    assert deep.main([]) == 1
    assert (runs(tmp_path, "good"), runs(tmp_path, "bad")) == (1, 2)
    assert deep.main(["good"]) == 0
    (tmp_path / "code.txt").write_text("two", encoding="utf-8")
    assert deep.main(["good"]) == 0
    assert runs(tmp_path, "good") == 2


def test_a_part_that_there_is_not_is_refused_with_those_there_are(deep):
    with pytest.raises(SystemExit, match="godo: no such part; there are good, bad"):
        deep.main(["godo"])


def test_a_change_of_code_is_seen(tmp_path):
    module = runner()
    for name in module.CODE:
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        if (ROOT / name).is_dir():
            (place / "deep").mkdir(parents=True)
            (place / "deep/file.py").write_text("x = 1", encoding="utf-8")
        else:
            place.write_text("x", encoding="utf-8")
    module.ROOT = tmp_path
    before = module.hash_of_code()
    assert module.hash_of_code() == before
    seen = {before}
    for name in module.CODE:
        place = tmp_path / name
        file = place / "deep/file.py" if place.is_dir() else place
        file.write_text("y", encoding="utf-8")
        seen.add(module.hash_of_code())
    assert len(seen) == 1 + len(module.CODE)


def test_each_tier_is_run_by_its_command():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert "-m 'not ci and not deep'" in options["addopts"]
    assert '-m "ci and not deep"' in MAKEFILE
    assert "tests/deep/run.py" in MAKEFILE
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.findall(r"^make (\w+)", ci, flags=re.MULTILINE) == ["lint", "test", "ci", "run"]
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for tier in ("make test", ".ci/run", "make deep"):
        assert f"| `{tier}` |" in contributing
