"""Part 3: individual records made with known impacts, drawn from the priors: do intervals hold what is true?

Twins are independent, the three impacts of an outcome in one twin are not quite: a group's coverage is tested by the
exact binomial test, that of all groups with a standard error over twins. Where NUTS is run, too, its means and SDs are
held to those of the Laplace engine on the same records. A twin that would leave a group less than no work or no
earnings is refused when it is made, and counted.
"""

import time
from typing import NamedTuple

import arviz_stats as azs
import numpy as np
from scipy.stats import t
from statistical.test_individual_fits import SPEC, changed, drawn_impacts, only, silent

from hlt_bayes.core.errors import SpecError
from hlt_bayes.core.parallel import run_tasks
from hlt_bayes.core.seeds import stream_seed
from hlt_bayes.core.vocabulary import GROUPS
from hlt_bayes.evidence import load_evidence
from hlt_bayes.inference.calibration import calibration_summary
from hlt_bayes.ipd.models import fit_records
from hlt_bayes.ipd.models.fitting import PARETO_K_MAX, laplace_draws
from hlt_bayes.ipd.synthetic import make_twin
from hlt_bayes.specs import load_twin_spec
from validation.calibrations import RANKS, rank_rows
from validation.rows import Part, judged, row, share_row

NAME = "Twins"
SIMULATED = "individual records of as many people as the trials had, impacts drawn from the priors"

ENDS = (0.055, 0.945)
INSIDE = 0.89

DRAWS = {"laplace": 500, "compared": 4000}
"""Draws of a chain of the Laplace engine: for its own intervals, and as what NUTS is compared with."""


class Task(NamedTuple):
    """One twin; its number decides the truth, so that more of them keep those that there were."""

    number: int
    seed: int
    outcomes: tuple[str, ...]
    nuts: bool


def fitted_twin(task):
    """Make a twin and fit it: truth, ends of intervals, ranks and moments by outcome; None where it is refused."""
    own = stream_seed(task.seed, f"twin {task.number}")
    base = load_twin_spec("no-gradient").model_copy(update={"impacts": drawn_impacts(own)})
    try:
        made = make_twin(base, load_evidence(), seed=stream_seed(own, "people"))
    except SpecError:
        return None
    found = {}
    for outcome in task.outcomes:
        truth = made.truth["impact"].sel(outcome=outcome, group=list(GROUPS)).to_numpy()
        spec = changed(SPEC, draws=DRAWS["compared" if task.nuts else "laplace"])
        by_laplace = laplace_draws(spec, made.records, outcome, seed=stream_seed(own, "laplace"), report=silent)
        if float(by_laplace.statistics["pareto_k"]) > PARETO_K_MAX:
            raise SpecError(f"twin {task.number}, {outcome}: Pareto k fails the gate of the Laplace engine")
        impact = by_laplace.posterior["impact"].sel(outcome=outcome, group=list(GROUPS))
        found[outcome] = {"truth": truth, "laplace": _summary(impact, truth)}
        if task.nuts:
            tree = fit_records(only(SPEC, outcome), made.records, engine="nuts", seed=stream_seed(own, "nuts"))
            sampled = tree["posterior"]["impact"].sel(outcome=outcome, group=list(GROUPS))
            worth = float(by_laplace.statistics["effective_draws"])
            found[outcome] |= {"nuts": _summary(sampled, truth), "apart": _apart(sampled, impact, worth)}
    return found


def _summary(impact, truth):
    draws = impact.transpose("chain", "draw", "group").to_numpy().reshape(-1, len(GROUPS))
    low, high = np.quantile(draws, ENDS, axis=0)
    thinned = draws[np.linspace(0, len(draws) - 1, RANKS - 1).astype(int)]
    return {"low": low, "high": high, "rank": (thinned < truth).sum(axis=0)}


def _apart(one, other, worth):
    """Moments of two engines {group}: found, expected, standard error of their difference."""
    both = {}
    for method in ("mean", "sd"):
        numbers = [getattr(each, {"mean": "mean", "sd": "std"}[method])(("chain", "draw")) for each in (one, other)]
        errors = [azs.mcse(each.to_dataset(name="x"), method=method)["x"].to_numpy() for each in (one, other)]
        errors[1] = errors[1] * np.sqrt(other.sizes["chain"] * other.sizes["draw"] / worth)
        both[method] = [numbers[0].to_numpy(), numbers[1].to_numpy(), np.hypot(*errors)]
    return both


def rows_of(twins, engine):
    """Test, by outcome, coverage of each group and of all, and the ranks."""
    rows = []
    for outcome in twins[0]:
        low, high, rank = (np.stack([twin[outcome][engine][key] for twin in twins]) for key in ("low", "high", "rank"))
        truth = np.stack([twin[outcome]["truth"] for twin in twins])
        inside, what = (low <= truth) & (truth <= high), f"{outcome}, {engine}"
        rows += [share_row(what, "share", group, inside[:, i], INSIDE) for i, group in enumerate(GROUPS)]
        of_twin = inside.mean(axis=1)
        se = max(of_twin.std(ddof=1), np.sqrt(INSIDE * (1 - INSIDE) / len(GROUPS))) / np.sqrt(len(twins))
        p = 2 * t.sf(abs(of_twin.mean() - INSIDE) / se, len(twins) - 1)
        rows.append(row(what, "share of all", "all groups", found=of_twin.mean(), expected=INSIDE, se=se, p=p))
        # Fewer leave a bin without a rank of its own.
        if len(twins) >= RANKS:
            summary = calibration_summary([{"impact": rank}])
            rows += rank_rows(what, summary.assign(quantity=list(GROUPS)))
    return rows


def rows_of_engines(twins):
    """Hold NUTS to the Laplace engine on the same records."""
    rows = []
    for position, twin in enumerate(twins):
        for outcome, found in twin.items():
            for moment, numbers in found["apart"].items():
                for group, one, other, se in zip(GROUPS, *numbers, strict=True):
                    name = f"{group}, twin {position + 1}"
                    rows.append(row(f"{outcome}, nuts v laplace", moment, name, found=one, expected=other, se=se))
    return rows


def part(*, seed, laplace, nuts, outcomes=tuple(SPEC.outcomes), workers=None, journal=None, progress=None):
    """Fit ``laplace`` twins by that engine, and other ``nuts`` twins by both."""
    begin = time.perf_counter()
    tasks = [Task(i, seed, outcomes, nuts=False) for i in range(laplace)]
    # The longest first, so that no worker ends long after the other.
    tasks = [Task(laplace + i, seed, outcomes, nuts=True) for i in range(nuts)] + tasks
    results = run_tasks(fitted_twin, tasks, workers=workers, journal=journal, progress=progress, stage="Fitting twins")
    by_both = [one for task, one in zip(tasks, results, strict=True) if task.nuts and one is not None]
    alone = [one for task, one in zip(tasks, results, strict=True) if not task.nuts and one is not None]
    rows = rows_of(alone, "laplace")
    if by_both:
        rows += rows_of(by_both, "nuts") + rows_of_engines(by_both)
    refused = len(tasks) - len(alone) - len(by_both)
    how_many = f"{len(alone)} twins by laplace, {len(by_both)} more by nuts and laplace ({refused} refused)"
    return Part(NAME, SIMULATED, how_many, seed, time.perf_counter() - begin, judged(rows))
