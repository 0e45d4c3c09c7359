"""Effect moderation by delivery: what the posterior learns about slopes (very little), and counterfactual delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import ImpactError, unknown_name
from hlt_bayes.impacts.draws import impact_summary
from hlt_bayes.specs import ImpactSpec, Moderator

EXCHANGED = ("caseload", "short_meetings")
"""Moderators exchanged between sites in the main counterfactual: caseload and meeting mix."""

CONTRACTION_PARAMETERS = ("slope", "slope_sd", "site_effect", "site_sd", "in_work", "mu", "tau", "impact", "impact_new")
"""Parameters whose prior contraction is reported, where a model has them."""


def contraction(tree: xr.DataTree) -> pd.DataFrame:
    """Compute the prior-to-posterior contraction of each parameter.

    Returns
    -------
    DataFrame
        ``parameter``, ``prior_sd``, ``posterior_sd`` and ``contraction``, 1 - (posterior SD / prior SD)^2: 0 if
        nothing was learnt, 1 if everything was, below 0 if the posterior is wider than the prior.
    """
    prior, posterior = tree["prior"].dataset, tree["posterior"].dataset
    rows = []
    for name in CONTRACTION_PARAMETERS:
        if name in prior and name in posterior:
            spread = {kind: one[name].std(("chain", "draw")) for kind, one in (("prior", prior), ("post", posterior))}
            spread["post"] = spread["post"].reindex_like(spread["prior"]).transpose(*spread["prior"].dims)
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
        np.stack([np.atleast_2d(np.corrcoef(one)) for one in slope.to_numpy()]),
        dims=("outcome", "moderator", "other_moderator"),
        coords={"outcome": slope["outcome"].to_numpy(), "moderator": names, "other_moderator": names},
    )


def effective_contrasts(tree: xr.DataTree, spec: ImpactSpec) -> xr.Dataset:
    """Compute the effective number of independent contrasts between groups in all moderators together.

    Returns
    -------
    Dataset
        ``effective_contrasts`` {chain, draw}: the participation ratio of the eigenvalues of the moderators' values,
        standardised and centred over groups; 1 if all moderators are perfectly collinear.
        ``moderators`` is the number of moderators, ``most`` the upper bound: the number of groups minus one.
    """
    stated = _moderators(spec)
    steps = _steps(_posterior(tree)["delivery"], spec)
    centred = (steps - steps.mean("group")).transpose("chain", "draw", "moderator", "group").to_numpy()
    squares = np.linalg.svd(centred, compute_uv=False) ** 2
    total = squares.sum(-1)
    ratio = np.divide(total**2, (squares**2).sum(-1), out=np.zeros_like(total), where=total > 0)
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
    """Compute draws of the impact {chain, draw, outcome} that a group would have had under different delivery.

    Parameters
    ----------
    tree, spec
        A fit of a spec with moderators, and that spec.
    group
        A trial group, or ``"new group"``, which starts from the reference delivery.
    delivery
        New value by moderator: a group, for that group's delivery, or a number in natural units; others are unchanged.

    Notes
    -----
    Slopes are treated as causal, which a comparison of sites cannot establish; the width depends on their priors.

    Raises
    ------
    ImpactError
        A group or moderator is not in the model, or a value is not a finite number.
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
        if not isinstance(to, str) and not np.isfinite(to):
            raise ImpactError(f"delivery of {name!r}: {to!r} given; give a finite number or the name of a group")
        values = posterior["delivery"].sel(moderator=name, drop=True)
        now = stated[name].reference if group == "new group" else values.sel(group=group, drop=True)
        then = values.sel(group=to, drop=True) if isinstance(to, str) else float(to)
        result = result + posterior["slope"].sel(moderator=name, drop=True) * (then - now) / stated[name].per
    return result.transpose("chain", "draw", "outcome").assign_attrs(posterior["impact"].attrs)


