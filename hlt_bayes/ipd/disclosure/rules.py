"""The rules of disclosure control, their parameters, and the guides that ask for them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from hlt_bayes.core.errors import RecordsError

BASES = (5, 10)
"""Bases to which counts may be rounded."""

LARGEST_LEFT_OUT = 0.2
CERTAINLY, ON_AVERAGE = 3, 5
"""People of a trial group and arm that are left out at least, and on average if a share of it would be fewer."""

ONS_METHODS = (
    "ONS, Comparison of post-tabular statistical disclosure control methods",
    "https://www.ons.gov.uk/peoplepopulationandcommunity/populationandmigration/populationestimates/methodologies/"
    "comparisonofposttabularstatisticaldisclosurecontrolmethods",
)
HANDBOOK = (
    "UK Data Service, Statistical Disclosure Control Handbook",
    "https://blog.ukdataservice.ac.uk/statistical-disclosure-control-handbook/",
)
ACRO = ("ACRO, checker of research outputs; its default parameters", "https://pypi.org/project/acro/1.0.2/")
SDC_TOOLS = (
    "Handbook on Statistical Disclosure Control, second edition",
    "https://sdctools.github.io/HandbookSDC/01-Introduction.html",
)


@dataclass(frozen=True)
class Rules:
    """Parameters of the rules; the defaults are those of ONS and of ACRO.

    Parameters
    ----------
    fewest
        Fewest people (number) behind anything that is shown: 10 or more.
    base
        Base to which counts are rounded at random: 5 or 10.
    two_largest
        Largest share of a total that its two largest contributions may have, 0 to 0.9.
    p
        Least size of all other contributions together, as a share of the largest: 0.1 or more.

    Examples
    --------
    >>> from hlt_bayes.ipd.disclosure import Rules
    >>> Rules(fewest=30, base=10).least_shown
    40
    """

    fewest: int = 10
    base: int = 5
    two_largest: float = 0.9
    p: float = 0.1

    def __post_init__(self) -> None:
        """Raise if a parameter is weaker than the guides ask for."""
        problems = [
            f"{name} {value!r} given; allowed: {allowed}"
            for name, value, allowed, fits in (
                ("fewest", self.fewest, "a whole number, 10 or more", self.fewest >= 10 and self.fewest % 1 == 0),
                ("base", self.base, " or ".join(map(str, BASES)), self.base in BASES),
                ("two_largest", self.two_largest, "above 0, 0.9 or less", 0 < self.two_largest <= 0.9),
                ("p", self.p, "0.1 or more", self.p >= 0.1),
            )
            if not fits
        ]
        if problems:
            raise RecordsError("rules of disclosure control: " + "; ".join(problems))

    @property
    def least_shown(self) -> int:
        """Smallest rounded count that is shown: at least ``fewest`` people are behind it however it was rounded."""
        return self.base * -(-(self.fewest + self.base - 1) // self.base)

    @property
    def least_total(self) -> float:
        """Least total, in units of the highest value of one person, in which nobody can dominate."""
        return max(2.0 / self.two_largest, 2.0 + self.p)


def rules_table(rules: Rules, *, left_out: float) -> pd.DataFrame:
    """List the rules with their parameters, what each is applied to, and the guide that asks for it.

    Parameters
    ----------
    rules
        Their parameters.
    left_out
        Share of people left out, 0 to 0.2.

    Returns
    -------
    pandas.DataFrame
        One row per rule: rule, parameter, applies_to, guide, link.
    """
    rows = [
        (
            "Threshold",
            f"fewer than {rules.fewest} people: nothing is shown; counts are shown from {rules.least_shown} after "
            f"rounding, behind which there are always {rules.fewest} or more",
            "counts, percentages, means, SDs, estimates, subgroups",
            ONS_METHODS,
        ),
        (
            "Random rounding",
            f"counts to multiples of {rules.base}, up or down at random; they add up within a column, people missing "
            f"in several columns are rounded alike in all, and a count keeps at least {rules.base} possible values for "
            "whoever knows the number of people and this rule",
            "counts, percentages",
            ONS_METHODS,
        ),
        (
            "No zero and no 100 %",
            f"zero is not told from a few; a category or flag is withheld whole where all but fewer than "
            f"{rules.least_shown} (after rounding) have the same value",
            "counts of categories and flags",
            HANDBOOK,
        ),
        (
            "Ten that differ",
            f"{rules.least_shown} or more values (after rounding) must differ from the commonest one, such as zero",
            "means, SDs; with the exact number, estimates and fits",
            HANDBOOK,
        ),
        (
            "Dominance and p %",
            f"the two largest may not have more than {rules.two_largest:.0%} of a total, and all others together must "
            f"have {rules.p:.0%} of the largest; judged from what is shown, for the largest values possible",
            "means, SDs; from the exact values, earnings in estimates and fits",
            ACRO,
        ),
        (
            "Top codes",
            "values above the top code of a column count as the top code",
            "means, SDs",
            SDC_TOOLS,
        ),
        (
            "Random rounding of means",
            "a mean is rounded, up or down at random, to steps of at least twice what one person can move it; so is "
            "the mean square behind an SD",
            "means, SDs",
            SDC_TOOLS,
        ),
        (
            "Secondary suppression",
            "of subgroups: where one level of a variable is withheld in a trial group, so is the next smallest. Counts "
            "need none: rounding leaves no exact sum to subtract from",
            "subgroup impacts",
            HANDBOOK,
        ),
        (
            "Differencing",
            "what is random is fixed by the records of a trial group and arm and the key: the same records always give "
            "the same numbers, and records that differ by one person are rounded anew, with others left out",
            "everything",
            ONS_METHODS,
        ),
        (
            "Sampling",
            f"{left_out:.0%} of people, drawn at random by the key, are left out: of each trial group and arm "
            f"{CERTAINLY} at least, and {ON_AVERAGE} on average if that is more. What two outputs differ by is then "
            "never one person alone",
            "counts, means, SDs, estimates, fits and all that follows from them",
            SDC_TOOLS,
        ),
    ]
    columns = ["rule", "parameter", "applies_to", "guide", "link"]
    return pd.DataFrame([(*row[:3], *row[3]) for row in rows], columns=columns)
