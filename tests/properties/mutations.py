"""Strategies that start from what is valid, and change its structure, its values or its bytes."""

import copy
import csv
import datetime as dt
import io
import json
import math

from hypothesis import strategies as st

NUMBERS = [0, 1, -1, 2, 0.5, -0.0, 1e-9, 1e-12, 1e-320, 1e9, 1e10, 1e308, -1e308, math.nan, math.inf, -math.inf]
NUMBERS += [2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, -(2**70)]
NUMERALS = ["0", "1", "-1", "0.10", "\u0663\u0664", "\u00b2", "\uff11", "1_000", "1,000", "1e5", "nan", "inf", "-inf"]
NUMERALS += [
    "9" * 400,
    "0." + "0" * 400 + "1",
    "0x10",
    "1.",
    ".5",
    "+1",
    "--1",
    " 1 ",
    "\u22121",
    "\u2013" + "2",
    "\u00a33",
    "50%",
]
NUMERALS += ["<0.001", ">0.1", "<0", ">1", "<= 0.05", "100", "99.9", "1" * 20, "1" * 5000, "0.1" + "0" * 30]
WORDS = [
    "",
    " ",
    "none",
    "*",
    "***",
    "****",
    "A",
    "WMCA",
    "All SCR",
    "SCR IW",
    "employment",
    "health",
    "ppt",
    "SD",
    "GBP",
]
WORDS += [
    "../x",
    "/etc/passwd",
    "CON",
    "a/b",
    "a\\b",
    "..",
    ".",
    "x" * 3000,
    "\x00",
    "\x1b[31m",
    "\n",
    "a\nb",
    "\t",
    "\r",
]
WORDS += [
    "\ufeff",
    "\u202e",
    "e\u0301",
    "\U0001f600",
    '"',
    "'",
    '""',
    ",",
    ";",
    "#",
    "=1+1",
    "__import__('os').system('x')",
]
WORDS += [
    "normal",
    "half-normal",
    "student-t",
    "normal-mixture",
    "log-normal",
    "exponential",
    "fixed",
    "uniform",
    "beta",
]
WORDS += ["implied", "printed", "interval", "pooled", "sites", "joint", "moderators", "no-pooling", "exact", "nuts"]
DATES = [dt.date(2019, 1, 1), dt.datetime(2019, 1, 1, 12, tzinfo=dt.UTC), dt.time(1, 2)]

texts = st.one_of(
    st.sampled_from(NUMERALS), st.sampled_from(WORDS), st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
numerals = st.builds(
    "{:.{}f}{}".format,
    st.one_of(st.floats(-1, 1), st.floats(-100, 100), st.floats(-5000, 5000)),
    st.integers(0, 5),
    st.sampled_from([""] * 9 + ["%"]),
)
"""Numbers as a report may print them."""

scalars = st.one_of(
    st.sampled_from(NUMBERS),
    st.floats(-10, 10),
    st.integers(-5, 5000),
    st.booleans(),
    texts,
    st.sampled_from(DATES),
)
junk = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


def toml(value):
    """Write a nested dict as TOML."""
    return "\n".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + "\n"


def _key(text):
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value):
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _key(value)
        case float():
            return "nan" if math.isnan(value) else repr(value)
        case int():
            return str(value)
        case dict():
            return "{" + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_value, value)) + "]"
    return value.isoformat()


def _places(node, path=()):
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from _places(value, (*path, key))