def counterfactuals(tree: xr.DataTree, spec: ImpactSpec) -> pd.DataFrame:
    """Summarise the counterfactuals suggested by the published explanation: each group with another site's delivery.

    Returns
    -------
    DataFrame
        ``group``; ``delivery``, the groups whose common delivery is used; ``moved``, the moderators changed
        (``EXCHANGED``, if the spec has them, and all); ``outcome`` and ``unit``; ``as_it_was``, the posterior mean of
        the actual impact; mean, SD, intervals and ``prob_positive`` of the counterfactual impact.
    """
    posterior = _posterior(tree)
    values = posterior["delivery"].mean(("chain", "draw"))
    stated = tuple(_moderators(spec))
    sets: dict[str, tuple[str, ...]] = {"all moderators": stated}
    if set(EXCHANGED) < set(stated):
        sets = {"caseload and meeting mix": EXCHANGED, **sets}
    tables = []
    for group in [str(name) for name in posterior["group"].to_numpy()]:
        for others in _groups_by_delivery(values):
            if group in others:
                continue
            as_it_was = posterior["impact"].sel(group=group).mean(("chain", "draw"))
            for moved, names in sets.items():
                draws = counterfactual(tree, spec, group, delivery=dict.fromkeys(names, others[0]))
                table = impact_summary(draws)
                table.insert(0, "group", group)
                table.insert(1, "delivery", ", ".join(others))
                table.insert(2, "moved", moved)
                table.insert(5, "as_it_was", [as_it_was.sel(outcome=name).item() for name in table["outcome"]])
                tables.append(table)
    if not tables:
        return pd.DataFrame(columns=["group", "delivery", "moved", "outcome", "unit", "as_it_was"])
    return pd.concat(tables, ignore_index=True)


def _groups_by_delivery(values: xr.DataArray) -> list[list[str]]:
    """Collect groups with identical delivery, such as those of one site."""
    found: dict[tuple[float, ...], list[str]] = {}
    for group in values["group"].to_numpy():
        found.setdefault(tuple(values.sel(group=group).to_numpy()), []).append(str(group))
    return list(found.values())


def slopes(tree: xr.DataTree, spec: ImpactSpec) -> pd.DataFrame:
    """Summarise the slope of each moderator on each outcome.

    Returns
    -------
    DataFrame
        ``moderator``, ``label``, ``outcome``, ``unit`` (of the outcome, per ``per`` units of the moderator, in
        ``moderator_unit``); mean, SD, intervals and ``prob_positive``; ``prior_sd`` and ``contraction`` as in
        ``contraction``. Slopes share one SD, so they all contract when the sites differ by less than the prior allows;
        this carries no information about one slope relative to another.
    """
    stated = _moderators(spec)
    table = impact_summary(_posterior(tree)["slope"])
    learnt = contraction(tree).set_index("parameter")
    keys = [f"slope[{row.moderator}, {row.outcome}]" for row in table.itertuples()]
    table.insert(1, "label", [stated[name].label for name in table["moderator"]])
    table.insert(2, "per", [stated[name].per for name in table["moderator"]])
    table.insert(3, "moderator_unit", [stated[name].unit for name in table["moderator"]])
    return table.assign(**{name: learnt.loc[keys, name].to_numpy() for name in ("prior_sd", "contraction")})


@dataclass(frozen=True)
class Moderation:
    """Summary of a fit with moderators: ``slopes`` and ``counterfactuals`` as returned by the functions of that name.

    ``effective_contrasts`` is the posterior mean; ``greatest_correlation`` the largest absolute posterior correlation
    between two slopes on the same outcome.
    """

    draws: xr.DataTree
    spec: ImpactSpec
    slopes: pd.DataFrame
    counterfactuals: pd.DataFrame
    effective_contrasts: float
    greatest_correlation: float


def moderation_summary(tree: xr.DataTree, spec: ImpactSpec) -> Moderation:
    """Summarise a fit with moderators.

    Raises
    ------
    ImpactError
        The fit has no moderators.
    """
    correlation = slope_correlation(tree).to_numpy()
    apart = correlation[:, ~np.eye(correlation.shape[-1], dtype=bool)]
    return Moderation(
        draws=tree,
        spec=spec,
        slopes=slopes(tree, spec),
        counterfactuals=counterfactuals(tree, spec),
        effective_contrasts=float(effective_contrasts(tree, spec)["effective_contrasts"].mean()),
        greatest_correlation=float(np.abs(apart).max()) if apart.size else 0.0,
    )


def with_one_moderator(spec: ImpactSpec, name: str) -> ImpactSpec:
    """Return the spec with only one of its moderators.

    Raises
    ------
    ImpactError
        The spec has no moderator of that name.
    """
    stated = _moderators(spec)
    if name not in stated:
        raise ImpactError(f"moderator {unknown_name(name, stated)}")
    return spec.model_copy(update={"name": f"{spec.name}, {name} alone", "moderators": {name: stated[name]}})


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
        raise ImpactError("the posterior has no slopes; give a fit of a spec with moderators")
    return posterior
