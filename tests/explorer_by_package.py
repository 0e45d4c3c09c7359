"""What the page's explorer must show: the same draws valued by the package, as its sliders say."""

from itertools import product

import numpy as np
import xarray as xr

from hlt_bayes.economics import appraise, return_summary
from hlt_bayes.economics.summaries import lead_perspective
from hlt_bayes.specs import QALY


def towards(share, mean, other):
    """Draws between 0 and 1 of a mean, drawn in towards an end until their mean is another."""
    if other == mean:
        return share
    return share * other / mean if other < mean else 1 - (1 - share) * (1 - other) / (1 - mean)


def by_the_package(analysis, moved):
    """Value the draws of an analysis by the package, with what the explorer's signals in ``moved`` say."""
    appraisal, evidence = analysis.appraisal, analysis.evidence
    spec, economics = appraisal.spec, appraisal.economics
    parameters = economics[[name for name in economics.data_vars if "." in str(name)]].copy()
    of_qaly = [name for name, benefit in spec.counted.items() if benefit.price.unit == QALY]
    if "qaly" in moved:
        (value,) = {float(economics["price"].sel(benefit=name).mean()) for name in of_qaly}
        for name in of_qaly:
            parameters[f"benefits.{name}.price"] = parameters[f"benefits.{name}.price"] * moved["qaly"] / value
    if "years" in moved:
        (lasting,) = {spec.benefits[name].persistence for name in of_qaly}
        horizon = spec.persistence[lasting].horizon.model_copy(update={"value": float(moved["years"])})
        longer = spec.persistence[lasting].model_copy(update={"horizon": horizon})
        spec = spec.model_copy(update={"persistence": {**spec.persistence, lasting: longer}})
    if "gained" in moved:
        share = spec.nonresponse.share.expectation
        parameters["nonresponse.share"] = towards(parameters["nonresponse.share"], share, moved["gained"])
    impact = analysis.draws["posterior"]["impact"].copy()
    if moved.get("starred_only"):
        printed = evidence.impacts.set_index(["outcome", "group"])["stars"]
        for outcome, group in product(impact["outcome"].to_numpy(), impact["group"].to_numpy()):
            if not printed[(outcome, group)]:
                impact.loc[{"outcome": outcome, "group": group}] = 0.0
    found = appraise(impact, spec, evidence, seed=1, parameters=parameters)
    factor = moved.get("cost", 100) / 100
    if {"people", "fixed"} & set(moved):
        mean = spec.costs.fixed_share.expectation
        fixed = towards(parameters["costs.fixed_share"], mean, moved.get("fixed", mean))
        factor = factor * (fixed / (moved.get("people", 100) / 100) + 1 - fixed)
    cost = found["cost_per_head"] * factor
    return found.assign(
        cost_per_head=cost.assign_attrs(found["cost_per_head"].attrs),
        benefit_cost_ratio=(found["benefit_per_head"] / cost).assign_attrs(found["benefit_cost_ratio"].attrs),
    )


def returns_by_the_package(analysis, moved):
    """Summary of the returns that the explorer shows, by group."""
    summary = return_summary(by_the_package(analysis, moved))
    lead = lead_perspective(analysis.appraisal.spec)
    return summary[summary["perspective"] == lead].set_index("group")


def fewer_draws(tree, draws):
    """Posterior impacts of the first draws of each chain."""
    return xr.DataTree.from_dict({"posterior": tree["posterior"].dataset.isel(draw=np.arange(draws))})
