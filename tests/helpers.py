"""Small things that tests share."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests/reference"


def edit(path, old, new):
    """Replace ``old``, which must stand there, once in a file."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
