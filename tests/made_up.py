"""A small made-up publication in which everything adds up, and ways to plant one fault in it."""

from pathlib import Path

import pandas as pd

from hlt_bayes.evidence.claims import CellName, Document, Relation, TableStructure
from hlt_bayes.evidence.ledger import Evidence
from hlt_bayes.evidence.printed_text import parse_printed
from hlt_bayes.evidence.schema import CELL, QUANTITY

GROUPS = ("SCR IW", "SCR OOW", "WMCA")


def cell(place, line, row, column, printed, unit, measure, *, category="", outcome="", group="", arm="", base=None):
    return {
        "document": "report",
        "place": place,
        "line": line,
        "row": row,
        "column": column,
        "printed": printed,
        "unit": unit,
        "measure": measure,
        "category": category,
        "outcome": outcome,
        "group": group,
        "arm": arm,
        "base": base,
    }


def grid(place, unit, measure, columns, rows, *, arm="", **units):
    """Cells of one table: ``rows`` maps a label to its printed texts; ``units`` names a column's own (unit, "
    "measure)."""
    return [
        cell(
            place,
            line + 1,
            label,
            column,
            text,
            *units.get(column, (unit, measure)),
            category=f"{label}; {column}",
            arm=arm,
        )
        for line, (label, texts) in enumerate(rows.items())
        for column, text in zip(columns, texts, strict=True)
    ]


def counts(place, north, south, arm=""):
    rows = {"North": north, "South": south, "Total": tuple(map(sum, zip(north, south, strict=True)))}
    rows = {label: (*map(str, row), str(sum(row))) for label, row in rows.items()}
    return grid(place, "people", "referrals", ("GP", "Other", "Total"), rows, arm=arm)


CELLS = [
    *counts("Table 1", (30, 70), (20, 30), "treatment"),
    *counts("Table 2", (31, 69), (19, 31), "control"),
    *counts("Table 3", (61, 139), (39, 61)),
    *grid(
        "Table 4",
        "%",
        "age",
        ("A %", "B %", "Total %"),
        {"young": ("40", "20", "35"), "old": ("60", "80", "65"), "Base": ("300", "100", "400")},
    ),
    *grid(
        "Table 5",
        "sessions",
        "sessions",
        ("Sessions", "People", "Percentage"),
        {"short": ("900", "127", "85%"), "long": ("300", "75", "50%")},
        People=("people", "people reached"),
        Percentage=("%", "reach"),
    ),
    *grid(
        "Table 6",
        "%",
        "treatment profile",
        ("M", "F"),
        {"North": ("60%", "40%"), "South": ("30%", "70%"), "Total": ("50%", "50%")},
    ),
    *(
        cell("Table 7", 1, "randomised", f"{group} {arm}", str(people), "people", "recruits", group=group, arm=arm)
        for group, size in zip(GROUPS, (1000, 1000, 2000), strict=True)
        for arm, people in (("treatment", size), ("control", size))
    ),
    *(
        cell(
            "Table 7", 2, "answered", f"{group} {arm}", "600", "people", "12-month survey sample", group=group, arm=arm
        )
        for group in GROUPS
        for arm in ("treatment", "control")
    ),
    *(
        cell("Table 7", 3, "SD of earnings", group, "£5,000", "GBP", "outcome sd", outcome="earnings", group=group)
        for group in GROUPS
    ),
    *(
        cell("Table 8", line + 1, group, outcome, text, unit, "impact", outcome=outcome, group=group)
        for line, (group, texts) in enumerate(
            {
                "SCR IW": ("0.10 sd *", "3ppt *", "£250"),
                "SCR OOW": ("0.10 sd *", "1ppt", "-£150"),
                "All SCR": ("0.10 sd **", "2ppt *", "£50"),
                "WMCA": ("0.13 sd **", "4ppt ***", "£100"),
                "All OOW": ("0.12 sd **", "3ppt **", "£17"),
            }.items()
        )
        for outcome, text, unit in zip(("health", "employment", "earnings"), texts, ("SD", "ppt", "GBP"), strict=True)
    ),
    *(
        cell("Table 9", line + 1, group, name, text, unit, name, group=group)
        for line, (group, texts) in enumerate(
            {
                "SCR IW": ("£2,000", "£0.02", "£2.00"),
                "SCR OOW": ("£2,000", "£0.01", "£2.00"),
                "All SCR": ("£2,000", "n/c", "n/c"),
                "WMCA": ("£2,600", "£0.02", "£2.00"),
                "All OOW": ("£2,400", "£0.01", "£2.00"),
            }.items()
        )
        for name, text, unit in zip(
            ("cost per head", "financial return", "economic return"),
            texts,
            ("GBP", "GBP per GBP", "GBP per GBP"),
            strict=True,
        )
    ),
    cell(
        "Section 1",
        1,
        "600 of 1,000 answered",
        "",
        "60%",
        "%",
        "12-month survey response",
        group="SCR IW",
        arm="treatment",
        base=1000,
    ),
    cell(
        "Section 1", 2, "wellbeing at 99%", "", "90%", "% confidence", "significance", outcome="health", group="SCR IW"
    ),
    cell("Section 1", 3, "12 months in all", "", "12", "months", "support duration", category="total"),
    cell("Section 1", 4, "9 months before", "", "9", "months", "support duration", category="before job"),
    cell("Section 1", 5, "and 3 in work", "", "3", "months", "support duration", category="in work"),
    cell("Section 1", 6, "30 of 150 from GPs", "", "33%", "%", "referral pathway", category="GP"),
    cell(
        "Section 1", 7, "use of services", "", "40%", "%", "support accessed", category="GP", group="SCR IW", base=100
    ),
    cell(
        "Section 1", 8, "use of services", "", "20%", "%", "support accessed", category="GP", group="SCR OOW", base=300
    ),
    cell("Section 1", 9, "use of services", "", "25%", "%", "support accessed", category="GP", group="All SCR"),
]


