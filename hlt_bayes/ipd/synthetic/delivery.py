"""Specialists of synthetic people, the specialists' practice, and the support that the treatment arm received."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri

from hlt_bayes.ipd.data.schema import CONTACT_BANDS, DELIVERY, PROVIDERS
from hlt_bayes.ipd.synthetic.arrays import Floats, Integers, Values, column_of, group_means, stream
from hlt_bayes.ipd.synthetic.baseline import Recruits
from hlt_bayes.ipd.synthetic.targets import SITE_NAMES, SITE_OF_GROUP, SITE_OF_PROVIDER, Published
from hlt_bayes.specs import TwinSpec


@dataclass(frozen=True)
class Delivery:
    """Provider, referral route and specialist of each person, and the practice of the specialists.

    Parameters
    ----------
    provider, route, specialist
        Per person.
    practices
        ``caseload`` and ``short_contacts`` (the share of contacts under 15 minutes) per specialist.
    from_site
        Deviation of the same from the mean over the people of the site, per person.
    """

    provider: Integers
    route: Integers
    specialist: Integers
    practices: dict[str, Floats]
    from_site: dict[str, Floats]

    @property
    def specialists(self) -> int:
        """Number of specialists."""
        return len(self.practices["caseload"])

    def columns(self) -> dict[str, Values]:
        """Columns in the schema."""
        width = max(3, len(str(self.specialists)))
        names = np.array([f"S{number:0{width}d}" for number in range(1, self.specialists + 1)])
        return {
            "provider": column_of("provider", self.provider),
            "specialist": column_of("specialist", names[self.specialist]),
            "referral_route": column_of("referral_route", self.route),
        }


def meet(people: Recruits, known: Published, spec: TwinSpec) -> Delivery:
    """Assign people of both arms a provider, a referral route and the specialist of the first appointment."""
    n, site = len(people.group), people.site
    provider, uniform = np.empty(n, np.int8), stream(people.seed, "provider").random(n)
    for place in range(len(SITE_NAMES)):
        ours = np.flatnonzero(place == SITE_OF_PROVIDER)
        shares = known.referrals[ours].sum(axis=1)
        here = site == place
        provider[here] = ours[_position(uniform[here], shares)]
    route, uniform = np.empty(n, np.int8), stream(people.seed, "route").random(n)
    specialist = np.empty(n, np.int32)
    sites: list[int] = []
    rng = stream(people.seed, "specialists")
    for number in range(len(PROVIDERS)):
        here = np.flatnonzero(provider == number)
        route[here] = _position(uniform[here], known.referrals[number])
        count = max(1, round(len(here) / spec.specialists.recruits_each.value))
        size = np.exp(spec.specialists.size_spread.value * rng.standard_normal(count))
        specialist[here] = len(sites) + _position(rng.random(len(here)), size)
        sites += [int(SITE_OF_PROVIDER[number])] * count
    practices = _practices(np.array(sites), specialist, known, spec, people.seed)
    from_site = {}
    for name, values in practices.items():
        each = values[specialist]
        from_site[name] = each - group_means(each, site, len(SITE_NAMES))[site]
    return Delivery(provider, route, specialist, practices, from_site)


def support(people: Recruits, practice: Delivery, known: Published, spec: TwinSpec) -> dict[str, Values]:
    """Contacts, first session and caseload of the treated; contacts only where there is management information."""
    treated = np.flatnonzero(people.treated)
    group, n = people.group[treated], len(people.group)
    rng = stream(people.seed, "contacts")
    recorded = rng.random(len(treated)) < known.with_records[group]
    shape = spec.contacts.shape.value
    mean = known.contacts[group] * rng.standard_gamma(shape, len(treated)) / shape
    short = practice.practices["short_contacts"][practice.specialist[treated]]
    rates = [mean * short, *(mean * (1.0 - short) * share for share in known.lengths)]
    contacts = [rng.poisson(rate) for rate in rates]
    days = _first_session(group, known, spec, people.seed)
    met = recorded & (sum(contacts) > 0)
    caseload = practice.practices["caseload"][practice.specialist[treated]]
    caseload = caseload + spec.specialists.caseload_of_person.value * stream(people.seed, "caseload").standard_normal(
        len(treated)
    )
    found = dict(zip(CONTACT_BANDS, ((values, recorded) for values in contacts), strict=True))
    found |= {"first_session_days": (days, met), "caseload": (caseload, np.ones(len(treated), bool))}
    columns: dict[str, Values] = {}
    for name, (values, known_here) in found.items():
        everyone, missing = np.zeros(n), np.ones(n, bool)
        everyone[treated] = values.clip(DELIVERY[name].lower, DELIVERY[name].upper)
        missing[treated] = ~known_here
        columns[name] = column_of(name, everyone, missing)
    return columns


def _position(uniform: Floats, weights: Floats) -> Integers:
    """Positions with probabilities proportional to ``weights``."""
    cumulated = np.cumsum(weights) / weights.sum()
    return np.searchsorted(cumulated[:-1], uniform, side="right")


def _practices(sites: Integers, specialist: Integers, known: Published, spec: TwinSpec, seed: int) -> dict[str, Floats]:
    rng = stream(seed, "practice")
    caseload, short = np.empty(len(sites)), np.empty(len(sites))
    people = np.bincount(specialist, minlength=len(sites))
    short_of_group = 1.0 - known.longer_contacts / known.contacts
    for place, name in enumerate(SITE_NAMES):
        ours = sites == place
        ends = spec.specialists.caseload[name]  # type: ignore[index]
        caseload[ours] = rng.uniform(ends.lower, ends.upper, ours.sum())
        mean = short_of_group[place == SITE_OF_GROUP].mean()
        spread = spec.specialists.short_contacts_sd[name].value  # type: ignore[index]
        short[ours] = _shares(rng, mean, spread, people[ours])
    return {"caseload": caseload, "short_contacts": short}


def _shares(rng: np.random.Generator, mean: float, sd: float, people: Integers) -> Floats:
    """Beta-distributed shares of specialists, shifted in log odds so that their mean over people is ``mean``."""
    precision = max(mean * (1.0 - mean) / sd**2 - 1.0, 0.1)
    odds = logit(rng.beta(mean * precision, (1.0 - mean) * precision, len(people)).clip(1e-4, 1.0 - 1e-4))
    if not people.sum():
        return np.asarray(expit(odds))
    share = people / people.sum()
    return np.asarray(expit(odds + brentq(lambda move: share @ expit(odds + move) - mean, -30.0, 30.0)))


def _first_session(group: Integers, known: Published, spec: TwinSpec, seed: int) -> Floats:
    """Days to the first session: log-normal, with the published share of all treated within a week."""
    shape, spread = spec.contacts.shape.value, spec.contacts.first_session_spread.value
    any_contact = 1.0 - (1.0 + known.contacts / shape) ** -shape
    median = 8.0 * np.exp(-spread * ndtri((known.first_week / any_contact).clip(0.01, 0.99)))
    days = median[group] * np.exp(spread * stream(seed, "first session").standard_normal(len(group)))
    return np.asarray(np.floor(days))
