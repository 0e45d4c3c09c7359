"""Reporting checklists, evaluated: each item is met by existing artefacts, not applicable (with a reason) or missing.

Items are paraphrased from J. K. Kruschke, Bayesian Analysis Reporting Guidelines, Nature Human Behaviour 5
(2021), table 1 (BARG); L. Sung et al., Journal of Clinical Epidemiology 58 (2005) (ROBUST); and D. Husereau et al.,
CHEERS 2022, BMJ 376 (2022).
"""

from __future__ import annotations

import html.parser
import json
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from hlt_bayes.display.table import Table
from hlt_bayes.results.contents import PAGE, SPECS
from hlt_bayes.results.manifest import MANIFEST

MET = "met"
NOT_APPLICABLE = "not applicable"
NOT_PROVIDED = "not provided by this package"
ABSENT = "missing"


class Context(NamedTuple):
    """Where to look for artefacts: a result folder, the groups of its draws, and the page made from it."""

    folder: Path
    groups: Collection[str]
    page: str


class File(NamedTuple):
    """A file of the result folder that has all of ``columns``."""

    name: str
    columns: tuple[str, ...] = ()

    def place(self) -> str:
        """Location, as the checklist table shows it."""
        return f"{self.name}: {', '.join(self.columns)}" if self.columns else self.name

    def is_there(self, context: Context) -> bool:
        """Whether the file exists, is not empty, and has values in each of ``columns``."""
        file = context.folder / self.name
        if not file.is_file() or not file.stat().st_size:
            return False
        if file.suffix != ".csv":
            return True
        try:
            table = pd.read_csv(file, usecols=(lambda name: name in self.columns) if self.columns else [0])
        except ValueError:
            return False
        return (
            len(table) > 0
            and set(self.columns) <= set(table.columns)
            and not table[list(self.columns)].isna().all().any()
        )


class DrawsGroup(NamedTuple):
    """A group of draws in ``posterior.nc``."""

    group: str

    def place(self) -> str:
        """Location, as the checklist table shows it."""
        return f"posterior.nc, group {self.group}"

    def is_there(self, context: Context) -> bool:
        """Whether it exists."""
        return self.group in context.groups


STANDS_FOR = {"fitted": ("individual", "impact"), "valued": ("components", "economic")}
"""Kinds of spec that made or valued the draws, in order; the first that a result has is used."""


class Stated(NamedTuple):
    """A key of a spec that holds content, with a reason and source for every figure."""

    spec: str
    key: str

    def place(self) -> str:
        """Location, as the checklist table shows it."""
        return f"{SPECS}, {self.spec}: {self.key}"

    def is_there(self, context: Context) -> bool:
        """Whether it exists."""
        specs = _json(context.folder / SPECS)
        kind = next((one for one in STANDS_FOR.get(self.spec, (self.spec,)) if one in specs), self.spec)
        node: Any = specs.get(kind, {})
        for name in self.key.split("."):
            node = node.get(name) if isinstance(node, dict) else None
        return bool(node) and not _unreasoned(node)


class Recorded(NamedTuple):
    """A key of the manifest."""

    key: str

    def place(self) -> str:
        """Location, as the checklist table shows it."""
        return f"{MANIFEST}: {self.key}"

    def is_there(self, context: Context) -> bool:
        """Whether it exists."""
        return _json(context.folder / MANIFEST).get(self.key) not in (None, "", {}, [])


class Section(NamedTuple):
    """A section of the page, by id, that has text besides its heading."""

    name: str

    def place(self) -> str:
        """Location, as the checklist table shows it."""
        return f"{PAGE}#{self.name}"

    def is_there(self, context: Context) -> bool:
        """Whether it exists."""
        return len(sections(context.page).get(self.name, "")) > LEAST_TEXT


Artefact = File | DrawsGroup | Stated | Recorded | Section

