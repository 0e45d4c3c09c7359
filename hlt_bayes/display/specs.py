"""Tables of the shipped specs and of the figures in a spec."""

from __future__ import annotations

import pandas as pd

from hlt_bayes.display.table import Table
from hlt_bayes.specs import Spec, stated_figures


def models_table(listing: pd.DataFrame) -> Table:
    """Show ``specs_listing``."""
    rows = []
    for _, row in listing.iterrows():
        tables = dict.fromkeys(key.split(".")[0] for key in row["changes"].split(", ") if key)
        changed = ", ".join([*tables, *([f"without {row['without']}"] if row["without"] else [])])
        rows.append((row["kind"], row["name"], row["title"], f"{row['based_on']}: {changed}" if changed else ""))
    return Table(
        title=f"{len(rows)} specs",
        columns=("Kind", "Name", "Title", "Based on, and what it changes"),
        rows=tuple(rows),
        notes=(
            "hlt-bayes models show NAME lists the figures of one spec. Your own spec is a .toml file; with "
            'based_on = "NAME" it needs to state only the differences.',
        ),
        frame=listing,
    )


def spec_table(spec: Spec, kind: str) -> Table:
    """Show every choice and figure of a spec, with unit, reason and source."""
    frame = pd.DataFrame(
        [
            {
                "key": key,
                "stated": str(figure),
                "unit": getattr(figure, "unit", ""),
                "why": figure.why,
                "source": figure.source,
            }
            for key, figure in stated_figures(spec)
        ],
        columns=["key", "stated", "unit", "why", "source"],
    )
    return Table(
        title=f"{kind} spec {spec.name}: {spec.title}",
        columns=("Key", "What it states, and why"),
        rows=tuple(
            (
                row["key"],
                f"{row['stated']}{f' [{row["unit"]}]' if row['unit'] else ''}: {row['why']} Source: {row['source']}",
            )
            for _, row in frame.iterrows()
        ),
        notes=("Units are in brackets. Source “assumption”: no document states it.",),
        frame=frame,
    )
