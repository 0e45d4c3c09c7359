"""The page's explorer: sliders change assumptions, and the page recomputes every return from the posterior draws.

The arithmetic is that of ``hlt_bayes.economics.valuation``, written as a Vega dataflow: benefit per head is the sum
over outcomes of impact x value per unit of impact. A persistent value is an annual value times discounted years,
recomputed from the draws of its decay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.analysis import Analysis, Appraisal
from hlt_bayes.core.vocabulary import SURVEY_OUTCOMES
from hlt_bayes.economics import applies_to_all_randomised, present_value_years, response_share
from hlt_bayes.economics.summaries import lead_perspective, qaly_benefit
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import INTERVALS
from hlt_bayes.report.explorer_picture import bandwidth, drawing, reach
from hlt_bayes.specs import QALY, EconomicSpec

DIGITS = 8
"""Significant digits of the draws in the page."""

LONGEST = 15.0
"""Maximum of the slider for the duration of gains, in years, unless the spec's horizon is longer."""


class ValueComponent(NamedTuple):
    """A component of an outcome's value: a column of draws, £ per unit of impact (and per year if persistent)."""

    column: str
    outcome: str
    lasts: bool
    of_qaly: bool
    rate: float


class _Setting(NamedTuple):
    """Inputs of the expressions other than the draws."""

    spec: EconomicSpec
    terms: list[ValueComponent]
    value_of_qaly: float
    response: np.ndarray | None
    starred: dict[tuple[str, int], bool]
    moved: set[str]


@dataclass(frozen=True)
class Explorer:
    """The explorer: its Vega spec, groups, the persistence that a slider varies, and whether returns are society's."""

    vega: dict[str, Any]
    groups: tuple[str, ...]
    lasting: str
    economic: bool


def explorer(analysis: Analysis) -> Explorer | None:
    """Build the explorer of the component-price appraisal; ``None`` without one, or if not at the actual volume.

    At the default settings it reproduces the appraisal draw by draw, for ``lead_perspective``.
    """
    appraisal = analysis.appraisal
    if appraisal is None or appraisal.economics.attrs["volume"] != "actual":
        return None
    groups = analysis.evidence.groups
    columns, terms = _columns(appraisal, analysis, groups)
    value = _value_of_qaly(appraisal)
    signals = _signals(appraisal.spec, columns, terms, value)
    setting = _Setting(
        spec=appraisal.spec,
        terms=terms,
        value_of_qaly=value,
        response=response_share(analysis.evidence).sel(group=list(groups)).to_numpy()
        if "nonresponse_share" in columns
        else None,
        starred=_starred(analysis.evidence, groups),
        moved={signal["name"] for signal in signals},
    )
    ratio = appraisal.economics["benefit_cost_ratio"].sel(
        perspective=lead_perspective(appraisal.spec), group=list(groups)
    )
    return Explorer(
        vega={
            "$schema": "https://vega.github.io/schema/vega/v6.json",
            "description": "Distribution of the benefit per £1 of each trial group under the assumptions set above, "
            "with its mean and 89 % interval, and a line at £1. The table below has the numbers.",
            "autosize": {"type": "fit", "contains": "padding", "resize": True},
            "height": 80 * len(groups) + 40,
            "signals": [_width(), *signals],
            "data": _data(pd.DataFrame(columns), groups, setting, ratio),
            **drawing(ratio, groups),
        },
        groups=tuple(groups),
        lasting=_lasting(appraisal.spec),
        economic=lead_perspective(appraisal.spec) == "economic",
    )


def _lasting(spec: EconomicSpec) -> str:
    """Name the persistence of the benefit priced per QALY; empty if there is none, or it has no persistence."""
    name = qaly_benefit(spec)
    return (spec.counted[name].persistence or "") if name else ""


def _value_of_qaly(appraisal: Appraisal) -> float:
    """Mean price of a QALY, £ of the base year; 0 if no benefit is priced per QALY."""
    name = qaly_benefit(appraisal.spec)
    return float(f"{float(appraisal.economics['price'].sel(benefit=name).mean()):.6g}") if name else 0.0


