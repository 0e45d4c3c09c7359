"""The explorer's chart in Vega: distribution, mean and 89 % interval of each group's return, and a line at £1."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hlt_bayes.display.plots.shared import OURS

FONT = 13


def bandwidth(ratio: xr.DataArray) -> float:
    """Return Scott's bandwidth for the narrowest group, with a minimum so that a constant return can be drawn."""
    spread = float(ratio.std(("chain", "draw")).min())
    draws = ratio.sizes["chain"] * ratio.sizes["draw"]
    return float(max(1.06 * spread * draws**-0.2, 1e-3))


def reach(ratio: xr.DataArray) -> list[float]:
    """Return the axis limits, with room on both sides of the initial draws for the sliders to move them."""
    low, high = float(ratio.quantile(0.002)), float(ratio.quantile(0.998))
    return [float(np.floor(min(low, 0.0) * 1.5)), float(np.ceil(max(high, 1.0) * 1.5))]


def drawing(ratio: xr.DataArray, groups: tuple[str, ...]) -> dict[str, Any]:
    """Return scales, axes and marks for the data sets ``shape`` and ``summary``, with groups by number."""
    names = [{"test": f"datum.value == {number}", "value": name} for number, name in enumerate(groups)]
    base = {"scale": "row", "field": "group", "band": 1}
    shape = _mark(
        "area",
        {
            "x": {"scale": "x", "field": "value"},
            "y": {**base, "offset": {"scale": "tall", "field": "density", "mult": -1}},
            "y2": base,
            "fill": {"value": OURS},
            "fillOpacity": {"value": 0.35},
        },
        of={"data": "one"},
    )
    one_pound = {
        "x": {"scale": "x", "value": 1},
        "y": {"value": 0},
        "y2": {"signal": "height"},
        "stroke": {"value": "black"},
        "strokeDash": {"value": [4, 3]},
    }
    interval = {
        "x": {"scale": "x", "field": "low"},
        "x2": {"scale": "x", "field": "high"},
        "y": base,
        "stroke": {"value": OURS},
        "strokeWidth": {"value": 4},
    }
    mean = {
        "x": {"scale": "x", "field": "mean"},
        "y": base,
        "fill": {"value": OURS},
        "stroke": {"value": "white"},
        "size": {"value": 80},
    }
    whole = {"clip": {"value": True}, "width": {"signal": "width"}, "height": {"signal": "height"}}
    by_group = {"facet": {"data": "shape", "groupby": "group", "name": "one"}}
    return {
        "scales": [
            {"name": "x", "type": "linear", "domain": reach(ratio), "range": "width", "zero": False},
            {"name": "row", "type": "band", "domain": list(range(len(groups))), "range": "height", "padding": 0.15},
            {
                "name": "tall",
                "type": "linear",
                "domain": {"data": "shape", "field": "density"},
                "range": [0, {"signal": "bandwidth('row')"}],
            },
        ],
        "axes": [
            {
                "orient": "bottom",
                "aria": False,
                "scale": "x",
                "title": "£ of benefit per £1 of cost",
                "tickCount": 8,
                "labelFontSize": FONT,
                "titleFontSize": FONT,
            },
            {
                "orient": "left",
                "scale": "row",
                "encode": {"labels": {"update": {"text": names}}},
                "ticks": False,
                "labelFontSize": FONT,
            },
        ],
        "marks": [
            {**_mark("group", whole, of=by_group), "marks": [shape]},
            _mark("rule", one_pound),
            _mark("rule", interval, of={"data": "summary"}),
            _mark("symbol", mean, of={"data": "summary"}),
        ],
    }


def _mark(kind: str, update: dict[str, Any], *, of: dict[str, Any] | None = None) -> dict[str, Any]:
    """Build a mark hidden from screen readers: the chart has one description, and a table beside it."""
    return {"type": kind, "aria": False, **({} if of is None else {"from": of}), "encode": {"update": update}}