def structure(place, **structure):
    return TableStructure(file=f"{place}.csv", document="report", place=place, title=place, **structure)


TABLES = [
    structure("Table 1", base="All recruits (n=150)", base_people=150, total_row="Total", total_column="Total"),
    structure("Table 2", base="All controls", total_row="Total", total_column="Total"),
    structure("Table 3", sum_of_tables={"place": "Table 3", "of": ["Table 1", "Table 2"]}),
    structure(
        "Table 4",
        base="all recruits",
        base_row="Base",
        one_choice_columns=True,
        total_percentage={"column": "Total %", "parts": ["A %", "B %"], "weights": "Base"},
    ),
    structure(
        "Table 5",
        percentages=[{"percentage": "Percentage", "count": "People", "base": 150}],
        people_column="People",
        sessions_column="Sessions",
    ),
    structure(
        "Table 6",
        one_choice_rows=[["M", "F"]],
        total_percentage_row={"row": "Total", "place": "Table 1", "column": "Total"},
    ),
]
RELATIONS = [
    Relation(
        what="12 months are 9 and 3",
        kind="sum",
        result=CellName(document="report", place="Section 1", line=3, column=""),
        terms=[CellName(document="report", place="Section 1", line=line, column="") for line in (4, 5)],
    ),
    Relation(
        what="more before than in work",
        kind="greater",
        terms=[CellName(document="report", place="Section 1", line=line, column="") for line in (4, 5)],
    ),
]


def publication(change=None, *, tables=TABLES, relations=RELATIONS, more=()):
    """The made-up publication; ``change`` maps (place, line, column) to another printed text, or other fields."""
    rows = [dict(row) for row in [*CELLS, *more]]
    changed = dict(change or {})
    for row in rows:
        new = changed.pop((row["place"], row["line"], row["column"]), None)
        row.update(new if isinstance(new, dict) else {} if new is None else {"printed": new})
    assert not changed, f"no such cell: {changed}"
    for row in rows:
        printed = parse_printed(row["printed"], row["unit"])
        row["value"] = printed.value if printed else float("nan")
        row["decimals"] = printed.decimals if printed else float("nan")
        row["stars"] = printed.stars if printed else ""
        row["base"] = float("nan") if row["base"] is None else row["base"]
        # The base row of a table of percentages counts people.
        if row["row"] == "Base":
            row["unit"], row["measure"] = "people", "base"
    ledger = pd.DataFrame(rows).assign(text=lambda cells: cells["printed"], correction="")
    document = Document(
        title="Made up",
        authors=[],
        institution="none",
        series="",
        isbn="",
        published="",
        published_precision="not stated",
        licence="none",
    )
    return Evidence(
        path=Path("made-up"),
        as_printed=False,
        files={},
        sites={},
        tables=tuple(tables),
        relations=tuple(relations),
        contents={},
        _ledger=ledger[
            [*CELL, "printed", "value", "unit", "decimals", "stars", "base", *QUANTITY, "text", "correction"]
        ],
        _sources={"report": document},
    )


def with_structure(place, **update):
    """The tables, one of them with another structure."""
    return [table.model_copy(update=update) if table.place == place else table for table in TABLES]
