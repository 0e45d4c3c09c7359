"""Features of all verbs: --quiet, --json, one-line errors and exit codes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, cast

import typer

from hlt_bayes.cli.options import exit_codes
from hlt_bayes.cli.output import Output
from hlt_bayes.core.errors import SpecError

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Omit progress, notes and messages.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print all output as one JSON document, unrounded.")]


def verb(*, tables: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turn a function whose first argument is its ``Output`` into a verb.

    The verb's options are the function's other arguments, ``--quiet`` and, if it prints ``tables``, ``--json``. The
    last two may also follow the name of the group instead of the verb's own.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        named = {"context": typer.Context, "quiet": Quiet, **({"as_json": AsJson} if tables else {})}
        added = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if name == "context" else False,
                annotation=annotation,
            )
            for name, annotation in named.items()
        ]
        own = [one.replace(kind=one.KEYWORD_ONLY) for one in list(signature.parameters.values())[1:]]

        @functools.wraps(function)
        def run(*, context: typer.Context, **given: object) -> None:
            for name in ("quiet", "as_json"):
                given.pop(name, None)
            if context.invoked_subcommand is not None:
                return
            with exit_codes():
                contexts = _with_groups(context)
                name = " ".join(str(one.info_name) for one in reversed(contexts))
                quiet, as_json = (any(one.params.get(flag) for one in contexts) for flag in ("quiet", "as_json"))
                if as_json and not tables:
                    raise SpecError(f"--json: {name} prints no table; omit it")
                if as_json and given.get("as_csv"):
                    raise SpecError("--json and --csv cannot be combined; give one")
                output = Output(name, quiet=quiet, as_json=as_json)
                try:
                    function(output, **given)
                except typer.Exit:
                    # A verb that exits with an error code has already output its findings.
                    output.finish()
                    raise
                output.finish()

        run.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in (*own, *added)}
        return run

    return decorate


def _with_groups(context: typer.Context) -> list[typer.Context]:
    """Return the contexts of a verb and its groups, without that of the program."""
    contexts = [context]
    while contexts[-1].parent is not None:
        contexts.append(cast(typer.Context, contexts[-1].parent))
    return contexts[:-1] or contexts
