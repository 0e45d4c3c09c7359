"""The evidence as one ledger of printed cells, and data frames derived from it in natural units."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pandas as pd

from hlt_bayes.core.vocabulary import ARMS, OUTCOMES, POOLED_GROUPS, REPORTED_GROUPS
from hlt_bayes.evidence.claims import Document, Relation, TableStructure
from hlt_bayes.evidence.schema import BASELINE, CELL, DELIVERY, PENCE, QUANTITY, SURVEY

Contents = Mapping[str, bytes] | tuple[Mapping[str, str], ...]
"""Files of evidence by relative path, or rows of a user's own trials."""


@dataclass(frozen=True)
class Evidence:
    """The published evidence; properties return copies, so that it cannot be changed.

    Parameters
    ----------
    path
        Folder in this package's format, or CSV file of the user's own trials, that was read.
    as_printed
        True if the corrections were not applied.
    files
        SHA-256 of every file read, by relative path.
    sites
        Site of each trial group.
    tables, relations
        Claims that the tables and the running text make about the ledger's cells; see
        ``hlt_bayes.evidence.claims``.
    contents
        Content of every file read, by relative path, or the rows given, so that a result can keep its evidence.
    """

    path: Path
    as_printed: bool
    files: dict[str, str]
    sites: Mapping[str, str]
    tables: tuple[TableStructure, ...]
    relations: tuple[Relation, ...]
    contents: Contents = field(repr=False)
    _ledger: pd.DataFrame = field(repr=False)
    _sources: dict[str, Document] = field(repr=False)

    @property
    def is_user_data(self) -> bool:
        """True for the user's own trials: impacts only, without documents, costs or returns."""
        return not self._sources

    @property
    def ledger(self) -> pd.DataFrame:
        """One row per printed cell: place, text as printed, value, unit, decimals, stars, base, and what it measures.

        ``value``, ``decimals`` and ``stars`` are those of ``text``, which is the printed text or, where
        ``correction`` gives a reason, the corrected text. ``base`` is the denominator of a percentage, where the
        document prints it beside the percentage.
        """
        return self._ledger.copy()

    @property
    def sources(self) -> dict[str, Document]:
        """Title, authors, institution, series, ISBN, date and licence of each document."""
        return dict(self._sources)

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the ledger that results are computed from, corrections included."""
        return hashlib.sha256(self._ledger.to_json(orient="records").encode()).hexdigest()

    @cached_property
    def groups(self) -> tuple[str, ...]:
        """Trial groups with impacts, no pooled rows; those of the Health-led Trials first, in report order."""
        printed = dict.fromkeys(self._ledger.loc[self._ledger["measure"].isin(("impact", "events")), "group"])
        ordered = [name for name in REPORTED_GROUPS if name in printed]
        ordered += [name for name in printed if name not in ordered]
        return tuple(name for name in ordered if name not in POOLED_GROUPS)

    @property
    def impacts(self) -> pd.DataFrame:
        """Published impacts, treatment minus control, by outcome and group, including pooled rows.

        Returns
        -------
        DataFrame
            ``estimate`` and ``half_unit`` (half a unit of the last printed digit; 0 if the estimate is computed from
            event counts) in the natural unit of the outcome: a proportion, £, SD; ``stars``. Then the published
            results that inform the standard error, missing if not published: ``se`` with ``se_half_unit``;
            ``ci_lower``, ``ci_upper``, ``ci_half_unit`` (of the limits) and ``ci_level`` (a proportion);
            ``p_lower`` and ``p_upper``; ``n_treatment``, ``n_control``, ``events_treatment``, ``events_control``,
            ``rate_treatment``, ``rate_control`` (proportions); ``sd`` of the outcome. ``site``, ``unit``, ``text``,
            ``correction`` and the columns ``CELL``.
        """
        return self._impacts.copy()

    @cached_property
    def _impacts(self) -> pd.DataFrame:
        cells = self._cells("impact")
        cells = pd.concat([cells, self._impacts_of_events(cells)], ignore_index=True)
        scale = cells["outcome"].map(lambda outcome: OUTCOMES[outcome].display_scale)
        cells["unit"] = cells["outcome"].map(lambda outcome: OUTCOMES[outcome].unit)
        cells["site"] = cells["group"].map(lambda group: self.sites.get(group, group))
        cells["estimate"] = cells["value"] / scale
        cells["half_unit"] /= scale
        key = pd.MultiIndex.from_frame(cells[["outcome", "group"]])
        for name, measure in (("se", "standard error"), ("ci_lower", "interval lower"), ("ci_upper", "interval upper")):
            limit = self._indexed(measure)
            cells[name] = limit["value"].reindex(key).to_numpy() / scale
            cells[f"{name}_half_unit"] = limit["half_unit"].reindex(key).to_numpy() / scale
        cells["ci_half_unit"] = (cells.pop("ci_lower_half_unit") + cells.pop("ci_upper_half_unit")) / 2
        level = pd.to_numeric(self._indexed("interval lower")["category"]).reindex(key)
        cells["ci_level"] = level.to_numpy(float) / 100.0
        p = self._indexed("p")
        strict = p["text"].str.strip().str.slice(0, 1)
        lower = p["value"].where(strict == ">", (p["value"] - p["half_unit"]).clip(lower=0.0)).where(strict != "<", 0.0)
        upper = p["value"].where(strict == "<", (p["value"] + p["half_unit"]).clip(upper=1.0)).where(strict != ">", 1.0)
        cells["p_lower"], cells["p_upper"] = lower.reindex(key).to_numpy(), upper.reindex(key).to_numpy()
        for arm in ARMS:
            for name, measure, per in (
                ("n", "analysed sample", 1.0),
                ("events", "events", 1.0),
                ("rate", "employment rate", 100.0),
            ):
                cells[f"{name}_{arm}"] = self._indexed(measure, arm)["value"].reindex(key).to_numpy() / per
        cells["sd"] = self._indexed("outcome sd")["value"].reindex(key).to_numpy() / scale
        bounds = ["se", "se_half_unit", "ci_lower", "ci_upper", "ci_half_unit", "ci_level", "p_lower", "p_upper"]
        people = [f"{name}_{arm}" for name in ("n", "events", "rate") for arm in ARMS]
        head = ["outcome", "group", "site", "estimate", "half_unit", "stars", "unit"]
        return cells[[*head, *bounds, *people, "sd", "text", "correction", *CELL]]

    @property
    def samples(self) -> pd.DataFrame:
        """Numbers of people by ``measure`` (such as recruits and survey samples), group and arm."""
        return self._samples.copy()

    @cached_property
    def _samples(self) -> pd.DataFrame:
        ledger = self._ledger.dropna(subset="value")
        cells = ledger[(ledger["unit"] == "people") & (ledger["arm"] != "") & (ledger["category"] == "")]
        cells = cells.drop_duplicates(QUANTITY).rename(columns={"value": "people"}).astype({"people": int})
        return cells[["measure", "outcome", "group", "arm", "people", *CELL]].reset_index(drop=True)

    def arm_sizes(self, measure: str) -> pd.DataFrame:
        """Numbers of people for one ``measure`` of ``samples``: a row per trial group, a column per arm."""
        if measure not in self._arm_sizes:
            samples = self._samples
            sizes = samples[(samples["measure"] == measure) & ~samples["group"].isin(["All", *POOLED_GROUPS])]
            self._arm_sizes[measure] = sizes.pivot(index="group", columns="arm", values="people")
        return self._arm_sizes[measure].copy()

    @cached_property
    def _arm_sizes(self) -> dict[str, pd.DataFrame]:
        """Cache of arm sizes by measure."""
        return {}

    @property
    def treated(self) -> pd.Series:
        """People randomised to treatment per trial group: the weights of pooled rows."""
        recruits = self.arm_sizes("recruits").reindex(index=list(self.groups), columns=list(ARMS))
        return recruits["treatment"]

    @property
    def planned(self) -> pd.Series:
        """Planned number randomised to treatment, per trial group or pooled row for which a plan is published."""
        cells = self._ledger[(self._ledger["measure"] == "planned recruits") & (self._ledger["arm"] == "treatment")]
        return cells.drop_duplicates(QUANTITY).set_index("group")["value"].astype(int)

    @property
    def employment_rates(self) -> pd.DataFrame:
        """Published proportion with the employment outcome: a row per trial group, a column per arm.

        For SCR OOW the text says "in work at the 12-month point"; the two rates differ by the published impact
        on employment for 13+ weeks, so they are taken as rates of that outcome.
        """
        return self._cells("employment rate").pivot(index="group", columns="arm", values="value") / 100.0

    @property
    def costs(self) -> pd.DataFrame:
        """Published cost per person randomised to treatment, in £ (``cost_per_head_gbp``)."""
        cells = self._cells("cost per head")
        return cells.rename(columns={"value": "cost_per_head_gbp"})[["group", "cost_per_head_gbp", "half_unit", *CELL]]

    @property
    def returns(self) -> pd.DataFrame:
        """Published return per £1 by ``perspective`` and group; missing where the report says n/c."""
        cells = pd.concat(
            [self._cells(f"{name} return").assign(perspective=name) for name in ("financial", "economic")]
        )
        columns = ["perspective", "group", "benefit_cost_ratio", "half_unit", "text", *CELL]
        return cells.rename(columns={"value": "benefit_cost_ratio"})[columns].reset_index(drop=True)

    @property
    def baseline(self) -> pd.DataFrame:
        """Baseline characteristics by ``measure``, ``category`` and group, with the base if published."""
        return self._described(BASELINE)

    @property
    def delivery(self) -> pd.DataFrame:
        """Delivery of the service: contacts, caseloads, sessions, referrals, job outcomes recorded by providers."""
        return self._described(DELIVERY)

    @property
    def survey(self) -> pd.DataFrame:
        """Results of the 12-month survey other than the primary outcomes: support used, motivation, barriers."""
        return self._described(SURVEY)

    @property
    def corrections(self) -> pd.DataFrame:
        """Corrected cells, with the printed and the corrected text and the reason."""
        cells = self._ledger[self._ledger["correction"] != ""]
        return cells[[*CELL, "printed", "text", "correction"]].reset_index(drop=True)

    def _described(self, measures: Mapping[str, object]) -> pd.DataFrame:
        cells = self._ledger[self._ledger["measure"].isin(list(measures))].reset_index(drop=True)
        return cells[["measure", "category", "group", "arm", "value", "unit", "base", "text", *CELL]]

    def _cells(self, measure: str) -> pd.DataFrame:
        """Cells of a measure with half a unit of their last digit; for a repeated quantity, only the first cell.

        The category of an interval is its level; for other measures, only cells without a category are used.
        """
        if measure not in self._found:
            self._found[measure] = self._find_cells(measure)
        return self._found[measure].copy()

    @cached_property
    def _found(self) -> dict[str, pd.DataFrame]:
        """Cache of cells by measure."""
        return {}

    def _find_cells(self, measure: str) -> pd.DataFrame:
        cells = self._ledger[self._ledger["measure"] == measure]
        if not measure.startswith("interval"):
            cells = cells[cells["category"] == ""]
        cells = cells.drop_duplicates(QUANTITY).reset_index(drop=True)
        cells = cells.assign(half_unit=0.5 * 10.0 ** -cells["decimals"])
        pence = cells["unit"] == PENCE
        cells.loc[pence, ["value", "half_unit"]] /= 100.0
        return cells

    def _indexed(self, measure: str, arm: str = "") -> pd.DataFrame:
        """Cells of a measure, indexed by outcome and group to match the impacts."""
        cells = self._cells(measure)
        return cells[cells["arm"] == arm].set_index(["outcome", "group"])

    def _impacts_of_events(self, printed: pd.DataFrame) -> pd.DataFrame:
        """Unpublished impacts computed from events and arm sizes, without rounding."""
        events, people = (
            self._cells(measure).pivot(index=["outcome", "group"], columns="arm", values="value")
            for measure in ("events", "analysed sample")
        )
        events = events.drop(pd.MultiIndex.from_frame(printed[["outcome", "group"]]), errors="ignore")
        if events.empty:
            return printed.iloc[:0]
        rates = events / people.reindex(events.index)
        rows = self._cells("events").query("arm == 'treatment'").set_index(["outcome", "group"]).loc[events.index]
        rows = rows.reset_index().assign(
            value=100.0 * (rates["treatment"] - rates["control"]).to_numpy(), half_unit=0.0, stars="not used"
        )
        counts = zip(*(frame[arm] for arm in ARMS for frame in (events, people.reindex(events.index))), strict=True)
        return rows.assign(text=["{:g}/{:g} v {:g}/{:g}".format(*row) for row in counts])
