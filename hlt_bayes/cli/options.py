"""Options that several commands share, and the exit codes of all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlt_bayes.errors import HltBayesError, SpecError

if TYPE_CHECKING:
    from hlt_bayes.fitting import Engine
    from hlt_bayes.specs import IndividualEngine

EXIT_INTERRUPTED = 130


class EngineChoice(StrEnum):
    """Engines that draw from a posterior."""

    NUTS = "nuts"
    PYMC = "pymc"
    EXACT = "exact"
    LAPLACE = "laplace"


OF_PRINT: dict[EngineChoice, Engine] = {
    EngineChoice.NUTS: "nuts",
    EngineChoice.PYMC: "pymc",
    EngineChoice.EXACT: "exact",
}
OF_RECORDS: dict[EngineChoice, IndividualEngine] = {EngineChoice.NUTS: "nuts", EngineChoice.LAPLACE: "laplace"}
"""Engines for what is printed, and for individual records."""

EvidencePath = Annotated[
    Path | None, typer.Option(help="CSV file of your own trials, or a folder of evidence, in place of ours.")
]
EngineName = Annotated[
    EngineChoice | None,
    typer.Option(help="In place of the spec's: nuts (nutpie), pymc, exact (no MCMC); of records nuts or laplace."),
]
Smallest = Annotated[
    list[str] | None,
    typer.Option(help="Smallest effect of interest, such as employment=0.02; may be given for each outcome."),
]
Seed = Annotated[int | None, typer.Option(help="In place of the spec's seed.", min=0, max=2**63 - 1)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a result of ours in that folder.")]
Workers = Annotated[int | None, typer.Option(help="Processes; by default one a core.", min=1)]
Scheduler = Annotated[str | None, typer.Option(help="Address of a Dask scheduler, tcp://host:port, in their place.")]
Journal = Annotated[Path | None, typer.Option(help="File that keeps what is finished, so that a run can go on.")]


def engine_of(choice: EngineChoice | None) -> Engine | None:
    """Name the engine that was chosen.

    Raises
    ------
    SpecError
        It is one for individual records alone.
    """
    if choice is None:
        return None
    if choice is EngineChoice.LAPLACE:
        raise SpecError("--engine laplace is for --records; for what is printed take nuts, pymc or exact")
    return OF_PRINT[choice]


def smallest_effects(given: Sequence[str] | None) -> dict[str, float]:
    """Read ``--smallest outcome=value``."""
    return numbers(given, option="--smallest", example="employment=0.02")


def numbers(given: Sequence[str] | None, *, option: str, example: str) -> dict[str, float]:
    """Read ``name=number`` options."""
    found = {}
    for text in given or []:
        name, _, value = text.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError as error:
            raise SpecError(f"{option} {text!r}: write it as {example}") from error
    return found


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Turn errors of ours into one line each and their exit code."""
    try:
        yield
    except HltBayesError as error:
        typer.echo(f"hlt-bayes: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        typer.echo("hlt-bayes: interrupted; nothing was written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from error
