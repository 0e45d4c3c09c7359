"""Inputs shared by verbs: specs, evidence, records and a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hlt_bayes.cli.options import EngineChoice, engine_of, tell
from hlt_bayes.cli.stages import Stages

if TYPE_CHECKING:
    import xarray as xr

    from hlt_bayes.evidence import Evidence
    from hlt_bayes.ipd.data import Records
    from hlt_bayes.specs import ImpactSpec


def read_one(spec: str, path: Path | None, stages: Stages) -> tuple[ImpactSpec, Evidence]:
    """Read an impact spec and the evidence."""
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.specs import load_impact_spec

    stages.enter("Reading evidence and specs")
    return load_impact_spec(spec), load_evidence(path)


def read_all(names: list[str] | None, path: Path | None, stages: Stages) -> tuple[list[ImpactSpec], Evidence]:
    """Read the named impact specs (by default all shipped ones) and the evidence."""
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.specs import load_impact_spec, shipped_specs

    stages.enter("Reading evidence and specs")
    return [load_impact_spec(name) for name in names or shipped_specs("impact")], load_evidence(path)


def fitted(
    spec: ImpactSpec, evidence: Evidence, engine: EngineChoice | None, seed: int | None, stages: Stages | None
) -> xr.DataTree:
    """Fit with the given engine, or by default with the exact engine if the spec has one."""
    from hlt_bayes.inference.exact import is_exact
    from hlt_bayes.inference.fit import fit

    chosen = engine_of(engine or (EngineChoice.EXACT if is_exact(spec) else None))
    return fit(spec, evidence, engine=chosen, seed=seed, progress=stages.enter if stages else None)


def read_records(file: Path, mapping: Path | None, key: Path | None, *, released: bool = True) -> Records:
    """Read records; of real ones without a key say what that allows, if what is made of them may be ``released``."""
    from hlt_bayes.ipd.data import load_records

    records = load_records(file, mapping=mapping, key=key)
    if released and not (records.keyed or records.synthetic):
        tell(
            "note: no key: rounding, and who is left out, are fixed by the records alone, so that somebody who knows "
            "all of them but one could test guesses at that one; make a key with hlt-bayes records key"
        )
    return records
