"""Replication of the published evaluation, and the duration of gain that its return requires."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError, unknown_name
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.economics.appraisal import appraise
from hlt_bayes.economics.costs import cost_per_head
from hlt_bayes.economics.implied_prices import implied_prices, printed_returns
from hlt_bayes.evidence import Evidence
from hlt_bayes.impacts.draws import INTERVALS, Source, admit, pooled_weights
from hlt_bayes.likelihood import recovered_se, reported_results
from hlt_bayes.specs import EconomicSpec, ImpactSpec

DRAWS = 10_000
"""Draws of the published Monte Carlo simulation (synthesis report, section 2.1)."""


def printed_impacts(evidence: Evidence, spec: ImpactSpec) -> pd.DataFrame:
    """Return published impacts with recovered standard errors, a row per outcome and group.

    Returns
    -------
    DataFrame
        Indexed by ``outcome`` and ``group``, including pooled rows: ``estimate``; ``se``, the median recovered from
        rounding, stars and sample sizes under the priors of ``spec`` or, for a pooled row, the SE of the mean of its
        groups weighted by recruits to treatment; ``starred``, True if the estimate has a star.
    """
    cells = reported_results(evidence, spec)
    recovered = recovered_se(cells, [0.5]).sel(quantity="se")
    index = pd.MultiIndex.from_arrays([recovered[name].to_numpy() for name in ("outcome", "group")])
    se = pd.Series(recovered["quantile"].to_numpy().ravel(), index=index)
    for outcome in dict.fromkeys(index.get_level_values(0)):
        of_groups = se[outcome]
        for row, weight in pooled_weights(of_groups.index, evidence.treated).items():
            se[(outcome, row)] = np.sqrt(((weight * of_groups[weight.index]) ** 2).sum()) / weight.sum()
    printed = evidence.impacts.set_index(["outcome", "group"])
    table = pd.DataFrame({"estimate": printed["estimate"], "se": se.reindex(printed.index)})
    table["starred"] = printed["stars"].str.startswith("*").to_numpy()
    return table


def published_analysis(
    evidence: Evidence,
    spec: EconomicSpec,
    impact_spec: ImpactSpec,
    *,
    seed: int,
    draws: int = DRAWS,
) -> xr.Dataset:
    """Replicate the published evaluation: non-significant impacts set to zero, Monte Carlo draws for the others.

    Parameters
    ----------
    evidence
        The published evidence.
    spec
        An economic spec with prices implied by the published returns, such as ``published``.
    impact_spec
        The impact spec under whose priors the unreported standard errors are recovered.
    seed, draws
        Random seed and number of draws from Normal(estimate, standard error).

    Returns
    -------
    Dataset
        ``point`` {perspective, group}, the return of the point estimates at the mean price; ``benefit_cost_ratio``
        {draw, perspective, group} of drawn impacts at that price; both 0 where the impact has no star. ``published``
        {perspective, group} is the published return. All are gross benefit per £1.

    Raises
    ------
    SpecError
        A perspective of the spec does not have exactly one benefit, at an implied price.
    """
    prices = _mean_prices(spec, evidence)
    printed = printed_impacts(evidence, impact_spec)
    cost = cost_per_head(evidence, spec)
    rows = [str(name) for name in cost["group"].to_numpy()]
    points, drawn = [], []
    for perspective, one in spec.perspectives.items():
        benefit = spec.benefits[one.benefits[0]]
        cells = printed.loc[[(benefit.outcome, row) for row in rows]]
        rng = np.random.default_rng(stream_seed(seed, f"published {perspective}"))
        normal = cells["estimate"].to_numpy() + cells["se"].to_numpy() * rng.standard_normal((draws, len(rows)))
        counts = cells["starred"].to_numpy()
        per_pound = prices[one.benefits[0]] / cost.to_numpy()
        points.append(np.where(counts, cells["estimate"], 0.0) * per_pound)
        drawn.append(np.where(counts, normal, 0.0) * per_pound)
    attrs = {"unit": "GBP of benefit per GBP of cost", "sign": "gross of cost; above 1 pays back"}
    return xr.Dataset(
        {
            "point": (("perspective", "group"), np.array(points), attrs),
            "benefit_cost_ratio": (("draw", "perspective", "group"), np.stack(drawn, axis=1), attrs),
            "published": (
                ("perspective", "group"),
                printed_returns(evidence, spec.perspectives, rows),
                attrs,
            ),
        },
        coords={"perspective": list(spec.perspectives), "group": rows},
        attrs={"spec": spec.name, "seed": str(seed)},
    )


def _mean_prices(spec: EconomicSpec, evidence: Evidence) -> dict[str, float]:
    """Return the midpoint of each implied price, £ per unit of impact; a spec needs one per perspective."""
    implied = implied_prices(spec, evidence)
    for perspective, one in spec.perspectives.items():
        if len(one.benefits) > 1 or one.benefits[0] not in implied:
            raise SpecError(
                f"economic spec {spec.name!r}, key 'perspectives.{perspective}': the published analysis valued one "
                "outcome at an implied price; give a spec with one benefit whose price has family 'implied'"
            )
    return {name: float(np.mean(interval)) for name, interval in implied.items()}


def years_presupposed(
    source: Source,
    evidence: Evidence,
    spec: EconomicSpec,
    *,
    group: str = "SCR IW",
    benefit: str = "health",
    perspective: str = "economic",
    seed: int,
) -> pd.DataFrame:
    """Compute the years a constant gain must last to yield the published return of a group at a spec's price.

    The return is assumed to comprise this benefit only, as the report states for health. The gain applies to everyone
    randomised, from the first day, and is discounted as in ``spec``.

    Parameters
    ----------
    source
        Impact draws in any form accepted by ``hlt_bayes.impact_draws``.
    evidence, spec
        The published evidence; and the price, conversion, discount rate and price years.
    group, benefit, perspective
        The published return, such as £2.32 for SCR IW, and the benefit of ``spec`` that it comprises.
    seed
        Random seed of rounding errors and of the quantities of ``spec``, as in ``appraise``.

    Returns
    -------
    DataFrame
        A row for the published impact (uniform within its rounding) and one for its posterior: ``impact``, ``median``
        years, ``lower_89``, ``upper_89`` (infinite if no duration suffices), and ``prob_never``, the probability that
        no duration suffices.

    Raises
    ------
    SpecError
        The group has no published return above £0, or the spec states no price for the benefit.
    """
    if benefit not in spec.counted or spec.benefits[benefit].price.family == "implied" or spec.discounting is None:
        raise SpecError(
            f"economic spec {spec.name!r}: must have the key 'discounting', and count benefit {benefit!r} at a "
            "price whose family is not 'implied'"
        )
    returns = evidence.returns.set_index(["perspective", "group"])
    if group not in evidence.groups:
        raise SpecError(f"group {unknown_name(group, evidence.groups)}")
    if (perspective, group) not in returns.index or not returns["benefit_cost_ratio"][(perspective, group)] > 0:
        raise SpecError(f"{evidence.path} gives no {perspective} return above £0 for {group!r}; choose another group")
    drawn = admit(source)
    impact = drawn.impact
    stated = spec.benefits[benefit]
    economics = appraise(drawn, spec, evidence, seed=seed)
    rng = np.random.default_rng(stream_seed(seed, "years presupposed"))
    shape = impact.sizes["chain"], impact.sizes["draw"]

    def rounded(value: float, half_unit: float) -> np.ndarray:
        return rng.uniform(value - half_unit, value + half_unit, shape)

    cells = evidence.impacts.set_index(["outcome", "group"])
    needed = rounded(*(float(returns[name][(perspective, group)]) for name in ("benefit_cost_ratio", "half_unit")))
    # The published return was computed at the published cost, so remove the assumed cost uncertainty.
    cost = economics["cost_per_head"].sel(group=group).to_numpy()
    if "costs.uncertainty" in economics:
        cost = cost / economics["costs.uncertainty"].to_numpy()
    a_year = economics["price"].sel(benefit=benefit).to_numpy()
    if stated.conversion is not None:
        a_year = a_year * economics[f"conversions.{stated.conversion}"].to_numpy()
    impacts = {
        "printed": rounded(*(float(cells[name][(stated.outcome, group)]) for name in ("estimate", "half_unit"))),
        "posterior": impact.sel(outcome=stated.outcome, group=group).to_numpy(),
    }
    rate = getattr(spec.discounting, stated.discount).value
    rows = []
    for name, draws in impacts.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            years = years_from_present_value(np.where(draws > 0, needed * cost / (draws * a_year), np.inf), rate=rate)
        low, median, high = np.quantile(years, [INTERVALS[89][0], 0.5, INTERVALS[89][1]], method="nearest")
        rows.append(
            {
                "impact": name,
                "median": median,
                "lower_89": low,
                "upper_89": high,
                "prob_never": float(np.isinf(years).mean()),
            }
        )
    return pd.DataFrame(rows)


def years_from_present_value(discounted: np.ndarray, *, rate: float) -> np.ndarray:
    """Return the years a constant gain must last to reach a present value in years; infinite if unattainable.

    Inverse of ``hlt_bayes.economics.persistence.present_value_years`` without decay.
    """
    if rate == 0:
        return discounted
    factor = 1 / (1 + rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = np.floor(np.log1p(-discounted * (1 - factor)) / np.log(factor) + 1e-12)
        rest = (discounted - (1 - factor**whole) / (1 - factor)) / factor**whole
    return np.where(discounted * (1 - factor) < 1, whole + rest, np.inf)
