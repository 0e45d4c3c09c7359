"""One page of results in Markdown, and the table beside it from which its verdicts can be checked."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version

import pandas as pd
from helpers import markdown_lines

from hlt_bayes.inference.calibration import model_sha256
from hlt_bayes.meta import load_meta_spec
from hlt_bayes.specs import load_impact_spec, load_individual_spec, load_twin_spec, shipped_specs
from validation.rows import COLUMNS, LEVEL, verdict, worst

COMMAND = ".venv/bin/python tests/deep/validation/validate.py"
RECORDS_SPEC = "records"
PACKAGES = ("hlt-bayes", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy", "arviz")
RULE = (
    f"The rule, the same for all parts: a part fails if any of its rows has p at or below {LEVEL:.0%} over the number "
    "of its rows, so that one whose models are right fails with probability 1% at most. Nothing was run again with "
    "another seed after a look at its result; what failed was mended and run again with the same seeds. Each table "
    "has, of every thing and test, the row of the least p; of how many, its last column says."
)
HEADS = ("Found", "Expected", "SE", "z", "p", "Threshold")
SHOWN = ("found", "expected", "se", "z", "p", "threshold")


def models(evidence):
    """Hash of every model that the parts are about, by kind and name."""
    found = {f"impact/{name}": model_sha256(load_impact_spec(name), evidence) for name in shipped_specs("impact")}
    found["meta/ips"] = load_meta_spec("ips").fingerprint
    found[f"individual/{RECORDS_SPEC}"] = load_individual_spec(RECORDS_SPEC).fingerprint
    found["twin/no-gradient"] = load_twin_spec("no-gradient").fingerprint
    return found


def kept_rows(parts):
    """Rows of the table beside the page: the least p of each thing and test of each part."""
    frames = [worst(part.rows).assign(part=part.name) for part in parts]
    return pd.concat(frames, ignore_index=True)[["part", *COLUMNS, "rows"]]


def page(parts, kept, *, hashes, kept_table, settings, seconds, resumed):
    """Write the page of ``parts`` and of the rows ``kept`` of them."""
    passed = all(part.rows["passed"].all() for part in parts)
    lines = [
        "# Validation",
        "",
        f"{'All parts passed.' if passed else 'NOT ALL PARTS PASSED.'} {kept_table}",
        "",
        *markdown_lines(
            ["Part", "Simulated or compared", "How many", "Rows", "Verdict"], [_summary(part) for part in parts]
        ),
        "",
        RULE,
    ]
    for part in parts:
        rows = kept[kept["part"] == part.name]
        lines += ["", f"## {part.name}", "", *table_of(rows)]
    others = [name for name in shipped_specs("individual") if name != RECORDS_SPEC]
    lines += [
        "",
        "## Models",
        "",
        *markdown_lines(["Model", "Hash"], [(name, f"`{value[:16]}`") for name, value in hashes.items()]),
        "",
        f"Individual models that are not here: {', '.join(others)}; see tests/statistical/test_individual_fits.py.",
        "",
        "## Run",
        "",
        *_run(parts, settings=settings, seconds=seconds, resumed=resumed),
    ]
    return "\n".join(lines) + "\n"


def _summary(part):
    return part.name, part.simulated, part.how_many, f"{len(part.rows):,}", verdict(part)


def table_of(rows):
    """Write the kept rows of a part as a table, a line each."""
    return markdown_lines(["What", "Test", "Worst row", *HEADS, "", "Of"], _cells(rows))


def model_line(name, value):
    """Write the hash of a model as a line of its table."""
    return markdown_lines([name, f"`{value[:16]}`"], [])[0]


def _cells(rows):
    for _, one in rows.iterrows():
        numbers = [f"{one[name]:.4g}" if name in ("found", "expected") else f"{one[name]:.2g}" for name in SHOWN]
        yield one["what"], one["test"], one["quantity"], *numbers, "passed" if one["passed"] else "FAILED", one["rows"]


def _run(parts, *, settings, seconds, resumed):
    seeds = ", ".join(f"{part.name} {part.seed}" for part in parts)
    again = "; what a journal held of an earlier, interrupted run was taken from it" if resumed else ""
    minutes = ", ".join(f"{part.name} {part.seconds / 60:.0f}" for part in parts)
    return [
        f"- Command: `{COMMAND}{' --short' if settings == 'short' else ''}` ({settings} settings)",
        f"- Date: {datetime.now(UTC):%Y-%m-%d}; duration {seconds / 60:.0f} minutes ({minutes}){again}",
        f"- Seeds: {seeds}",
        f"- Machine: {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        f"- Versions: {', '.join(f'{name} {version(name)}' for name in PACKAGES)}",
    ]
