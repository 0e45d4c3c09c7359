"""The report page: one self-contained HTML file that makes no network requests."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from hlt_bayes.analysis import Analysis
from hlt_bayes.checks.run_checks import CheckTables
from hlt_bayes.display.appendix import (
    cited,
    corrections_table,
    figures_table,
    people_table,
    prices_table,
    versions_table,
)
from hlt_bayes.display.appraisal import appraisal_tables, assumptions_table, component_returns_table, tornado_table
from hlt_bayes.display.audit import audit_table, of_used_cells
from hlt_bayes.display.checks import (
    convergence_table,
    power_table,
    predictive_check_table,
    returns_by_spec_table,
    specs_table,
)
from hlt_bayes.display.comparison import comparison_table
from hlt_bayes.display.evidence import printed_tables
from hlt_bayes.display.html import table_html
from hlt_bayes.display.impacts import estimands_table, impacts_table
from hlt_bayes.display.key_messages import answer, headline, limits, message, people_in_words, pools
from hlt_bayes.display.moderators import counterfactuals_table, slopes_table
from hlt_bayes.display.returns import returns_table
from hlt_bayes.display.table import Table
from hlt_bayes.economics.summaries import lead_perspective
from hlt_bayes.ipd.models.fitting import PARETO_K_MAX
from hlt_bayes.report.checklists import Context, checklists, checklists_table
from hlt_bayes.report.explorer import Explorer, explorer
from hlt_bayes.results.manifest import Manifest
from hlt_bayes.results.write import specs_of
from hlt_bayes.specs.load import is_shipped

TITLE = "Health-led Employment Trials: Bayesian re-analysis and economic evaluation"
QUESTION = (
    "How did Individual Placement and Support in primary and community care, compared with usual support, change "
    "employment, earnings, health and wellbeing in three trial groups, and what did each £1 spent return, given the "
    "published results?"
)
UNKNOWN_ENGINE = "unknown (external draws)"
"""The engine shown for draws that do not name theirs."""

HOW_DRAWN = {
    "nuts": "Independent chains of the No-U-Turn sampler (nutpie), each with its own starting point and warm-up.",
    "pymc": "Independent chains of PyMC's No-U-Turn sampler, each with its own starting point and warm-up.",
    "exact": "Independent draws without chains: tau by quadrature, conditionally normal parameters in closed form, "
    "standard errors and rounded estimates by importance sampling from their priors, then resampled.",
    "laplace": "Independent draws without chains: a normal approximation at the mode of each likelihood, corrected to "
    "the exact posterior by importance sampling, then resampled. If Pareto k exceeds "
    f"{PARETO_K_MAX}, the weights are unreliable and the outcome is sampled with NUTS.",
}
"""How each engine draws."""

CHARACTERISTICS = ("Table 1.2", "Table 1.3", "Table 1.4")
"""Published tables of participants: age, gender, ethnic group."""

FIGURE_TEXTS = {
    "impacts": "Forest plot: for each outcome and group, the published impact with an interval from its recovered "
    "standard error, and below it the posterior mean with its 89 % and 95 % intervals; a grey line between them shows "
    "the shrinkage. The numbers are in the tables of impacts and of the comparison.",
    "walk": "For each group, the economic return as published, then without the significance filter, with standard "
    "errors, pooled, with non-respondents, and at component prices. The numbers are in the table of steps.",
    "returns": "For each group, the posterior distribution of the benefit per £1 with its mean and 89 % interval, the "
    "published return, the return at the published impact, and a line at £1. The numbers are in the table of returns.",
    "acceptability": "For each group, the probability that £1 returns more than a threshold, falling as the threshold "
    "rises from £0 to £5; a line marks £1. Values at £1 are in the table of returns at component prices.",
    "acceptability_qaly": "For each group, the probability that benefits exceed costs, rising with the value of a "
    "QALY. The value at the price used is in the table of returns at component prices.",
    "plane": "For each group, a scatter of draws: benefit per person against cost per person, with the line of "
    "equality. The share of draws with benefits above costs is P(>£1) in the table of returns at component prices.",
    "tornado": "Bars, the widest on top: how far the mean return moves when one quantity goes from the low to the high "
    "end of its 89 % interval. The numbers are in the table below it.",
    "prior_posterior": "For each outcome, prior and posterior densities of the mean impact and of the between-group "
    "SD. With few groups, that SD hardly contracts.",
    "specs": "For each outcome and group, the posterior mean and 89 % interval under each model. The numbers are in "
    "the table of impacts by spec.",
    "moderators": "For each outcome and moderator, the posterior 89 % interval of the slope, within that of the prior: "
    "all contain zero. The numbers are in the table of moderator slopes.",
}
"""Alternative text of each figure, with the table that has its numbers."""


def page(
    analysis: Analysis,
    checked: CheckTables,
    pictures: Mapping[str, str],
    *,
    folder: Path,
    manifest: Manifest,
    model: str,
) -> tuple[str, pd.DataFrame]:
    """Render the page, and evaluate its checklists.

    Parameters
    ----------
    analysis, checked
        The content.
    pictures
        SVG texts of the figures by name.
    folder, manifest
        The result folder with all its tables, and its manifest.
    model
        The model in symbols; empty for draws from individual records.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hlt_bayes.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["cited"] = cited
    template = environment.get_template("page.html.jinja")
    content = _content(analysis, checked, manifest, model)
    content["figures"] = {
        name: (_data_uri(pictures[name]), text) if name in pictures else None for name, text in FIGURE_TEXTS.items()
    }
    # Checklist items refer to sections of the page, so it is first rendered without them.
    draft = template.render(**content, checklists=None, show=_numbered_tables())
    worked_out = checklists(Context(folder, set(analysis.draws.children), draft), _holds(analysis))
    text = template.render(**content, checklists=checklists_table(worked_out), show=_numbered_tables())
    return text, worked_out