def _columns(
    appraisal: Appraisal, analysis: Analysis, groups: tuple[str, ...]
) -> tuple[dict[str, np.ndarray], list[ValueComponent]]:
    """Return the draws by column, and the value components that use them."""
    spec, economics = appraisal.spec, appraisal.economics
    lasting, value = _lasting(spec), _value_of_qaly(appraisal)
    columns: dict[str, np.ndarray] = {}
    terms: dict[str, ValueComponent] = {}
    for name in spec.perspectives[lead_perspective(appraisal.spec)].benefits:
        benefit = spec.benefits[name]
        worth = economics["price"].sel(benefit=name) * economics["units"].sel(benefit=name)
        lasts = bool(lasting) and benefit.persistence == lasting
        rate = 0.0
        if lasts and spec.discounting is not None:
            rate = getattr(spec.discounting, benefit.discount).value
            worth = worth / _years(economics, spec, lasting, rate)
        key = "_".join(["worth", benefit.outcome, *(["lasting", f"{rate:g}"] if lasts else [])])
        of_qaly = value > 0 and benefit.price.unit == QALY
        key = (f"{key}_qaly" if of_qaly else key).replace(".", "_")
        columns[key] = columns.get(key, 0.0) + _flat(worth)
        terms[key] = ValueComponent(key, benefit.outcome, lasts, of_qaly, rate)
    impact = analysis.admitted.impact
    for outcome in dict.fromkeys(term.outcome for term in terms.values()):
        for number, group in enumerate(groups):
            columns[f"impact_{outcome}_{number}"] = _flat(impact.sel(outcome=outcome, group=group))
    for number, group in enumerate(groups):
        columns[f"cost_{number}"] = _flat(economics["cost_per_head"].sel(group=group))
    columns |= {
        key.replace(".", "_"): _flat(economics[key])
        for key in (f"persistence.{lasting}.decay", f"persistence.{lasting}.first_year", f"persistence.{lasting}.rise")
        if key in economics
    }
    for key in ("nonresponse.share", "costs.fixed_share"):
        if key in economics and (key != "nonresponse.share" or not applies_to_all_randomised(impact)):
            columns[key.replace(".", "_")] = _flat(economics[key])
    return columns, list(terms.values())


def _years(economics: xr.Dataset, spec: EconomicSpec, lasting: str, rate: float) -> xr.DataArray:
    parts = {part: f"persistence.{lasting}.{part}" for part in ("decay", "first_year", "rise")}
    found: xr.DataArray = present_value_years(
        **{part: economics[at] for part, at in parts.items() if at in economics},
        horizon=spec.persistence[lasting].horizon.value,
        rate=rate,
    )
    return found


def _flat(draws: xr.DataArray) -> np.ndarray:
    return draws.transpose("chain", "draw").to_numpy().ravel()


def _starred(evidence: Evidence, groups: tuple[str, ...]) -> dict[tuple[str, int], bool]:
    """Whether the published impact had a significance star, by outcome and group number."""
    stars = evidence.impacts.set_index(["outcome", "group"])["stars"]
    return {
        (str(outcome), number): bool(stars.get((outcome, group), ""))
        for outcome in dict.fromkeys(evidence.impacts["outcome"])
        for number, group in enumerate(groups)
    }


def _width() -> dict[str, Any]:
    room = "max(280, isFinite(containerSize()[0]) ? containerSize()[0] : 600)"
    return {"name": "width", "init": room, "on": [{"events": "window:resize", "update": room}]}


