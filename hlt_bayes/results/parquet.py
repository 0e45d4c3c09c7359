"""Writes frames as Parquet, with what is said of them beside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd


def write_parquet(frame: pd.DataFrame, path: Path, said: Mapping[str, str]) -> None:
    """Write a frame, with ``said`` in the metadata of its schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **said}), path)
