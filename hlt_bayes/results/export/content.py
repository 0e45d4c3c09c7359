"""Content shared by the exports of an analysis: named draws and metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.impacts.estimands import estimand_draws

SOFTWARE = (
    "The hlt-bayes developers. hlt-bayes: Bayesian re-analysis of the Health-led Employment Trials, version {version}."
)
EVALUATION = (
    "Institute for Employment Studies (2023). Health-led Trials: Evaluation Synthesis Report. Department for Work and "
    "Pensions, DWP research report no. 1025, ISBN 978-1-78659-516-4."
)
"""Citations, as in CITATION.cff; for a user's own trials, their reports are cited instead of the evaluation."""

TRIAL_REPORTS = "And the reports of the trials themselves."
SIGN = "treatment minus control; positive is better; zero is no effect"
POPULATIONS = {
    "respondents": "health and wellbeing: survey respondents; other outcomes: all people randomised",
    "like them": "all people randomised; non-respondents are assumed to gain as much as similar respondents",
    "assumed": "all people randomised; the gain of non-respondents is as assumed in the spec",
}
SCALES = {
    "employment": "risk difference, as a proportion (0.03 is 3 percentage points)",
    "earnings": "difference of means, in GBP in the 12 months",
    "health": "standardised mean difference, in SDs of EQ-5D-5L",
    "wellbeing": "standardised mean difference, in SDs of SWEMWBS",
}
RETURN_NAMES = {"economics": "benefit_cost_ratio", "appraisal": "appraisal_benefit_cost_ratio"}
"""Exported name of the returns in each group of draws: at the main spec's prices, and at component prices."""


class Array(NamedTuple):
    """Draws {chain, draw, ...} of one variable, and the labels of their other dims."""

    name: str
    draws: xr.DataArray
    labels: tuple[tuple[str, ...], ...]

    def cells(self) -> Iterator[tuple[tuple[int, ...], tuple[str, ...], np.ndarray]]:
        """Yield position (from 0), labels and draws {chain, draw} of each element; the first index varies fastest."""
        sizes = [len(labels) for labels in self.labels]
        values = self.draws.to_numpy()
        values = values.reshape(*values.shape[:2], -1, order="F")
        for flat in range(int(np.prod(sizes))):
            at = tuple(int(index) for index in np.unravel_index(flat, sizes, order="F"))
            labels = tuple(of_dim[index] for of_dim, index in zip(self.labels, at, strict=True))
            yield at, labels, values[..., flat]


def arrays(analysis: Analysis) -> list[Array]:
    """Draws to export: impacts, their average, the impact in a new group, and returns, as far as available."""
    asked = estimand_draws(analysis.admitted, analysis.evidence.treated)
    found = [_array("impact", analysis.admitted.impact)]
    for name, kind in (("average", "average"), ("impact_new", "new")):
        at = np.flatnonzero(asked["kind"].to_numpy() == kind)
        if at.size:
            found.append(_array(name, asked.isel(estimand=int(at[0]))))
    for group, name in RETURN_NAMES.items():
        if group in analysis.draws.children:
            found.append(_array(name, analysis.draws[group].dataset["benefit_cost_ratio"]))
    return found


def named_impacts(analysis: Analysis) -> dict[tuple[str, str], np.ndarray]:
    """Draws of each impact, with chains concatenated, by outcome and trial group."""
    impact = _array("impact", analysis.admitted.impact)
    by_labels = {labels: values.ravel() for _, labels, values in impact.cells()}
    outcomes, groups = impact.labels
    return {(outcome, group): by_labels[outcome, group] for outcome in outcomes for group in groups}


def new_impacts(analysis: Analysis) -> dict[str, np.ndarray]:
    """Draws of the impact in a new trial group, with chains concatenated, by outcome; empty if the model has none."""
    new = [array for array in arrays(analysis) if array.name == "impact_new"]
    return {labels[0]: values.ravel() for array in new for _, labels, values in array.cells()}


