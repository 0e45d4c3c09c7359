"""Conditional mean of a quantity given others, by regression of draws on draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hlt_bayes.core.errors import HltBayesError
from hlt_bayes.core.threads import one_blas_thread

OVER = ("chain", "draw")

KNOTS = 5
"""Knots of the cubic spline of each known quantity, at its quantiles."""


def expected_given(target: xr.DataArray, known: Sequence[xr.DataArray]) -> xr.DataArray:
    """Estimate the mean of ``target`` {chain, draw, ...} given the draw of each of ``known`` {chain, draw}.

    Least squares on a cubic spline of each known quantity and all pairwise products: net benefit is a sum of products
    of quantities, so little of the conditional mean is missed. To correct for overfitting, the fit is shrunk towards
    the mean until its share of the variance equals the adjusted R². Constant quantities are ignored.

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
    """Return the share {...} of the variance of ``target`` {chain, draw, ...} explained by ``known``.

    The variance of ``expected_given`` over that of the target (adjusted R²); 0 for a constant target.
    """
    return _fit(target, known)[2]


@one_blas_thread()
def _fit(target: xr.DataArray, known: Sequence[xr.DataArray]) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return the fitted target, its R² and its adjusted R²."""
    try:
        from sklearn.linear_model import LinearRegression
        from sklearn.pipeline import make_pipeline, make_union
        from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler
    except ModuleNotFoundError as error:
        raise HltBayesError(
            "this analysis needs scikit-learn, which is not installed: pip install 'hlt-bayes[voi]'"
        ) from error
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
