"""Small things that tests share."""

import contextlib
import io
import json
import os
import pickle
import re
import shutil
from pathlib import Path

from filelock import FileLock
from typer.testing import CliRunner

from hlt_bayes.cli import app
from hlt_bayes.impacts import netcdf_reader
from hlt_bayes.results.manifest import file_sha256
from hlt_bayes.specs import spec_path

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests/reference"
README = ROOT / "README.md"
NUMBER = r"-?[\d,]*\.?\d+"


def invoked(*arguments, cwd=None, **environment):
    """Run the command line in this process, without a terminal: its exit code, standard output and standard error."""
    with contextlib.chdir(cwd or "."):
        return CliRunner(env={"COLUMNS": None} | environment).invoke(
            app, list(map(str, arguments)), prog_name="hlt-bayes"
        )


def said(*arguments, **environment):
    """What the command line prints on standard output, where it ends well."""
    result = invoked(*arguments, **environment)
    assert result.exit_code == 0, result.output
    return result.stdout


def made_once(tmp_path_factory, name, make):
    """Make what a session fixture gives once for all workers: the first one that asks makes it, the others read it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / f"{name}.pickle"
    with FileLock(path.with_suffix(".lock")):
        if path.exists():
            return pickle.loads(path.read_bytes())  # noqa: S301 -- written by another worker of this session
        made = make()
        path.write_bytes(pickle.dumps(made))
        return made


def rehash(folder, *names):
    """Give the manifest of a result the hash of files as they are now; one that is gone is no longer listed."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name in names:
        manifest["outputs"].pop(name, None)
        if (folder / name).exists():
            manifest["outputs"][name] = file_sha256(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def answer_here(request, file, *_):
    """Answer as the reader of netCDF does, without a process of its own."""
    content = io.BytesIO(file.read())
    return b"".join(netcdf_reader.answer(content, json.loads(request)))


def words(text):
    """A text without its numbers, and without whether a probability is below 1 % or above 99 %."""
    return re.sub(f"[<>]?{NUMBER}", "#", text)


def markdown(table):
    """Write a table of ours as a table of the README."""
    lines = [f"**{table.title}**", "", *markdown_lines(table.columns, table.rows)]
    return "\n".join([*lines, "", *(f"{note}\n" for note in table.notes)])


def markdown_lines(heads, rows):
    """Lines of a table in Markdown."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in (heads, ["---"] * len(heads), *rows)]
    return [f"| {' | '.join(row)} |" for row in cells]


def fill_block(name, text, *, write):
    """Hold the block ``<!-- name -->`` of the README to a text, or write it there."""
    whole = README.read_text(encoding="utf-8")
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, rest = whole.split(start, 1)
    _, after = rest.split(end, 1)
    if write:
        README.write_text(f"{before}{start}{text}{end}{after}", encoding="utf-8")
    assert block_of_readme(name) == text


def block_of_readme(name):
    """Text of the block ``<!-- name -->`` of the README."""
    return README.read_text(encoding="utf-8").split(f"<!-- {name} -->\n", 1)[1].split("<!-- end -->", 1)[0]


def table_of_contributing(heading):
    """Rows of the first table below a heading of CONTRIBUTING.md, in plain text."""
    below = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.*) \|$", below, flags=re.MULTILINE)
    return [[cell.replace("`", "") for cell in line.split(" | ")] for line in lines[2:]]


def edit(path, old, new):
    """Replace ``old``, which must stand there, once in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def edited_spec(folder, name, kind, *edits):
    """Copy a spec to ``folder``/mine.toml, each (old, new) of ``edits`` put in."""
    path = shutil.copy(spec_path(name, kind), folder / "mine.toml")
    for old, new in edits:
        edit(path, old, new)
    return path