LEAST_TEXT = 40
"""Sections with no more characters than this count as missing."""


class Item(NamedTuple):
    """An item of a checklist, met if all of ``artefacts`` exist.

    It applies if each of ``needs``, keys of ``REASONS``, holds; ``never`` is the reason why it never applies.
    """

    checklist: str
    number: str
    asks: str
    artefacts: tuple[Artefact, ...] = ()
    needs: tuple[str, ...] = ()
    never: str = ""


REASONS = {
    "direct": "the draws come from MCMC chains",
    "valued": "nothing is valued",
    "smallest": "no smallest effect of interest was given (hlt-bayes run --smallest)",
    "priors": "the draws are external and their priors unknown",
}
"""Why an item does not apply if a need is not fulfilled."""

NO_BAYES_FACTOR = "no hypotheses are compared with Bayes factors"

B, R, C = "BARG", "ROBUST", "CHEERS 2022"
PRIORS = Stated("fitted", "priors")
ITEMS = (
    Item(B, "A", "Why the analysis is Bayesian", (Section("why"),)),
    Item(B, "B", "Goals of the analysis", (Section("question"),)),
    Item(B, "1A", "The data", (File("comparison.csv", ("published", "text")), Section("published"))),
    Item(B, "1B", "Likelihood and parameters", (Section("model-text"),)),
    Item(B, "1C", "Priors and their justification", (PRIORS, Section("assumptions"))),
    Item(B, "1D", "The model in symbols or code", (Section("model-text"), File(SPECS))),
    Item(B, "1E", "Prior predictive check", (File("prior_predictive.csv", ("surprise",)),)),
    Item(B, "2A", "Software and versions", (Recorded("versions"), Section("reproduce"))),
    Item(B, "2B", "Convergence of chains", (File("diagnostics.csv", ("rhat",)),)),
    Item(B, "2C", "Effective sample sizes", (File("diagnostics.csv", ("ess_bulk", "ess_tail")),)),
    Item(B, "2D", "Method of sampling, if not MCMC", (Section("how-drawn"),), ("direct",)),
    Item(B, "3A", "Posterior predictive check", (File("posterior_predictive.csv", ("surprise",)),)),
    Item(
        B,
        "3B",
        "Posterior mean and interval of each quantity",
        (File("impacts.csv", ("mean", "sd", "lower_89", "upper_89")), File("estimands.csv", ("mean",))),
    ),
    Item(B, "3C", "Bayes factors and posterior model probabilities", never=NO_BAYES_FACTOR),
    Item(B, "4A", "Decision considered, and why", (Section("components"),), ("valued",)),
    Item(
        B,
        "4B",
        "Loss of each decision",
        (File("appraisal.csv", ("loss_if_funded_gbp", "loss_if_not_gbp")),),
        ("valued",),
    ),
    Item(
        B,
        "4C",
        "Smallest effect of interest",
        (File("estimands.csv", ("prob_above_smallest",)), Recorded("settings")),
        ("smallest",),
    ),
    Item(B, "4D", "Bayes factor threshold", never=NO_BAYES_FACTOR),
    Item(
        B,
        "4E",
        "Estimates alongside decisions",
        (File("impacts.csv", ("mean",)), File("returns.csv", ("mean",))),
        ("valued",),
    ),
    Item(
        B,
        "5A",
        "Sensitivity to broader and narrower priors",
        (File("power_scaling.csv", ("prior", "likelihood")),),
        ("priors",),
    ),
    Item(B, "5B", "Sensitivity to informed priors and other models", (File("specs.csv", ("mean",)),)),
    Item(
        B,
        "5C",
        "Sensitivity to default priors",
        never="there are no default priors: each is stated in a spec with its reason",
    ),
    Item(B, "5D", "Sensitivity of Bayes factors", never=NO_BAYES_FACTOR),
    Item(
        B,
        "5E",
        "Sensitivity of decisions",
        (File("specs_returns.csv", ("prob_above_one",)),),
        ("valued",),
    ),
    Item(B, "6, software", "Software to install", (Recorded("versions"), Section("reproduce"))),
    Item(B, "6, script", "Settings and seed", (File(SPECS), Recorded("seed"), Section("reproduce"))),
    Item(B, "6, data", "The data, with checksums", (Recorded("inputs"), Section("sources"))),
    Item(B, "6, draws", "The draws themselves", (DrawsGroup("posterior"),)),
    Item(R, "1", "Prior: specified", (PRIORS, Section("assumptions"))),
    Item(R, "2", "Prior: justified", (PRIORS, Section("assumptions"))),
    Item(R, "3", "Prior: sensitivity analysis", (File("specs.csv", ("mean",)), Section("sensitivity"))),
    Item(R, "4", "Analysis: statistical model", (Section("model"), File(SPECS))),
    Item(R, "5", "Analysis: technique", (Section("how-drawn"), Section("computation"))),
    Item(R, "6", "Results: central tendency", (File("impacts.csv", ("mean",)),)),
    Item(R, "7", "Results: SD or interval", (File("impacts.csv", ("sd", "lower_95", "upper_95")),)),
    Item(C, "1", "Title identifies evaluation and interventions", (Section("title"),), ("valued",)),
    Item(C, "2", "Abstract", (Section("answer"),), ("valued",)),
    Item(C, "3", "Background and objectives", (Section("question"),), ("valued",)),
    Item(C, "4", "Health economic analysis plan", (), ("valued",)),
    Item(C, "5", "Study population", (Section("people"),), ("valued",)),
    Item(C, "6", "Setting and location", (Section("setting"),), ("valued",)),
    Item(C, "7", "Comparators", (Section("setting"),), ("valued",)),
    Item(C, "8", "Perspectives", (File("returns.csv", ("perspective",)), Section("returns")), ("valued",)),
    Item(C, "9", "Time horizon", (Stated("valued", "persistence"),), ("valued",)),
    Item(C, "10", "Discount rates", (Stated("valued", "discounting"),), ("valued",)),
    Item(C, "11", "Selection of outcomes", (Section("impacts"), Section("components")), ("valued",)),
    Item(C, "12", "Measurement of outcomes", (Section("impacts"),), ("valued",)),
    Item(
        C,
        "13",
        "Valuation of outcomes",
        (Stated("valued", "benefits"), Stated("valued", "conversions")),
        ("valued",),
    ),
    Item(
        C,
        "14",
        "Resources and costs",
        (File("appraisal.csv", ("cost_per_head_gbp",)), Section("components")),
        ("valued",),
    ),
    Item(
        C,
        "15",
        "Currency and price year",
        (Stated("valued", "prices"), Stated("valued", "costs.price_year")),
        ("valued",),
    ),
    Item(C, "16", "Economic model and its rationale", (File(SPECS), Section("assumptions")), ("valued",)),
    Item(C, "17", "Analytics and assumptions", (File("assumptions.csv", ("why",)), Section("model")), ("valued",)),
    Item(C, "18", "Heterogeneity", (File("estimands.csv", ("mean",)), Section("moderators")), ("valued",)),
    Item(C, "19", "Distributional effects", (), ("valued",)),
    Item(
        C,
        "20",
        "Characterisation of uncertainty",
        (DrawsGroup("appraisal"), File("tornado.csv", ("low", "high"))),
        ("valued",),
    ),
    Item(C, "21", "Engagement with patients and others", (), ("valued",)),
    Item(
        C,
        "22",
        "All parameters",
        (Section("assumptions"), File("assumptions.csv", ("stated", "unit"))),
        ("valued",),
    ),
    Item(C, "23", "Main results", (File("returns.csv", ("mean",)), Section("returns")), ("valued",)),
    Item(
        C,
        "24",
        "Effect of uncertainty",
        (File("acceptability.csv", ("probability",)), File("tornado.csv"), File("specs_returns.csv")),
        ("valued",),
    ),
    Item(C, "25", "Effect of engagement", (), ("valued",)),
    Item(
        C,
        "26",
        "Limitations, generalisability, prior evidence",
        (Section("limits"), Section("published")),
        ("valued",),
    ),
    Item(C, "27", "Funding", (), ("valued",)),
    Item(C, "28", "Conflicts of interest", (), ("valued",)),
)
"""All items; those without artefacts are gaps in every result: not done here, or only authors can provide them."""


