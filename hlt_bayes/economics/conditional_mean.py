"""What is expected of a quantity once others are known: a regression of its draws on theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import HltBayesError
from hlt_bayes.core.threads import one_blas_thread

OVER = ("chain", "draw")

KNOTS = 5
"""Of the cubic splines of each known quantity, at its quantiles."""


def expected_given(target: xr.DataArray, known: Sequence[xr.DataArray]) -> xr.DataArray:
    """Expect ``target`` {chain, draw, ...} draw by draw, given the value of each of ``known`` {chain, draw}.

    Least squares on a cubic spline of each known quantity and the products of each two: what is valued here is a sum
    of products of quantities, so that little of the conditional mean is missed. What so many terms without any meaning
    would explain of so many draws is taken off: the fit is pulled towards the mean until its variance is that of the
    adjusted share. A quantity that does not vary says nothing.

    Raises
    ------
    HltBayesError
        scikit-learn is not installed.
    """
    fitted, share, adjusted = _fit(target, known)
    mean = target.mean(OVER)
    pull = np.sqrt(adjusted / share.where(share > 0, 1.0))
    return (mean + pull * (fitted - mean)).transpose(*target.dims)


def share_explained(target: xr.DataArray, known: Sequence[xr.DataArray]) -> xr.DataArray:
    """Share {...} of the variance of ``target`` {chain, draw, ...} that is expected to go once ``known`` are known.

    The variance of ``expected_given`` over that of the target; 0 of a target that does not vary.
    """
    return _fit(target, known)[2]


@one_blas_thread()
def _fit(target: xr.DataArray, known: Sequence[xr.DataArray]) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Fit the target, and give the share of its variance that the fit has, as it is and adjusted for its terms."""
    try:
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler
    except ModuleNotFoundError as error:
        raise HltBayesError("this needs scikit-learn: pip install 'hlt-bayes[voi]'") from error
    columns = [one.transpose("chain", "draw").to_numpy().ravel() for one in known]
    columns = [column for column in columns if np.ptp(column) > 0]
    variance = target.var(OVER)
    if not columns:
        return target.mean(OVER).broadcast_like(target), xr.zeros_like(variance), xr.zeros_like(variance)
    ordered = target.transpose("chain", "draw", ...)
    y = ordered.to_numpy().reshape(ordered.sizes["chain"] * ordered.sizes["draw"], -1)
    features = make_union(
        SplineTransformer(KNOTS, knots="quantile", extrapolation="linear", include_bias=False),
        PolynomialFeatures(2, interaction_only=True, include_bias=False),
    )
    model = make_pipeline(StandardScaler(), features, LinearRegression())
    values = model.fit(np.column_stack(columns), y).predict(np.column_stack(columns))
    fitted = ordered.copy(data=values.reshape(ordered.shape))
    share = (fitted.var(OVER) / variance.where(variance > 0)).fillna(0.0)
    terms = len(columns) * (KNOTS + 1) + len(columns) * (len(columns) - 1) // 2
    adjusted = 1 - (1 - share) * (len(y) - 1) / max(1, len(y) - 1 - terms)
    return fitted, share, adjusted.clip(0.0, 1.0)
