"""What the evidence says of moderators, which is next to nothing, and the counterfactuals that are asked for anyway."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.errors import ImpactError, unknown_name
from hlt_bayes.impacts import summary
from hlt_bayes.specs import ImpactSpec, Moderator
from hlt_bayes.vocabulary import OUTCOMES

LEARNT = ("slope", "slope_sd", "site_effect", "site_sd", "in_work", "mu", "tau", "impact", "impact_new")
"""Parameters whose contraction is asked for, whichever of them a model has."""


def contraction(tree: xr.DataTree) -> pd.DataFrame:
    """Say how much narrower the posterior of each parameter is than its prior.

    Returns
    -------
    DataFrame
        ``parameter``, ``prior_sd``, ``posterior_sd`` and ``contraction``, 1 - (posterior SD / prior SD)^2: 0 where
        nothing was learnt, 1 where all was, below 0 where the evidence made it wider.
    """
    prior, posterior = tree["prior"].dataset, tree["posterior"].dataset
    rows = []
    for name in LEARNT:
        if name in prior and name in posterior:
            spread = {kind: one[name].std(("chain", "draw")) for kind, one in (("prior", prior), ("post", posterior))}
            spread["post"] = spread["post"].reindex_like(spread["prior"])
            for index in np.ndindex(spread["prior"].shape):
                labels = [
                    str(spread["prior"][dim].to_numpy()[i]) for dim, i in zip(spread["prior"].dims, index, strict=True)
                ]
                sds = [float(spread[kind].to_numpy()[index]) for kind in ("prior", "post")]
                rows.append((f"{name}[{', '.join(labels)}]", *sds, 1 - (sds[1] / sds[0]) ** 2))
    return pd.DataFrame(rows, columns=["parameter", "prior_sd", "posterior_sd", "contraction"])


def slope_correlation(tree: xr.DataTree) -> xr.DataArray:
    """Posterior correlation {outcome, moderator, other_moderator} of the slopes."""
    slope = _posterior(tree)["slope"].stack(sample=("chain", "draw")).transpose("outcome", "moderator", "sample")
    names = slope["moderator"].to_numpy()
    return xr.DataArray(
        np.stack([np.corrcoef(one) for one in slope.to_numpy()]),
        dims=("outcome", "moderator", "other_moderator"),
        coords={"outcome": slope["outcome"].to_numpy(), "moderator": names, "other_moderator": names},
    )


def effective_contrasts(tree: xr.DataTree, spec: ImpactSpec) -> xr.Dataset:
    """Count the independent contrasts between groups that all moderators together make.

    Returns
    -------
    Dataset
        ``effective_contrasts`` {chain, draw}: the participation ratio of the eigenvalues of the moderators' values,
        standardised and centred over groups: 1 where all of them make one contrast, whatever their number.
        ``moderators`` is that number, ``most`` the number of groups less one, which bounds it.
    """
    stated = _moderators(spec)
    steps = _steps(_posterior(tree)["delivery"], spec)
    centred = (steps - steps.mean("group")).transpose("chain", "draw", "moderator", "group").to_numpy()
    squares = np.linalg.svd(centred, compute_uv=False) ** 2
    ratio = squares.sum(-1) ** 2 / (squares**2).sum(-1)
    return xr.Dataset(
        {
            "effective_contrasts": (("chain", "draw"), ratio),
            "moderators": len(stated),
            "most": steps.sizes["group"] - 1,
        }
    )


def counterfactual(
    tree: xr.DataTree, spec: ImpactSpec, group: str, *, delivery: Mapping[str, str | float]
) -> xr.DataArray:
    """Draw the impact {chain, draw, outcome} that a group would have had, had its service been delivered otherwise.

    Parameters
    ----------
    tree, spec
        A fit of a spec with moderators, and the spec.
    group
        A trial group, or ``"new group"``, which starts from the reference delivery.
    delivery
        By moderator, the group whose delivery is taken, or a value in natural units; other moderators stay.

    Notes
    -----
    It takes the slopes as causal, which no comparison of sites can show, and is as wide as their priors make it.

    Raises
    ------
    ImpactError
        A group or moderator that the model has not.
    """
    posterior, stated = _posterior(tree), _moderators(spec)
    groups = [str(name) for name in posterior["group"].to_numpy()]
    if group not in (*groups, "new group"):
        raise ImpactError(f"group {unknown_name(group, (*groups, 'new group'))}")
    start = posterior["impact_new"] if group == "new group" else posterior["impact"].sel(group=group, drop=True)
    result = start
    for name, to in delivery.items():
        if name not in stated:
            raise ImpactError(f"moderator {unknown_name(name, stated)}")
        if isinstance(to, str) and to not in groups:
            raise ImpactError(f"delivery of {name!r}: group {unknown_name(to, groups)}")
        values = posterior["delivery"].sel(moderator=name, drop=True)
        now = stated[name].reference if group == "new group" else values.sel(group=group, drop=True)
        then = values.sel(group=to, drop=True) if isinstance(to, str) else float(to)
        result = result + posterior["slope"].sel(moderator=name, drop=True) * (then - now) / stated[name].per
    return result.transpose("chain", "draw", "outcome").assign_attrs(posterior["impact"].attrs)


def counterfactuals(tree: xr.DataTree, spec: ImpactSpec) -> pd.DataFrame:
    """Summarise the counterfactuals that the reports' explanation suggests: each group with another's delivery.

    Returns
    -------
    DataFrame
        ``group``, whose ``delivery``, ``outcome`` and ``unit``; ``as_it_was``, the posterior mean of the impact itself;
        and mean, SD, intervals and ``prob_positive`` of the counterfactual with every moderator of another site.
    """
    posterior = _posterior(tree)
    values = posterior["delivery"].mean(("chain", "draw"))
    tables = []
    groups = [str(name) for name in posterior["group"].to_numpy()]
    for group in groups:
        for other in groups:
            if other == group or bool((values.sel(group=group) == values.sel(group=other)).all()):
                continue
            draws = counterfactual(tree, spec, group, delivery=dict.fromkeys(_moderators(spec), other))
            table = summary(draws, above=0.0).rename(columns={"prob_above": "prob_positive"})
            table.insert(0, "group", group)
            table.insert(1, "delivery", other)
            table.insert(3, "unit", [OUTCOMES[outcome].unit for outcome in table["outcome"]])
            as_it_was = posterior["impact"].sel(group=group).mean(("chain", "draw"))
            table.insert(4, "as_it_was", [as_it_was.sel(outcome=name).item() for name in table["outcome"]])
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _steps(delivery: xr.DataArray, spec: ImpactSpec) -> xr.DataArray:
    stated = _moderators(spec)
    names = list(delivery["moderator"].to_numpy())
    reference, per = (
        xr.DataArray([getattr(stated[name], key) for name in names], coords={"moderator": names})
        for key in ("reference", "per")
    )
    return (delivery - reference) / per


def _moderators(spec: ImpactSpec) -> Mapping[str, Moderator]:
    if spec.moderators is None:
        raise ImpactError(f"spec {spec.name!r} has no moderators")
    return spec.moderators


def _posterior(tree: xr.DataTree) -> xr.Dataset:
    posterior = tree["posterior"].dataset
    if "slope" not in posterior:
        raise ImpactError("the posterior has no slopes: it is not that of a spec with moderators")
    return posterior
