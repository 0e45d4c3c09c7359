"""The explorer's arithmetic, evaluated by Vega without a browser, is that of the package at every slider."""

import copy
import re
from functools import cache

import numpy as np
import pytest
import vl_convert
from explorer_by_package import fewer_draws, returns_by_the_package

from hlt_bayes.analysis import analyse
from hlt_bayes.report.explorer import explorer
from hlt_bayes.specs import load_economic_spec, shipped_specs

FIGURES = {
    "spent": "cost_per_head_gbp",
    "benefit": "benefit_per_head_gbp",
    "mean": "mean",
    "low": "lower_89",
    "high": "upper_89",
    "prob": "prob_above_one",
}
"""What the explorer shows of a group, and where the package has it."""

COMPONENTS = [name for name in shipped_specs("economic") if load_economic_spec(name).discounting is not None]
SLIDERS = {"qaly", "years", "gained", "cost", "people", "fixed"}
DRAWS = 250
"""Draws a chain: the arithmetic is the same for each, and the gate of ``analyse`` lets so many pass."""


@pytest.fixture(scope="module")
def analyses(drawn, evidence, primary):
    """The analysis under an economic spec, made when it is first asked for."""
    few = fewer_draws(drawn, DRAWS)
    return cache(lambda name: analyse(few, evidence, primary, None, seed=1, components=load_economic_spec(name)))


@pytest.fixture(scope="module")
def vegas(analyses):
    return cache(lambda name: explorer(analyses(name)).vega)


def sliders_of(vega):
    """Least, default and greatest value of each slider."""
    bound = {one["name"]: one for one in vega["signals"] if one.get("bind", {}).get("input") == "range"}
    return {name: (one["bind"]["min"], one["value"], one["bind"]["max"]) for name, one in bound.items()}


def evaluated(vega, moved):
    """Figures {group, figure} of the explorer with some of its signals moved, by Vega itself."""
    signals = [{"name": one["name"], "value": one["value"]} for one in vega["signals"] if "value" in one]
    assert set(moved) <= {one["name"] for one in signals}
    signals = [{**one, "value": moved.get(one["name"], one["value"])} for one in signals]
    shown = ", ".join(f"datum.{name}" for name in ("group", *FIGURES))
    text = {"type": "text", "from": {"data": "summary"}, "encode": {"enter": {"text": {"signal": f"join([{shown}])"}}}}
    data = [one for one in vega["data"] if one["name"] != "shape"]
    drawn = vl_convert.vega_to_scenegraph({"width": 1, "height": 1, "signals": signals, "data": data, "marks": [text]})
    (marks,) = drawn["scenegraph"]["items"][0]["items"]
    rows = np.array([[float(one) for one in mark["text"].split(",")] for mark in marks["items"]])
    assert rows[:, 0].tolist() == [0, 1, 2]
    return rows[:, 1:]


def expected(analysis, moved):
    table = returns_by_the_package(analysis, moved).loc[list(analysis.evidence.groups)]
    return table[list(FIGURES.values())].to_numpy(float)


def agree(found, wanted):
    # The page holds draws to eight digits, so that one of them may lie on the other side of £1.
    close = np.allclose(found[:, :-1], wanted[:, :-1], rtol=1e-6, atol=1e-6)
    return close and bool((np.abs(found[:, -1] - wanted[:, -1]) < 1.5 / (4 * DRAWS)).all())


def positions(vega):
    """Every slider at its ends and at a place between, which is not where it begins; the filter; all at once."""
    moved = []
    for name, (low, default, high) in sliders_of(vega).items():
        between = low + 0.3 * (high - low)
        assert between != default
        moved += [{name: value} for value in (low, between, high)]
    together = {name: low + 0.7 * (high - low) for name, (low, _, high) in sliders_of(vega).items()}
    return [{}, *moved, {"starred_only": True}, {**together, "starred_only": True}]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "green-book" else pytest.mark.ci) for name in COMPONENTS]
)
def test_every_slider_moves_the_figures_to_those_of_the_package(name, analyses, vegas):
    assert set(sliders_of(vegas(name))) <= SLIDERS
    for moved in positions(vegas(name)):
        found, wanted = evaluated(vegas(name), moved), expected(analyses(name), moved)
        assert agree(found, wanted), (moved, found, wanted)


def test_the_first_spec_has_every_slider(vegas):
    assert set(sliders_of(vegas("green-book"))) == SLIDERS


@pytest.mark.parametrize("signal", sorted(SLIDERS | {"starred_only"}))
def test_a_slider_that_moves_nothing_is_found_out(signal, analyses, vegas):
    vega = copy.deepcopy(vegas("green-book"))
    (default,) = [one["value"] for one in vega["signals"] if one["name"] == signal]
    changed = 0
    for transform in vega["data"][0]["transform"]:
        if "expr" in transform:
            transform["expr"], here = re.subn(rf"(?<![\w.]){signal}(?!\w)", repr(default).lower(), transform["expr"])
            changed += here
    assert changed
    moved = {
        "starred_only": True,
        **({} if signal == "starred_only" else {signal: sliders_of(vegas("green-book"))[signal][2]}),
        # How much of the cost is fixed shows only where the number of people is another.
        **({"people": 200.0} if signal == "fixed" else {}),
    }
    wanted = expected(analyses("green-book"), moved)
    assert agree(evaluated(vegas("green-book"), moved), wanted)
    assert not agree(evaluated(vega, moved), wanted)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (r"\* datum\[\d+\] \* datum.years_", "* datum.years_"),
        (r"pow\(([^,]+), floor\(years - 1\)\)", r"pow(\1, floor(years))"),
        (r"\(1 - datum\.share\)|\* datum\.share", "* (1 - datum.share)"),
        (r"/ people", "* people"),
        (r"datum\.benefit / datum\.spent", "(datum.benefit - datum.spent) / datum.spent"),
    ],
    ids=["worth forgotten", "a year too many", "share turned round", "people upside down", "net for gross"],
)
def test_wrong_arithmetic_is_found_out(right, wrong, analyses, vegas):
    vega = copy.deepcopy(vegas("green-book"))
    changed = 0
    for transform in vega["data"][0]["transform"]:
        if "expr" in transform:
            transform["expr"], here = re.subn(right, wrong, transform["expr"])
            changed += here
    assert changed
    moved = {"people": 150.0, "years": 8.5, "gained": 0.2}
    wanted = expected(analyses("green-book"), moved)
    assert agree(evaluated(vegas("green-book"), moved), wanted)
    assert not agree(evaluated(vega, moved), wanted)
