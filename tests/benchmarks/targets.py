"""What was aimed at, and whether the kept tables meet it: every verdict is computed from their numbers."""

import operator
from typing import NamedTuple

import pandas as pd

HOLDS = {"<": operator.lt, "<=": operator.le, ">=": operator.ge}
PEERS = ("primary", "eight schools", "BCG")
KNOWN = ("health", "eight schools", "BCG")


class Target(NamedTuple):
    """A number ``column`` of the row of a table that ``where`` picks, and its bound; ``worst`` of several rows."""

    what: str
    table: str
    where: dict[str, object]
    column: str
    holds: str
    bound: float

    def measured(self, table):
        chosen = table
        for name, value in self.where.items():
            chosen = chosen[chosen[name] == value]
        if chosen.empty:
            raise ValueError(f"{self.what}: no row of bench_{self.table}.csv is {self.where}")
        values = chosen[self.column].abs()
        return float(values.min() if self.holds == ">=" else values.max())


TARGETS = [
    *(
        Target(f"{data}: brms' total over ours, cache empty", "peers", {**nuts, "data": data}, column, ">=", bound)
        for data in PEERS
        for nuts, column, bound in [({"engine": "nuts", "cache": "empty"}, "brms_total_over_this", 5)]
    ),
    *(
        Target(f"{data}: our ESS per second of sampling over brms'", "peers", {**nuts, "data": data}, column, ">=", 3)
        for data in PEERS
        for nuts, column in [({"engine": "nuts", "cache": "empty"}, "ess_per_second_over_brms")]
    ),
    *(
        Target(
            f"{data}, {engine}: greatest z, of either sign, of mean and SD of mu and tau, ten seeds pooled",
            "peers_accuracy",
            {"data": data, "engine": engine},
            "z",
            "<=",
            4,
        )
        for data in PEERS
        for engine in ("nuts", "brms")
    ),
    *(
        Target(
            f"{data}: seconds of 4,000 joint draws with known SEs",
            "exact",
            {"task": "independent joint draws, known SEs", "data": data, "engine": "exact"},
            "best",
            "<",
            0.005,
        )
        for data in KNOWN
    ),
    *(
        Target(
            f"{data}: {what} of means, SDs and quantiles without draws",
            "exact",
            {"task": "means, SDs, quantiles", "data": data, "engine": "exact"},
            column,
            "<",
            bound,
        )
        for data in KNOWN
        for what, column, bound in (("seconds", "best", 0.2), ("error in SDs", "error_in_sd", 1e-6))
    ),
    Target(
        "seconds of 4,000 draws of the four reported outcomes",
        "exact",
        {"task": "independent joint draws, as printed", "engine": "exact"},
        "best",
        "<",
        0.5,
    ),
    *(
        Target(f"hlt-bayes run, cache {cache}: {what}", "main_job", of_run | {"cache": cache}, column, "<", bound)
        for cache in ("empty", "filled")
        for of_run in [{"command": "hlt-bayes run"}]
        for what, column, bound in (("seconds", "best", 30), ("peak GiB", "peak_gib", 1.5))
    ),
    *(
        Target(f"{command}: seconds", "main_job", {"command": command}, "best", "<", bound)
        for command, bound in (
            ("hlt-bayes --help", 1),
            ("hlt-bayes evidence", 1),
            ('python -c "import hlt_bayes"', 0.5),
        )
    ),
    Target(
        "information: greatest z, of either sign, of ours at 4,000 draws against nested Monte Carlo",
        "information",
        {"method": "hlt-bayes", "size": "4,000"},
        "z",
        "<=",
        4,
    ),
]


def verdicts(folder):
    """Each target with what was measured of it, and ``met`` or ``missed``, from the tables of a folder."""
    tables = {name: pd.read_csv(folder / f"bench_{name}.csv") for name in {one.table for one in TARGETS}}
    rows = []
    for one in TARGETS:
        measured = one.measured(tables[one.table])
        met = HOLDS[one.holds](measured, one.bound)
        rows.append(
            {
                "target": one.what,
                "measured": measured,
                "holds": one.holds,
                "bound": one.bound,
                "verdict": "met" if met else "missed",
            }
        )
    return pd.DataFrame(rows)
