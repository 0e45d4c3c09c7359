"""The output-check sheet: for each table or file, which rules were applied, for the staff of a safe setting."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from hlt_bayes.ipd.disclosure.rules import CERTAINLY, Rules

COLUMNS = ["output", "contents", "rules", "withheld", "not_checked"]

OTHER_OUTPUTS = "differences from other outputs on overlapping people, made with another key, program or version"


def output_check(description: pd.DataFrame, rules: Rules, *, left_out: float) -> pd.DataFrame:
    """Write the output-check sheet of a description: one row per column of the records.

    Parameters
    ----------
    description
        As returned by ``describe_records`` with ``rules``.
    rules
        The parameters used.
    left_out
        Share of people left out, 0 to 0.2.

    Returns
    -------
    pandas.DataFrame
        One row per table: output, contents, rules (with parameters), withheld (numbers of cells), not_checked.

    Examples
    --------
    >>> import hlt_bayes as hb
    >>> from hlt_bayes.ipd.disclosure import Rules, output_check
    >>> sheet = output_check(hb.describe_records(hb.make_twin(n=600, seed=1).records), Rules(), left_out=0.0)
    >>> list(sheet.columns)
    ['output', 'contents', 'rules', 'withheld', 'not_checked']
    """
    rows = []
    for name, table in description.groupby("column", sort=False):
        has_means = (table["value"] == "present").any()
        applied = [_sampled(left_out), f"threshold {rules.fewest}", f"counts rounded at random to base {rules.base}"]
        if has_means:
            applied += [
                f"{rules.least_shown} values (rounded) that differ",
                f"two largest {rules.two_largest:.0%}, p {rules.p:.0%}",
                "top code",
                "means rounded at random",
            ]
        elif name != "people":
            applied.append("no 0 % or 100 %")
        status = table["status"].value_counts()
        withheld = f"{status.get('few', 0)} counts too small, {status.get('withheld', 0)} others"
        if has_means:
            present = table[(table["value"] == "present") & (table["status"] != "does not apply")]
            withheld += f"; {present['mean'].isna().sum()} of {len(present)} means, {present['sd'].isna().sum()} SDs"
        contents = "counts, means and SDs" if has_means else "counts"
        rows.append((str(name), f"{contents} by trial group and arm", "; ".join(applied), withheld, OTHER_OUTPUTS))
    return pd.DataFrame(rows, columns=COLUMNS)


def _sampled(left_out: float) -> str:
    return (
        f"{left_out:.0%} of people left out at random, {CERTAINLY} of each arm at least"
        if left_out
        else "nobody left out"
    )


ESTIMATES = "posterior means, SDs and intervals of impacts, by outcome and trial group"
MADE_FROM_DRAWS = "made from the draws and published figures alone"
CONTENTS = {
    "posterior.nc": "draws of impacts and of parameters of groups; none of a person or specialist",
    "impacts": ESTIMATES,
    "comparison": f"{ESTIMATES}, beside published ones",
    "report": "page with the tables and figures named here",
}
"""What a file of a result holds, by its name without suffix; other files follow from the draws."""


def output_check_of_result(files: Iterable[str], *, left_out: float, subgroups: bool, rules: Rules) -> pd.DataFrame:
    """Write the output-check sheet of a result on records: one row per file.

    Parameters
    ----------
    files
        Names of the files of the result.
    left_out
        Share of people left out.
    subgroups
        Whether the draws have impacts on subgroups.
    rules
        The parameters used.
    """
    fitted = [
        f"threshold {rules.fewest} in each arm",
        f"{rules.fewest} values that differ in each arm",
        f"earnings: two largest {rules.two_largest:.0%}, p {rules.p:.0%}",
        _sampled(left_out),
    ]
    hidden = "subgroups under the threshold, and the next smallest" if subgroups else "nothing"
    warning = "" if left_out else "; differences from a result without one of these people show that person's outcome"
    rows = []
    for name in sorted(files):
        stem = name if name in CONTENTS else name.rsplit(".", 1)[0]
        contents = CONTENTS.get(stem, MADE_FROM_DRAWS)
        rows.append((name, contents, "; ".join(fitted), hidden, OTHER_OUTPUTS + warning))
    return pd.DataFrame(rows, columns=COLUMNS)
