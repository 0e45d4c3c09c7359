"""Specialists' practice as a moderator of impacts: within sites, as individual records allow, and between sites.

Contacts happen after randomisation and depend on a person's progress: people who find work early need few. A person's
own contacts are therefore an outcome, and regressing the impact on them would mistake effect for cause. The moderator
is instead the practice of the person's specialist, over everyone whom that specialist treated: the person's own
contacts are one part in that number, and the remaining bias is equally small. (Leaving the person out would bias in the
opposite direction, and among the treated only.) The specialist is that of the first appointment, at which people were
randomised, so controls have one too.
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
from hlt_bayes.ipd.models.pymc_data import model_data, model_index
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
    """Specialists by number: ``specialist`` {person}, ``provider`` {specialist}; their identifiers are not kept.

    ``within`` {moderator, specialist} is the practice minus the mean of the site, ``between`` {moderator, group} that
    mean minus the reference, both in units of ``per``.
    """

    moderators: list[str]
    specialist: Array
    provider: Array
    providers: list[str]
    within: Array
    between: Array


def practices_of(records: Records, spec: IndividualSpec) -> Practices | None:
    """Compute each specialist's practice from the people whom they treated; ``None`` if the spec has none.

    Raises
    ------
    RecordsError
        A column is missing, a person has no specialist or provider, or a specialist has no recorded practice.
    """
    if spec.practice is None:
        return None
    measures = {one.measure for one in spec.practice.values()}
    wanted = ["caseload"] if "caseload" in measures else []
    wanted += list(CONTACT_BANDS) if "short_contacts" in measures else []
    frame = records.columns(["group", "arm", "provider", "specialist", *wanted])
    if frame["specialist"].isna().any() or frame["provider"].isna().any():
        raise RecordsError(
            "some people have no specialist or no provider; remove them from the records, or use a spec without "
            "'practice'"
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
            f"some specialists have nobody in treatment with {' and '.join(sorted(measures))} recorded; remove the "
            "people of those specialists from the records, or use a spec without 'practice'"
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

    Returns their contributions to the outcome in both arms {profile} and to the effect {profile}, and that of the
    practice of the site to the mean of the impacts {group}.
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
    provider = model_index("provider", found.provider)
    level = spread("specialist", "specialist") + spread("provider", "provider")[provider]
    effect = spread("specialist_effect", "specialist") + spread("provider_effect", "provider")[provider]
    effect = effect + pt.dot(slope, model_data("within", found.within))
    of_profile = model_index("specialist", found.specialist[problem.people.first])
    return level[of_profile], effect[of_profile], pt.dot(between, found.between)
