"""Options that several commands share, and the exit codes of all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlt_bayes.core.errors import HltBayesError, SpecError, unknown_name

if TYPE_CHECKING:
    from hlt_bayes.inference.fit import Engine
    from hlt_bayes.specs import IndividualEngine
    from hlt_bayes.specs.load import SpecKind

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


def spec_names(*kinds: SpecKind) -> Callable[[str], list[str]]:
    """Complete the names of shipped specs."""

    def complete(incomplete: str) -> list[str]:
        from hlt_bayes.specs import shipped_specs

        return _begin_with(incomplete, [name for kind in kinds for name in shipped_specs(kind)])

    return complete


def group_names(incomplete: str) -> list[str]:
    """Complete the names of trial groups and pooled rows."""
    from hlt_bayes.core.vocabulary import REPORTED_GROUPS

    return _begin_with(incomplete, REPORTED_GROUPS)


def outcome_names(incomplete: str) -> list[str]:
    """Complete the names of outcomes."""
    from hlt_bayes.core.vocabulary import OUTCOMES

    return _begin_with(incomplete, OUTCOMES)


def _begin_with(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


SpecName = Annotated[
    str,
    typer.Option(help="Impact spec: a shipped name, or the path of a .toml file.", autocompletion=spec_names("impact")),
]
SpecNames = Annotated[
    list[str] | None,
    typer.Option(
        help="Impact spec; may be given several times. [default: all shipped]", autocompletion=spec_names("impact")
    ),
]
EconomicsName = Annotated[
    str,
    typer.Option(
        help="Economic spec: a shipped name, or the path of a .toml file.", autocompletion=spec_names("economic")
    ),
]
OutFolder = Annotated[Path | None, typer.Option(help="Folder for the tables and figures.")]
RecordsOption = Annotated[
    Path | None,
    typer.Option("--records", help="Individual records in place of print: a .csv, .parquet or .dta file."),
]
MappingPath = Annotated[
    Path | None, typer.Option("--mapping", help="TOML file that gives the file's columns and codes their names here.")
]
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
JournalPath = Annotated[Path | None, typer.Option(help="File that keeps what is finished, so that a run can go on.")]


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


def refuse_unknown(name: str, allowed: Iterable[str], option: str) -> None:
    """Refuse a name that is none of those allowed; no name is not refused.

    Raises
    ------
    SpecError
        As it says.
    """
    if name and name not in allowed:
        raise SpecError(f"{option}: {unknown_name(name, allowed)}")


def smallest_effects(given: Sequence[str] | None) -> dict[str, float]:
    """Read ``--smallest outcome=value``."""
    return numbers(given, option="--smallest", example="employment=0.02")


def numbers(given: Sequence[str] | None, *, option: str, example: str) -> dict[str, float]:
    """Read ``name=number`` options."""
    found = {}
    for text in given or []:
        name, _, value = text.partition("=")
        try:
            number = float(value)
        except ValueError as error:
            raise SpecError(f"{option} {text!r}: write it as {example}") from error
        if not math.isfinite(number):
            raise SpecError(f"{option} {text!r}: a finite number is allowed; write it as {example}")
        found[name.strip()] = number
    return found


def refuse_what_does_not_go_together(
    evidence: Path | None, records: Path | None, mapping: Path | None, engine: EngineChoice | None
) -> IndividualEngine | None:
    """Refuse options of records without records, and the other way round; name the engine for records.

    Raises
    ------
    SpecError
        As it says.
    """
    if mapping is not None and records is None:
        raise SpecError("--mapping gives names to the columns of --records: give that file, too")
    if records is not None and evidence is not None:
        raise SpecError("--records and --evidence: give people, or printed trials, not both")
    if records is None or engine is None:
        engine_of(engine)
        return None
    if engine not in OF_RECORDS:
        raise SpecError(f"--engine {engine.value} is not for --records; take {' or '.join(OF_RECORDS)}")
    return OF_RECORDS[engine]


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Turn errors of ours into one line each and their exit code."""
    try:
        yield
    except HltBayesError as error:
        typer.echo(f"hlt-bayes: {_harmless(str(error))}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        typer.echo("hlt-bayes: interrupted; nothing was written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from error


def _harmless(message: str) -> str:
    """Spell out what a terminal would obey: a message may quote a file that somebody else made."""
    return "".join(
        one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in message
    )
