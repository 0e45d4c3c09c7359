"""Reason and source that every choice and figure of a spec states."""

from __future__ import annotations

from hlt_bayes.core.toml import Frozen, Words

ASSUMPTION = "assumption"
"""Source of a value that no document states."""


class Reasoned(Frozen):
    """A stated choice with its reason (``why``) and source.

    ``source`` is ``"assumption"`` if no document states it.
    """

    why: Words
    source: Words

    def __str__(self) -> str:
        """Format the stated values, without unit, reason and source."""
        stated = self.model_dump(exclude={"unit", "why", "source"})
        said = {key: ", ".join(map(str, value)) if isinstance(value, list) else value for key, value in stated.items()}
        return "; ".join(
            f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in said.items()
        )


class Sourced(Reasoned):
    """A stated figure, with its unit."""

    unit: Words
