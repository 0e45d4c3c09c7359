"""Meta-analysis of the other IPS trials."""

from __future__ import annotations

from typing import Annotated

import typer

from hlt_bayes.cli.options import OutFolder, Overwrite, Seed, spec_names
from hlt_bayes.cli.output import Output
from hlt_bayes.cli.verbs import verb


@verb()
def ips(
    output: Output,
    spec: Annotated[
        str,
        typer.Option(help="Meta spec: a shipped name, or the path of a .toml file.", autocompletion=spec_names("meta")),
    ] = "ips",
    seed: Seed = None,
    out: OutFolder = None,
    overwrite: Overwrite = False,
) -> None:
    """Meta-analyse other IPS trials and predict employment impacts.

    The predictions are for each trial group.
    """
    from hlt_bayes.display.ips import methods_table, priors_table
    from hlt_bayes.meta import load_meta_spec, pooled_trials
    from hlt_bayes.results.folder import claimed
    from hlt_bayes.results.write import write_trials

    with claimed(out, overwrite=overwrite), output.stages() as stages:
        trials = pooled_trials(load_meta_spec(spec), seed=seed, progress=stages.enter)
        if out is not None:
            stages.enter("Writing the result")
            write_trials(trials, out, overwrite=overwrite)
    output.table(methods_table(trials.methods), grouped=False)
    output.table(priors_table(trials.priors))
    if out is not None:
        output.say(f"Written: {out} (forest.png, funnel.png and the tables)", whole=True)
