"""One named stream of random numbers per purpose, so that adding one does not move another."""

from __future__ import annotations

import hashlib


def stream_seed(seed: int, purpose: str) -> int:
    """Seed of the stream ``purpose`` under the user's ``seed``: an integer below 2**32."""
    digest = hashlib.sha256(f"{seed}:{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "big")
