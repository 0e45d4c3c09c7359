"""The explorer's picture, in Vega: for each group the distribution of its return, mean and 89 % interval, and £1."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from hlt_bayes.display.plots.shared import OURS

FONT = 13


def bandwidth(ratio: xr.DataArray) -> float:
    """Scott's bandwidth of the narrowest group, fixed, so that a return that does not vary can be drawn, too."""
    spread = float(ratio.std(("chain", "draw")).min())
    draws = ratio.sizes["chain"] * ratio.sizes["draw"]
    return float(max(1.06 * spread * draws**-0.2, 1e-3))


def reach(ratio: xr.DataArray) -> list[float]:
    """Give the returns that the axis shows: room for sliders on both sides of the draws as they stand."""
    low, high = float(ratio.quantile(0.002)), float(ratio.quantile(0.998))
    return [float(np.floor(min(low, 0.0) * 1.5)), float(np.ceil(max(high, 1.0) * 1.5))]


def drawing(ratio: xr.DataArray, groups: tuple[str, ...]) -> dict[str, Any]:
    """Scales, axes and marks over the data sets ``shape`` and ``summary``, groups by their number."""
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
    """Make a mark that is not read out: the picture has one text as a whole, and a table beside it."""
    return {"type": kind, "aria": False, **({} if of is None else {"from": of}), "encode": {"update": update}}
