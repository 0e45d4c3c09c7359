"""Command line: one verb a task, errors as one line each, exit codes that scripts can use."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hlt_bayes.errors import HltBayesError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from hlt_bayes.report.tables import Table

EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="hlt-bayes",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Bayesian re-analysis of the Health-led Employment Trials. "
    "Exit codes: 0 done, 2 bad input, 3 the sampler did not converge, 130 interrupted.",
)


@app.callback()
def root() -> None:
    """Keep the verbs as verbs while there is only one."""


@app.command()
def run(
    spec: Annotated[str, typer.Option(help="Impact spec: a shipped name, or the path of a .toml file.")] = "primary",
    economics: Annotated[str, typer.Option(help="Economic spec: a shipped name, or a path.")] = "published",
    evidence: Annotated[Path | None, typer.Option(help="Folder of evidence in place of the embedded one.")] = None,
    out: Annotated[Path, typer.Option(help="Result folder.")] = Path("results/primary"),
    seed: Annotated[int | None, typer.Option(help="In place of the spec's seed.", min=0, max=2**63 - 1)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a result of ours in that folder.")] = False,
) -> None:
    """Fit the impacts, value them, print the three tables and write a result folder."""
    with _exit_codes():
        _run(spec, economics, evidence, out, seed, overwrite=overwrite)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows a substitute: a finished result must not fail on its display.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app()


def _run(spec: str, economics: str, folder: Path | None, out: Path, seed: int | None, *, overwrite: bool) -> None:
    # The libraries behind these take seconds to import: --help must not wait for them.
    from rich.console import Console

    from hlt_bayes.analysis import analyse
    from hlt_bayes.economics import price_intervals
    from hlt_bayes.evidence import load_evidence
    from hlt_bayes.fitting import fit
    from hlt_bayes.report import check_target, write_result
    from hlt_bayes.report.findings import significance_filter
    from hlt_bayes.report.tables import comparison_table, impacts_table, returns_table
    from hlt_bayes.specs import load_economic_spec, load_impact_spec, spec_path

    check_target(out, overwrite=overwrite)
    with _Stages() as stages:
        stages.enter("Reading evidence and specs")
        impact_spec, economic_spec = load_impact_spec(spec), load_economic_spec(economics)
        loaded = load_evidence(folder)
        price_intervals(impact_spec.outcomes, economic_spec, loaded)  # refuses now what would fail after the fit
        seed = impact_spec.sampling.seed if seed is None else seed
        tree = fit(impact_spec, loaded, seed=seed, progress=stages.enter)
        stages.enter("Valuing and comparing")
        analysis = analyse(tree, loaded, impact_spec, economic_spec, seed=seed)
        stages.enter("Writing the result")
        files = {"impact": spec_path(spec, "impact"), "economic": spec_path(economics, "economic")}
        write_result(analysis, out, spec_files=files, overwrite=overwrite, seconds=stages.seconds)
    console = Console(highlight=False)
    for table in (
        impacts_table(analysis.impacts),
        returns_table(analysis.returns),
        comparison_table(analysis.comparison),
    ):
        _print(table, console)
    for sentence in significance_filter(analysis.returns, analysis.comparison):
        console.print(sentence, style="bold")
    console.print(f"\nWritten: {out} (open {out / 'report.html'})", soft_wrap=True)


def _print(table: Table, console: Console) -> None:
    from rich import box
    from rich.table import Table as RichTable

    shown = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in table.columns:
        shown.add_column(column, no_wrap=column != "What changed")
    last = ""
    for head, *cells in table.rows:
        if last and head != last:
            shown.add_section()
        shown.add_row("" if head == last else head, *cells)
        last = head
    console.print(shown)
    for note in table.notes:
        console.print(note, style="dim")
    console.print()


class _Stages:
    """Shows on standard error what is being done, and remembers how long each stage took."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._display = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._interrupted = False
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Stages:
        self._display.start()
        self._handler = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._handler)
        if exception[0] is None:
            self._finish()
        else:
            self._display.live.transient = True
        self._display.stop()

    def _interrupt(self, *_: object) -> None:
        # Raised inside a callback of the compiler the exception is lost, so it is remembered as well.
        self._interrupted = True
        raise KeyboardInterrupt

    def enter(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Begin a stage, or say how far it has come; stop here if Ctrl-C was pressed before and got lost."""
        if self._interrupted and threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        if stage not in self._tasks:
            self._finish()
            self._began[stage] = time.perf_counter()
            self._tasks[stage] = self._display.add_task(stage, total=total or None)
        self._display.update(self._tasks[stage], completed=done)

    def seconds(self) -> dict[str, float]:
        """Duration of each stage up to now."""
        now = time.perf_counter()
        return {stage: self._ended.get(stage, now) - began for stage, began in self._began.items()}

    def _finish(self) -> None:
        for stage, task in self._tasks.items():
            if stage not in self._ended:
                self._ended[stage] = time.perf_counter()
                self._display.update(task, total=1, completed=1)


@contextlib.contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except HltBayesError as error:
        typer.echo(f"hlt-bayes: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt as error:
        typer.echo("hlt-bayes: interrupted; nothing was written", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from error
