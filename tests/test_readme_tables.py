"""Tables of the README that are lists of what there is."""

import json

from helpers import README, ROOT

from hlt_bayes.results.export import FORMATS as FORMATS_NOW

# Other tests take formats out for a while, which changes their order.
FORMATS = dict(FORMATS_NOW)


def test_every_format_of_export_is_listed(filled):
    rows = [f"| `{name}` | {one.description} | {one.holds} |" for name, one in FORMATS.items()]
    filled("exports", "\n".join(["| `--to` | what it is | files |", "| --- | --- | --- |", *rows, ""]))


def test_every_notebook_is_listed_with_its_question(filled):
    rows = []
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]).splitlines()
        title = first[0].removeprefix("# ").strip()
        rows.append(f"| [{path.stem}](notebooks/{path.name}) | {title} |")
    assert len(rows) == 7
    filled("notebooks", "\n".join(["| notebook | what it is about |", "| --- | --- |", *rows, ""]))


def test_every_verb_of_the_readme_is_one():
    from hlt_bayes.cli.app import VERBS

    text = README.read_text(encoding="utf-8")
    asked = {line.split()[1] for line in text.splitlines() if line.strip().startswith(".venv/bin/hlt-bayes ")}
    assert {one for one in asked if not one.startswith("-")} <= set(VERBS)
    assert {"run", "report", "export", "compare", "audit", "evidence"} <= asked
