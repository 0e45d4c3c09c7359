"""How specialists work, as what may make impacts differ: within sites, where people tell it, and between sites.

Contacts happen after randomisation, and who gets which is decided in the light of how that person is doing: whoever
finds work early needs few. A person's own contacts are therefore an outcome, and regressing the impact on them would
take the effect for the cause. What enters is the practice of the person's specialist, over all whom that specialist
treated: one's own contacts are one part in their number of it, and what is left of the bias is as small. (Leaving the
person out would put it in with the other sign, and for the treated alone.) The specialist is that of the first
appointment, at which people were randomised: controls have one as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hlt_bayes.core.errors import RecordsError
from hlt_bayes.core.vocabulary import SITES
from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.ipd.data import CONTACT_BANDS, Records
from hlt_bayes.ipd.models.design_matrix import groups_of
from hlt_bayes.ipd.models.pymc_data import known, known_positions
from hlt_bayes.specs import IndividualSpec
from hlt_bayes.specs.priors import Family

if TYPE_CHECKING:
    from pytensor.tensor import TensorVariable

    from hlt_bayes.ipd.models.outcome_model import Problem

Array = np.ndarray

SHORT = "contacts_brief"
"""Contacts of less than 15 minutes."""


@dataclass(frozen=True, repr=False)
class Practices:
    """Specialists by number: ``specialist`` {person}, ``provider`` {specialist}; who they are is not kept.

    ``within`` {moderator, specialist} is the practice less the mean of the site, ``between`` {moderator, group} that
    mean less the reference, both in steps of ``per``.
    """

    moderators: list[str]
    specialist: Array
    provider: Array
    providers: list[str]
    within: Array
    between: Array


def practices_of(records: Records, spec: IndividualSpec) -> Practices | None:
    """Work out each specialist's practice from those whom the specialist treated; ``None`` where a spec has none.

    Raises
    ------
    RecordsError
        A column is missing; a person has no specialist; or a specialist has nobody with the practice on record.
    """
    if spec.practice is None:
        return None
    measures = {one.measure for one in spec.practice.values()}
    wanted = ["caseload"] if "caseload" in measures else []
    wanted += list(CONTACT_BANDS) if "short_contacts" in measures else []
    frame = records.columns(["group", "arm", "provider", "specialist", *wanted])
    if frame["specialist"].isna().any() or frame["provider"].isna().any():
        raise RecordsError(
            "not everybody has a specialist and a provider; leave those who have none out of the records, or take a "
            "spec without practice"
        )
    code, _ = pd.factorize(frame["specialist"], sort=True)
    by = frame[frame["arm"] == "treatment"].groupby(code[frame["arm"] == "treatment"])
    values = {}
    if "caseload" in measures:
        values["caseload"] = by["caseload"].mean()
    if "short_contacts" in measures:
        sums = by[list(CONTACT_BANDS)].sum()
        values["short_contacts"] = sums[SHORT] / sums.sum(axis=1).where(lambda one: one > 0)
    table = pd.DataFrame(values).astype(float).reindex(range(code.max() + 1))
    if table.isna().any(axis=None):
        raise RecordsError(
            f"not every specialist has somebody in treatment with {' and '.join(sorted(measures))} on record; leave "
            "the people of those who have none out, or take a spec without it"
        )
    groups = groups_of(frame)
    site = frame["group"].astype(str).map(SITES).astype(str).to_numpy()
    provider, providers = pd.factorize(frame["provider"].astype(str), sort=True)
    first = np.unique(code, return_index=True)[1]
    people = table.loc[code]
    mean = people.groupby(site).mean()
    within, between = [], []
    for stated in spec.practice.values():
        own, of_site = table[stated.measure].to_numpy(), mean[stated.measure]
        within.append((own - of_site.reindex(site[first]).to_numpy()) / stated.per)
        between.append([(of_site[SITES[group]] - stated.reference) / stated.per for group in groups])
    return Practices(
        list(spec.practice), code, provider[first], [str(one) for one in providers], np.array(within), np.array(between)
    )


def practice_terms(problem: Problem, found: Practices) -> tuple[TensorVariable, TensorVariable, TensorVariable]:
    """Add specialists and providers to the model in context.

    Gives what they add to the outcome {profile} without treatment, what they add to the effect {profile}, and what the
    practice of the site adds to the mean of the impacts {group}.
    """
    import pymc as pm
    import pytensor.tensor as pt

    model = pm.modelcontext(None)
    model.add_coords(
        {
            "moderator": found.moderators,
            "specialist": np.arange(len(found.provider)),
            "provider": found.providers,
        }
    )
    priors, name = problem.spec.priors, problem.outcome

    def prior_of(key: str) -> Family:
        family: Family = getattr(priors, key)[name]
        return family

    def spread(key: str, dim: str) -> TensorVariable:
        sd = prior_variable(f"{key}_sd", {name: prior_of(key)}, dim="outcome")
        return sd[0] * pm.Normal(f"{key}_z", 0.0, 1.0, dims=dim)

    slope = prior_variable("slope", dict.fromkeys(found.moderators, prior_of("slope")), dim="moderator")
    stated = dict.fromkeys(found.moderators, prior_of("slope_between"))
    between = prior_variable("slope_between", stated, dim="moderator")
    provider = known_positions("provider", found.provider)
    level = spread("specialist", "specialist") + spread("provider", "provider")[provider]
    effect = spread("specialist_effect", "specialist") + spread("provider_effect", "provider")[provider]
    effect = effect + pt.dot(slope, known("within", found.within))
    of_profile = known_positions("specialist", found.specialist[problem.people.first])
    return level[of_profile], effect[of_profile], pt.dot(between, found.between)