def _signals(
    spec: EconomicSpec, columns: dict[str, np.ndarray], terms: list[ValueComponent], value: float
) -> list[dict[str, Any]]:
    """Return the sliders that apply to this spec, each starting at the spec's value."""
    signals = []
    if any(term.of_qaly for term in terms):
        step = 1000.0 if value % 1000 == 0 else value / 100
        signals.append(_slider("qaly", value, 0.0, 2 * value, step, "Value of a QALY, £"))
    if any(term.lasts for term in terms):
        years = spec.persistence[_lasting(spec)].horizon.value
        longest = max(LONGEST, years)
        outcomes = " and ".join(dict.fromkeys(term.outcome for term in terms if term.lasts))
        signals.append(_slider("years", years, 1.0, longest, 0.5, f"Duration of gains in {outcomes}, years"))
    seen = any(term.outcome in SURVEY_OUTCOMES for term in terms)
    if "nonresponse_share" in columns and spec.nonresponse is not None and seen:
        mean = spec.nonresponse.share.expectation
        label = "Non-respondents' gain as a share of respondents' gain, mean"
        signals.append(_slider("gained", mean, 0.0, 1.0, 0.05, label))
    signals.append(_slider("cost", 100.0, 50.0, 150.0, 1.0, "Cost per head, % of actual"))
    if "costs_fixed_share" in columns and spec.costs is not None and spec.costs.fixed_share is not None:
        mean = spec.costs.fixed_share.expectation
        signals.append(_slider("people", 100.0, 50.0, 200.0, 5.0, "People treated, % of actual number"))
        signals.append(_slider("fixed", mean, 0.0, 1.0, 0.05, "Fixed share of the cost, mean"))
    label = "Significance filter: impacts without a significance star count as zero"
    signals.append({"name": "starred_only", "value": False, "bind": {"input": "checkbox", "name": label}})
    return signals


def _slider(name: str, value: float, low: float, high: float, step: float, label: str) -> dict[str, Any]:
    # A range input snaps to its steps, which must not change the spec's value.
    steps = (value - low) / step
    bind = {"input": "range", "min": low, "max": high, "step": step if steps == round(steps) else "any", "name": label}
    return {"name": name, "value": value, "bind": bind}


def _data(draws: pd.DataFrame, groups: tuple[str, ...], setting: _Setting, ratio: xr.DataArray) -> list[dict[str, Any]]:
    numbers = range(len(groups))
    listed = {
        "group": [str(number) for number in numbers],
        "benefit": [" + ".join(_benefit(term, number, setting) for term in setting.terms) for number in numbers],
        "spent": [f"datum.cost_{number} * datum.cost_factor" for number in numbers],
    }
    formulas = [*_shared_formulas(setting), *((name, f"[{', '.join(items)}]") for name, items in listed.items())]
    low, high = INTERVALS[89]
    return [
        {
            "name": "returns",
            "values": [[float(f"{value:.{DIGITS}g}") for value in row] for row in draws.to_numpy()],
            "transform": [
                *(_formula(name, _by_position(expression, list(draws.columns))) for name, expression in formulas),
                {"type": "flatten", "fields": list(listed)},
                {"type": "project", "fields": list(listed)},
                _formula("ratio", "datum.benefit / datum.spent"),
                _formula("above", "datum.ratio > 1 ? 1 : 0"),
            ],
        },
        *(
            {
                "name": name,
                "source": "returns",
                "transform": [
                    {"type": "quantile", "groupby": ["group"], "field": "ratio", "probs": [level], "as": ["prob", name]}
                ],
            }
            for name, level in (("low", low), ("high", high))
        ),
        {
            "name": "summary",
            "source": "returns",
            "transform": [
                {
                    "type": "aggregate",
                    "groupby": ["group"],
                    "ops": ["mean"] * 4,
                    "fields": ["ratio", "above", "benefit", "spent"],
                    "as": ["mean", "prob", "benefit", "spent"],
                },
                *(
                    {"type": "lookup", "from": name, "key": "group", "fields": ["group"], "values": [name]}
                    for name in ("low", "high")
                ),
                _formula("cost_text", "'£' + format(datum.spent, ',.0f')"),
                _formula("benefit_text", _money("datum.benefit", ",.0f")),
                _formula(
                    "ratio_text",
                    " + ".join(
                        [
                            _money("datum.mean", ",.2f"),
                            "' ('",
                            _plain("datum.low"),
                            "' to '",
                            _plain("datum.high"),
                            "')'",
                        ]
                    ),
                ),
                _formula(
                    "prob_text",
                    "datum.prob >= 0.995 ? '>99%' : datum.prob < 0.005 ? '<1%' : format(datum.prob, '.0%')",
                ),
            ],
        },
        {
            "name": "shape",
            "source": "returns",
            "transform": [
                {
                    "type": "kde",
                    "groupby": ["group"],
                    "field": "ratio",
                    "bandwidth": bandwidth(ratio),
                    "extent": reach(ratio),
                    "steps": 120,
                }
            ],
        },
    ]


