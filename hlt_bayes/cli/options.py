"""Options shared by several verbs, and exit codes."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from hlt_bayes.core.errors import HltBayesError, HltBayesWarning, SpecError, unknown_name
from hlt_bayes.core.text import printable

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


EVIDENCE_ENGINES: dict[EngineChoice, Engine] = {
    EngineChoice.NUTS: "nuts",
    EngineChoice.PYMC: "pymc",
    EngineChoice.EXACT: "exact",
}
RECORDS_ENGINES: dict[EngineChoice, IndividualEngine] = {EngineChoice.NUTS: "nuts", EngineChoice.LAPLACE: "laplace"}
"""Engines for published results, and for individual records."""


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
    typer.Option(help="Impact spec; may be repeated. Default: all shipped.", autocompletion=spec_names("impact")),
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
    typer.Option("--records", help="Individual records (.csv, .parquet or .dta) instead of published results."),
]
MappingPath = Annotated[
    Path | None, typer.Option("--mapping", help="TOML file that maps column names and codes to the schema.")
]
KeyPath = Annotated[
    Path | None,
    typer.Option("--key", help="Key of the records. Default: the file beside them with .key added, if there is one."),
]
LeaveOut = Annotated[
    float | None,
    typer.Option(
        help="Share of records left out at random, 0 or 0.01 to 0.2, so that outputs do not differ by one person. "
        "Default: 0.02 (0 of synthetic records)."
    ),
]
EvidencePath = Annotated[
    Path | None,
    typer.Option(help="CSV file of your own trials, or an evidence folder, replacing the published evidence."),
]
OriginalEvidence = Annotated[
    Path | None,
    typer.Option("--evidence", help="Only for a result of version 0.1.0 on your own trials: their file."),
]
EngineName = Annotated[
    EngineChoice | None,
    typer.Option(
        help="Overrides the spec's engine: nuts (nutpie), pymc or exact (no MCMC); with --records nuts or laplace."
    ),
]
Smallest = Annotated[
    list[str] | None,
    typer.Option(help="Smallest effect of interest, such as employment=0.02; repeat for other outcomes."),
]
Seed = Annotated[int | None, typer.Option(help="Overrides the spec's seed.", min=0, max=2**63 - 1)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an earlier result in that folder.")]
Workers = Annotated[int | None, typer.Option(help="Number of processes. Default: one per core.", min=1)]
Scheduler = Annotated[str | None, typer.Option(help="Dask scheduler (tcp://host:port), instead of local processes.")]
JournalPath = Annotated[Path | None, typer.Option(help="File of finished tasks, to resume an interrupted run.")]


def engine_of(choice: EngineChoice | None) -> Engine | None:
    """Return the chosen engine for published results.

    Raises
    ------
    SpecError
        The engine is only for individual records.
    """
    if choice is None:
        return None
    if choice is EngineChoice.LAPLACE:
        raise SpecError("--engine laplace needs --records; for published results choose nuts, pymc or exact")
    return EVIDENCE_ENGINES[choice]


def refuse_unknown(name: str, allowed: Iterable[str], option: str) -> None:
    """Raise if a name is given and not allowed.

    Raises
    ------
    SpecError
        The name is not allowed.
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
            raise SpecError(f"{option} {text!r}: the value must be finite; write it as {example}")
        found[name.strip()] = number
    return found


def check_record_options(
    evidence: Path | None,
    records: Path | None,
    engine: EngineChoice | None,
    *,
    only_with_records: Mapping[str, object],
) -> IndividualEngine | None:
    """Check that the options are compatible, and return the engine for records if there is one.

    ``only_with_records`` are further options, by name, that need records.

    Raises
    ------
    SpecError
        The options are not compatible.
    """
    for option, value in only_with_records.items():
        if value is not None and records is None:
            raise SpecError(f"{option} needs --records: give the file of records as well")
    if records is not None and evidence is not None:
        raise SpecError("--records and --evidence cannot be combined: give individual records or published trials")
    if records is None or engine is None:
        engine_of(engine)
        return None
    if engine not in RECORDS_ENGINES:
        raise SpecError(f"--engine {engine.value} cannot be used with --records; choose {' or '.join(RECORDS_ENGINES)}")
    return RECORDS_ENGINES[engine]


@contextlib.contextmanager
def exit_codes() -> Iterator[None]:
    """Turn errors of this package into one-line messages and exit codes, and its warnings into notes."""
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, HltBayesWarning):
                tell(f"note: {printable(str(message))}")
            else:
                others(message, category, filename, lineno, file, line)

        warnings.simplefilter("always", HltBayesWarning)
        warnings.showwarning = show
        with _errors_to_exit_codes():
            yield


@contextlib.contextmanager
def _errors_to_exit_codes() -> Iterator[None]:
    try:
        yield
    except HltBayesError as error:
        tell(printable(str(error)))
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        tell("interrupted; nothing was written")
        raise typer.Exit(EXIT_INTERRUPTED) from error


def tell(sentence: str) -> None:
    """Print on standard error; where that is full, the exit code must do."""
    with contextlib.suppress(OSError):
        typer.echo(f"hlt-bayes: {sentence}", err=True)