def draws_table(analysis: Analysis) -> pd.DataFrame:
    """Draws in the layout of the R package posterior: one row per draw, columns such as ``impact[employment,WMCA]``."""
    found = arrays(analysis)
    chains, draws = (found[0].draws.sizes[dim] for dim in ("chain", "draw"))
    chain, iteration = (index.ravel() + 1 for index in np.indices((chains, draws)))
    columns = {".chain": chain, ".iteration": iteration, ".draw": np.arange(chains * draws) + 1}
    for array in found:
        index = [index_labels(labels) for labels in array.labels]
        for _, labels, values in array.cells():
            columns[element_name(array.name, *map(dict.__getitem__, index, labels))] = values.ravel()
    return pd.DataFrame(columns)


def element_name(name: str, *index: str) -> str:
    """Name of an element of an array, as the R package posterior splits it again: at each comma."""
    return f"{name}[{','.join(index)}]"


def index_labels(labels: Iterable[str]) -> dict[str, str]:
    """Labels as they stand in the name of an element: unique, with a semicolon in place of a comma."""
    found: dict[str, str] = {}
    for label in sorted(set(labels), key=lambda label: ("," in label, label)):
        text = label.replace(",", ";")
        while text in found.values():
            text += ";"
        found[label] = text
    return found


def metadata(analysis: Analysis, *, with_returns: bool = False) -> dict[str, str]:
    """Return the metadata of every export, as text by key: units, scale, provenance and citation."""
    impact = analysis.admitted.impact
    outcomes = [str(name) for name in impact["outcome"].to_numpy()]
    spec = analysis.individual_spec or analysis.impact_spec
    own = analysis.evidence.is_user_data
    as_published = own and analysis.whose == "respondents"
    from_spec = impact.attrs.get("spec_sha256") == spec.fingerprint
    fields = {
        "title": "Impacts and returns from a Bayesian re-analysis of trial results",
        "units": json.dumps({name: OUTCOMES[name].unit for name in outcomes}),
        "scale": json.dumps({name: SCALES[name] for name in outcomes}),
        "sign": SIGN,
        "of_whom": "as published by each trial" if as_published else POPULATIONS[analysis.whose],
        "spec": spec.name,
        "spec_sha256": spec.fingerprint,
        "draws_of": "this spec" if from_spec else "external; the spec defines only how standard errors are recovered",
        "economic_spec": "none" if analysis.economic_spec is None else analysis.economic_spec.name,
        "component_spec": "none" if analysis.appraisal is None else analysis.appraisal.spec.name,
        "evidence_sha256": analysis.evidence.sha256,
        "seed": str(analysis.seed),
        "created_by": f"hlt-bayes {version('hlt-bayes')}",
        "cite": f"{SOFTWARE.format(version=version('hlt-bayes'))} {TRIAL_REPORTS if own else EVALUATION}",
    }
    written = index_labels(map(str, impact["group"].to_numpy()))
    if changed := {text: label for label, text in written.items() if text != label}:
        fields["index_labels"] = json.dumps(changed, ensure_ascii=False)
    if with_returns and any(group in analysis.draws.children for group in RETURN_NAMES):
        fields["returns"] = "gross benefit per GBP 1 of cost; above 1, benefits exceed costs"
    if predicted := _not_measured(analysis, outcomes, [str(name) for name in impact["group"].to_numpy()]):
        fields["predicted_not_measured"] = json.dumps(predicted, ensure_ascii=False)
    return fields


def metadata_values(analysis: Analysis) -> dict[str, object]:
    """As ``metadata``, with values that are JSON text decoded."""
    fields = metadata(analysis)
    return {key: json.loads(text) if text.startswith(("{", "[")) else text for key, text in fields.items()}


def _not_measured(analysis: Analysis, outcomes: list[str], groups: list[str]) -> list[str]:
    """Impacts that no trial measured, only predicted by the model; these occur with a user's own trials."""
    measured = set(zip(analysis.impacts["outcome"], analysis.impacts["group"], strict=True))
    return [f"{outcome}, {group}" for outcome in outcomes for group in groups if (outcome, group) not in measured]


def _array(name: str, draws: xr.DataArray) -> Array:
    dims = [str(dim) for dim in draws.dims if dim not in ("chain", "draw")]
    labels = tuple(tuple(str(label) for label in draws[dim].to_numpy()) for dim in dims)
    return Array(name, draws.transpose("chain", "draw", *dims), labels)
