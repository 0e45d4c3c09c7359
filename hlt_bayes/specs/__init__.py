"""Analysis specs: TOML files read into closed, frozen tables."""

from hlt_bayes.specs.economic import EconomicSpec, Perspective, load_economic_spec
from hlt_bayes.specs.impact import (
    Figure,
    ImpactSpec,
    Interval,
    Joint,
    Known,
    MeanDifference,
    Moderator,
    Nonresponse,
    OutcomeName,
    PooledRows,
    RiskDifference,
    Sampling,
    Share,
    Uncertain,
    load_impact_spec,
)
from hlt_bayes.specs.reading import Spec, models_folder, read_spec, shipped_specs, spec_path, stated_figures

__all__ = [
    "EconomicSpec",
    "Figure",
    "ImpactSpec",
    "Interval",
    "Joint",
    "Known",
    "MeanDifference",
    "Moderator",
    "Nonresponse",
    "OutcomeName",
    "Perspective",
    "PooledRows",
    "RiskDifference",
    "Sampling",
    "Share",
    "Spec",
    "Uncertain",
    "load_economic_spec",
    "load_impact_spec",
    "models_folder",
    "read_spec",
    "shipped_specs",
    "spec_path",
    "stated_figures",
]