def checklists(context: Context, holds: Mapping[str, bool]) -> pd.DataFrame:
    """Evaluate the checklists.

    Parameters
    ----------
    context
        Where to look for artefacts.
    holds
        By key of ``REASONS``: whether the result fulfils that need.

    Returns
    -------
    DataFrame
        ``checklist``, ``item``, ``asks``; ``status`` (met, not applicable, missing); ``where``, the artefacts or those
        that are missing; ``why`` the item does not apply.
    """
    rows = []
    for item in ITEMS:
        why = item.never or next((REASONS[key] for key in item.needs if not holds[key]), "")
        absent = [one for one in item.artefacts if not one.is_there(context)]
        status = NOT_APPLICABLE if why else (ABSENT if absent or not item.artefacts else MET)
        places = [one.place() for one in (absent or item.artefacts)] or [NOT_PROVIDED]
        rows.append((item.checklist, item.number, item.asks, status, "; ".join(places) if not why else "", why))
    return pd.DataFrame(rows, columns=["checklist", "item", "asks", "status", "where", "why"])


def checklists_table(worked_out: pd.DataFrame) -> Table:
    """Show ``checklists``."""
    counts = worked_out["status"].value_counts()
    return Table(
        title=f"Reporting checklists: {', '.join(f'{count} {status}' for status, count in counts.items())}",
        columns=("Checklist", "Item", "Asks for", "Status", "Where, or why not"),
        rows=tuple(
            (row["checklist"], row["item"], row["asks"], row["status"], row["where"] or row["why"])
            for _, row in worked_out.iterrows()
        ),
        notes=(
            "BARG: Kruschke 2021, table 1. ROBUST: Sung et al. 2005. CHEERS 2022: Husereau et al. 2022. Items are "
            "paraphrased. Met: found where stated. Missing: not found; some items only the authors can provide.",
        ),
        frame=worked_out,
    )


