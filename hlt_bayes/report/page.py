"""The page that a reader opens: one HTML file with everything inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib.metadata import version

import jinja2

from hlt_bayes.analysis import Analysis
from hlt_bayes.economics import implied_price_bounds
from hlt_bayes.evidence.structure import Document
from hlt_bayes.report.appraisal import appraisal_tables
from hlt_bayes.report.delivery import counterfactuals_table, estimands_table, slopes_table
from hlt_bayes.report.findings import headline, limits, message, people_of
from hlt_bayes.report.tables import Table, comparison_table, impacts_table, price_range, returns_table
from hlt_bayes.specs import stated_figures

TITLE = "Health-led Employment Trials: Bayesian re-analysis"
QUESTION = (
    "What Individual Placement and Support in primary and community care did for employment, earnings, health and "
    "wellbeing in three trial groups, and what each £1 returned, given what the published report prints."
)
FIGURE_TEXTS = {
    "impacts": "Forest plot: for each outcome and group, the printed impact with an interval from its recovered "
    "standard error, and below it the posterior mean with its 89 % and 95 % intervals. The numbers stand in the "
    "tables of impacts and of the comparison.",
    "walk": "For each group, the economic return as published, then without the significance filter, with standard "
    "errors, pooled, with non-respondents, and at component prices. The numbers stand in the table of the steps.",
    "returns": "For each group, the posterior distribution of the benefit per £1 with its mean and 89 % interval, the "
    "published return, the return of the printed impact, and a line at £1. The numbers stand in the table of returns.",
}


def page(analysis: Analysis, pictures: Mapping[str, str]) -> str:
    """Write the page; ``pictures`` are the SVG texts of the figures by name."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hlt_bayes.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["cited"] = cited
    title, question = (
        (
            "Impacts of your trials: Bayesian re-analysis",
            f"What the trials in {analysis.evidence.path.name} found together.",
        )
        if analysis.evidence.of_own_trials
        else (TITLE, QUESTION)
    )
    return environment.get_template("page.html.jinja").render(
        analysis=analysis,
        title=title,
        question=question,
        version=version("hlt-bayes"),
        people=people_of(analysis),
        message=message(analysis),
        headline=headline(analysis.returns, analysis.impacts, list(analysis.evidence.groups)),
        limits=limits(analysis),
        impacts=impacts_table(analysis.impacts, whose=analysis.whose),
        estimands=estimands_table(analysis.estimands),
        delivery=_delivery_tables(analysis),
        returns=returns_table(analysis.returns, analysis.prices),
        appraisal=appraisal_tables(analysis.appraisal),
        comparison=comparison_table(analysis.comparison),
        prices=_prices_table(analysis),
        assumptions=_assumptions_table(analysis),
        corrections=_corrections_table(analysis),
        worst=_worst(analysis),
        figures={name: (_data_uri(svg), FIGURE_TEXTS[name]) for name, svg in pictures.items()},
    )


def cited(source: Document) -> str:
    """Cite a document, with what it states of itself."""
    isbn = f"ISBN {source.isbn}" if source.isbn else ""
    when = f"{source.published:%B %Y}" if source.published else ""
    parts = [source.title, ", ".join(source.authors), source.institution, source.series, isbn, when, source.licence]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _worst(analysis: Analysis) -> dict[str, str]:
    table = analysis.diagnostics
    return {
        "quantities": f"{len(table)}",
        "rhat": f"{table['rhat'].max():.3f}",
        "ess": f"{min(table['ess_bulk'].min(), table['ess_tail'].min()):,.0f}",
    }


def _prices_table(analysis: Analysis) -> Table:
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
        rows.append((perspective, "all of them: used", price_range(price["lower_gbp"], price["upper_gbp"])))
        notes.append(f"{perspective}: {benefit.price.unit}. {benefit.price.why}")
    return Table(
        title="Prices that the published returns imply",
        columns=("Benefit", "Group", "Price"),
        rows=tuple(rows),
        notes=tuple(notes),
    )


def _assumptions_table(analysis: Analysis) -> Table:
    rows = []
    base = dict(stated_figures(analysis.impact_spec))
    moderation_spec = analysis.moderation.spec if analysis.moderation else None
    component_spec = analysis.appraisal.spec if analysis.appraisal else None
    impact_specs = (analysis.individual_spec, analysis.impact_spec)
    for spec in filter(None, (*impact_specs, moderation_spec, analysis.economic_spec, component_spec)):
        for key, figure in stated_figures(spec):
            if spec is moderation_spec and base.get(key) == figure:
                continue
            rows.append((f"{spec.name}: {key}", str(figure), getattr(figure, "unit", ""), figure.why, figure.source))
    return Table(
        title="Priors, prices and other stated figures and choices",
        columns=("Key", "Stated", "Unit", "Why", "Source"),
        rows=tuple(rows),
        notes=("Source “assumption”: no document states it.",),
    )


def _delivery_tables(analysis: Analysis) -> list[Table]:
    if analysis.moderation is None:
        return []
    return [slopes_table(analysis.moderation), counterfactuals_table(analysis.moderation)]


def _corrections_table(analysis: Analysis) -> Table:
    return Table(
        title="Cells used otherwise than printed",
        columns=("Cell", "Printed", "Used", "Why"),
        rows=tuple(
            (f"{row['place']}, {row['row']}, {row['column']}", row["printed"], row["text"], row["correction"])
            for _, row in analysis.evidence.corrections.iterrows()
        ),
        notes=(),
    )
