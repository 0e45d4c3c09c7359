"""Trial groups nested within sites: site effects and group effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hlt_bayes.inference.prior_variables import prior_variable
from hlt_bayes.inference.structures.pooled import centre_and_spread, of_outcomes
from hlt_bayes.likelihood import labels
from hlt_bayes.specs import ImpactSpec

if TYPE_CHECKING:
    from hlt_bayes.inference.structures.pooled import ImpactVariables


def sites(cells: xr.Dataset, spec: ImpactSpec) -> ImpactVariables:
    """``mu`` + ``site_effect`` {outcome, site} + ``in_work`` {outcome} for groups in work + ``tau`` * ``z``.

    ``mu`` is the impact on people out of work; ``site_sd`` {outcome} is the SD of ``site_effect``. A
    new group is out of work, at a new site.
    """
    import pymc as pm

    site_of_group = dict(zip(cells["group"].to_numpy(), cells["site"].to_numpy(), strict=True))
    names = labels(cells, "site")
    pm.modelcontext(None).add_coord("site", names)
    mu, tau = centre_and_spread(cells, spec)
    site_sd = prior_variable("site_sd", of_outcomes(cells, spec.priors.site), dim="outcome")
    in_work = prior_variable("in_work", of_outcomes(cells, spec.priors.in_work), dim="outcome")
    site_z = pm.Normal("site_z", 0.0, 1.0, dims=("outcome", "site"))
    site_effect = pm.Deterministic("site_effect", site_sd[:, None] * site_z, dims=("outcome", "site"))
    z = pm.Normal("z", 0.0, 1.0, dims=("outcome", "group"))
    new = pm.Normal("site_z_new", 0.0, 1.0, dims="outcome"), pm.Normal("z_new", 0.0, 1.0, dims="outcome")
    works = np.array([float(group in (spec.in_work or [])) for group in site_of_group])
    at_site = site_effect[:, [names.index(site) for site in site_of_group.values()]]
    impact = mu[:, None] + at_site + in_work[:, None] * works + tau[:, None] * z
    return impact, mu + site_sd * new[0] + tau * new[1]
