"""Lists the shipped specs and shows their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import typer

from hlt_bayes.cli.options import EvidencePath, refuse_unknown, spec_names
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb
from hlt_bayes.core.errors import SpecError

if TYPE_CHECKING:
    from hlt_bayes.specs import Spec
    from hlt_bayes.specs.load import SpecKind

KindChoice = Literal["impact", "individual", "economic", "meta", "twin"]
KINDS: tuple[KindChoice, ...] = get_args(KindChoice)

models_app = typer.Typer(invoke_without_command=True, help="List the model specs, or show one.")


@models_app.callback()
@verb()
def models_list(output: Output) -> None:
    """List the model specs, or show one.

    The list gives the parent of each spec and the keys that differ.
    """
    from hlt_bayes.display.specs import models_table
    from hlt_bayes.specs import shipped_specs
    from hlt_bayes.specs.listing import specs_listing

    listing = specs_listing((kind, path) for kind in KINDS for path in shipped_specs(kind).values())
    output.table(models_table(listing), wrapped=("Title", "Based on, and what it changes"))


@models_app.command(name="show")
@verb()
def models_show(
    output: Output,
    name: Annotated[
        str,
        typer.Argument(help="A shipped name, or the path of a .toml file.", autocompletion=spec_names(*KINDS)),
    ],
    kind: Annotated[
        KindChoice | None, typer.Option(help="Kind of spec; required for a path. Default: all kinds.")
    ] = None,
    pymc: Annotated[bool, typer.Option("--pymc", help="Also print the PyMC model of an impact spec.")] = False,
    evidence: EvidencePath = None,
) -> None:
    """Print a spec's values with unit, rationale and source."""
    from hlt_bayes.display.specs import spec_table

    found = {one: _load(name, one) for one in _kinds(name, kind)}
    if pymc and "impact" not in found:
        raise SpecError(f"--pymc is only for impact specs; {name!r} is not one ({', '.join(found)})")
    for one, spec in found.items():
        output.table(spec_table(spec, one), wrapped=("What it states, and why",), grouped=False)
    if pymc:
        from hlt_bayes.evidence import load_evidence
        from hlt_bayes.inference.structures import build_model
        from hlt_bayes.specs import load_impact_spec

        output.text(build_model(load_impact_spec(name), load_evidence(evidence)).str_repr())


def _kinds(name: str, kind: SpecKind | None) -> list[SpecKind]:
    """Return the kinds of spec to show."""
    from hlt_bayes.specs import shipped_specs

    if kind is not None:
        return [kind]
    if name.endswith(".toml"):
        raise SpecError(f"{name}: a path needs its kind; add --kind with one of {', '.join(KINDS)}")
    known = {one: shipped_specs(one) for one in KINDS}
    refuse_unknown(name, dict.fromkeys(spec for specs in known.values() for spec in specs), "spec")
    return [one for one, specs in known.items() if name in specs]


def _load(name: str, kind: SpecKind) -> Spec:
    from hlt_bayes import specs

    if kind == "meta":
        from hlt_bayes.meta import load_meta_spec

        return load_meta_spec(name)
    readers = {
        "impact": specs.load_impact_spec,
        "individual": specs.load_individual_spec,
        "economic": specs.load_economic_spec,
        "twin": specs.load_twin_spec,
    }
    return readers[kind](name)