def _formula(name: str, expression: str) -> dict[str, Any]:
    return {"type": "formula", "as": name, "expr": expression}


def _by_position(expression: str, columns: list[str]) -> str:
    """Replace column names by positions: rows are lists, which are parsed without evaluating text."""
    return re.sub(
        r"datum\.(\w+)",
        lambda found: f"datum[{columns.index(found[1])}]" if found[1] in columns else found[0],
        expression,
    )


def _plain(value: str) -> str:
    """Format a number to two decimals as Python does, with an ASCII minus."""
    return f"replace(format({value}, '.2f'), '\\u2212', '-')"


def _money(value: str, form: str) -> str:
    return f"({value} < 0 ? '-£' : '£') + format(abs({value}), '{form}')"


def _shared_formulas(setting: _Setting) -> list[tuple[str, str]]:
    """Return the expressions common to all groups: years by rate, share gained, cost factor."""
    found = []
    spec, known = setting.spec, setting.moved
    lasting = _lasting(spec)
    for rate in sorted({term.rate for term in setting.terms if term.lasts}):
        retained = f"datum.retained_{_key(rate)}"
        found.append((f"retained_{_key(rate)}", f"(1 - datum.persistence_{lasting}_decay) / (1 + {rate!r})"))
        later = (
            f"({retained} == 1 ? floor(years - 1)"
            f" : {retained} * (1 - pow({retained}, floor(years - 1))) / (1 - {retained}))"
            f" + (years - 1 - floor(years - 1)) * pow({retained}, floor(years - 1) + 1)"
        )
        first = _given(spec, lasting, "first_year")
        found.append((f"years_{_key(rate)}", f"{first} + {_given(spec, lasting, 'rise')} * ({later})"))
    if "gained" in known and spec.nonresponse is not None:
        found.append(("share", _moved("nonresponse_share", "gained", spec.nonresponse.share.expectation)))
    factor = "cost / 100"
    if "people" in known and spec.costs is not None and spec.costs.fixed_share is not None:
        found.append(("fixed_share", _moved("costs_fixed_share", "fixed", spec.costs.fixed_share.expectation)))
        factor += " * (datum.fixed_share * 100 / people + 1 - datum.fixed_share)"
    return [*found, ("cost_factor", factor)]


def _given(spec: EconomicSpec, lasting: str, part: str) -> str:
    """Return the column of a part of a persistence, or 1 if the spec does not state it."""
    return f"datum.persistence_{lasting}_{part}" if getattr(spec.persistence[lasting], part, None) is not None else "1"


def _key(rate: float) -> str:
    return f"{rate:g}".replace(".", "_")


def _moved(column: str, signal: str, mean: float) -> str:
    """Scale the draws of a share towards 0 or 1 so that their mean is the slider's; at the spec's mean, unchanged."""
    drawn = f"datum.{column}"
    down = f"{drawn} * {signal} / {mean!r}" if mean > 0 else drawn
    up = f"1 - (1 - {drawn}) * (1 - {signal}) / {1 - mean!r}" if mean < 1 else drawn
    return f"{signal} <= {mean!r} ? {down} : {up}"


def _benefit(term: ValueComponent, number: int, setting: _Setting) -> str:
    """Return the expression for the benefit per head of one component in a group."""
    parts = [f"datum.impact_{term.outcome}_{number}", f"datum.{term.column}"]
    if term.lasts:
        parts.append(f"datum.years_{_key(term.rate)}")
    if term.of_qaly:
        parts.append(f"qaly / {setting.value_of_qaly!r}")
    if term.outcome in SURVEY_OUTCOMES and setting.response is not None:
        seen = float(setting.response[number])
        parts.append(f"({seen!r} + {1 - seen!r} * datum.share)")
    if not setting.starred.get((term.outcome, number), True):
        parts.append("(starred_only ? 0 : 1)")
    return " * ".join(parts)
