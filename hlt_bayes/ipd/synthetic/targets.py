"""Published values that synthetic records reproduce, looked up in the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import EvidenceError, SpecError
from hlt_bayes.core.vocabulary import ARMS, GROUPS, OUTCOMES, SITES
from hlt_bayes.evidence import Evidence
from hlt_bayes.ipd.data.schema import BASELINE, CONTACT_BANDS, DESIGN, PROVIDERS
from hlt_bayes.ipd.synthetic.arrays import Floats, figures
from hlt_bayes.specs import TwinSpec

SITE_NAMES = tuple(dict.fromkeys(SITES.values()))
SITE_OF_GROUP = np.array([SITE_NAMES.index(SITES[group]) for group in GROUPS])
SITE_OF_PROVIDER = np.array([SITE_NAMES.index(site) for site in PROVIDERS.values()])


@dataclass(frozen=True)
class Published:
    """Published values in natural units; rows are trial groups, arms are in the order of ``ARMS``.

    Parameters
    ----------
    recruits, answered, answered_4_months
        People per group and arm.
    shares
        Share of each code (for a flag, of True) by column: one row per group.
    bases
        People who answered, per group, by measure of the recruit tables.
    control_rates
        Employment rate of controls per group.
    impacts
        Impact per outcome and group, in the units of ``OUTCOMES``.
    referrals
        Recruits per provider and route.
    contacts, longer_contacts
        Mean contacts of people in treatment, and those longer than 15 minutes.
    lengths
        Share of each band among the longer contacts.
    first_week
        Share of the treatment arm with a first session within a week.
    with_records
        Share of the treatment arm with management information.
    last_month
        Share randomised in the last month.
    """

    recruits: Floats
    answered: Floats
    answered_4_months: Floats
    shares: dict[str, Floats]
    bases: dict[str, Floats]
    control_rates: Floats
    impacts: Floats
    referrals: Floats
    contacts: Floats
    longer_contacts: Floats
    lengths: Floats
    first_week: Floats
    with_records: Floats
    last_month: float


def published(evidence: Evidence, spec: TwinSpec) -> Published:
    """Look up the published values, completed by the spec where none is published.

    Raises
    ------
    EvidenceError
        The evidence is not that of the Health-led Trials.
    SpecError
        The spec lacks a value that is not published.
    """
    if evidence.is_user_data:
        raise EvidenceError(f"{evidence.path}: a synthetic data set needs the evidence of the Health-led Trials")
    recruits = _arms(evidence, "recruits")
    delivery = evidence.delivery
    per_person = delivery[delivery["measure"] == "contacts per person"].set_index(["category", "group"])["value"]
    slack = figures(spec.contacts.within_rounding)
    treated = recruits[:, ARMS.index("treatment")]
    records = evidence.arm_sizes("management information sample")["treatment"]
    last = evidence.ledger.query("measure == 'recruits' and category == 'October 2019, more than'")["value"].iloc[0]
    rates, printed = evidence.employment_rates["control"], _first_week(evidence)
    return Published(
        recruits=recruits,
        answered=_arms(evidence, "12-month survey sample"),
        answered_4_months=_arms(evidence, "4-month survey sample"),
        shares=_shares(evidence, spec.below_half.value),
        bases=_bases(evidence),
        control_rates=_or_stated(rates, {key: one.value for key, one in spec.employment.control.items()}, "employment"),
        impacts=_impacts(evidence, spec),
        referrals=_referrals(evidence),
        contacts=per_person["face-to-face or telephone"].reindex(GROUPS).to_numpy(float) + slack,
        longer_contacts=per_person["longer than 15 minutes"].reindex(GROUPS).to_numpy(float) - slack,
        lengths=_lengths(evidence),
        first_week=_or_stated(printed, {key: one.value for key, one in spec.contacts.first_week.items()}, "contacts"),
        with_records=records.reindex(GROUPS).to_numpy(float) / treated,
        last_month=spec.recruitment.last_month.value * float(last) / recruits.sum(),
    )


def _arms(evidence: Evidence, measure: str) -> Floats:
    return evidence.arm_sizes(measure).reindex(index=list(GROUPS), columns=list(ARMS)).to_numpy(float)


@cache
def _measures() -> tuple[str, ...]:
    return tuple(dict.fromkeys(column.measure for column in BASELINE.values()))


def _tables_of_recruits(evidence: Evidence) -> pd.DataFrame:
    """Cells of the recruit tables of the synthesis report; its text repeats some of them."""
    places = {tuple(column.source.split(", ")) for column in BASELINE.values()}
    cells = evidence.baseline
    return cells[[place in places for place in zip(cells["document"], cells["place"], strict=True)]]


def _shares(evidence: Evidence, below_half: float) -> dict[str, Floats]:
    cells = _tables_of_recruits(evidence).set_index(["measure", "category", "group"])["value"]
    shares = {}
    for name, column in BASELINE.items():
        printed = np.array(
            [[cells.get((column.measure, code, group), np.nan) for code in column.printed] for group in GROUPS]
        )
        small = ~(printed > 0)
        shares[name] = np.where(small, below_half, printed / 100.0)
        if column.kind == "category":
            shares[name] = _adding_to_one(shares[name], small)
    return shares


def _adding_to_one(shares: Floats, small: np.ndarray) -> Floats:
    """Make shares add to 1: the rounding error of the percentages is spread evenly over them."""
    rest = (1.0 - shares.sum(axis=1, keepdims=True)) / (~small).sum(axis=1, keepdims=True)
    return np.where(small, shares, shares + rest)


def _bases(evidence: Evidence) -> dict[str, Floats]:
    cells = _tables_of_recruits(evidence).groupby(["measure", "group"])["base"].first()
    return {name: cells[name].reindex(GROUPS).to_numpy(float) for name in _measures()}


def _impacts(evidence: Evidence, spec: TwinSpec) -> Floats:
    cells = evidence.impacts.set_index(["outcome", "group"])["estimate"]
    impacts = np.array([[cells[outcome, group] for group in GROUPS] for outcome in OUTCOMES], dtype=float)
    for outcome, table in spec.impacts.items():
        for group, figure in table.items():
            impacts[list(OUTCOMES).index(outcome), GROUPS.index(group)] = figure.value
    return impacts


def _referrals(evidence: Evidence) -> Floats:
    """Recruits of both arms per provider and route: randomisation follows referral."""
    cells = evidence.delivery.query("measure == 'referrals' and arm != ''")
    people = cells.drop_duplicates(["category", "arm"]).groupby("category")["value"].sum()
    routes = DESIGN["referral_route"].codes
    return np.array([[people[f"{provider}; {route}"] for route in routes] for provider in PROVIDERS])


def _lengths(evidence: Evidence) -> Floats:
    cells = evidence.delivery.query("measure == 'sessions' and place == 'Table 6.6'")
    sessions = cells.loc[cells["category"].str.startswith("length: "), "value"].to_numpy(float)
    if len(sessions) != len(CONTACT_BANDS):
        raise EvidenceError(f"Table 6.6 has {len(sessions)} lengths of sessions; {len(CONTACT_BANDS)} expected")
    return np.asarray(sessions[1:] / sessions[1:].sum())


def _first_week(evidence: Evidence) -> dict[str, float]:
    cells = evidence.delivery.query("measure == 'first session within a week'")
    return dict(zip(cells["group"], cells["value"] / 100.0, strict=True))


def _or_stated(printed: object, stated: dict[str, float], part: str) -> Floats:
    found = {**stated, **dict(printed)}  # type: ignore[call-overload]
    missing = [group for group in GROUPS if group not in found]
    if missing:
        raise SpecError(f"key '{part}': no published value for {', '.join(map(repr, missing))}; state one in the spec")
    return np.array([found[group] for group in GROUPS], dtype=float)
