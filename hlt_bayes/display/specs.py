"""Shipped specs and what a spec states, as a reader sees them."""

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
            "hlt-bayes models show NAME prints the figures of one. A spec of your own is a .toml file, which may say "
            'based_on = "NAME" and then holds only what differs.',
        ),
        frame=listing,
    )


def spec_table(spec: Spec, kind: str) -> Table:
    """Show every choice and figure that a spec states, with unit, reason and source."""
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
        notes=("In brackets the unit. Source: assumption, where no document states it.",),
        frame=frame,
    )
