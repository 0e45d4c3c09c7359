"""What tests ask of notebooks: their cells and outputs, and whether two runs say the same."""

import html
import re

import nbformat
from helpers import NUMBER, ROOT, words

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEXTS = ("text/markdown", "text/html", "text/plain")


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    """Every output of a notebook, with the id of its cell."""
    return [(cell.id, output) for cell in code_cells(notebook) for output in cell.outputs]


def figures(notebook):
    """How many figures each cell shows, by its id."""
    found = {}
    for cell, output in outputs(notebook):
        found[cell] = found.get(cell, 0) + ("image/png" in output.get("data", {}))
    return {cell: count for cell, count in found.items() if count}


def texts(notebook):
    """What a reader reads of each output: its kind, and its text without markup and spacing."""
    found = []
    for cell, output in outputs(notebook):
        kinds = {"stream": output.text} if output.output_type == "stream" else output.get("data", {})
        found += [(cell, kind, _plain(kinds[kind], kind)) for kind in ("stream", *TEXTS) if kind in kinds]
    return found


def _plain(text, kind):
    if kind == "text/html":
        text = re.sub(r"<style.*?</style>", " ", text, flags=re.DOTALL)
        text = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(text.split())


def differences(stored, fresh):
    """Where two runs of one notebook do not say the same.

    Words must agree, and figures stand in the same places; numbers to three units of their last digit, or a tenth: on
    another machine draws differ, by several Monte Carlo errors at most.
    """
    if figures(stored) != figures(fresh):
        return [f"figures: {figures(stored)} stored, {figures(fresh)} now"]
    before, after = texts(stored), texts(fresh)
    if [one[:2] for one in before] != [one[:2] for one in after]:
        return ["outputs: other cells or kinds of output than stored"]
    found = []
    for (cell, kind, old), (_, _, new) in zip(before, after, strict=True):
        if words(old) != words(new):
            found.append(f"{cell}, {kind}: {old!r} stored, {new!r} now")
            continue
        for shown, now in zip(re.findall(NUMBER, old), re.findall(NUMBER, new), strict=True):
            decimals = len(shown.partition(".")[2])
            theirs, ours = (float(one.replace(",", "")) for one in (shown, now))
            if abs(ours - theirs) > max(3.01 * 10.0**-decimals, 0.1 * abs(ours)):
                found.append(f"{cell}, {kind}: {shown} stored, {now} now")
    return found
