"""Generate a synthetic data set and its true values."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from hlt_bayes.core.errors import SpecError
from hlt_bayes.evidence import Evidence, load_evidence
from hlt_bayes.ipd.data.records import Records
from hlt_bayes.ipd.data.schema import COLUMNS
from hlt_bayes.ipd.synthetic.arrays import column_of
from hlt_bayes.ipd.synthetic.baseline import dates, identifiers, recruit, values_needed
from hlt_bayes.ipd.synthetic.delivery import meet, support
from hlt_bayes.ipd.synthetic.observed import response, surveys, tax_records
from hlt_bayes.ipd.synthetic.outcomes import potential_outcomes
from hlt_bayes.ipd.synthetic.targets import published
from hlt_bayes.ipd.synthetic.truth import truth_of
from hlt_bayes.specs import TwinSpec, load_twin_spec
from hlt_bayes.specs.synthetic import check_columns

RECRUITS = 9785
"""People randomised: synthesis report, Table 1.1."""

FEWEST_PEOPLE = 100
"""Smallest synthetic data set in which every group and arm has people."""


@dataclass(frozen=True)
class Twin:
    """Synthetic records and their true values.

    Parameters
    ----------
    records
        One row per synthetic person.
    truth
        Averages over all people of both potential outcomes, and the parameters behind them.
    """

    records: Records
    truth: xr.Dataset


def make_twin(
    spec: TwinSpec | None = None, evidence: Evidence | None = None, *, n: int = RECRUITS, seed: int = 1
) -> Twin:
    """Generate synthetic records calibrated to the published results.

    Parameters
    ----------
    spec
        Assumptions; by default the shipped spec ``published``.
    evidence
        Published results; by default the embedded evidence.
    n
        Number of people; by default the number randomised.
    seed
        Random seed; the same seed gives the same records.

    Returns
    -------
    Twin
        Every row of its records is marked as synthetic.

    Raises
    ------
    SpecError
        The spec names unknown columns or states impossible values, or ``n`` is too small.
    EvidenceError
        The evidence is not that of the Health-led Trials.
    """
    spec = spec or load_twin_spec("published")
    evidence = evidence or load_evidence()
    problems = check_columns(spec, values_needed())
    if n < FEWEST_PEOPLE:
        problems.append(f"{n} people given; {FEWEST_PEOPLE} or more are needed")
    if problems:
        raise SpecError("\n".join(f"twin spec {spec.name!r}: {problem}" for problem in problems))
    known = published(evidence, spec)
    people = recruit(known, spec, n=n, seed=seed)
    practice = meet(people, known, spec)
    potential = potential_outcomes(people, practice, known, spec)
    truth = truth_of(people, practice, potential, spec)
    of_tax, *work = tax_records(people, potential, spec)
    answered_4_months, answered, weight = response(people, known, spec)
    columns: dict[str, object] = {
        "person": identifiers(n),
        "randomised": dates(known, spec, n=n, seed=seed),
        "synthetic": column_of("synthetic", np.ones(n, bool)),
        "answered": column_of("answered", answered),
        "answered_4_months": column_of("answered_4_months", answered_4_months),
        "survey_weight": column_of("survey_weight", weight, ~answered),
        **people.columns(),
        **practice.columns(),
        **of_tax,
        **surveys(people, potential, spec, {"": answered, "_4_months": answered_4_months}, (work[0], work[1])),
        **support(people, practice, known, spec),
    }
    frame = pd.DataFrame({name: columns[name] for name in COLUMNS if name in columns})
    made_from = hashlib.sha256(f"{spec.fingerprint} {evidence.sha256} {seed} {n}".encode()).hexdigest()
    truth.attrs = {
        "synthetic": "True values of synthetic records, not of real people",
        "spec": spec.name,
        "spec_sha256": spec.fingerprint,
        "evidence_sha256": evidence.sha256,
        "seed": seed,
        "n": n,
        "sha256": made_from,
    }
    return Twin(Records(synthetic=True, _frame=frame), truth)
