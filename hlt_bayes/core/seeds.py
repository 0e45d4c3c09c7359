"""One named random-number stream per purpose, so that adding a stream leaves the others unchanged."""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, purpose: str) -> int:
    """Seed of the stream ``purpose``, derived from the user's ``seed``: an integer below 2**32."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
