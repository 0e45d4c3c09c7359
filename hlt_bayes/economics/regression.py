"""What is expected of a quantity once others are known: a regression of its draws on theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hlt_bayes.errors import HltBayesError

KNOTS = 5
"""Of the cubic splines of each known quantity, at its quantiles."""


def expected_given(target: xr.DataArray, known: Sequence[xr.DataArray]) -> xr.DataArray:
    """Expect ``target`` {chain, draw, ...} draw by draw, given the value of each of ``known`` {chain, draw}.

    Least squares on a cubic spline of each known quantity and the products of each two: what is valued here is a sum
    of products of quantities, so that little of the conditional mean is missed. A quantity that does not vary says
    nothing.

    Raises
    ------
    HltBayesError
        scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler
    except ModuleNotFoundError as error:
        raise HltBayesError("this needs scikit-learn: pip install 'hlt-bayes[voi]'") from error
    columns = [one.transpose("chain", "draw").to_numpy().ravel() for one in known]
    columns = [column for column in columns if np.ptp(column) > 0]
    mean = target.mean(("chain", "draw"))
    if not columns:
        return mean.broadcast_like(target)
    ordered = target.transpose("chain", "draw", ...)
    y = ordered.to_numpy().reshape(ordered.sizes["chain"] * ordered.sizes["draw"], -1)
    features = make_union(
        SplineTransformer(KNOTS, knots="quantile", extrapolation="linear", include_bias=False),
        PolynomialFeatures(2, interaction_only=True, include_bias=False),
    )
    model = make_pipeline(StandardScaler(), features, LinearRegression())
    fitted = model.fit(np.column_stack(columns), y).predict(np.column_stack(columns))
    return ordered.copy(data=fitted.reshape(ordered.shape)).transpose(*target.dims)


def share_explained(target: xr.DataArray, known: Sequence[xr.DataArray]) -> xr.DataArray:
    """Share {...} of the variance of ``target`` {chain, draw, ...} that is expected to go once ``known`` are known.

    The variance of ``expected_given``, less what as many terms without any meaning would explain of so many draws.
    """
    over = ("chain", "draw")
    explained = expected_given(target, known).var(over) / target.var(over)
    draws = target.sizes["chain"] * target.sizes["draw"]
    varying = sum(np.ptp(one.to_numpy()) > 0 for one in known)
    terms = varying * (KNOTS + 1) + varying * (varying - 1) // 2
    adjusted: xr.DataArray = 1 - (1 - explained) * (draws - 1) / (draws - 1 - terms)
    return adjusted.clip(0.0, 1.0)
