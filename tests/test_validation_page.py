"""The kept page of the validation is complete and of today's models, and one that does not fit its numbers is found."""

import numpy as np
import pandas as pd
import pytest
from helpers import REFERENCE
from importance import FAMILY
from validation import engines, page, recoveries, twins, validate
from validation.calibrations import NAME as CALIBRATION
from validation.rows import LEVEL, Part, judged, row

from hlt_bayes.inference.calibration import engines_of
from hlt_bayes.specs import load_impact_spec, shipped_specs

PARTS = (CALIBRATION, recoveries.NAME, twins.NAME, engines.NAME)


def problems(text, kept, hashes, *, settings="full"):
    """What is wrong with a page and the table beside it."""
    found = []
    lines = text.splitlines()
    for name in PARTS:
        rows = kept[kept["part"] == name]
        good = bool(rows["passed"].all())
        if rows.empty:
            found.append(f"{name}: missing")
            continue
        if f"## {name}" not in lines or not set(page.table_of(rows)) <= set(lines):
            found.append(f"{name}: not all of it is on the page")
        if not np.allclose(rows["threshold"], LEVEL / rows["rows"].sum(), rtol=1e-9):
            found.append(f"{name}: threshold")
        if not ((rows["p"] > rows["threshold"]) == rows["passed"]).all():
            found.append(f"{name}: verdict of a row")
        said = next((line.split(" | ")[-1] for line in lines if line.startswith(f"| {name} |")), "")
        if not said.startswith("Passed" if good else "FAILED"):
            found.append(f"{name}: verdict")
    if ("All parts passed." in text) != bool(kept["passed"].all()):
        found.append("verdict of all")
    found += [f"{name}: another model" for name, one in hashes.items() if page.model_line(name, one) not in lines]
    if f"({settings} settings)" not in text:
        found.append("settings")
    return found


def absent(kept):
    """Shipped specs and engines that the table has not."""
    seen = set(kept["what"])
    wanted = {f"{outcome}, {engine}" for outcome in twins.SPEC.outcomes for engine in ("laplace", "nuts")}
    for name in shipped_specs("impact"):
        own = engines_of(load_impact_spec(name))
        wanted |= {f"{name}, {engine}" for engine in own}
        wanted |= {f"{name}: {engine} v {'reference' if name in FAMILY else 'weighed'}" for engine in own}
    for reading, adjusted in engines.READINGS:
        wanted.add(f"ips, {reading}{', adjusted' if adjusted else ''}: nuts v quadrature")
    return sorted((wanted | set(recoveries.SITUATIONS)) - seen)


@pytest.fixture(scope="module")
def committed():
    path = REFERENCE / "validation.md"
    kept = pd.read_csv(path.with_suffix(".csv"))
    return path.read_text(encoding="utf-8"), kept


def test_the_kept_page_is_complete_and_of_todays_models(committed, evidence):
    text, kept = committed
    assert problems(text, kept, page.models(evidence)) == []
    assert absent(kept) == []
    assert len(text.splitlines()) < 220


def test_all_that_is_on_the_kept_page_passed(committed):
    assert committed[1]["passed"].all(), committed[1][~committed[1]["passed"]]


def made_up_page(*, found=0.1):
    parts = [
        Part(name, "numbers", "one", 1, 60.0, judged([row("a", "mean", "q", found=found, expected=0.0, se=1.0)]))
        for name in PARTS
    ]
    kept = page.kept_rows(parts)
    text = page.page(
        parts, kept, hashes={"impact/a": "0" * 64}, kept_table="", settings="full", seconds=60.0, resumed=False
    )
    return parts, kept, text


def test_a_page_that_does_not_fit_its_numbers_is_found_out():
    _, kept, text = made_up_page()
    hashes = {"impact/a": "0" * 64}
    assert problems(text, kept, hashes) == []
    assert problems(text, kept, {"impact/a": "1" * 64}) == ["impact/a: another model"]
    assert problems(text.replace("Passed: all", "FAILED: all", 1), kept, hashes) == [f"{PARTS[0]}: verdict"]
    assert problems(text, kept.assign(passed=False), hashes) != []
    assert problems(text, kept.assign(threshold=0.001), hashes) != []
    assert problems(text, kept.iloc[1:], hashes) == [f"{PARTS[0]}: missing"]
    assert problems(text.replace("0.92", "0.93"), kept, hashes) == [
        f"{name}: not all of it is on the page" for name in PARTS
    ]
    assert len(absent(kept)) > 40


@pytest.mark.ci
@pytest.mark.parametrize(("found", "code"), [(0.1, 0), (9.0, 1)])
def test_the_command_ends_with_one_where_a_part_fails(monkeypatch, tmp_path, found, code):
    parts, *_ = made_up_page(found=found)
    monkeypatch.setattr(validate, "parts_of", lambda *_, **__: parts)
    out = tmp_path / "page.md"
    assert validate.main(["--out", str(out)]) == code
    text = out.read_text(encoding="utf-8")
    assert ("NOT ALL PARTS PASSED." in text) == bool(code)
    kept = pd.read_csv(out.with_suffix(".csv"))
    assert problems(text, kept, {}) == []
