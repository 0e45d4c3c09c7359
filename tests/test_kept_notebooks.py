"""Notebooks as they are kept: run from top to bottom, with figures, and no number in their text."""

import re
from copy import deepcopy

import pytest
from kept_notebooks import NOTEBOOKS, code_cells, differences, figures, read

LARGEST = 600_000
RESULT = re.compile(r"\d\.\d|\d ?%|£\d|\d ?(ppt|SD)\b")
"""A number that an analysis would have found."""
CONVENTIONS = re.compile(r"89 ?%(?=[ -]interval)|£1(?!\d|[.,]\d)|EQ-5D-5L|\d{4}-\d\d-\d\d")
ABSOLUTE = re.compile(r"(?<![\w.:/])/(home|work|tmp|root|usr|var|Users|mnt|opt)/|[A-Z]:\\\\")


def told(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def results_in(text):
    """Numbers in a text that no code made."""
    return [found[0] for found in RESULT.finditer(CONVENTIONS.sub("", text))]


def test_notebooks_are_numbered_without_a_gap():
    numbers = [path.name.partition("_")[0] for path in NOTEBOOKS]
    assert numbers == [f"{number:02d}" for number in range(1, 8)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_kept_with_outputs(path):
    notebook = read(path)
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    assert figures(notebook)
    assert path.stat().st_size < LARGEST
    assert told(notebook)[0].startswith("# ")
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        assert not ABSOLUTE.search(cell.source), cell.id
        assert not cell.metadata, cell.id
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", cell.id
            assert output.get("name") != "stderr", cell.id
            assert not ABSOLUTE.search(str(output.get("text", output.get("data", {}).get("text/plain", "")))), cell.id


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_number_stands_in_the_text(path):
    for text in told(read(path)):
        assert not results_in(text), text


@pytest.mark.parametrize("text", ["a mean of 0.88", "41% of draws", "it returns £3", "it rose by 3 ppt"])
def test_a_number_in_the_text_is_found(text):
    assert results_in(text)


def test_conventions_are_no_results():
    assert not results_in("The 89% interval of EQ-5D-5L, for each £1, from 2018 to 2021, by 2019-03-23.")


def test_a_changed_number_is_found():
    """The sabotaged twin: one stored number moved by a fifth, one word, one figure less."""
    notebook = read(NOTEBOOKS[0])
    assert not differences(notebook, deepcopy(notebook))
    for old, new in (("£0.63", "£0.76"), ("pooling", "chance")):
        changed = deepcopy(notebook)
        spoken = [
            output
            for cell in code_cells(changed)
            for output in cell.outputs
            if old in output.get("data", {}).get("text/markdown", "")
        ]
        assert spoken
        spoken[0]["data"]["text/markdown"] = spoken[0]["data"]["text/markdown"].replace(old, new)
        assert differences(changed, notebook)
        assert differences(notebook, changed)
    changed = deepcopy(notebook)
    shown = next(
        cell for cell in code_cells(changed) if any("image/png" in one.get("data", {}) for one in cell.outputs)
    )
    shown.outputs = []
    assert differences(changed, notebook)