@lru_cache(maxsize=1)
def sections(page: str) -> dict[str, str]:
    """Return the text of each page element with an id, without headings, by id."""
    reader = _Sections()
    reader.feed(page)
    reader.close()
    return {name: " ".join("".join(parts).split()) for name, parts in reader.found.items()}


class _Sections(html.parser.HTMLParser):
    VOID = frozenset({"meta", "link", "img", "br", "hr", "input"})
    SKIPPED = frozenset({"h2", "h3", "script", "style"})

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {}
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            name = dict(attrs).get("id") or ""
            if name:
                self.found.setdefault(name, [])
            self._open.append((tag, name))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not any(tag in self.SKIPPED for tag, _ in self._open):
            for _, name in self._open:
                if name:
                    self.found[name].append(data)


def _json(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _unreasoned(node: object) -> bool:
    """Whether any figure below lacks its reason or source."""
    if isinstance(node, dict):
        if ("why" in node) != ("source" in node) or ("why" in node and not (node["why"] and node["source"])):
            return True
        return any(_unreasoned(value) for value in node.values())
    return isinstance(node, list) and any(_unreasoned(value) for value in node)


def read_checklists(folder: Path) -> pd.DataFrame:
    """Read the checklists of a result's report, in the form of ``hlt_bayes.report.checklists.checklists``."""
    return pd.read_csv(folder / "checklists.csv", dtype=str, keep_default_na=False)
