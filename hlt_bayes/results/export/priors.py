"""Normal mixtures of the impacts, readable by RBesT, for use as priors in other trials."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from hlt_bayes.analysis import Analysis
from hlt_bayes.core.vocabulary import OUTCOMES
from hlt_bayes.results.export.approximation_error import distance, in_words, refuse_constant
from hlt_bayes.results.export.content import metadata_values, named_impacts, new_impacts
from hlt_bayes.results.export.draws import Files
from hlt_bayes.results.export.mixture import Mixture, fit_mixture, local_information, require_scikit_learn
from hlt_bayes.results.export.person_sd import PersonSD, of_new_group, person_sds

Array = np.ndarray

OF_A_NEW_TRIAL = (
    "prior of the impact in a new trial of a similar group, including between-group heterogeneity. If the new trial "
    "may differ, add a vague component with RBesT's robustify()."
)
OF_THIS_GROUP = (
    "posterior of the impact in this trial group: use it as a prior only for further evidence on the same group; for a "
    "new trial use the file of impact_new, if the model has one."
)
SAMPLE_SIZE = (
    "Effective sample size of the prior, in people per arm of a two-arm trial: 2 sd_between_people^2 times the "
    "information in the prior. elir: prior mean of minus the curvature of the log prior density (Neuenschwander et al. "
    "2020); moment: 1 / variance. meta.sigma is sqrt(2) times sd_between_people, so that RBesT's ess(mix) is per arm."
)


def mixture(analysis: Analysis) -> Files:
    """One file per impact, including the impact in a new trial group if the model has one.

    Raises
    ------
    SpecError
        scikit-learn is not installed.
    ImpactError
        An impact is the same in every draw.
    """
    require_scikit_learn()
    files: Files = {}
    by_group = person_sds(analysis)
    unknown = PersonSD(np.nan, "unknown: no published result for this group")
    for (outcome, group), draws in named_impacts(analysis).items():
        refuse_constant(f"{outcome} of {group}", draws)
        labels = {"variable": "impact", "outcome": outcome, "group": group, "use": OF_THIS_GROUP}
        sd = by_group.get((outcome, group), unknown)
        files[_file_name(files, outcome, group)] = partial(_write, analysis, draws, labels, sd)
    for outcome, draws in new_impacts(analysis).items():
        refuse_constant(f"{outcome} of a new group", draws)
        labels = {"variable": "impact_new", "outcome": outcome, "group": "a new trial group", "use": OF_A_NEW_TRIAL}
        sd = of_new_group(by_group, outcome)
        files[_file_name(files, outcome, "new")] = partial(_write, analysis, draws, labels, sd)
    return files


def mixture_json(fitted: Mixture, draws: Array, sd: PersonSD, about: Mapping[str, object]) -> dict[str, object]:
    """Content of a file: ``meta`` and ``comp`` as RBesT's ``read_mix_json`` expects them, and ``hlt_bayes`` metadata.

    ``dimnames`` is an object because, with three components, jsonlite would simplify two lists to a matrix, which R
    does not accept as dimnames.
    """
    away = distance(draws, fitted.cumulative)
    components = len(fitted.weights)
    meta = {
        "dim": [3, components],
        "dimnames": {
            "parameter": ["w", "m", "s"],
            "component": [f"comp{number + 1}" for number in range(components)],
        },
        "link": "identity",
        **({} if np.isnan(sd.value) else {"sigma": float(np.sqrt(2) * sd.value)}),
        "class": ["normMix", "mix"],
        "likelihood": "normal",
    }
    return {
        "meta": meta,
        "comp": [fitted.weights.tolist(), fitted.means.tolist(), fitted.sds.tolist()],
        "hlt_bayes": {
            **about,
            "draws": {"number": len(draws), "mean": float(draws.mean()), "sd": float(draws.std(ddof=1))},
            "mixture": {"components": components, "chosen_by": "lowest BIC", "mean": fitted.mean, "sd": fitted.sd},
            "distance": {**away._asdict(), "in_words": in_words(away.kolmogorov)},
            "effective_sample_size": _sample_size(fitted, sd),
        },
    }


def _sample_size(fitted: Mixture, sd: PersonSD) -> dict[str, object]:
    """Prior effective sample size per arm; None if the between-person SD is unknown."""
    if np.isnan(sd.value):
        return {"sd_between_people": None, "sd_is": sd.why, "elir": None, "moment": None, "means": SAMPLE_SIZE}
    of_one_pair = 2 * sd.value**2
    return {
        "sd_between_people": sd.value,
        "sd_is": sd.why,
        "elir": of_one_pair * local_information(fitted),
        "moment": of_one_pair / fitted.sd**2,
        "means": SAMPLE_SIZE,
    }


def _write(analysis: Analysis, draws: Array, labels: Mapping[str, str], sd: PersonSD, path: Path) -> None:
    about = {**metadata_values(analysis), **labels, "unit": OUTCOMES[labels["outcome"]].unit}
    content = mixture_json(fit_mixture(draws, seed=analysis.seed), draws, sd, about)
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _file_name(taken: Files, outcome: str, group: str) -> str:
    """File name for an impact, in ASCII letters and digits, and unique."""
    stem = f"mixture-{outcome}-{re.sub('[^a-z0-9]+', '-', group.lower()).strip('-') or 'group'}"
    name, number = f"{stem}.json", 1
    while name in taken:
        number += 1
        name = f"{stem}-{number}.json"
    return name