def _content(analysis: Analysis, checked: CheckTables, manifest: Manifest, model: str) -> dict[str, Any]:
    own, appraisal = analysis.evidence.is_user_data, analysis.appraisal
    explored = explorer(analysis)
    return {
        "analysis": analysis,
        "title": "Impacts of your trials: Bayesian re-analysis" if own else TITLE,
        "question": _question(analysis),
        "version": version("hlt-bayes"),
        "people_of_draws": people_in_words(analysis),
        "answer": answer(analysis, checked),
        "message": message(analysis),
        "headline": headline(analysis.returns, analysis.impacts, list(analysis.evidence.groups)),
        "limits": limits(analysis),
        "people": None if own else people_table(analysis.evidence),
        "impacts": impacts_table(analysis.impacts, whose=analysis.whose),
        "estimands": estimands_table(analysis.estimands),
        "comparison": comparison_table(analysis.comparison),
        "returns": returns_table(analysis.returns, analysis.prices),
        "prices": prices_table(analysis),
        "components": appraisal_tables(appraisal),
        "drivers": _drivers(analysis, checked),
        "explorer": explored,
        "explorer_rows": [] if explored is None else _rows_of_explorer(analysis, explored),
        "script": None if explored is None else _script(explored),
        "policy": _policy(scripted=explored is not None),
        "sensitivity": _sensitivity(checked),
        "why_not": {name: checked.why_not[name] for name in ("power_scaling", "specs") if name in checked.why_not},
        "delivery": _delivery(analysis),
        "diagnostics": _diagnostics(checked, analysis),
        "assumptions": figures_table(analysis),
        "ranked": _ranked(analysis, checked),
        "corrections": corrections_table(analysis.evidence),
        "audit": audit_table(of_used_cells(checked.tables["audit"])) if "audit" in checked.tables else None,
        "model": model,
        "engine": _engine(analysis),
        "how_drawn": [text for name, text in HOW_DRAWN.items() if name in _engine(analysis)],
        "pareto_k": _worst_pareto_k(analysis),
        "characteristics": [] if own else _characteristics(analysis),
        "pooled": pools(analysis),
        "worst": _worst(analysis),
        "commands": _commands(analysis),
        "versions": versions_table(manifest.model_dump()),
    }


def _question(analysis: Analysis) -> str:
    if analysis.evidence.is_user_data:
        return f"What do the trials in {analysis.evidence.path.name} show, taken together?"
    if analysis.individual_spec is not None:
        return (
            f"What impacts do {people_in_words(analysis) or 'the records'} show, compared with the published results?"
        )
    return QUESTION


def _numbered_tables() -> Any:  # noqa: ANN401 - a function for the template
    numbers = count(1)

    def show(table: Table) -> Markup:
        # table_html has escaped every cell, title and note.
        return Markup(table_html(table, name=f"t{next(numbers)}"))  # noqa: S704

    return show