@st.composite
def mutated(draw, documents, *, most=3):
    """Change a nested document in up to ``most`` places: drop, rename, move, double or replace what stands there."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(0, most))):
        places = [path for path in _places(document) if path]
        if not places:
            break
        *above, key = draw(st.sampled_from(places))
        table = document
        for step in above:
            table = table[step]
        change = draw(st.sampled_from(["drop", "rename", "number", "scale", "word", "junk", "wrap", "copy", "double"]))
        value = table[key]
        if change == "drop":
            del table[key]
        elif change == "rename" and isinstance(table, dict):
            table[draw(texts)] = table.pop(key)
        elif change == "number":
            table[key] = draw(st.one_of(st.sampled_from(NUMBERS), st.floats(-2, 2)))
        elif change == "scale" and isinstance(value, int | float) and not isinstance(value, bool):
            table[key] = value * draw(st.sampled_from([-1.0, 0.0, 1e-6, 0.1, 3.0, 1e3, 1e6]))
        elif change == "word":
            table[key] = draw(texts)
        elif change == "wrap":
            table[key] = draw(st.sampled_from([[value], {"a": value}, [value, value], [[value]]]))
        elif change == "copy":
            other = document
            for step in draw(st.sampled_from(places)):
                other = other[step]
            table[key] = copy.deepcopy(other)
        elif change == "double" and isinstance(table, list):
            table.insert(key, copy.deepcopy(value))
        else:
            table[key] = draw(junk)
    return document


@st.composite
def moved(draw, documents):
    """Move some figures of a nested document, by factors that leave many of them allowed."""
    document = copy.deepcopy(draw(st.sampled_from(documents)))
    figures = [path for path in _places(document) if path and type(_at(document, path)) is float]
    for path in draw(st.lists(st.sampled_from(figures), max_size=4)) if figures else []:
        *above, key = path
        table = _at(document, above)
        table[key] *= draw(st.sampled_from([1e-9, 1e-6, 1e-3, 0.1, 0.5, 1.2, 3.0, 1e3, 1e6]))
    return document


def _at(document, path):
    for step in path:
        document = document[step]
    return document


@st.composite
def damaged(draw, contents):
    """Damage the bytes of one of ``contents``: cut, doubled, spliced, recoded; seldom nothing of it is left."""
    content = draw(contents) if isinstance(contents, st.SearchStrategy) else draw(st.sampled_from(contents))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from([0, 1, 3, 20, 400])))
        put = draw(
            st.one_of(
                st.binary(max_size=4), st.sampled_from([b"\x00", b"\xff\xfe", b'"', b"\n", b"\r", b",", b"[", b"="])
            )
        )
        content = draw(
            st.sampled_from(
                [
                    content[:start] + put + content[stop:],
                    content[:start] + content[start:stop] * 2 + content[stop:],
                    content[:start],
                ]
            )
        )
    recode = draw(st.sampled_from(["", "", "", "", "crlf", "cr", "bom", "utf-16", "latin-1", "raw"]))
    if recode == "raw":
        return draw(st.binary(max_size=60))
    if recode == "bom":
        return b"\xef\xbb\xbf" + content
    if recode in ("crlf", "cr"):
        return content.replace(b"\n", b"\r\n" if recode == "crlf" else b"\r")
    if recode:
        return content.decode("utf-8", "replace").encode(recode, "replace")
    return content


def as_csv(rows):
    """Write rows of text as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


@st.composite
def mutated_table(draw, tables, *, most=4, values=texts, heads=texts):
    """Change a table of text, header first: fields, rows and columns that are dropped, doubled, moved or replaced."""
    rows = copy.deepcopy(draw(st.sampled_from(tables)))
    for _ in range(draw(st.integers(0, most))):
        if not rows or not rows[0]:
            break
        row, column = draw(st.integers(0, len(rows) - 1)), draw(st.integers(0, len(rows[0]) - 1))
        change = draw(st.sampled_from(["field"] * 6 + ["row", "again", "column", "twice", "ragged", "swap", "blank"]))
        if column >= len(rows[row]):
            continue
        if change == "field":
            rows[row][column] = draw(values if row else heads)
        elif change == "row":
            del rows[row]
        elif change == "again":
            rows.insert(row, list(rows[row]))
        elif change == "column":
            rows = [one[:column] + one[column + 1 :] for one in rows]
        elif change == "twice":
            rows = [[*one, *one[column : column + 1]] for one in rows]
        elif change == "ragged":
            rows[row] = rows[row][: column + 1] if draw(st.booleans()) else [*rows[row], "more"]
        elif change == "swap":
            other = draw(st.integers(0, len(rows) - 1))
            rows[row], rows[other] = rows[other], rows[row]
        else:
            rows[row] = [""] * len(rows[row])
    return rows
