"""Writes figures as reproducible PNG and SVG files, labelled with the specs and evidence behind them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hlt_bayes.evidence import Evidence
from hlt_bayes.specs import Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def origin_of(specs: Mapping[str, Spec], evidence: Evidence | None = None) -> str:
    """Return one line that identifies the specs and evidence behind a figure."""
    made_by = ", ".join(f"{spec.name} {spec.fingerprint}" for spec in specs.values())
    return f"hlt-bayes, {made_by}" + ("" if evidence is None else f", evidence {evidence.sha256}")


def save(figure: Figure, stem: Path, origin: str) -> None:
    """Write PNG and SVG without a timestamp, so that equal figures give equal files."""
    figure.savefig(stem.with_suffix(".png"), dpi=150, metadata={"Source": origin})
    stem.with_suffix(".svg").write_text(svg(figure, stem.name, origin), encoding="utf-8")


def svg(figure: Figure, name: str, origin: str) -> str:
    """Return a figure as SVG text."""
    import matplotlib as mpl

    text = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Source": origin})
    return text.getvalue()
