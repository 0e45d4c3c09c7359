"""One fit by our NUTS in this process, each phase apart: python nuts_process.py job.json folder.

Writes result.json and the draws, <seed>.npz, to the folder. Seeds after the first are not timed; the model is compiled
once more for all of them, and their draws are kept whether or not the gate would let them through.
"""

import json
import sys
import time
from pathlib import Path

BEGAN = time.perf_counter()

import arviz_stats as azs  # noqa: E402 - imports are measured
import numpy as np  # noqa: E402
import pymc  # noqa: E402, F401

import hlt_bayes as hb  # noqa: E402
from hlt_bayes.core.progress import silent  # noqa: E402
from hlt_bayes.inference.fit import fit  # noqa: E402
from hlt_bayes.inference.nuts import compile_nuts, draw_nuts, without_fastmath  # noqa: E402

IMPORTED = time.perf_counter()
SHOWN = ["mu", "tau", "impact"]
PHASES = {"Compiling the model": "compile", "Sampling": "sample", "Drawing from the prior": "prior"}


def timed_fit(spec, evidence, seed):
    """The fit, and seconds by phase."""
    starts = {"import": BEGAN, "build": IMPORTED}

    def note(stage, _done, _total):
        starts.setdefault(PHASES[stage], time.perf_counter())

    tree = fit(spec, evidence, seed=seed, progress=note)
    starts["summarise"] = time.perf_counter()
    azs.summary(tree["posterior"].dataset[SHOWN])
    ends = [*list(starts.values())[1:], time.perf_counter()]
    return tree, {name: end - start for (name, start), end in zip(starts.items(), ends, strict=True)}


def main(job, folder):
    evidence, spec = hb.load_evidence(job["evidence"]), hb.load_impact_spec(job["spec"])
    first, *others = job["seeds"]
    tree, seconds = timed_fit(spec, evidence, first)
    save(tree, folder, first)
    divergences = int(tree["sample_stats"]["diverging"].sum())
    if others:
        with without_fastmath():
            compiled = compile_nuts(hb.build_model(spec, evidence))
        for seed in others:
            again = draw_nuts(compiled, spec.sampling, seed=seed, report=silent)
            save(again, folder, seed)
            divergences += int(again["sample_stats"]["diverging"].sum())
    (folder / "result.json").write_text(json.dumps({**seconds, "divergences": divergences}))


def save(tree, folder, seed):
    """Keep mu and tau {outcome, chain, draw} and impacts {outcome, group, chain, draw}."""
    posterior = tree["posterior"].dataset
    arrays = {name: posterior[name].transpose("outcome", ..., "chain", "draw").to_numpy() for name in SHOWN}
    np.savez(folder / f"{seed}.npz", **arrays)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