def _data_uri(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def _holds(analysis: Analysis) -> dict[str, bool]:
    """Return which needs a result fulfils, by key of ``checklists.REASONS``."""
    return {
        "direct": "sample_stats" not in analysis.draws.children,
        "valued": analysis.economic_spec is not None,
        "smallest": bool(analysis.smallest),
        "priors": "mu" in analysis.draws["posterior"] or analysis.individual_spec is not None,
    }


def _engine(analysis: Analysis) -> str:
    said = str(analysis.draws["posterior"]["impact"].attrs.get("engine", ""))
    # With individual records, each outcome may have a different engine.
    return " and ".join(dict.fromkeys(json.loads(said).values())) if said.startswith("{") else said or UNKNOWN_ENGINE


def _worst_pareto_k(analysis: Analysis) -> str:
    """Return the largest Pareto k of the importance weights; empty if there are none."""
    if "importance" not in analysis.draws.children or "pareto_k" not in analysis.draws["importance"]:
        return ""
    return f"{float(analysis.draws['importance']['pareto_k'].max()):.2f}"


def _characteristics(analysis: Analysis) -> list[Table]:
    return [printed_tables(analysis.evidence, place, document="synthesis")[0] for place in CHARACTERISTICS]


def _worst(analysis: Analysis) -> dict[str, str]:
    table = analysis.diagnostics
    return {
        "quantities": f"{len(table)}",
        "rhat": f"{table['rhat'].max():.3f}",
        "ess": f"{min(table['ess_bulk'].min(), table['ess_tail'].min()):,.0f}",
    }


def _drivers(analysis: Analysis, checked: CheckTables) -> Table | None:
    """Show the drivers of the return of the last trial group."""
    if analysis.appraisal is None:
        return None
    return tornado_table(
        checked.tables["tornado"],
        dict(checked.labels),
        group=analysis.evidence.groups[-1],
        perspective=lead_perspective(analysis.appraisal.spec),
    )


def _ranked(analysis: Analysis, checked: CheckTables) -> Table | None:
    if analysis.appraisal is None:
        return None
    return assumptions_table(checked.tables["assumptions"], perspective=lead_perspective(analysis.appraisal.spec))


def _sensitivity(checked: CheckTables) -> list[Table]:
    builders = {"specs": specs_table, "specs_returns": returns_by_spec_table, "power_scaling": power_table}
    return [builder(checked.tables[name]) for name, builder in builders.items() if name in checked.tables]


def _delivery(analysis: Analysis) -> list[Table]:
    if analysis.moderation is None:
        return []
    return [slopes_table(analysis.moderation), counterfactuals_table(analysis.moderation)]


def _diagnostics(checked: CheckTables, analysis: Analysis) -> list[Table]:
    seen = [of for of in ("posterior", "prior") if f"{of}_predictive" in checked.tables]
    predicted = [predictive_check_table(checked.tables[f"{of}_predictive"], of=of) for of in seen]
    return [convergence_table(analysis.diagnostics, most=10), *predicted]


def _rows_of_explorer(analysis: Analysis, explored: Explorer) -> list[dict[str, str]]:
    """Return the initial cells of the explorer's table: those of the table of component returns."""
    assert analysis.appraisal is not None  # noqa: S101 - an explorer requires an appraisal
    shown = component_returns_table(analysis.appraisal)
    perspective = lead_perspective(analysis.appraisal.spec)
    at = {name: shown.columns.index(name) for name in ("Cost", "Benefits", "Ratio", "P(>£1)")}
    by_group = {row[1]: row for row in shown.rows if row[0] == perspective}
    return [
        {
            "number": str(number),
            "group": group,
            "cost": by_group[group][at["Cost"]],
            "benefit": by_group[group][at["Benefits"]],
            "ratio": by_group[group][at["Ratio"]],
            "prob": by_group[group][at["P(>£1)"]],
        }
        for number, group in enumerate(explored.groups)
    ]


@cache
def _runtime() -> str:
    """Return Vega and vega-embed as one script that sets ``vegaEmbed``."""
    import vl_convert

    bundle: str = vl_convert.javascript_bundle()  # type: ignore[call-arg]
    return bundle


FILL = """
const OPTIONS = {actions: false, ast: true, renderer: "svg", bind: "#explorer-sliders"};
vegaEmbed("#explorer-chart", SPEC, OPTIONS).then(({view}) => {
  const fill = (_, rows) => rows.forEach((row) => ["cost", "benefit", "ratio", "prob"].forEach((name) => {
    document.getElementById(`explorer-${row.group}-${name}`).textContent = row[`${name}_text`];
  }));
  fill("", view.data("summary"));
  view.addDataListener("summary", fill);
});
"""
"""Script that fills the table with the results of the dataflow, initially and after each change."""


def _script(explored: Explorer) -> Markup:
    # A script must not contain its end tag or the start of a comment.
    spec = json.dumps(explored.vega, ensure_ascii=False).replace("<", r"\u003c")
    runtime = re.sub(r"</(?=script)|<(?=!--)", lambda found: found[0].replace("<", r"\x3c"), _runtime(), flags=re.I)
    return Markup(f"{runtime}\nconst SPEC = {spec};{FILL}")  # noqa: S704


def _policy(*, scripted: bool) -> str:
    """Return a content security policy that forbids every request."""
    script = "; script-src 'unsafe-inline'" if scripted else ""
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'{script}"


def _commands(analysis: Analysis) -> list[str]:
    """Return the commands that reproduce this result, if all its specs are shipped ones."""
    if analysis.individual_spec is not None or analysis.evidence.is_user_data or not _uses_shipped_specs(analysis):
        return []
    words = ["hlt-bayes run", f"--spec {analysis.impact_spec.name}"]
    words.append(f"--moderators {analysis.moderation.spec.name if analysis.moderation else 'none'}")
    if analysis.economic_spec is not None:
        words.append(f"--economics {analysis.economic_spec.name}")
    words.append(f"--components {analysis.appraisal.spec.name if analysis.appraisal else 'none'}")
    words += [f"--smallest {outcome}={value:g}" for outcome, value in analysis.smallest.items()]
    if _engine(analysis) != analysis.impact_spec.sampling.engine:
        words.append(f"--engine {_engine(analysis)}")
    return [f"{' '.join(words)} --seed {analysis.seed} --out results/again", "hlt-bayes report results/again"]


def _uses_shipped_specs(analysis: Analysis) -> bool:
    return _engine(analysis) != UNKNOWN_ENGINE and all(map(is_shipped, specs_of(analysis).values()))
