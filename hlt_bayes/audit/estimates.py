"""Check that printed impacts and stars are possible, individually and jointly."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from hlt_bayes.audit.cells import Cell, Finding, PrintedCells, plain, weighted_bounds
from hlt_bayes.core.vocabulary import ARMS, OUTCOMES, POOLED_GROUPS
from hlt_bayes.likelihood import STAR_BOUNDS
from hlt_bayes.likelihood.bounds import Bounds

PLAUSIBLE_RATIO = (0.5, 2.0)
"""Plausible ratio of SE to design-based SE, allowing generously for weights, clustering and covariates."""

SURVEYED = ("health", "wellbeing")
STAR_OF_LEVEL = {90.0: "*", 95.0: "**", 99.0: "***"}


def impact_cells(printed: PrintedCells) -> dict[tuple[str, str], Cell]:
    """Return the cell of each printed impact, by outcome and group."""
    return {
        (q[2], q[3]): cells[0] for q, cells in printed.quantities.items() if q[0] == "impact" and not q[1] and not q[4]
    }


def people(printed: PrintedCells, outcome: str, group: str) -> list[Cell]:
    """Sample sizes of an impact, by arm: analysed if stated, else survey respondents or recruits, by outcome."""
    measures = ["analysed sample", "12-month survey sample" if outcome in SURVEYED else "recruits"]
    for measure in measures:
        of = outcome if measure == "analysed sample" else ""
        arms = [printed.stated(measure, outcome=of, group=group, arm=arm) for arm in ARMS]
        found = [cell for cell in arms if cell is not None]
        if len(found) == len(ARMS):
            return found
    return []


def _per_person(cells: list[Cell]) -> float:
    """SE of a difference in means of an outcome with SD 1: the root of the sum of 1 / n over arms."""
    return math.sqrt(sum(1 / cell.value for cell in cells))


def pooled_between_parts(printed: PrintedCells) -> Iterator[Finding]:
    """Check that a pooled row lies between its parts, and report the weight of the first part that it implies."""
    cells = impact_cells(printed)
    for (outcome, group), pooled in cells.items():
        parts = [cells[(outcome, part)] for part in POOLED_GROUPS.get(group, ()) if (outcome, part) in cells]
        if len(parts) != 2:
            continue
        first, second = parts
        low, high = min(cell.low for cell in parts), max(cell.high for cell in parts)
        said = f"{pooled.printed} pools {first.printed} and {second.printed}"
        if not pooled.allows(low, high):
            yield Finding("pooled row outside its parts", "error", (pooled, *parts), f"{said}, but is not between them")
            continue
        sizes = [people(printed, outcome, part) for part in POOLED_GROUPS[group]]
        if not all(sizes):
            continue
        counts = [sum(cell.value for cell in size) for size in sizes]
        share = counts[0] / sum(counts)
        low, high = weighted_bounds(parts, counts)
        if not pooled.allows(low, high):
            weights = _implied_weights(pooled, first, second)
            yield Finding(
                "weight of a pooled row",
                "warning",
                (pooled, *parts),
                f"{said}, which implies a weight of {weights[0]:.2f} to {weights[1]:.2f} for {first.row}; its share of "
                f"the people is {share:.2f}, which would give {plain(low)} to {plain(high)}: the pooled row is a "
                "separate estimate, not a weighted mean",
            )


def _implied_weights(pooled: Cell, first: Cell, second: Cell) -> tuple[float, float]:
    """Smallest and largest weight of the first part, from 0 to 1, compatible with rounding."""
    grid = np.linspace(0.0, 1.0, 1001)
    low = grid * first.low + (1 - grid) * second.low
    high = grid * first.high + (1 - grid) * second.high
    allowed = grid[(low <= pooled.high) & (high >= pooled.low)]
    return float(allowed.min()), float(allowed.max())


def pooled_percentages(printed: PrintedCells) -> Iterator[Finding]:
    """Check a percentage of two groups pooled against their mean, weighted by base, or their range without bases."""
    for quantity, cells in printed.quantities.items():
        measure, category, outcome, group, arm = quantity
        parts = [
            printed.stated(measure, category=category, outcome=outcome, group=part, arm=arm)
            for part in POOLED_GROUPS.get(group, ())
        ]
        found = [cell for cell in parts if cell is not None]
        total = cells[0]
        if total.unit != "%" or len(found) != 2 or measure == "employment rate":
            continue
        first, second = found
        if all(cell.base == cell.base for cell in found):
            low, high = weighted_bounds(found, [cell.base for cell in found])
            said = f"weighted by their bases {plain(first.base)} and {plain(second.base)}"
        else:
            low, high, said = min(first.low, second.low), max(first.high, second.high), "between them"
        if not total.allows(low, high):
            whose = [part for part, cell in zip(POOLED_GROUPS[group], found, strict=True) if cell.value == total.value]
            yield Finding(
                "percentage of two groups together",
                "warning" if whose else "error",
                (total, *found),
                f"{first.printed} and {second.printed} {said} give {low:.1f} to {high:.1f} %, printed {total.printed}"
                + (f", which is that of {whose[0]} alone: the group is named too broadly" if whose else ""),
            )


def stars_and_sample_sizes(printed: PrintedCells) -> Iterator[Finding]:
    """Check the stars of an estimate, or their absence, against its sample size."""
    for (outcome, group), cell in impact_cells(printed).items():
        sizes = people(printed, outcome, group)
        if not sizes or group in POOLED_GROUPS or cell.stars == "not used":
            continue
        per_person, known_sd = _per_person(sizes), _known_sd(printed, outcome, group)
        least, most = _ses_left_by_stars(cell)
        scale = _per_unit(outcome)
        n = " and ".join(plain(one.value) for one in sizes)
        if known_sd is None:
            if least > 0 and not cell.stars:
                yield Finding(
                    "what the absence of a star implies",
                    "note",
                    (cell, *sizes),
                    f"{cell.printed} without a star needs an SE of at least {least:.0f}; with {n} people that is an "
                    f"SD between people of at least {least / per_person:,.0f}, which is not printed",
                )
            continue
        design = known_sd * per_person * scale
        said = f"{cell.printed} with {n} people has an SE near {design:.3g}; "
        mark = cell.stars or "the absence of a star"
        reach = f"{mark} requires an SE of {least:.3g}" + (" or more" if math.isinf(most) else f" to {most:.3g}")
        if cell.stars in ("", "*", "**") and least > design:
            ratio = least / design
            severity = "error" if ratio > PLAUSIBLE_RATIO[1] else "warning" if cell.stars else "note"
            yield Finding(
                "star and sample size",
                severity,
                (cell, *sizes),
                f"{said}{reach}, at least {ratio:.2f} times as large",
            )
        elif most < design and not _is_upper_bound(printed, outcome, group):
            severity = "error" if most / design < PLAUSIBLE_RATIO[0] else "warning"
            yield Finding(
                "star and sample size",
                severity,
                (cell, *sizes),
                f"{said}{reach}, at most {most / design:.2f} times as large",
            )


def _ses_left_by_stars(cell: Cell) -> tuple[float, float]:
    """Smallest and largest SE, in the printed unit, compatible with the rounding and stars of an impact."""
    least, most = Bounds(cell.low, cell.high, *STAR_BOUNDS[cell.stars], 0.0, math.inf).log_se()
    return math.exp(least), math.exp(most)


def _per_unit(outcome: str) -> float:
    return OUTCOMES[outcome].display_scale


def _is_upper_bound(printed: PrintedCells, outcome: str, group: str) -> bool:
    """Return True if the SD of a proportion is only known not to exceed 0.5, because no rate is printed."""
    return (
        outcome == "employment" and printed.stated("employment rate", outcome=outcome, group=group, arm=ARMS[0]) is None
    )


def _known_sd(printed: PrintedCells, outcome: str, group: str) -> float | None:
    """SD in natural units: as printed, else 1 for outcomes in SDs, or of a proportion (0.5 without printed rates)."""
    stated = printed.stated("outcome sd", outcome=outcome, group=group)
    if stated is not None:
        return stated.value / _per_unit(outcome)
    if outcome in SURVEYED:
        return 1.0
    rates = [printed.stated("employment rate", outcome=outcome, group=group, arm=arm) for arm in ARMS]
    shares = [cell.value / 100 for cell in rates if cell is not None]
    if outcome == "employment":
        return math.sqrt(np.mean([share * (1 - share) for share in shares])) if len(shares) == len(ARMS) else 0.5
    return None


def pooled_stars(printed: PrintedCells) -> Iterator[Finding]:
    """Check the stars of a pooled row against the SEs implied by its parts' stars, and report what they add."""
    cells = impact_cells(printed)
    for (outcome, group), pooled in cells.items():
        parts = [cells[(outcome, part)] for part in POOLED_GROUPS.get(group, ()) if (outcome, part) in cells]
        if len(parts) != 2 or not all(cell.stars in ("*", "**") for cell in parts) or not pooled.stars:
            continue
        least, most = zip(*map(_ses_left_by_stars, parts), strict=True)
        smallest = math.prod(least) / (math.hypot(*least) or 1.0)
        _, allowed = _ses_left_by_stars(pooled)
        said = (
            f"{pooled.printed} requires an SE of at most {allowed:.4f}; the stars of its parts imply SEs of "
            f"{least[0]:.4f} to {most[0]:.4f} and {least[1]:.4f} to {most[1]:.4f}"
        )
        common = allowed * math.sqrt(2)
        if smallest > allowed:
            yield Finding(
                "pooled star", "error", (pooled, *parts), f"{said}, at least {smallest:.4f} when pooled: not possible"
            )
        elif common < min(most):
            yield Finding(
                "pooled star",
                "note",
                (pooled, *parts),
                f"{said}; if equal, these are at most {common:.4f}, so neither is near its upper bound unless the "
                "other is near its lower bound",
            )


def significance_in_words(printed: PrintedCells) -> Iterator[Finding]:
    """Check the significance level stated in the text against the table's stars."""
    impacts = impact_cells(printed)
    for quantity, cells in printed.quantities.items():
        measure, category, outcome, group, _ = quantity
        if measure != "significance" or category or (outcome, group) not in impacts:
            continue
        cell = impacts[(outcome, group)]
        for stated in cells:
            star = STAR_OF_LEVEL.get(stated.value)
            if star is None or star == cell.stars:
                continue
            understated = len(star) < len(cell.stars)
            yield Finding(
                "significance in words",
                "note" if understated else "error",
                (stated, cell),
                f"the text says {stated.printed}, which is {star}; the table prints {cell.printed}"
                + (": true, but understated" if understated else ""),
            )
