"""Tables shown only on the report page: sample sizes, prices, stated figures, corrections and versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.vocabulary import ARMS
from hlt_bayes.display.format import price_range
from hlt_bayes.display.table import Table
from hlt_bayes.economics import implied_price_bounds
from hlt_bayes.evidence import Evidence
from hlt_bayes.evidence.claims import Document
from hlt_bayes.specs import stated_figures


def people_table(evidence: Evidence) -> Table:
    """Show sample sizes by measure, trial group and arm."""
    samples = evidence.samples
    groups = [name for name in dict.fromkeys(samples["group"]) if name in evidence.groups]
    rows = []
    for measure in dict.fromkeys(samples["measure"]):
        people = evidence.arm_sizes(str(measure)).reindex(index=groups, columns=list(ARMS))
        rows += [
            (str(measure).capitalize(), arm, *(f"{number:,.0f}" for number in people[arm]))
            for arm in ARMS
            if people[arm].notna().all()
        ]
    return Table(
        title="Sample sizes by trial group and arm",
        columns=("Sample", "Arm", *groups),
        rows=tuple(rows),
        notes=(),
        frame=samples,
    )


def prices_table(analysis: Analysis) -> Table:
    """Show the prices implied by the published returns, by group, and the range that is used."""
    rows: list[tuple[str, str, str]] = []
    spec, notes = analysis.economic_spec, []
    for _, price in analysis.prices.iterrows():
        if spec is None or not price["implied"]:
            continue
        perspective, benefit = price["perspective"], spec.benefits[price["benefit"]]
        bounds = implied_price_bounds(analysis.evidence, perspective, benefit)
        rows += [
            (perspective, row["group"], price_range(row["lower_gbp"], row["upper_gbp"])) for _, row in bounds.iterrows()
        ]
        rows.append((perspective, "used (all groups)", price_range(price["lower_gbp"], price["upper_gbp"])))
        notes.append(f"{perspective}: {benefit.price.unit}. {benefit.price.why}")
    return Table(
        title="Prices implied by the published returns",
        columns=("Perspective", "Group", "Price"),
        rows=tuple(rows),
        notes=tuple(notes),
        frame=analysis.prices,
    )


def figures_table(analysis: Analysis) -> Table:
    """Show every stated figure and choice of every spec of an analysis, with reason and source."""
    found = []
    base = dict(stated_figures(analysis.impact_spec))
    moderation_spec = analysis.moderation.spec if analysis.moderation else None
    component_spec = analysis.appraisal.spec if analysis.appraisal else None
    impact_specs = (analysis.individual_spec, analysis.impact_spec)
    for spec in filter(None, (*impact_specs, moderation_spec, analysis.economic_spec, component_spec)):
        for key, figure in stated_figures(spec):
            if spec is moderation_spec and base.get(key) == figure:
                continue
            stated = str(figure), getattr(figure, "unit", ""), figure.why, figure.source
            found.append((f"{spec.name}: {key}", *stated))
    columns = ("Key", "Stated", "Unit", "Why", "Source")
    return Table(
        title="Priors, prices and other stated figures and choices",
        columns=columns,
        rows=tuple(found),
        notes=("Source “assumption”: no document states it.",),
        frame=pd.DataFrame(found, columns=[name.lower() for name in columns]),
    )


def corrections_table(evidence: Evidence) -> Table:
    """Show the published cells that are corrected before use."""
    return Table(
        title="Published cells corrected before use",
        columns=("Cell", "Published", "Used", "Why"),
        rows=tuple(
            (f"{row['place']}, {row['row']}, {row['column']}", row["printed"], row["text"], row["correction"])
            for _, row in evidence.corrections.iterrows()
        ),
        notes=(),
        frame=evidence.corrections,
    )


def versions_table(manifest: Mapping[str, Any]) -> Table:
    """Show the software versions, seed, machine and inputs of a result."""
    rows = [(name, str(number)) for name, number in manifest["versions"].items()]
    rows += [("seed", str(manifest["seed"])), ("created", str(manifest["created"]))]
    rows += [(f"machine: {name}", str(value)) for name, value in manifest["machine"].items()]
    rows += [(f"{name}: SHA-256", str(one["sha256"])) for name, one in manifest["inputs"].items()]
    return Table(
        title="Versions, seed and inputs",
        columns=("Item", "Value"),
        rows=tuple(rows),
        notes=(),
        frame=pd.DataFrame(rows, columns=["what", "which"]),
    )


def cited(source: Document) -> str:
    """Format the citation of a document."""
    isbn = f"ISBN {source.isbn}" if source.isbn else ""
    when = f"{source.published:%B %Y}" if source.published else ""
    licence = "Licence not stated" if source.licence == "not stated" else source.licence
    parts = [source.title, ", ".join(source.authors), source.institution, source.series, isbn, when, licence]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."
