"""Command line: one verb per task, one-line errors, and exit codes for scripts."""

from __future__ import annotations

import atexit
import contextlib
import errno
import io
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import typer
from typer.core import TyperGroup

from hlt_bayes.cli.appraisal import appraise, assumptions, voi
from hlt_bayes.cli.checks import check_app
from hlt_bayes.cli.compare import compare
from hlt_bayes.cli.evidence import audit, evidence_app
from hlt_bayes.cli.export import export
from hlt_bayes.cli.fit import fit
from hlt_bayes.cli.ips import ips
from hlt_bayes.cli.models import models_app
from hlt_bayes.cli.options import tell
from hlt_bayes.cli.records import records_app
from hlt_bayes.cli.report import report
from hlt_bayes.cli.run import run
from hlt_bayes.cli.twin import twin
from hlt_bayes.cli.verify import verify
from hlt_bayes.core.errors import HltBayesError
from hlt_bayes.core.threads import cap_blas_threads

VERBS: dict[str, typer.Typer | Callable[..., None]] = {
    "run": run,
    "fit": fit,
    "models": models_app,
    "evidence": evidence_app,
    "audit": audit,
    "ips": ips,
    "records": records_app,
    "twin": twin,
    "check": check_app,
    "appraise": appraise,
    "voi": voi,
    "assumptions": assumptions,
    "compare": compare,
    "report": report,
    "export": export,
    "verify": verify,
}
"""All verbs, in help order."""

HELP = """\
Usage: hlt-bayes VERB [OPTIONS]        hlt-bayes VERB --help for more on a verb

Bayesian re-analysis of the Health-led Employment Trials. Verbs:
{verbs}

Options: --help, --install-completion, --show-completion
All verbs: --quiet (-q); all verbs that print tables: --json
Exit codes: 0 done, 2 bad input, 3 the sampler did not converge, 130 interrupted"""


class Verbs(TyperGroup):
    """Verbs, with help that fits on a screen of 80 by 24."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the verbs in the order of ``VERBS``."""
        del ctx
        return list(VERBS)

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """Return one line per verb, the options and the exit codes."""
        lines = [f"  {name:<12} {self.commands[name].get_short_help_str(limit=65)}" for name in self.list_commands(ctx)]
        return HELP.format(verbs="\n".join(lines))


app = typer.Typer(name="hlt-bayes", cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False)
for name, known in VERBS.items():
    if isinstance(known, typer.Typer):
        app.add_typer(known, name=name)
    else:
        app.command(name=name)(known)


def _ensure_compile_cache() -> None:
    """Make PyTensor cache compiled code in a temporary folder if the home folder is not writable."""
    flags = os.environ.get("PYTENSOR_FLAGS", "")
    if "compiledir" in flags:
        return
    # RuntimeError: no home folder. os.access alone is unreliable, so a test folder is created as well.
    with contextlib.suppress(OSError, RuntimeError):
        folder = Path.home() / ".pytensor"
        if folder.is_dir() and os.access(folder, os.W_OK):
            return
        with tempfile.TemporaryDirectory(dir=folder.parent):
            return
    cache = tempfile.TemporaryDirectory(prefix="hlt-bayes.", ignore_cleanup_errors=True)
    atexit.register(cache.cleanup)
    os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, [flags, f"base_compiledir={cache.name}"]))


def main() -> None:
    """Run the command line."""
    cap_blas_threads()
    _check_streams()
    _check_working_directory()
    # No verb shows a window, so that the backend for windows, which may be missing, does not matter.
    os.environ["MPLBACKEND"] = "agg"
    _ensure_compile_cache()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.filename is not None:
            raise
        # What is still in its buffer would be written, and fail again, at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.EPIPE:  # the program that read it has ended, as in ``| head``
            sys.exit(1)
        _refuse(f"standard output cannot be written ({error.strerror}); redirect it to another file")


def _check_streams() -> None:
    """End if standard output is closed: a file opened later would take its place; do without standard error."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    if sys.stdout is None:
        _refuse("standard output is closed; redirect it to a file, or to /dev/null")
    for stream in (sys.stdout, sys.stderr):
        # Replace characters that the terminal cannot show: displaying a finished result must not fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _check_working_directory() -> None:
    try:
        Path.cwd()
    except OSError as error:
        _refuse(f"the working directory cannot be used ({error.strerror}); change to another one")


def _refuse(problem: str) -> NoReturn:
    tell(problem)
    sys.exit(HltBayesError.exit_code)
